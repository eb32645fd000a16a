"""Whoever asks to be forgotten is, and the last one who leaves takes the authorisation along (R41)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from contracts.envelope import IntegrationChanged, decode
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange
from service.keeper import erasing, lost_calendars
from service.store.engine.ids import new_id
from service.store.integrations.integrations import change
from service.store.links import run_changes
from service.store.tables import (
    credentials,
    held_imports,
    integrations,
    items,
    links,
    log_entries,
    outbox,
    prior_events,
)
from tests.support.office import EMAIL, Office
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

ANN = "ann@example.com"
SECRETS = ("Lunch with Eve", "Bring fruit", "Eve's place", ANN)


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _grown(ann: TwoPeopleWithRuns) -> None:
    ann.add_event("Lunch with Eve", description="Bring fruit", location="Eve's place")
    await ann.say("Visit", start="2026-12-06T09:00:00Z", end="2026-12-06T10:00:00Z")
    await ann.people.rest()
    assert await ann.titles() == ["Lunch with Eve", "Visit"]
    (lunch,) = [one for one in await ann.home.items() if one.content and one.content.title != "Visit"]
    change = RunChange(
        side=ChangedSide.ITEM, kind=ChangeKind.UPDATED, item_ref=lunch.ref, revision=1, content=lunch.content
    )
    async with ann.home.store.begin() as connection:
        at = await ann.home.store.moment(connection)
        for mine in (ann.mine, ann.people.integrations["bob"]):
            await run_changes.record(connection, new_id(), mine, [change], at=at)


async def _asked(ann: TwoPeopleWithRuns) -> None:
    ann.people.world.request_erasure(ANN)
    await ann.people.pass_time(5)
    while ann.people.notices:
        await ann.people.notice(0)
    await ann.people.settle()


async def _kept(ann: TwoPeopleWithRuns) -> str:
    """All that the store holds, but what was published, which a day takes."""
    async with ann.home.store.read() as connection:
        tables = [table for table in items.metadata.sorted_tables if table is not outbox]
        rows = [tuple(row) for table in tables for row in await connection.execute(select(table))]
    return repr(rows)


async def test_r41_the_integration_stops_at_once_and_is_shown_as_erased(ann: TwoPeopleWithRuns) -> None:
    """Vorex is told; nothing makes it connected again."""
    await _grown(ann)
    await _asked(ann)

    row = await ann.row()
    assert (row["active"], row["status"], row["reason"]) == (False, "not_connected", "erased")
    facts = await ann.rows(outbox, outbox.c.exchange == "calendar-sync.integrations")
    told = [decode(bytes(fact["body"]), expected=IntegrationChanged).data for fact in facts]
    assert [(one.change.value, one.reason) for one in told] == [("erased", "erased")]
    writes = len(ann.people.world.log.writes)
    await ann.retitle("Visit", "Call")
    ann.add_event("After", start="2026-12-08T12:00:00Z", end="2026-12-08T13:00:00Z")
    await ann.people.pass_time(4000)
    await lost_calendars(ann.home.store, ann.home.looker.look).work()
    await ann.people.rest()
    assert len(ann.people.world.log.writes) == writes
    assert "After" not in await ann.titles()
    assert (await ann.row())["reason"] == "erased"


async def test_r41_what_is_kept_names_nobody_within_the_hour(ann: TwoPeopleWithRuns) -> None:
    """Tokens, texts of what was brought, texts of the log, and the account's own name; others' items stay."""
    await _grown(ann)
    sub = (await ann.row())["sub"]
    await _asked(ann)
    (profile,) = ann.people.world.profiles(ANN)

    for _ in range(3):
        await erasing(ann.home.erasure.round).work()
    await ann.people.settle()

    assert (profile.account.revoked, profile.account.erased) == (True, True)
    assert sub not in [row["sub"] for row in await ann.rows(credentials)]
    kept = await _kept(ann)
    assert [text for text in (*SECRETS, sub, profile.profile_id) if text in kept] == []
    assert await ann.titles() == ["Erased appointment", "Visit"]
    row = await ann.row()
    assert (row["reason"], row["erasing_since"]) == ("erased", None)
    for table in (links, prior_events, held_imports):
        rows = await ann.rows(table)
        assert [each for each in rows if each["integration_id"] == ann.mine] == []
    assert {row["title"] for row in await ann.rows(log_entries)} == {None}
    ann.mine, mine = ann.people.integrations["bob"], ann.mine
    assert (await ann.row())["status"] == "connected"
    ann.mine = mine
    await ann.delete()
    await ann.rest()
    assert (await ann.row())["erased_at"] is not None


async def test_r41_an_account_that_does_not_answer_is_erased_all_the_same(ann: TwoPeopleWithRuns) -> None:
    """After half an hour its tokens go without farewell."""
    await _grown(ann)
    await _asked(ann)
    ann.people.world.faults.change(next_errors=-1)

    await ann.home.erasure.round()
    assert len(await ann.rows(credentials)) == 2
    await ann.people.pass_time(1900)
    for _ in range(3):
        await ann.home.erasure.round()

    assert len(await ann.rows(credentials)) == 1
    assert [text for text in SECRETS if text in await _kept(ann)] == []


async def test_r44_what_cannot_be_read_of_one_hinders_the_erasure_of_no_other(ann: TwoPeopleWithRuns) -> None:
    await _grown(ann)
    await _asked(ann)
    bob = ann.people.integrations["bob"]
    async with ann.home.store.begin() as connection:
        before = await ann.home.store.moment(connection) - timedelta(hours=1)
        await change(connection, bob, status="of a later version", erasing_since=before)

    assert await ann.home.erasure.round() == 1

    assert [text for text in SECRETS if text in await _kept(ann)] == []


async def test_r41_linked_again_meanwhile_the_new_grant_stands(ann: TwoPeopleWithRuns) -> None:
    """What is erased is what was there before."""
    await _grown(ann)
    await _asked(ann)
    old = ann.mine
    await ann.relink()

    for _ in range(3):
        await ann.home.erasure.round()

    assert (await ann.row())["status"] == "connected"
    assert len(await ann.rows(credentials)) == 2
    (row,) = await ann.rows(integrations, integrations.c.id == old)
    assert row["account_name"] == "Erased account"


async def test_r41_a_notice_that_comes_again_erases_nothing_that_was_linked_since(
    ann: TwoPeopleWithRuns,
) -> None:
    """Delivered late, or captured and posted again, at the address of what is being erased."""
    await _grown(ann)
    sub = (await ann.row())["sub"]
    await _asked(ann)
    old = ann.mine
    await ann.relink()
    await ann.home.set(ann.mine, sub=sub)

    await ann.home.notice(old, "gdpr_requested")

    row = await ann.row()
    assert (row["status"], row["reason"], row["erasing_since"]) == ("connected", None, None)


async def test_r41_the_list_says_so_and_offers_nothing_but_delete(office: Office) -> None:
    """Nothing can be reconnected that was asked to be forgotten."""
    integration_id = await office.finished()
    (row,) = await office.rows(integrations)
    await office.parts.erasure.begin(row["sub"])
    await office.parts.erasure.round()
    await office.parts.erasure.round()
    await office.sign_in()

    page = (await office.client.get("/calendar-sync")).text
    told = (await office.get(f"/api/v1/integrations/{integration_id}")).json()

    assert (told["status"], told["reason"], told["account_name"]) == (
        "not_connected", "erased", "Erased account",
    )  # fmt: skip
    assert "You asked Cronofy to be forgotten" in page
    assert "Choose another calendar" not in page
    assert "Reconnect" not in page
    assert EMAIL not in page
    assert f"{integration_id}/delete" in page


async def test_r41_the_last_deletion_revokes_the_authorisation(ann: TwoPeopleWithRuns) -> None:
    """By its refresh token, before that is erased; an account that another integration uses is left to it."""
    await _grown(ann)
    (profile,) = ann.people.world.profiles(ANN)
    second = await ann.home.integration(ANN, calendar_name="Second")
    await ann.delete()
    await ann.rest()
    assert [row["sub"] for row in await ann.rows(credentials)].count(profile.account.account_id) == 1

    ann.mine = second
    await ann.delete()
    await ann.rest()

    assert profile.account.revoked
    assert not profile.account.erased
    assert [row for row in await ann.rows(credentials) if row["sub"] == profile.account.account_id] == []

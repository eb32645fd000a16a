"""Undoing a sync from its page without script, and by the API (R50)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from contracts.calendar import (
    Code,
    Direction,
    IntegrationId,
    ItemRef,
    LogAction,
    LogEntry,
    Outcome,
    Trigger,
    item_ref,
)
from contracts.vorex import ItemType
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange
from service.integrations.activate import IntegrationSwitch
from service.integrations.sign_outs import SignOutOrder, sign_out
from service.integrations.tenants.acts import noted_act
from service.store.integrations.listing import Owner
from service.store.items import items as item_rows
from service.store.links import run_changes
from service.store.logs import logs
from service.store.tables import held_imports, integrations, runs
from service.web.pace.rehearsal_pace import REHEARSALS_AT_ONCE, SECONDS_A_REHEARSAL
from tests.builders import an_item
from tests.support.office import Office
from tests.support.pages import Browser

API = "/api/v1/runs"
NOBODYS = "01a22bfa-236f-7638-aad5-617a37a27e06"


async def _ended(office: Office) -> tuple[str, str]:
    """An integration and its run: it brought an item, a private one, and one that was changed since."""
    mine = await office.finished(retrieve={"enabled": True, "past": "today", "future": "today"})
    (run,) = await office.rows(runs)
    at = office.clock.now()
    whom = {"tenant_id": "acme", "type": ItemType.APPOINTMENT, "assignees": ["u-17"]}
    made = [
        an_item(ref="r-1", id="1", title="Lunch", **whom),
        an_item(ref="r-2", id="2", title="Surgery", private=True, **whom),
        an_item(ref="r-3", id="3", title="Dinner", revision=5, **whom),
    ]
    async with office.store.begin() as connection:
        await item_rows.save(connection, [(item, None) for item in made], now=at)
        changes = [
            RunChange(side=ChangedSide.ITEM, kind=ChangeKind.CREATED, item_ref=item.ref, revision=1)
            for item in made
        ]
        await run_changes.record(connection, run["id"], mine, changes, at=at)
        await connection.execute(update(runs).values(state="done", ended_at=at, step="over"))
    return mine, str(run["id"])


async def test_r50_the_page_tells_each_change_and_the_button_begins_a_run(office: Office) -> None:
    office.count_no_changes()
    mine, run_id = await _ended(office)
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"/calendar-sync/{mine}/runs/{run_id}")
    page = await browser.follow("Undo this sync…")
    words = " ".join(page.words.split())
    assert "2 changes will be put back." in words
    assert "1 will be left as it is" in words
    assert "Somebody has changed it since, so it is left." in words
    assert "Surgery" not in page.text

    page = await browser.press("Undo this sync")

    assert "The sync is being undone." in page.words
    (undo,) = [row for row in await office.rows(runs) if row["kind"] == "undo"]
    assert page.path == f"/calendar-sync/{mine}/runs/{undo['id']}"
    assert (undo["undoes"], undo["started_by"], undo["state"]) == (run_id, "u-17", "waiting")
    page = await browser.open(f"/calendar-sync/{mine}/runs/{run_id}")
    assert "Undo this sync…" not in page.words
    page = await browser.open(f"/calendar-sync/{mine}/runs/{run_id}/undo")
    assert "A sync is running." in page.words


async def test_r50_the_api_lists_before_and_begins_once(office: Office) -> None:
    office.count_no_changes()
    _, run_id = await _ended(office)
    rows: list[dict[str, Any]] = []
    following: str | None = ""
    while following is not None:
        place = f"&after={following}" if following else ""
        answer = await office.post(f"{API}/{run_id}/undo?dry_run=true&limit=2{place}")
        assert answer.status_code == 200, answer.text
        rows += answer.json()["items"]
        following = answer.json()["next"]
    told = {(row["item_id"], row["title"], row["action"], row["left"]) for row in rows}
    assert told == {
        ("1", "Lunch", "delete", False),
        ("2", "Private appointment", "delete", False),
        ("3", "Dinner", "none", True),
    }
    assert {row["direction"] for row in rows} == {"to_my_calendar"}
    assert len(await office.rows(runs)) == 1

    first = await office.post(f"{API}/{run_id}/undo")
    again = await office.post(f"{API}/{run_id}/undo")
    assert (first.status_code, again.json()) == (202, first.json())
    shown = (await office.get(f"{API}/{first.json()['run_id']}")).json()
    assert (shown["kind"], shown["undoes"]) == ("undo", run_id)


async def test_r50_what_cannot_be_undone_is_refused_in_words(office: Office) -> None:
    office.count_no_changes()
    mine, run_id = await _ended(office)
    bad = await office.post(f"{API}/{run_id}/undo?dry_run=true&after=nowhere")
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "after")
    assert (await office.post(f"{API}/{run_id}/undo", "u-22")).status_code == 404
    async with office.store.begin() as connection:
        await connection.execute(update(runs).values(state="running", ended_at=None))
    refused = await office.post(f"{API}/{run_id}/undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_editable")
    async with office.store.begin() as connection:
        await connection.execute(update(runs).values(state="done"))
    await office.post(f"/api/v1/integrations/{mine}/deactivate")
    refused = await office.post(f"{API}/{run_id}/undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "inactive")


async def _with_many(office: Office, number: int) -> str:
    """The address of the page that asks before the undo of a run which brought so many items."""
    mine, run_id = await _ended(office)
    many = [
        RunChange(
            side=ChangedSide.ITEM, kind=ChangeKind.CREATED, item_ref=ItemRef(f"s-{each:04}"), revision=1
        )
        for each in range(number)
    ]
    async with office.store.begin() as connection:
        await run_changes.record(connection, run_id, mine, many, at=office.clock.now())
    await office.sign_in()
    return f"/calendar-sync/{mine}/runs/{run_id}/undo"


async def test_r43_the_page_before_an_undo_counts_two_hundred_changes_and_says_so(office: Office) -> None:
    """On its first page; the following ones judge what they show and no more."""
    address = await _with_many(office, 247)
    browser = Browser(client=office.client)
    page = await browser.open(address)
    assert "The numbers count the first 200 of 250 changes" in page.words
    page = await browser.follow("Further changes")
    assert "The numbers count" not in page.words
    assert page.form("Undo this sync")


async def test_r43_a_person_has_one_look_at_an_undo_at_a_time_and_others_their_own(office: Office) -> None:
    address = await _with_many(office, 20)
    answers = await asyncio.gather(*(office.client.get(address) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 429, 429, 429]
    refused = max(answers, key=lambda answer: answer.status_code)
    assert refused.headers["Retry-After"] == "1"
    assert (await office.client.get(address)).status_code == 200


async def test_r43_looks_at_an_undo_are_paced_by_person_and_come_back_with_time(office: Office) -> None:
    address = await _with_many(office, 0)
    codes = [(await office.client.get(address)).status_code for _ in range(REHEARSALS_AT_ONCE + 2)]
    assert codes == [200] * REHEARSALS_AT_ONCE + [429] * 2
    assert (await office.client.get(address, headers=office.bearer("u-22"))).status_code == 404
    await office.clock.pass_time(SECONDS_A_REHEARSAL)
    assert (await office.client.get(address)).status_code == 200


async def test_r50_an_answer_about_events_is_undone_from_its_note_and_later_from_the_log(
    office: Office,
) -> None:
    """The list of what it does comes first; only a run of the person's own integration is led to."""
    office.count_no_changes()
    mine = await office.finished()
    (row,) = await office.rows(integrations)
    asked = {
        "integration_id": mine, "calendar_id": row["calendar_id"], "event_uid": "evt_external_1",
        "event_keys": ["uid:evt_external_1"], "series_identifier": None, "code": "held_import",
        "title": "Old", "starts": "2026-12-03T09:00:00Z", "ends": "2026-12-03T10:00:00Z", "state": "held",
        "held_at": office.clock.now(),
    }  # fmt: skip
    async with office.store.begin() as connection:
        await connection.execute(update(runs).values(state="done", ended_at=office.clock.now()))
        await connection.execute(held_imports.insert().values(asked))
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"/calendar-sync/{mine}/held")
    page = await browser.press("Leave them there: Calendar")
    assert "They stay in the linked calendar alone." in page.words
    assert await office.rows(held_imports) == []

    page = await browser.follow("Undo…")
    assert "1 change will be put back." in " ".join(page.words.split())
    assert "You are asked about it again." in page.words
    page = await browser.open(f"/calendar-sync/{mine}/logs")
    assert "Held questions" in page.words
    (answer,) = [one for one in await office.rows(runs) if one["kind"] == "answer"]
    page = await browser.open(f"/calendar-sync/{mine}/runs/{answer['id']}")
    assert "Left on the linked calendar alone, as was answered." in page.words
    page = await browser.follow("Undo this sync…")
    await browser.press("Undo this sync")
    (undo,) = [one for one in await office.rows(runs) if one["kind"] == "undo"]
    assert (undo["undoes"], undo["started_by"]) == (answer["id"], "u-17")

    for of in (NOBODYS, "javascript:x"):
        page = await browser.open(f"/calendar-sync?notice=left&of={of}&answered={answer['id']}")
        assert "Undo…" not in page.words


async def test_r50_an_entry_of_the_log_leads_to_the_items_page_where_there_is_one(office: Office) -> None:
    """A deleted appointment has one, with its undo; another's item and one without texts have none."""
    office.count_no_changes()
    mine = await office.finished()
    at = office.clock.now()
    whom = {"tenant_id": "acme", "type": ItemType.APPOINTMENT}
    known = [
        an_item(ref=item_ref("acme", "appointment", "1"), id="1", title="Mine", assignees=["u-17"], **whom),
        an_item(ref=item_ref("acme", "appointment", "2"), id="2", title="Gone", assignees=["u-17"], **whom),
        an_item(ref=item_ref("acme", "appointment", "3"), id="3", title="Hers", assignees=["u-22"], **whom),
        an_item(ref=item_ref("other", "appointment", "4"), id="4", title="Far", assignees=["u-17"], **whom),
    ]
    known[1] = replace(known[1], deleted=True)
    known[3] = replace(known[3], tenant_id="other")
    entries = [
        LogEntry(
            integration_id=IntegrationId(mine), trigger=Trigger.REAL_TIME, direction=Direction.TO_MY_CALENDAR,
            action=LogAction.DELETE, outcome=Outcome.DONE, code=Code.OK, reason="Deleted.", item_ref=item.ref,
            item_id=item.id, item_type=item.type, title=f"Item {item.id}",
        )
        for item in known
    ]  # fmt: skip
    async with office.store.begin() as connection:
        await item_rows.save(connection, [(item, None) for item in known], now=at)
        await logs.log(connection, entries, now=at)
    await office.sign_in()
    browser = Browser(client=office.client)

    page = await browser.open(f"/calendar-sync/{mine}/logs?trigger=real_time")

    linked = {link.label: link.attributes["href"] for link in page.links if link.label.startswith("Item ")}
    assert linked == {f"Item {n}": f"/my-calendar/item?key=appointment%3A{n}" for n in (1, 2)}
    page = await browser.follow("Item 2")
    assert "This appointment was deleted" in page.words
    assert [one.label for form in page.forms for one in form.buttons if "Undo" in one.label]


async def test_r50_a_deactivation_is_undone_from_the_log_later(office: Office) -> None:
    """By whoever made it; while it is active there is nothing to undo."""
    office.count_no_changes()
    mine = await office.finished()
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open("/calendar-sync")
    await office.post(f"/api/v1/integrations/{mine}/deactivate")
    log = f"/calendar-sync/{mine}/logs?trigger=real_time"
    page = await browser.open(log)
    assert "Deactivated by its owner." in page.words

    await browser.press("Undo: activate again")

    (row,) = await office.rows(integrations)
    assert row["active"]
    page = await browser.open(log)
    assert "Activated by its owner." in page.words
    assert not any("Undo" in one.label for form in page.forms for one in form.buttons)


@pytest.mark.parametrize("by", ["u-17", "boss"])
async def test_r50_what_only_watched_is_not_begun_by_an_undo_from_the_log(office: Office, by: str) -> None:
    """Whoever set it to watching and stopped that, and however it was deactivated before."""
    office.count_no_changes()
    mine = await office.finished()
    role = "administrator" if by == "boss" else "user"
    for verb in ("deactivate", "activate", "watch", "deactivate"):
        answer = await office.post(f"/api/v1/integrations/{mine}/{verb}", by, role=role)
        assert answer.status_code == 200, answer.text
    await office.sign_in()
    browser = Browser(client=office.client)

    for asked in ("trigger=real_time", "trigger=all", "trigger=all&q=eactivated", "trigger=all&q=Set+to"):
        page = await browser.open(f"/calendar-sync/{mine}/logs?{asked}")
        assert not [one.label for form in page.forms for one in form.buttons if "Undo" in one.label]


async def _undone_by(office: Office, integration_id: str) -> list[str]:
    """What the log offers to undo."""
    await office.sign_in(iat=office.clock.now().timestamp())
    page = await Browser(client=office.client).open(f"/calendar-sync/{integration_id}/logs?trigger=real_time")
    return [one.label for form in page.forms for one in form.buttons if "Undo" in one.label]


@pytest.mark.parametrize("by", ["u-17", "boss"])
async def test_r50_a_deactivation_is_undone_from_the_log_also_after_signing_out_everywhere(
    office: Office, by: str
) -> None:
    """What else the log says of the person since has switched nothing."""
    office.count_no_changes()
    mine = await office.finished()
    await office.post(
        f"/api/v1/integrations/{mine}/deactivate", by, role="administrator" if by == "boss" else "user"
    )
    assert await _undone_by(office, mine) == ["Undo: activate again"]

    for order in (SignOutOrder(who=None), SignOutOrder(who="Vorex", trigger=Trigger.REAL_TIME)):
        async with office.store.begin() as connection:
            at = await office.store.now(connection)
            await sign_out(office.store, connection, ("acme", "u-17"), order, at=at)
        await office.clock.pass_time(seconds=5)

    assert await _undone_by(office, mine) == ["Undo: activate again"]


@pytest.mark.parametrize("by", ["administrator", "operator"])
async def test_r50_what_somebody_else_paused_while_it_watched_is_begun_by_no_undo(
    office: Office, by: str
) -> None:
    """It had written nothing on either side; who owns it may set it to watching again, or begin."""
    office.count_no_changes()
    mine = await office.finished()
    await office.post(f"/api/v1/integrations/{mine}/watch")
    if by == "operator":
        noted = noted_act("operator olga", "pause", mine)
        await IntegrationSwitch(office.store).deactivate(
            Owner(tenant_id=None, user_id=None), mine, noted=noted
        )
    else:
        await office.post(f"/api/v1/integrations/{mine}/deactivate", "boss", role="administrator")

    assert await _undone_by(office, mine) == []

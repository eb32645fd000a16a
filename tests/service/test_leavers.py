"""What becomes of whoever leaves, and the signed record of what was removed (R54)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from service.integrations.leavers.leaving import (
    BY_MESSAGE,
    LEFT,
    LEFT_DELETED,
    Leaver,
    LeaverChoice,
    Leaving,
    end_integrations,
    tenants_choice,
)
from service.integrations.leavers.records import LOOKED_AT_A_ROUND, LeaverRecords
from service.integrations.leavers.signing import NotGenuine, RecordSigner, verified
from service.integrations.refusals import Conflict
from service.store.engine.store import Store
from service.store.people.leavers import add, choose
from service.store.runs.runs import end
from service.store.tables import credentials, integrations, leaver_records, log_entries, runs
from tests.support.locks import until_blocked
from tests.support.office import Office, open_office
from tests.support.pages import Browser
from tests.support.processes import SECRETS, run
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

KEY = SECRETS["ENCRYPTION_KEYS"]
OLDER = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ADMINISTRATION = "/administration"
VERA = "administrator vera"


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


@pytest.fixture
async def office(new_sqlite_url: str) -> AsyncIterator[Office]:
    async with open_office(new_sqlite_url) as opened:
        yield opened


async def signed(ann: TwoPeopleWithRuns) -> dict[str, Any]:
    """What the newest record says, once it is signed."""
    records = LeaverRecords(ann.home.store, RecordSigner([KEY]))
    assert await records.round() == 1
    assert await records.round() == 0
    (record,) = (await records.listed("acme", limit=5)).rows
    assert record.document is not None
    return verified(json.dumps(record.document), RecordSigner([KEY]).public_keys)


@pytest.mark.parametrize(("choice", "left"), [("keep", 2), ("remove", 0)])
async def test_r54_the_record_says_what_was_removed(
    ann: TwoPeopleWithRuns, choice: LeaverChoice, left: int
) -> None:
    """It is signed when all of it is done, and names no text."""
    await ann.say("Visit", title="Unheard of", description="Nobody's business")
    await ann.say("Call")
    ann.add_event("Meeting")
    await ann.people.rest(reads=False)

    await Leaving(ann.home.store).leave("acme", "ann", choice, who=VERA)
    assert await LeaverRecords(ann.home.store, RecordSigner([KEY])).round() == 0
    await ann.rest()

    record = await signed(ann)
    (part,) = record["integrations"]
    assert (part["integration_id"], part["copies_there"], part["copies_left"]) == (ann.mine, 2, left)
    assert (part["authorisation"], record["choice"]) == ("ended", choice)
    assert (record["user_id"], record["tenant_id"], record["said_by"]) == ("ann", "acme", VERA)
    there = ann.people.world.events(ann.calendar_of("ann"))
    assert len([one for one in there if one["summary"] != "Meeting" and not one["deleted"]]) == left
    row = await ann.row()
    assert row["deleted_at"] is not None
    assert await ann.rows(credentials, credentials.c.sub == row["sub"]) == []
    texts = json.dumps([dict(one) for one in await ann.rows(leaver_records)], default=str)
    for secret in ("Unheard", "business", "Visit", "Meeting", "ann@example.com"):
        assert secret not in texts


async def test_r54_another_integration_of_the_account_is_said_to_use_it(ann: TwoPeopleWithRuns) -> None:
    """The authorisation stays for as long as somebody lives on it."""
    row = await ann.row()
    (bob,) = await ann.rows(integrations, integrations.c.user_id == "bob")
    await ann.home.set(bob["id"], sub=row["sub"])

    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.rest()

    (part,) = (await signed(ann))["integrations"]
    assert part["authorisation"] == "used_by_another"


@pytest.mark.parametrize("choice", ["pause", "keep", "remove"])
async def test_r54_a_message_does_what_the_tenant_decided(
    ann: TwoPeopleWithRuns, choice: LeaverChoice
) -> None:
    """Until then people who leave are paused; another tenant's decision is not this one's."""
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    leaving = Leaving(ann.home.store)
    assert await leaving.choice("acme") == "pause"
    await leaving.choose("other", "remove", who=VERA)
    await leaving.choose("acme", "remove", who=VERA)
    await leaving.choose("acme", choice, who=VERA)

    await vorex_says_left(ann)
    await vorex_says_left(ann)  # once more, as messages come
    await ann.rest()

    row = await ann.row()
    assert (row["active"], row["deleted_at"] is None) == (False, choice == "pause")
    reasons = [one["reason"] for one in await ann.rows(log_entries)]
    assert reasons.count(LEFT if choice == "pause" else LEFT_DELETED) == 1
    there = ann.people.world.events(ann.calendar_of("ann"))
    assert [one["summary"] for one in there if not one["deleted"]] == (
        [] if choice == "remove" else ["Visit"]
    )
    record = await signed(ann)
    (part,) = record["integrations"]
    assert (record["choice"], record["said_by"]) == (choice, "Vorex")
    assert part["copies_left"] == (0 if choice == "remove" else 1)
    assert part["authorisation"] == ("kept" if choice == "pause" else "ended")


async def vorex_says_left(ann: TwoPeopleWithRuns) -> None:
    store = ann.home.store
    async with store.begin() as connection:
        leaver = Leaver(
            tenant_id="acme", user_id="ann", left_at=await store.moment(connection), said_by=BY_MESSAGE
        )
        choice = await tenants_choice(connection, "acme")
        await end_integrations(store, connection, leaver, choice)


async def test_r54_what_was_linked_after_somebody_left_stays(ann: TwoPeopleWithRuns) -> None:
    store = ann.home.store
    (created,) = [row["created_at"] for row in [await ann.row()]]
    async with store.begin() as connection:
        leaver = Leaver(
            tenant_id="acme", user_id="ann", left_at=created - timedelta(seconds=1), said_by=BY_MESSAGE
        )
        assert await end_integrations(store, connection, leaver, "remove") is None
    assert (await ann.row())["active"]
    assert await ann.rows(leaver_records) == []


async def test_r54_nobody_leaves_who_is_not_there(ann: TwoPeopleWithRuns) -> None:
    """Nor anybody of another tenant."""
    for tenant, user in (("acme", "nobody"), ("other", "ann")):
        with pytest.raises(Conflict):
            await Leaving(ann.home.store).leave(tenant, user, "remove", who=VERA)
    assert (await ann.row())["active"]


async def test_r54_a_record_outlives_its_person(ann: TwoPeopleWithRuns) -> None:
    """The account's owner asks to be forgotten: the record named nobody, and stays as it was signed (R41)."""
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.rest()
    before = await signed(ann)

    await ann.home.erasure.begin((await ann.row())["sub"])
    while await ann.home.erasure.round():
        pass

    (record,) = (await LeaverRecords(ann.home.store).listed("acme", limit=5)).rows
    assert record.document is not None
    assert verified(json.dumps(record.document), RecordSigner([KEY]).public_keys) == before


@pytest.mark.parametrize("odd", [False, True])
async def test_r54_records_that_wait_or_cannot_be_made_keep_nobody_elses_waiting(
    office: Office, odd: bool
) -> None:
    """More of one tenant's than are looked at in a round, before one of another's that is done."""
    mine = await office.finished()
    records = LeaverRecords(office.store, RecordSigner([KEY]))
    at = office.clock.now()
    waiting = {"integration_id": "one", "provider": "google", "sub": "s", "copies_there": 1, "run_id": "run"}
    done = {"integration_id": "two", "provider": "google", "sub": "s", "copies_there": 1, "run_id": None}
    rows = [("acme", f"{number:036}", waiting) for number in range(LOOKED_AT_A_ROUND)]
    rows.append(("globex", f"{LOOKED_AT_A_ROUND:036}", done))
    if odd:
        rows.insert(0, ("acme", f"{0:035}", {}))
    async with office.store.begin() as connection:
        going_on = {
            "id": "run", "integration_id": mine, "kind": "unlink", "state": "running", "started_by": "u",
            "step": "remove", "requested_at": at,
        }  # fmt: skip
        await connection.execute(insert(runs).values(**going_on))
        for tenant, record_id, part in rows:
            await add(
                connection, id=record_id, tenant_id=tenant, user_id="u", left_at=at, said_by="Vorex",
                choice="keep", parts=[part],
            )  # fmt: skip

    assert [await records.round() for _ in range(4)] == [0, 1, 0, 0]

    signed_ones = [one["tenant_id"] for one in await office.rows(leaver_records) if one["document"]]
    assert signed_ones == ["globex"]


async def test_r54_a_newer_key_signs_stored_records_anew(ann: TwoPeopleWithRuns) -> None:
    """So that the older one can be dropped; what no key signed that is known stays as it is."""
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.rest()
    before = await signed(ann)
    both = RecordSigner([OLDER, KEY])

    assert await LeaverRecords(ann.home.store, RecordSigner([OLDER])).sign_anew() == 0
    assert await LeaverRecords(ann.home.store, both).sign_anew() == 1
    assert await LeaverRecords(ann.home.store, both).sign_anew() == 0

    (record,) = (await LeaverRecords(ann.home.store).listed(None, limit=5)).rows
    assert verified(json.dumps(record.document), [both.public_keys[0]]) == before


async def test_r54_rotating_keys_makes_no_forged_record_genuine(ann: TwoPeopleWithRuns) -> None:
    """Somebody wrote into the database, and has no key."""
    await Leaving(ann.home.store).leave("acme", "ann", "keep", who=VERA)
    await ann.rest()
    before = await signed(ann)
    both = RecordSigner([OLDER, KEY])
    (record,) = (await LeaverRecords(ann.home.store).listed(None, limit=5)).rows
    forged = {**(record.document or {}), "record": {**before, "said_by": "nobody"}}
    async with ann.home.store.begin() as connection:
        await connection.execute(update(leaver_records).values(document=forged))

    assert await LeaverRecords(ann.home.store, both).sign_anew() == 0

    (record,) = (await LeaverRecords(ann.home.store).listed(None, limit=5)).rows
    with pytest.raises(NotGenuine, match="something in it was changed"):
        verified(json.dumps(record.document), both.public_keys)


# -- pages, API and command ---------------------------------------------------------------------------


async def test_r54_an_administrator_says_that_somebody_has_left(office: Office) -> None:
    """Asked first; then the record, and its file."""
    mine = await office.finished()
    await office.sign_in("vera", role="administrator", tz="UTC")
    browser = Browser(client=office.client)
    page = await browser.open(f"{ADMINISTRATION}/person?who=u-17")
    assert page.link("This person has left…") == f"{ADMINISTRATION}/leaver?who=u-17"
    await browser.follow("This person has left…")

    page = await browser.press("End all of it", changes={"copies": "remove"})

    assert "Some of it is still under way." in page.words
    (row,) = await office.rows(integrations)
    assert (row["id"], row["deleted_at"] is None) == (mine, False)
    (record,) = await office.rows(leaver_records)
    assert (record["choice"], record["said_by"], record["user_id"]) == ("remove", VERA, "u-17")
    page = await browser.open(f"{ADMINISTRATION}/leavers")
    assert "u-17" in page.words
    assert page.link("Record: u-17") == f"{ADMINISTRATION}/leavers/{record['id']}"


async def test_r54_the_tenant_decides_on_a_page_and_by_the_api(office: Office) -> None:
    await office.sign_in("vera", role="administrator", tz="UTC")
    browser = Browser(client=office.client)
    await browser.open(f"{ADMINISTRATION}/leavers")
    await browser.press("Save", changes={"choice": "remove"})
    vera = office.bearer("vera", role="administrator")
    choice = "/api/v1/leavers/choice"
    assert (await office.client.get(choice, headers=vera)).json() == {"choice": "remove"}
    answer = await office.client.put(choice, json={"choice": "keep"}, headers=vera)
    assert answer.json() == {"choice": "keep"}
    wrong = await office.client.put(choice, json={"choice": "all"}, headers=vera)
    assert wrong.status_code == 422


async def test_r54_two_first_decisions_at_once_are_both_taken(postgresql_url: str) -> None:
    """On the engine where two transactions can write at the same time; the later one stands."""
    store = Store(postgresql_url)
    async with store.begin() as connection:
        at = await store.moment(connection)
        await choose(connection, "acme", "keep", who=VERA, at=at)
        second = asyncio.ensure_future(Leaving(store).choose("acme", "remove", who=VERA))
        await until_blocked(store, second)
    await second
    assert await Leaving(store).choice("acme") == "remove"
    await store.close()


async def test_r47_r54_an_operator_is_ended_by_operators_alone(office: Office) -> None:
    await office.finished()
    await office.sign_in("u-17", role="operator")
    vera = office.bearer("vera", role="administrator")
    form = {"user_id": "u-17", "copies": "keep"}
    answer = await office.client.post("/api/v1/leavers", json=form, headers=vera)
    assert answer.status_code == 409
    assert await office.rows(leaver_records) == []


async def test_r54_the_command_tells_a_genuine_record_from_another(
    office: Office, new_sqlite_url: str, tmp_path: Path
) -> None:
    """0 and what it says, or 1 and why not; with a public key, without any settings."""
    await office.finished()
    vera = office.bearer("vera", role="administrator")
    form = {"user_id": "u-17", "copies": "keep"}
    begun = (await office.client.post("/api/v1/leavers", json=form, headers=vera)).json()
    async with office.store.begin() as connection:
        for row in await office.rows(runs):
            at = await office.store.moment(connection)
            await end(connection, row["id"], state="done", reason=None, at=at)
    assert await LeaverRecords(office.store, RecordSigner([KEY])).round() == 1
    settings = {**SECRETS, "DATABASE_URL": new_sqlite_url}

    def command(*words: str, bare: bool = False) -> Any:
        return asyncio.to_thread(run, "record", *words, settings={} if bare else settings, folder=tmp_path)

    listed = json.loads((await command("list", "--json")).stdout)
    assert [one["id"] for one in listed["items"]] == [begun["record_id"]]
    shown = await command("show", begun["record_id"])
    told = (await office.client.get(f"/api/v1/leavers/{begun['record_id']}", headers=vera)).json()
    assert json.loads(shown.stdout) == told["document"]
    file = tmp_path / "record.json"
    file.write_bytes(shown.stdout)

    genuine = await command("verify", "record.json")
    assert (genuine.returncode, genuine.stdout[:21]) == (0, b"genuine: u-17 of acme")
    (key,) = (await command("keys")).stdout.decode().split()
    assert (await command("verify", "record.json", "--key", key, bare=True)).returncode == 0
    file.write_text(file.read_text().replace("u-17", "u-18"))
    changed = await command("verify", "record.json")
    assert changed.returncode == 1
    assert b"not genuine: it does not say what was signed: something in it was changed" in changed.stderr

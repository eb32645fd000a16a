"""A flood of events that nobody knows and that are not new is held for an answer (R36)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from service.consumers.inbound.held_imports import HeldImports, ImportAnswer
from service.integrations.accounts.held import HeldChange, list_held
from service.integrations.undoing.answers import AnswerGiven
from service.integrations.views import get_integration, list_log_rows
from service.keeper import lost_calendars
from service.store.integrations.integrations import change_state
from service.store.integrations.listing import find
from service.store.logs.logs import LogFilter
from service.store.tables import held_imports, log_entries
from tests.support.office import Office
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

MANY, FEW = 11, 10


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _appeared(ann: TwoPeopleWithRuns, many: int, *, lunches: int = 0, rested: bool = False) -> None:
    """So many events of hers that were made before the last complete reading, which did not show them."""
    for at in range(lunches):
        day = datetime(2026, 12, 3, 12, tzinfo=UTC) + timedelta(days=at)
        ann.add_event(f"Lunch {at}", start=f"{day:%Y-%m-%dT%H:%M:%SZ}", end=f"{day:%Y-%m-%dT13:00:00Z}")
    if not rested:
        await ann.people.rest()
    for at in range(many):
        day = datetime(2026, 12, 4, 9, tzinfo=UTC) + timedelta(days=at)
        ann.add_event(f"Old {at:02}", start=f"{day:%Y-%m-%dT%H:%M:%SZ}", end=f"{day:%Y-%m-%dT10:00:00Z}")
    await ann.people.pass_time(60)
    async with ann.home.store.begin() as connection:
        await change_state(connection, ann.mine, full_read_at=ann.home.clock.now())


async def test_r36_a_flood_is_held_and_said(ann: TwoPeopleWithRuns) -> None:
    """None of it is brought, by further reads neither; what is new beside it is."""
    ann.people.world.faults.change(page_size=4)
    await _appeared(ann, MANY)
    for _ in range(2):
        await ann.read()
    ann.add_event("New", start="2026-12-20T12:00:00Z", end="2026-12-20T13:00:00Z")
    await ann.people.rest()

    assert await ann.titles() == ["New"]
    told = await ann.rows(log_entries, log_entries.c.code == "held_import")
    assert [(row["action"], row["outcome"]) for row in told] == [("create", "held")] * MANY
    page = await list_held(ann.home.store, await ann.home.value(ann.mine), masked=False, limit=6)
    assert [(one.kind, one.item_id) for one in page.rows] == [("import", None)] * 6
    rest = await list_held(
        ann.home.store, await ann.home.value(ann.mine), masked=False, after=page.following, limit=6
    )
    titles = sorted(one.title for one in (*page.rows, *rest.rows))
    assert (titles, rest.following) == ([f"Old {at:02}" for at in range(MANY)], None)


@pytest.mark.parametrize(("many", "lunches"), [(FEW, 0), (MANY, 33)])
async def test_r36_what_is_no_flood_is_brought(ann: TwoPeopleWithRuns, many: int, lunches: int) -> None:
    """Ten at most, or no more than a third of the pairs."""
    await _appeared(ann, many, lunches=lunches)

    await ann.read()

    assert len(await ann.titles()) == many + lunches
    assert await ann.rows(held_imports) == []


@pytest.mark.parametrize(("answer", "brought"), [("bring", MANY), ("leave", 0)])
async def test_r36_both_answers_are_final(ann: TwoPeopleWithRuns, answer: ImportAnswer, brought: int) -> None:
    """Brought by one comparison, or there before for good; an event deleted meanwhile is forgotten."""
    await _appeared(ann, MANY + 1)
    await ann.read()
    ann.people.world.delete_event(ann.calendar, ann.people.world.events(ann.calendar)[-1]["event_uid"])
    await ann.people.rest()

    count = (await HeldImports(ann.home.store).settle(ANN, ann.mine, answer, AnswerGiven(by="ann"))).count
    await ann.rest()

    assert count == MANY
    assert len(await ann.titles()) == brought
    assert await ann.rows(held_imports) == []
    await ann.read()
    assert len(await ann.titles()) == brought


@pytest.mark.parametrize(("answer", "brought"), [("bring", MANY), ("leave", 0)])
async def test_r36_what_is_asked_about_is_asked_about_behind_a_reconnection(
    ann: TwoPeopleWithRuns, answer: ImportAnswer, brought: int
) -> None:
    """Nothing that the list still shows is put away for good, and the answer is followed."""
    await _appeared(ann, MANY)
    await ann.read()
    ann.people.world.disconnect("ann@example.com")
    await ann.home.looker.look(ann.mine, at_once=True)
    await ann.people.pass_time(3600)
    ann.people.world.reconnect("ann@example.com")
    await ann.people.pass_time(3700)
    await lost_calendars(ann.home.store, ann.home.looker.look).work()
    await ann.people.settle()
    await ann.rest()
    assert len(await ann.rows(held_imports)) == MANY

    await HeldImports(ann.home.store).settle(ANN, ann.mine, answer, AnswerGiven(by="ann"))
    await ann.rest()
    await ann.read()

    assert len(await ann.titles()) == brought
    assert await ann.rows(held_imports) == []


async def test_r36_a_retrieve_brings_what_is_held(ann: TwoPeopleWithRuns) -> None:
    """She asks for that range by name (R26)."""
    await _appeared(ann, MANY)
    await ann.read()

    await ann.start("sync_now", retrieve={"past": "today", "future": "1_month"})
    await ann.rest()

    assert len(await ann.titles()) == MANY
    assert await ann.rows(held_imports) == []


async def _held(office: Office) -> str:
    """Three old events and two occurrences that look alike wait for an answer; the integration's id."""
    integration_id = await office.finished()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    async with office.store.begin() as connection:
        rows = [
            {
                "integration_id": integration_id,
                "calendar_id": calendar_id,
                "event_uid": f"evt_external_{at}",
                "state": "held",
                "event_keys": [f"uid:evt_external_{at}"],
                "title": f"Old {at}",
                "starts": "2026-12-03T09:00:00Z",
                "ends": "2026-12-03",
                "held_at": office.clock.now(),
                "series_identifier": None,
                "code": "held_import",
            }
            for at in range(3)
        ]
        alike = {"state": "held", "code": "loop_stopped", "series_identifier": "ser", "title": "Lunch (copy)"}
        rows += [{**rows[0], **alike, "event_uid": f"evt_external_9{at}"} for at in range(2)]
        await connection.execute(held_imports.insert(), rows)
    return integration_id


async def test_r36_the_list_and_the_api_ask_and_take_both_answers(office: Office) -> None:
    """What is not theirs is 404; a word that is no answer is 422."""
    integration_id = await _held(office)
    at = f"/api/v1/integrations/{integration_id}"
    assert (await office.get(f"{at}/held", "u-22")).status_code == 404
    told = (await office.get(f"{at}/held?limit=2")).json()
    assert told["items"][0] == {
        "kind": "import",
        "title": "Old 0",
        "start": "2026-12-03T09:00:00Z",
        "end": "2026-12-03",
        "count": 1,
        "item_id": None,
    }
    rest = (await office.get(f"{at}/held?limit=2&after={told['next']}")).json()
    assert [(one["title"], one["count"]) for one in rest["items"]] == [("Old 2", 1), ("Lunch (copy)", 2)]
    assert rest["next"] is None
    for odd in ("garbage", "x:1", ":", "import:"):
        answer = await office.get(f"{at}/held?after={odd}")
        assert (answer.status_code, "after: must be the cursor" in answer.text) == (422, True), answer.text
    await office.sign_in()
    page = (await office.client.get("/calendar-sync")).text
    assert f"{integration_id}/held" in page
    assert "3 events of the linked calendar are older" in page
    assert "2 events of the linked calendar look like twenty others" in page
    asked = (await office.client.get(f"/calendar-sync/{integration_id}/held")).text
    assert f"{integration_id}/held-imports" in asked
    assert "Old 1" in asked
    assert asked.count("Lunch (copy)") == asked.count("<summary>2 occurrences</summary>") == 1
    headers = office.bearer()
    wrong = await office.client.post(f"{at}/held-imports", json={"answer": "maybe"}, headers=headers)
    assert wrong.status_code == 422

    answer = await office.client.post(f"{at}/held-imports", json={"answer": "leave"}, headers=headers)

    assert (answer.status_code, answer.json()["count"]) == (200, 5)
    assert (await office.get(f"{at}/held")).json() == {"items": [], "next": None}
    assert await office.rows(held_imports) == []


def _mirrored(ann: TwoPeopleWithRuns, first: int, many: int) -> None:
    """So many copies that a tool makes, each with marks of its own."""
    for at in range(first, first + many):
        begin = datetime(2026, 12, 4, 9, tzinfo=UTC) + timedelta(minutes=at)
        start, end = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (begin, begin + timedelta(hours=1)))
        ann.add_event(f"[{at}] Lunch (copy)", start=start, end=end)


@pytest.mark.parametrize(("answer", "brought"), [("bring", 50), ("leave", 20)])
async def test_r36_a_tool_that_copies_without_end_is_asked_about(
    ann: TwoPeopleWithRuns, answer: ImportAnswer, brought: int
) -> None:
    """Thirty of fifty wait, however often they are read; both answers count for all of them."""
    _mirrored(ann, 0, 50)
    await ann.people.pass_time(20)
    for _ in range(2):
        await ann.read()
    assert len(await ann.titles()) == 20
    told = await ann.rows(log_entries, log_entries.c.code == "loop_stopped")
    assert [(row["action"], row["outcome"]) for row in told] == [("create", "held")] * 30
    shown = await get_integration(ann.home.store, ANN, ann.mine)
    assert (shown.held_imports, shown.held_alike) == (30, 30)

    count = (await HeldImports(ann.home.store).settle(ANN, ann.mine, answer, AnswerGiven(by="ann"))).count
    await ann.rest()
    await ann.read()

    assert count == 30
    assert len(await ann.titles()) == brought
    assert await ann.rows(held_imports) == []


async def test_r39_a_series_that_is_held_is_one_row_with_its_occurrences(ann: TwoPeopleWithRuns) -> None:
    """Page by page, each series and each single event once, with when each occurrence is."""
    weekly = {"frequency": "weekly", "count": 4}
    await ann.people.rest()
    for at in range(3):
        day = f"2026-12-0{at + 4}"
        ann.add_event(f"Series {at}", start=f"{day}T09:00:00Z", end=f"{day}T10:00:00Z", recurrence=weekly)
    await _appeared(ann, 2, rested=True)
    await ann.read()
    value = await ann.home.value(ann.mine)

    rows: list[HeldChange] = []
    after: str | None = ""
    while after is not None:
        page = await list_held(ann.home.store, value, masked=False, after=after, limit=2)
        rows += page.rows
        after = page.following

    assert sorted((one.title, one.count) for one in rows) == [
        ("Old 00", 1), ("Old 01", 1), ("Series 0", 4), ("Series 1", 4), ("Series 2", 4),
    ]  # fmt: skip
    (series,) = [one for one in rows if one.title == "Series 0"]
    assert (series.start, series.end) == ("2026-12-04T09:00:00Z", "2026-12-04T10:00:00Z")
    assert [start for start, _ in series.times] == [
        "2026-12-04T09:00:00Z", "2026-12-11T09:00:00Z", "2026-12-18T09:00:00Z", "2026-12-25T09:00:00Z",
    ]  # fmt: skip

    async with ann.home.store.read() as connection:
        shown = await find(connection, ann.mine)
    assert shown is not None
    log = await list_log_rows(
        ann.home.store, shown, reader="ann", trigger=LogFilter.REAL_TIME, after=None, limit=50
    )
    told = {row["title"]: row.get("occurrences", []) for row in log.rows if row["code"] == "held_import"}
    assert (len(log.rows), len(told)) == (5, 5)
    assert (len(told["Old 00"]), len(told["Series 1"])) == (0, 4)
    assert told["Series 0"] == [datetime(2026, 12, day, 9, tzinfo=UTC) for day in (4, 11, 18, 25)]

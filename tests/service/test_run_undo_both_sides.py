"""The undo of runs that wrote to the linked calendar, with lanes and reads at work (R50)."""

from collections.abc import AsyncIterator

import pytest

from contracts.vorex import Action
from handlers.undoing.putting_back import NOT_REMEMBERED
from service.integrations.catch_up import DAILY_RUN
from service.integrations.refusals import Conflict, Unknown
from service.integrations.undoing.whole_runs import RunUndo
from service.store.integrations.listing import Owner
from service.store.tables import runs
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

WEEK = {"past": "1_week", "future": "1_week"}


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _sent(ann: TwoPeopleWithRuns, *titles: str) -> str:
    """Items from before Finish, sent by a run; its id."""
    for title in titles:
        await ann.home.own_item(title, kind="task", start="2026-12-03T09:00:00Z", end="2026-12-03T10:00:00Z")
    run_id = await ann.start("sync_now", send=WEEK)
    await ann.rest()
    assert ann.events() == sorted((title, True) for title in titles)
    return run_id


async def _undo(ann: TwoPeopleWithRuns, run_id: str) -> tuple[str, int, int]:
    """What came of the undo: its id, how much it put back and how much it left."""
    undo_id = await RunUndo(ann.home.store).start(ANN, run_id, started_by="ann")
    await ann.rest()
    (row,) = await ann.rows(runs, runs.c.id == undo_id)
    assert (row["state"], row["undoes"]) == ("done", run_id)
    return undo_id, row["updated"], row["skipped"]


async def _compared(ann: TwoPeopleWithRuns) -> None:
    await ann.start(DAILY_RUN)
    await ann.rest()


async def test_r50_copies_that_a_run_sent_are_removed_and_stay_away(ann: TwoPeopleWithRuns) -> None:
    """No comparison and no repeated message writes them again; a change of time does, and a Send."""
    run_id = await _sent(ann, "Call", "Visit")
    assert (await _undo(ann, run_id))[1:] == (2, 0)
    assert ann.events() == []
    assert await ann.titles() == ["Call", "Visit"]
    await _compared(ann)
    assert ann.events() == []
    await ann.start("sync_now", send=WEEK)
    await ann.rest()
    assert ann.events() == [("Call", True), ("Visit", True)]


async def test_r50_the_undo_of_an_undo_sends_the_copies_again(ann: TwoPeopleWithRuns) -> None:
    run_id = await _sent(ann, "Call")
    undo_id, *_ = await _undo(ann, run_id)
    assert ann.events() == []
    assert (await _undo(ann, undo_id))[1:] == (1, 0)
    assert ann.events() == [("Call", True)]
    await _compared(ann)
    assert ann.events() == [("Call", True)]


async def test_r50_a_copy_that_its_owner_changed_since_is_left(ann: TwoPeopleWithRuns) -> None:
    """Also where the edit was not read before: an undo begins with a look."""
    run_id = await _sent(ann, "Call", "Visit")
    (uid,) = [one["event_uid"] for one in ann.people.world.events(ann.calendar) if one["summary"] == "Call"]
    moved = {"start": "2026-12-04T09:00:00Z", "end": "2026-12-04T10:00:00Z"}
    ann.people.world.change_event(ann.calendar, uid, **moved)
    await ann.people.world.advance(1)
    assert (await _undo(ann, run_id))[1:] == (1, 1)
    assert ann.events() == [("Call", True)]


async def test_r50_what_a_catch_up_did_is_put_back(ann: TwoPeopleWithRuns) -> None:
    """What it brought and removed, and wrote anew; what a copy said before it was held is not known."""
    await ann.say("Visit")
    ann.add_event("Meeting")
    await ann.people.rest(reads=False)
    await ann.switching.deactivate(ANN, ann.mine)
    await ann.say("Visit", title="Second visit")
    await ann.say("New")
    ann.add_event("Lunch")
    (uid,) = [
        one["event_uid"] for one in ann.people.world.events(ann.calendar) if one["summary"] == "Meeting"
    ]
    ann.people.world.delete_event(ann.calendar, uid)
    await ann.people.rest(reads=False)
    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()
    both = [("Lunch", False), ("New", True), ("Second visit", True)]
    assert (await ann.titles(), ann.events()) == (["Lunch", "New", "Second visit"], both)
    (run,) = [row for row in await ann.rows(runs) if row["kind"] == "catch_up"]

    assert (await _undo(ann, run["id"]))[1:] == (3, 1)

    here = ["Meeting", "New", "Second visit"]
    there = [("Lunch", False), ("Second visit", True)]
    assert (await ann.titles(), ann.events()) == (here, there)
    await _compared(ann)
    assert (await ann.titles(), ann.events()) == (here, there)


async def test_r50_it_is_told_beforehand_and_refused_where_it_cannot_be(ann: TwoPeopleWithRuns) -> None:
    undoing = RunUndo(ann.home.store)
    run_id = await _sent(ann, "Call", "Visit")
    await ann.say("Other", action=Action.CREATED)
    await ann.people.rest(reads=False)
    first = await undoing.rehearse(ANN, run_id, limit=1)
    second = await undoing.rehearse(ANN, run_id, after=first.following, limit=1)
    told = [(row.title, row.left, row.reason) for page in (first, second) for row in page.rows]
    assert sorted(told) == [
        ("Call", False, "Removed from the linked calendar again."),
        ("Visit", False, "Removed from the linked calendar again."),
    ]
    assert second.following is None
    forecast = await undoing.forecast(ANN, run_id)
    assert (forecast.put_back, forecast.left, forecast.total) == (2, 0, 2)
    assert ("Call", True) in ann.events()
    with pytest.raises(Unknown):
        await undoing.start(Owner(tenant_id="acme", user_id="bob"), run_id, started_by="bob")

    begun = await undoing.start(ANN, run_id, started_by="ann")
    assert await undoing.start(ANN, run_id, started_by="ann") == begun
    await ann.rest()
    with pytest.raises(Conflict) as refused:
        await undoing.start(ANN, run_id, started_by="ann")
    assert refused.value.code == "not_editable"
    await ann.switching.deactivate(ANN, ann.mine)
    with pytest.raises(Conflict) as refused:
        await undoing.start(ANN, begun, started_by="ann")
    assert refused.value.code == "inactive"


async def test_r50_a_copy_that_a_catching_up_updated_is_left_where_nobody_knows_what_it_said(
    ann: TwoPeopleWithRuns,
) -> None:
    """Vorex had changed it while the integration was paused; what it created goes, and the list says both."""
    await ann.say("Visit")
    await ann.people.rest()
    await ann.switching.deactivate(ANN, ann.mine)
    await ann.say("Visit", title="Second visit")
    await ann.say("New")
    await ann.people.rest(reads=False)
    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()
    assert ann.events() == [("New", True), ("Second visit", True)]
    (run_id,) = [row["id"] for row in await ann.rows(runs) if row["kind"] == "catch_up"]

    page = await RunUndo(ann.home.store).rehearse(ANN, run_id, limit=10)
    assert sorted((row.title, row.left, row.reason) for row in page.rows) == [
        ("New", False, "Removed from the linked calendar again."),
        ("Second visit", True, NOT_REMEMBERED),
    ]
    assert (await _undo(ann, run_id))[1:] == (1, 1)
    assert ann.events() == [("Second visit", True)]

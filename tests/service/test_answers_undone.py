"""The answer to held questions is taken back by a run that lists what it does beforehand (R50, R11, R36)."""

from collections.abc import AsyncIterator

import pytest

from service.consumers.inbound.held_deletions import DeletionAnswer
from service.consumers.inbound.held_imports import HeldImports, ImportAnswer
from service.integrations.undoing.answers import AnswerGiven, SettledAnswer
from service.integrations.undoing.whole_runs import RunUndo
from service.store.integrations.integrations import change_state
from service.store.tables import held_imports, log_entries, prior_events, runs
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

MANY = 12
BY_ANN = AnswerGiven(by="ann")


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def _deleted(ann: TwoPeopleWithRuns, answer: DeletionAnswer, *, foreign: int) -> SettledAnswer:
    """Twelve pairs whose events the calendar's owner deletes at once, and her answer."""
    for at in range(MANY - foreign):
        await ann.say(f"Item {at:02}")
    for at in range(foreign):
        ann.add_event(f"Event {at:02}")
    await ann.people.rest(reads=False)
    for event in ann.people.world.events(ann.calendar):
        ann.people.world.delete_event(ann.calendar, event["event_uid"])
    await ann.people.rest(reads=False)
    settled = await ann.held.settle(ANN, ann.mine, answer, BY_ANN)
    await ann.rest()
    return settled


async def _reasons(ann: TwoPeopleWithRuns, run_id: str | None) -> list[tuple[bool, str]]:
    """What the undo would do, without doing it."""
    page = await RunUndo(ann.home.store).rehearse(ANN, run_id or "", limit=100)
    return sorted({(row.left, row.reason) for row in page.rows})


async def _undone(ann: TwoPeopleWithRuns, run_id: str | None) -> str:
    undoing = await RunUndo(ann.home.store).start(ANN, run_id or "", started_by="ann")
    await ann.rest()
    (row,) = await ann.rows(runs, runs.c.id == undoing)
    assert row["state"] == "done"
    return undoing


async def test_r50_deletions_that_were_carried_out_are_taken_back(ann: TwoPeopleWithRuns) -> None:
    """All items are there again, ours with their copies; an event of hers is gone for good."""
    settled = await _deleted(ann, "delete", foreign=2)
    assert (settled.count, await ann.titles(), ann.events()) == (MANY, [], [])
    (answer,) = await ann.rows(runs, runs.c.id == settled.run_id)
    assert (answer["kind"], answer["state"], answer["started_by"]) == ("answer", "done", "ann")
    assert (answer["found"], answer["deleted"]) == (MANY, MANY)
    assert await _reasons(ann, settled.run_id) == [(False, "On My Calendar again.")]

    await _undone(ann, settled.run_id)

    assert len(await ann.titles()) == MANY
    assert ann.events() == [(f"Item {at:02}", True) for at in range(MANY - 2)]
    await ann.people.rest()
    assert len(await ann.titles()) == MANY


async def test_r50_what_was_changed_since_the_answer_is_left_and_listed(ann: TwoPeopleWithRuns) -> None:
    """Vorex has brought one of them back itself."""
    settled = await _deleted(ann, "delete", foreign=0)
    await ann.say("Item 03", title="Anew")
    await ann.rest()

    assert (True, "It is there again already.") in await _reasons(ann, settled.run_id)
    undoing = await _undone(ann, settled.run_id)

    assert "Anew" in await ann.titles()
    assert len(await ann.titles()) == MANY
    told = await ann.rows(log_entries, log_entries.c.run_id == undoing, log_entries.c.outcome == "skipped")
    assert [row["reason"] for row in told] == ["It is there again already."]


async def test_r50_copies_that_were_kept_are_removed_again(ann: TwoPeopleWithRuns) -> None:
    """The items stay; of an event that is gone for good nothing is put back, and the list says so."""
    settled = await _deleted(ann, "keep", foreign=2)
    assert len(ann.events()) == MANY - 2
    assert await _reasons(ann, settled.run_id) == [
        (False, "Removed from the linked calendar again."),
        (True, "Its event is gone from the linked calendar for good; the item stays as it is."),
    ]

    await _undone(ann, settled.run_id)

    assert ann.events() == []
    assert len(await ann.titles()) == MANY


async def _appeared(ann: TwoPeopleWithRuns, answer: ImportAnswer) -> SettledAnswer:
    """Twelve events of hers wait for an answer, and she gives it."""
    for at in range(MANY):
        day = f"2026-12-{at + 4:02}"
        ann.add_event(f"Old {at:02}", start=f"{day}T09:00:00Z", end=f"{day}T10:00:00Z")
    await ann.people.pass_time(60)
    async with ann.home.store.begin() as connection:
        await change_state(connection, ann.mine, full_read_at=ann.home.clock.now())
    await ann.read()
    assert len(await ann.rows(held_imports)) == MANY
    settled = await HeldImports(ann.home.store).settle(ANN, ann.mine, answer, BY_ANN)
    await ann.rest()
    return settled


async def test_r50_about_events_that_were_left_there_she_is_asked_again(ann: TwoPeopleWithRuns) -> None:
    """And may answer otherwise; the undo of the first answer then leaves what is on My Calendar."""
    settled = await _appeared(ann, "leave")
    assert (len(await ann.rows(prior_events)), await ann.rows(held_imports)) == (MANY, [])
    page = await RunUndo(ann.home.store).rehearse(ANN, settled.run_id or "", limit=100)
    assert sorted(row.title or "" for row in page.rows) == [f"Old {at:02}" for at in range(MANY)]

    undoing = await _undone(ann, settled.run_id)

    waiting = await ann.rows(held_imports)
    assert (len(waiting), {row["state"] for row in waiting}) == (MANY, {"held"})
    assert await ann.rows(prior_events) == []
    told = await ann.rows(log_entries, log_entries.c.run_id == undoing)
    assert {row["reason"] for row in told} == {"You are asked about it again."}
    again = await HeldImports(ann.home.store).settle(ANN, ann.mine, "bring", BY_ANN)
    await ann.rest()
    assert (again.count, len(await ann.titles())) == (MANY, MANY)


async def test_r50_what_came_to_my_calendar_since_is_not_asked_about_again(ann: TwoPeopleWithRuns) -> None:
    """By a Retrieve, for instance, which asks for it by name (R26)."""
    settled = await _appeared(ann, "leave")
    await ann.start("sync_now", retrieve={"past": "1_week", "future": "1_month"})
    await ann.rest()
    assert len(await ann.titles()) == MANY

    reasons = await _reasons(ann, settled.run_id)
    await _undone(ann, settled.run_id)

    assert reasons == [(True, "It is on My Calendar by now, so it is not asked about again.")]
    assert await ann.rows(held_imports) == []


async def test_r50_what_was_brought_leaves_my_calendar_with_the_undo_of_its_sync(
    ann: TwoPeopleWithRuns,
) -> None:
    """The events stay where they are, and no read brings them again."""
    settled = await _appeared(ann, "bring")
    assert len(await ann.titles()) == MANY

    await _undone(ann, settled.run_id)

    assert await ann.titles() == []
    assert len(ann.events()) == MANY
    await ann.home.reader.read_all(ann.mine)
    assert await ann.titles() == []

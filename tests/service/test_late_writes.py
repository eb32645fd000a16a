"""Accepted writes that overtake each other on their way to the provider, in store and calendar (R17, R18)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.store.tables import links, log_entries
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


async def _say_late(ann: TwoPeopleWithRuns, *, late: float, **changes: Any) -> None:
    """Vorex changes her lunch; Cronofy accepts it, and the provider has it after so many seconds."""
    ann.people.world.faults.change(apply_delay=late, read_lag=0.0)
    await ann.say("Lunch", **changes)
    await ann.people.settle()


async def _told_of_the_calendar(ann: TwoPeopleWithRuns) -> list[tuple[str, str]]:
    rows = await ann.rows(log_entries, log_entries.c.direction == "to_my_calendar")
    return [(row["action"], row["code"]) for row in rows]


async def test_r18_an_older_title_that_arrives_last_is_nobodys_edit(ann: TwoPeopleWithRuns) -> None:
    """The newest had been read back before; it is written again, and nothing is told."""
    await ann.say("Lunch")
    await ann.people.rest()
    await _say_late(ann, late=40, title="Supper")
    await _say_late(ann, late=0, title="Dinner")
    await ann.read(after=5)
    (row,) = await ann.rows(links)
    assert [write.get("overtaken", False) for write in row["writes"]] == [True]
    assert ann.events() == [("Dinner", True)]

    await ann.read(after=40)
    await ann.people.rest()

    assert (await ann.titles(), ann.events()) == (["Dinner"], [("Dinner", True)])
    assert await _told_of_the_calendar(ann) == []


@pytest.mark.parametrize("kind", ["appointment", "task"])
async def test_r18_a_removal_that_arrives_after_the_copy_was_written_anew_removes_nothing_here(
    ann: TwoPeopleWithRuns, kind: str
) -> None:
    """Ann was taken off and put on again."""
    await ann.say("Lunch", type=kind)
    await ann.people.rest()
    await _say_late(ann, late=40, type=kind, assignees=[])
    await _say_late(ann, late=0, type=kind, assignees=["ann"])
    await ann.read(after=50)
    await ann.people.rest()

    assert (await ann.titles(), ann.events()) == (["Lunch"], [("Lunch", True)])
    assert await _told_of_the_calendar(ann) == []


async def test_r18_a_person_who_puts_an_earlier_title_back_is_heard(ann: TwoPeopleWithRuns) -> None:
    """It had been read back in its time."""
    await ann.say("Lunch")
    await ann.people.rest()
    await ann.say("Lunch", title="Dinner")
    await ann.people.rest()
    (event,) = ann.people.world.events(ann.calendar)
    ann.people.world.change_event(ann.calendar, event["event_uid"], summary="Lunch")
    await ann.people.rest()

    assert (await ann.titles(), ann.events()) == (["Lunch"], [("Lunch", True)])
    assert await _told_of_the_calendar(ann) == [("update", "ok")]

"""Runs against the simulator and a real store: the reading at Finish, Retrieve, and what Send hands over."""

from collections.abc import AsyncIterator, Mapping

import pytest

from contracts.calendar import LinkState
from tests.support.household import Household, household

NINE = "2026-12-03T09:00:00Z"
TEN = "2026-12-03T10:00:00Z"
ANN = "ann@example.com"
WEEK = {"past": "1_week", "future": "1_week"}


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[Household]:
    async with household(database_url) as built:
        yield built


async def _with_events(home: Household, *events: Mapping[str, object]) -> str:
    home.world.add_mailbox(email=ANN)
    calendar = next(iter(home.world.link(ANN).calendar_ids.values()))
    for event in events:
        home.world.add_event(calendar, **{"summary": "Old", "start": NINE, "end": TEN, **event})
    await home.world.advance(60)
    return await home.integration(ANN, baseline_at=None)


async def _titles(home: Household) -> list[str]:
    return [item.content.title for item in await home.items() if item.content]


async def test_r26_retrieve_brings_its_range_even_with_create_off(home: Household) -> None:
    """The user asked for that range by name."""
    mine = await _with_events(
        home, {}, {"summary": "Later", "start": "2027-02-01T09:00:00Z", "end": "2027-02-01T10:00:00Z"}
    )
    await home.set(mine, event_types={"create": False, "update": True, "delete": True})

    run = await home.run_to_end(mine, retrieve=WEEK)

    assert (run.state, run.tally) == (
        "done",
        {"found": 1, "created": 1, "updated": 0, "skipped": 0, "failed": 0},
    )
    assert await _titles(home) == ["Old"]


async def test_r26_retrieving_again_brings_nothing_twice(home: Household) -> None:
    """What is known stays as it is."""
    mine = await _with_events(home, {})
    await home.run_to_end(mine, retrieve=WEEK)

    run = await home.run_to_end(mine, retrieve=WEEK)

    assert (run.tally["created"], run.tally["skipped"]) == (0, 1)
    assert await _titles(home) == ["Old"]


async def test_r24_the_range_is_counted_in_the_users_zone(home: Household) -> None:
    """*Today* is that whole day there."""
    late = {"summary": "Late", "start": "2026-12-01T23:30:00-05:00", "end": "2026-12-01T23:45:00-05:00"}
    next_day = {"summary": "Next", "start": "2026-12-02T00:30:00-05:00", "end": "2026-12-02T01:00:00-05:00"}
    mine = await _with_events(home, late, next_day)
    await home.set(mine, time_zone="America/New_York")

    await home.run_to_end(mine, retrieve={"past": "today", "future": "today"})

    assert await _titles(home) == ["Late"]


async def test_r25_a_good_run_from_finish_disables_both_options(home: Household) -> None:
    """The last range is remembered."""
    mine = await _with_events(home, {})
    await home.set(mine, retrieve={"enabled": True, **WEEK})

    await home.run_to_end(mine, retrieve=WEEK)

    assert await home.options(mine) == (
        {"enabled": False, **WEEK},
        {"enabled": False, "past": "today", "future": "today"},
    )


async def test_r25_pages_are_steps_and_a_repeated_step_does_nothing_twice(home: Household) -> None:
    """A run goes on where it was."""
    mine = await _with_events(home, *({"summary": f"Event {at:02}"} for at in range(25)))
    home.world.faults.change(page_size=10)

    run = await home.run_to_end(mine, retrieve=WEEK, repeat=True)

    assert (run.state, run.tally["created"]) == ("done", 25)
    assert len(await home.items()) == 25


async def test_r27_what_a_run_did_is_logged_under_the_run(home: Household) -> None:
    """With the items inside."""
    mine = await _with_events(home, {})

    run = await home.run_to_end(mine, retrieve=WEEK)

    assert await home.logged_by(run.id) == [("run", "create", "done")]


async def test_send_hands_over_the_items_of_its_range_and_types(home: Household) -> None:
    """Fifty at a time; what is not checked or not in the range stays."""
    mine = await _with_events(home)
    await home.set(mine, item_types={"task": True, "todo": False})
    await home.own_item("In", kind="task", start=NINE, end=TEN)
    await home.own_item("Type off", kind="todo", start=NINE, end=TEN)
    await home.own_item("Out", kind="task", start="2027-09-03T09:00:00Z", end="2027-09-03T10:00:00Z")

    await home.run_steps(mine, send=WEEK, steps=3)

    (link,) = await home.links()
    assert link.state is LinkState.BEHIND
    assert link.desired is not None
    assert link.desired["summary"] == "In"


async def test_r29_send_links_what_is_equal_on_both_sides(home: Household) -> None:
    """Instead of writing a second one."""
    mine = await _with_events(home, {"summary": "Visit"})
    await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)

    run = await home.run_to_end(mine, send=WEEK)

    (link,) = await home.links()
    assert (link.state, link.event_uid is not None) == (LinkState.AGREED, True)
    assert run.state == "done"


async def test_r29_two_candidates_are_not_linked(home: Household) -> None:
    """Only where exactly one matches on each side."""
    mine = await _with_events(home, {"summary": "Visit"}, {"summary": "Visit"})
    await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)

    await home.run_to_end(mine, retrieve=WEEK)

    assert await _titles(home) == ["Visit", "Visit", "Visit"]

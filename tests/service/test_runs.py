"""Runs against the simulator and a real store: the reading at Finish, Retrieve, and what Send hands over."""

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from contracts.calendar import LinkState, Status
from contracts.envelope import IntegrationChanged, RunRequested, decode
from contracts.errors import Permanent, SyncError, Transient
from contracts.messages import RunData
from service.consumers.failures import ReceivedMessage
from service.store.engine.ids import new_id
from service.store.runs import runs
from service.store.tables import outbox
from tests.support.one_person import NINE, TEN, OnePerson

ANN = "ann@example.com"
WEEK = {"past": "1_week", "future": "1_week"}


async def _with_events(home: OnePerson, *events: Mapping[str, object]) -> str:
    home.world.add_mailbox(email=ANN)
    calendar = next(iter(home.world.link(ANN).calendar_ids.values()))
    for event in events:
        home.world.add_event(calendar, **{"summary": "Old", "start": NINE, "end": TEN, **event})
    await home.world.advance(60)
    return await home.integration(ANN, baseline_at=None)


async def _told_of_failure(home: OnePerson, mine: str) -> bool:
    """Whether Vorex heard of it, once, with since when and what waits (R48)."""
    wanted = select(outbox.c.body).where(outbox.c.routing_key == "integration.run_failed")
    async with home.store.read() as connection:
        bodies = (await connection.scalars(wanted)).all()
    told = [decode(bytes(body), expected=IntegrationChanged).data for body in bodies]
    assert all(one.integration_id == mine and one.since and one.waiting_changes == 0 for one in told)
    assert len(told) <= 1
    return bool(told)


async def _titles(home: OnePerson) -> list[str]:
    return [item.content.title for item in await home.items() if item.content]


async def test_r26_retrieve_brings_its_range_even_with_create_off(home: OnePerson) -> None:
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


async def test_r26_retrieving_again_brings_nothing_twice(home: OnePerson) -> None:
    """What is known stays as it is."""
    mine = await _with_events(home, {})
    await home.run_to_end(mine, retrieve=WEEK)

    run = await home.run_to_end(mine, retrieve=WEEK)

    assert (run.tally["created"], run.tally["skipped"]) == (0, 1)
    assert await _titles(home) == ["Old"]


async def test_r24_the_range_is_counted_in_the_users_zone(home: OnePerson) -> None:
    """*Today* is that whole day there."""
    late = {"summary": "Late", "start": "2026-12-01T23:30:00-05:00", "end": "2026-12-01T23:45:00-05:00"}
    next_day = {"summary": "Next", "start": "2026-12-02T00:30:00-05:00", "end": "2026-12-02T01:00:00-05:00"}
    mine = await _with_events(home, late, next_day)
    await home.set(mine, time_zone="America/New_York")

    await home.run_to_end(mine, retrieve={"past": "today", "future": "today"})

    assert await _titles(home) == ["Late"]


async def test_r25_a_good_run_from_finish_disables_both_options(home: OnePerson) -> None:
    """The last range is remembered."""
    mine = await _with_events(home, {})
    await home.set(mine, retrieve={"enabled": True, **WEEK})

    await home.run_to_end(mine, retrieve=WEEK)

    assert await home.options(mine) == (
        {"enabled": False, **WEEK},
        {"enabled": False, "past": "today", "future": "today"},
    )


async def test_r25_pages_are_steps_and_a_repeated_step_does_nothing_twice(home: OnePerson) -> None:
    """A run goes on where it was."""
    mine = await _with_events(home, *({"summary": f"Event {at:02}"} for at in range(25)))
    home.world.faults.change(page_size=10)

    run = await home.run_to_end(mine, retrieve=WEEK, repeat=True)

    assert (run.state, run.tally["created"]) == ("done", 25)
    assert len(await home.items()) == 25


async def test_r27_what_a_run_did_is_logged_under_the_run(home: OnePerson) -> None:
    """With the items inside."""
    mine = await _with_events(home, {})

    run = await home.run_to_end(mine, retrieve=WEEK)

    assert await home.logged_by(run.id) == [("run", "create", "done")]


async def test_send_hands_over_the_items_of_its_range_and_types(home: OnePerson) -> None:
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
    assert link.desired.summary == "In"


async def test_r29_send_links_what_is_equal_on_both_sides(home: OnePerson) -> None:
    """Instead of writing a second one."""
    mine = await _with_events(home, {"summary": "Visit"})
    await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)

    run = await home.run_to_end(mine, send=WEEK)

    (link,) = await home.links()
    assert (link.state, link.event_uid is not None) == (LinkState.AGREED, True)
    assert run.state == "done"


async def test_r24_send_reaches_twelve_months_ahead_though_cronofy_is_read_less_far(home: OnePerson) -> None:
    """Cronofy refuses to be asked beyond its 201 days; what it shows before them is still compared (R29)."""
    mine = await _with_events(home, {"summary": "Visit"})
    await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)
    await home.own_item("Far", kind="task", start="2027-11-03T09:00:00Z", end="2027-11-03T10:00:00Z")

    await home.run_steps(mine, send={"past": "today", "future": "12_months"}, steps=3)

    equal, far = sorted(await home.links(), key=lambda link: link.state)
    assert (equal.state, far.state) == (LinkState.AGREED, LinkState.BEHIND)
    assert far.desired is not None
    assert far.desired.summary == "Far"


async def test_r29_two_candidates_are_not_linked(home: OnePerson) -> None:
    """Only where exactly one matches on each side."""
    mine = await _with_events(home, {"summary": "Visit"}, {"summary": "Visit"})
    await home.own_item("Visit", kind="appointment", start=NINE, end=TEN)

    await home.run_to_end(mine, retrieve=WEEK)

    assert await _titles(home) == ["Visit", "Visit", "Visit"]


async def _step(home: OnePerson, mine: str, run_id: str, number: int, *, attempt: int = 1) -> None:
    data = RunData(run_id=run_id, integration_id=mine, step=number)
    message = RunRequested.of(data, id=new_id(), time=home.clock.now())
    await home.runs(ReceivedMessage(message=message, attempt=attempt))


async def _busy(home: OnePerson, mine: str) -> bool:
    async with home.store.read() as connection:
        return await runs.run_in_progress(connection, mine)


async def test_r25_a_run_that_cronofy_refuses_has_failed_and_keeps_no_other_out(home: OnePerson) -> None:
    """Its message goes to the operators; the person can start the next one."""
    mine = await _with_events(home, {})
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=1)
    home.world.faults.change(next_errors=1, error_status=402)

    with pytest.raises(Permanent):
        await _step(home, mine, run_id, 1)

    assert not await _busy(home, mine)


@pytest.mark.parametrize(("attempt", "goes_on"), [(5, True), (6, False)])
async def test_r25_a_run_fails_with_its_last_attempt(home: OnePerson, attempt: int, goes_on: bool) -> None:
    """What is tried no more must not stand as running for ever."""
    mine = await _with_events(home, {})
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=1)
    home.world.faults.change(next_errors=-1, error_status=500)

    with pytest.raises(Transient):
        await _step(home, mine, run_id, 1, attempt=attempt)

    assert await _busy(home, mine) is goes_on
    assert await _told_of_failure(home, mine) is not goes_on


async def test_r23_a_run_on_a_calendar_that_is_gone_ends_and_says_so(home: OnePerson) -> None:
    """Which is no fault of the message: the integration is not connected, and no dead letter is made."""
    mine = await _with_events(home, {})
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=1)
    home.world.set_missing(home.calendars[mine])
    home.world.faults.change(next_errors=1, error_status=404)

    await _step(home, mine, run_id, 1)

    assert not await _busy(home, mine)
    assert (await home.value(mine)).status is Status.NOT_CONNECTED


async def test_r24_a_page_that_fails_is_read_again_and_not_the_whole_range(home: OnePerson) -> None:
    """Else a calendar whose second page Cronofy cannot give would be read from its first for ever."""
    mine = await _with_events(home, *({"summary": f"Event {at:02}"} for at in range(15)))
    home.world.faults.change(page_size=10)
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=2)
    home.world.faults.change(next_errors=-1, error_status=503)
    with pytest.raises(SyncError):
        await _step(home, mine, run_id, 2)
    home.world.faults.change(next_errors=1, error_status=503)

    with pytest.raises(SyncError):
        await _step(home, mine, run_id, 2)


async def test_r24_a_reading_begins_again_only_so_often(home: OnePerson) -> None:
    """Where no next page can ever be had, the attempts count."""
    mine = await _with_events(home, *({"summary": f"Event {at:02}"} for at in range(15)))
    home.world.faults.change(page_size=10, page_seconds=0.5)
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=2)

    for number in (2, 3, 4):
        await home.world.advance(2)
        await _step(home, mine, run_id, number)
    await home.world.advance(2)

    with pytest.raises(Transient):
        await _step(home, mine, run_id, 5)


async def test_a_step_that_names_another_integration_than_its_run_does_nothing(home: OnePerson) -> None:
    """A run belongs to one integration, and so to one tenant, whatever its message says."""
    mine = await _with_events(home, {})
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=1)
    others = await home.integration("bob@example.com")

    await _step(home, others, run_id, 1)

    async with home.store.read() as connection:
        run = await runs.find(connection, run_id)
    assert run is not None
    assert run.number == 1

"""Catch-up: after a pause both sides are compared by state, once, within the rules (R11, R20, R22)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts.vorex import Action
from service.keeper import daily_reads
from service.store.integrations.integrations import change, change_state
from service.store.runs.runs import end
from service.store.tables import integrations, runs
from tests.support.one_person import NINE, TEN
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs

TWO, THREE = "2026-12-03T14:00:00Z", "2026-12-03T15:00:00Z"


@pytest.fixture
async def ann(database_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(database_url) as built:
        yield built


def _uid(ann: TwoPeopleWithRuns, title: str) -> str:
    there = ann.people.world.events(ann.calendar)
    return next(str(event["event_uid"]) for event in there if event["summary"] == title)


async def _paused(ann: TwoPeopleWithRuns) -> None:
    """A visit that both sides know, and a meeting from the calendar; then the integration is deactivated."""
    await ann.say("Visit")
    ann.add_event("Meeting")
    await ann.people.rest(reads=False)
    assert ann.events() == [("Meeting", False), ("Visit", True)]
    assert await ann.titles() == ["Meeting", "Visit"]
    await ann.switching.deactivate(ANN, ann.mine)


async def test_r20_while_deactivated_nothing_crosses(ann: TwoPeopleWithRuns) -> None:
    """Neither way; what Vorex changed is noted."""
    await _paused(ann)

    await ann.say("Visit", title="Second visit")
    await ann.say("New")
    ann.add_event("Lunch")
    await ann.people.rest(reads=False)

    assert ann.events() == [("Lunch", False), ("Meeting", False), ("Visit", True)]
    assert "Lunch" not in await ann.titles()


async def test_r20_activating_again_brings_both_sides_up_to_date(ann: TwoPeopleWithRuns) -> None:
    """Edits, additions and deletions of either side."""
    await _paused(ann)
    await ann.say("Visit", title="Second visit")
    await ann.say("New")
    ann.add_event("Lunch")
    await ann.retitle("Meeting", "Renamed")
    await ann.people.rest(reads=False)

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert ann.events() == [("Lunch", False), ("New", True), ("Renamed", False), ("Second visit", True)]
    assert await ann.titles() == ["Lunch", "New", "Renamed", "Second visit"]


async def test_r20_what_was_deleted_meanwhile_is_deleted(ann: TwoPeopleWithRuns) -> None:
    """In the calendar, and in Vorex."""
    await _paused(ann)
    (uid,) = [e["event_uid"] for e in ann.people.world.events(ann.calendar) if e["summary"] == "Meeting"]
    ann.people.world.delete_event(ann.calendar, uid)
    await ann.say("Visit", action=Action.DELETED)
    await ann.people.rest(reads=False)

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert ann.events() == []
    assert await ann.titles() == []


async def test_r19_the_newer_change_wins_although_it_was_made_in_the_pause(ann: TwoPeopleWithRuns) -> None:
    """The calendar is read before what was held is sent."""
    await _paused(ann)
    await ann.say("Visit", title="From Vorex")
    await ann.people.pass_time(600)
    ann.people.world.change_event(ann.calendar, _uid(ann, "Visit"), summary="From the calendar")
    await ann.people.rest(reads=False)

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert ("From the calendar", True) in ann.events()
    assert "From the calendar" in await ann.titles()


async def test_r18_nothing_changed_in_the_pause_means_no_write(ann: TwoPeopleWithRuns) -> None:
    """A second look at what is in agreement writes nothing."""
    await _paused(ann)
    before = len(ann.people.world.log.writes)

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert len(ann.people.world.log.writes) == before


async def test_r11_a_copy_that_vanished_in_the_pause_is_written_again(ann: TwoPeopleWithRuns) -> None:
    """Absence in a complete read never deletes."""
    await _paused(ann)
    calendar = ann.people.world.calendar(ann.calendar)
    calendar.events.pop(_uid(ann, "Visit"))

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert "Visit" in await ann.titles()


async def test_r22_a_reconnection_catches_up_in_one_comparison(ann: TwoPeopleWithRuns) -> None:
    """What happened while not connected was kept as state."""
    await _paused(ann)
    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()
    ann.people.world.disconnect("ann@example.com")
    await ann.people.pass_time(61)
    assert await ann.home.looker.look(ann.mine) == "not_connected"
    await ann.say("Visit", title="Changed meanwhile", start=TWO, end=THREE)
    await ann.people.rest(reads=False)
    assert ("Visit", True) in ann.events()

    ann.people.world.reconnect("ann@example.com")
    await ann.people.pass_time(61)
    assert await ann.home.looker.look(ann.mine) == "fine"
    await ann.rest()

    assert ("Changed meanwhile", True) in ann.events()
    kinds = [(row["kind"], row["state"]) for row in await ann.rows(runs, runs.c.integration_id == ann.mine)]
    assert kinds == [("catch_up", "done"), ("catch_up", "done")]


async def test_r22_the_end_of_cronofys_first_sync_starts_a_comparison(ann: TwoPeopleWithRuns) -> None:
    """Until then its reads were incomplete (CRONOFY.md C11)."""
    await ann.home.notice(ann.mine, "profile_initial_sync_completed")

    assert await ann.unfinished() == [("catch_up", "baseline", "waiting")]


async def test_r22_a_notice_of_the_account_is_looked_into_at_once(ann: TwoPeopleWithRuns) -> None:
    """Whatever was seen a moment ago; both ways."""
    standing = integrations.c.id == ann.mine
    for happens, kind, status in (
        (ann.people.world.disconnect, "profile_disconnected", "not_connected"),
        (ann.people.world.reconnect, "profile_initial_sync_completed", "connected"),
    ):
        await ann.home.looker.look(ann.mine, at_once=True)
        happens("ann@example.com")
        await ann.home.notice(ann.mine, kind)
        (row,) = await ann.rows(integrations, standing)
        assert row["status"] == status


async def test_r22_what_a_reconnection_saw_is_not_believed_after_a_refusal(ann: TwoPeopleWithRuns) -> None:
    """Only what an earlier refusal made us see is, for a minute."""
    assert await ann.home.looker.look(ann.mine) == "fine"
    assert await ann.home.looker.look(ann.mine, at_once=True) == "fine"
    ann.people.world.set_missing(ann.calendar)

    assert await ann.home.looker.look(ann.mine) == "not_connected"


@pytest.mark.parametrize("what", ["write", "read", "run"])
async def test_r22_a_refused_grant_is_not_connected_whatever_was_seen_a_moment_ago(
    what: str, ann: TwoPeopleWithRuns
) -> None:
    """An invalid_grant is definite; the message is done."""
    assert await ann.home.looker.look(ann.mine) == "fine"
    ann.people.world.revoke("ann@example.com")

    if what == "write":
        await ann.say("Visit", title="Changed meanwhile")
    elif what == "read":
        await ann.home.notice(ann.mine, "change")
    else:
        await ann.syncing.start(ANN, ann.mine, None, started_by="ann")
    await ann.rest()

    (row,) = await ann.rows(integrations, integrations.c.id == ann.mine)
    assert (row["status"], row["reason"]) == ("not_connected", "permission_withdrawn")


async def test_r25_a_catch_up_gives_way_to_a_run_that_a_person_starts(ann: TwoPeopleWithRuns) -> None:
    """It waits, and goes on afterwards."""
    await _paused(ann)
    await ann.switching.activate(ANN, ann.mine)
    run_id = await ann.syncing.start(ANN, ann.mine, None, started_by="ann")

    await ann.rest()

    ended = {row["id"]: row for row in await ann.rows(runs)}
    (other,) = [row for key, row in ended.items() if key != run_id]
    assert {row["state"] for row in ended.values()} == {"done"}
    assert ended[run_id]["ended_at"] <= other["ended_at"]


async def test_r25_a_comparison_goes_on_where_it_was_killed(ann: TwoPeopleWithRuns) -> None:
    """Every step is repeated once."""
    await _paused(ann)
    await ann.say("New")
    await ann.people.rest(reads=False)
    ann.killed = 4

    await ann.switching.activate(ANN, ann.mine)
    await ann.rest()

    assert ("New", True) in ann.events()
    (run,) = await ann.rows(runs)
    assert (run["state"], run["found"]) == ("done", 3)


async def test_every_calendar_is_read_whole_once_a_day(ann: TwoPeopleWithRuns) -> None:
    """Events slide into Cronofy's window without notice; lost notices are made good."""
    async with ann.home.store.begin() as connection:
        for one in ann.people.integrations.values():
            await change_state(connection, one, full_read_at=ann.people.clock.now())
    chore = daily_reads(ann.home.store)
    await chore.work()
    assert await ann.unfinished() == []
    ann.add_event("Unannounced")
    await ann.people.pass_time(timedelta(days=1, minutes=1).total_seconds())
    ann.people.notices.clear()

    await chore.work()
    await chore.work()
    assert len(await ann.unfinished()) == 2
    await ann.rest()

    assert await ann.titles() == ["Unannounced"]
    await chore.work()
    assert await ann.unfinished() == []


async def test_r33_a_first_reading_that_failed_is_made_up_for(ann: TwoPeopleWithRuns) -> None:
    """Nothing is sent before it, so it is tried again without a person: not while one's run is at it."""
    async with ann.home.store.begin() as connection:
        await change(connection, ann.mine, baseline_at=None)
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    assert ann.events() == []
    run_id = await ann.syncing.start(ANN, ann.mine, None, started_by="ann")
    await daily_reads(ann.home.store).work()
    mine = runs.c.integration_id == ann.mine
    assert [row["kind"] for row in await ann.rows(runs, mine)] == ["sync_now"]
    async with ann.home.store.begin() as connection:
        at = await ann.home.store.moment(connection)
        await end(connection, run_id, state="failed", reason="Cronofy did not answer", at=at)

    await daily_reads(ann.home.store).work()
    await daily_reads(ann.home.store).work()
    await ann.rest()

    assert ann.events() == [("Visit", True)]
    assert [row["kind"] for row in await ann.rows(runs, mine)] == ["sync_now", "daily"]


async def test_daily_reads_that_are_due_at_once_are_spread_over_rounds(ann: TwoPeopleWithRuns) -> None:
    """After an outage not everybody is read in the same minute."""
    for number in range(8):
        await ann.home.integration(f"person-{number}@example.com")
    chore = daily_reads(ann.home.store)

    await chore.work()
    first = len(await ann.unfinished())
    await chore.work()

    assert (first, len(await ann.unfinished())) == (5, 10)


async def test_r20_deactivating_ends_the_runs_of_an_integration(ann: TwoPeopleWithRuns) -> None:
    """Within a second of the answer: no further step is done."""
    for at in range(60):
        await ann.say(f"Item {at:02}", start=NINE, end=TEN)
    await ann.people.rest(reads=False)
    run_id = await ann.syncing.start(ANN, ann.mine, None, started_by="ann")

    await ann.switching.deactivate(ANN, ann.mine)
    await ann.rest()

    (run,) = await ann.rows(runs, runs.c.id == run_id)
    assert (run["state"], run["done"]) == ("cancelled", 0)


async def test_r25_a_run_in_both_directions_tells_how_much_is_done_of_how_much(
    ann: TwoPeopleWithRuns,
) -> None:
    """What is in agreement is found and skipped (R18)."""
    for at in range(3):
        ann.add_event(f"Event {at}")
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    week = {"past": "1_week", "future": "1_week"}
    run_id = await ann.start("sync_now", retrieve=week, send=week)

    await ann.rest()

    (run,) = await ann.rows(runs, runs.c.id == run_id)
    assert (run["state"], run["done"], run["total"]) == ("done", 8, 8)
    assert (run["found"], run["created"], run["updated"], run["skipped"]) == (8, 0, 0, 8)
    assert run["failed"] == 0


async def test_a_comparison_that_went_astray_does_not_end_the_daily_reads(ann: TwoPeopleWithRuns) -> None:
    """The next day's takes its place."""
    await ann.home.notice(ann.mine, "profile_initial_sync_completed")
    await ann.people.broker.close()
    await ann.people.pass_time(timedelta(days=1, hours=1).total_seconds())

    await daily_reads(ann.home.store).work()

    states = [(row["kind"], row["state"]) for row in await ann.rows(runs, runs.c.integration_id == ann.mine)]
    assert states == [("catch_up", "cancelled"), ("daily", "waiting")]

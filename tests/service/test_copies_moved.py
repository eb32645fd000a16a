"""Another calendar is chosen: our copies follow link by link, or stay where they are (R16, issue 4)."""

from collections.abc import AsyncIterator, Mapping

import pytest

from contracts.calendar import Status
from contracts.errors import Transient
from contracts.vorex import Action
from service.integrations.refusals import Conflict
from service.store.tables import links, log_entries, runs
from tests.support.choices import form
from tests.support.choosing import choose, inactive_for_a_while, on, second, settled, two_calendars, visits
from tests.support.one_person import ELEVEN, TEN
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns

WEEK = {"enabled": True, "past": "1_week", "future": "1_week"}


@pytest.fixture
async def ann(request: pytest.FixtureRequest) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_calendars(request) as built:
        yield built


async def _reasons(ann: TwoPeopleWithRuns, run_id: str | None) -> list[tuple[str, str, str]]:
    rows = await ann.rows(log_entries, log_entries.c.run_id == run_id)
    return sorted((row["action"], row["outcome"], row["code"]) for row in rows)


@pytest.mark.usefixtures("database_url")
async def test_r16_copies_follow_to_the_calendar_that_is_chosen(ann: TwoPeopleWithRuns) -> None:
    """Created here, removed there; what the calendar's owner added there stays."""
    await settled(ann)

    run_id = await choose(ann, copies="move")
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False)]
    assert on(ann, second(ann)) == visits(2)
    assert await ann.titles() == ["Meeting", "Visit 00", "Visit 01"]
    assert await _reasons(ann, run_id) == [("create", "done", "ok")] * 2 + [("delete", "done", "ok")] * 2
    assert not [
        one
        for one in ann.people.world.log.requests
        if one["method"] == "DELETE" and one["path"] == "/v1/events"
    ]


async def test_r16_the_move_is_a_run_with_progress_and_counts(ann: TwoPeopleWithRuns) -> None:
    """It stands in the log of runs like any other."""
    await settled(ann, items=3)

    run_id = await choose(ann, copies="move")
    await ann.rest()

    (run,) = await ann.rows(runs, runs.c.id == run_id)
    assert (run["kind"], run["state"], run["listed"]) == ("finish", "done", True)
    assert (run["done"], run["total"], run["updated"], run["failed"]) == (3, 3, 3, 0)


async def test_r16_copies_stay_unless_asked_otherwise(ann: TwoPeopleWithRuns) -> None:
    """They are kept alike no longer; the next change goes to the calendar that is linked now."""
    await settled(ann)

    assert await choose(ann) is None
    await ann.rest()
    await ann.say("Visit 00", end=ELEVEN)
    await ann.people.rest(reads=False)

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(2)]
    assert {event["end"] for event in ann.people.world.events(ann.calendar)} == {TEN}
    assert on(ann, second(ann)) == visits(1)


async def test_r16_a_type_that_is_unchecked_with_it_stays_and_the_log_says_so(ann: TwoPeopleWithRuns) -> None:
    """Boxes narrowed: existing copies stay where they are, no updates."""
    await ann.say("Call", type="task")
    await ann.say("Visit")
    await ann.people.rest(reads=False)
    types = {**form("")["item_types"], "task": False}

    run_id = await choose(ann, copies="move", item_types=types)
    await ann.rest()

    assert on(ann, ann.calendar) == [("Call", True)]
    assert on(ann, second(ann)) == [("Visit", True)]
    assert ("none", "skipped", "type_off") in await _reasons(ann, run_id)


@pytest.mark.usefixtures("database_url")
async def test_r16_changes_that_arrive_meanwhile_are_not_lost(ann: TwoPeopleWithRuns) -> None:
    """A change, a deletion and a new item, while the copies are on their way."""
    await settled(ann, items=4)

    await choose(ann, copies="move")
    await ann.say("Visit 00", title="Changed")
    await ann.say("Visit 01", action=Action.DELETED)
    await ann.say("Visit 02", assignees=["somebody"])
    await ann.say("New")
    await ann.rest()
    await ann.people.rest()

    assert on(ann, ann.calendar) == [("Meeting", False)]
    assert on(ann, second(ann)) == [("Changed", True), ("New", True), ("Visit 03", True)]


@pytest.mark.usefixtures("database_url")
async def test_r16_a_kill_at_any_step_loses_and_doubles_nothing(ann: TwoPeopleWithRuns) -> None:
    """More copies than one step holds, and every step handled twice."""
    await settled(ann, items=53)
    ann.killed = 6

    run_id = await choose(ann, copies="move")
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False)]
    assert on(ann, second(ann)) == visits(53)
    assert (await _reasons(ann, run_id)).count(("delete", "done", "ok")) == 53


@pytest.mark.parametrize(
    ("obstacle", "left", "entry"),
    [
        ("set_missing", 0, ("delete", "skipped", "refused_by_calendar")),
        ("set_read_only", 2, ("delete", "failed", "refused_by_calendar")),
    ],
)
async def test_r16_a_calendar_that_is_gone_or_read_only_is_told_in_the_log(
    obstacle: str, left: int, entry: tuple[str, str, str], ann: TwoPeopleWithRuns
) -> None:
    """The copies stand on the calendar that is linked now, whatever became of the old one."""
    await settled(ann)
    old = ann.people.world.calendar(ann.calendar)
    getattr(ann.people.world, obstacle)(ann.calendar)

    run_id = await choose(ann, copies="move")
    await ann.rest()

    assert on(ann, second(ann)) == visits(2)
    assert (await _reasons(ann, run_id)).count(entry) == 2
    if left:
        assert len([event for event in old.events.values() if not event.deleted]) == left + 1
    assert not [link for link in await ann.rows(links) if link["moving"]]


async def test_r16_what_cannot_be_written_here_stays_there(ann: TwoPeopleWithRuns) -> None:
    """Nothing is lost: the copy goes only when its successor stands."""
    await settled(ann)
    ann.people.world.faults.change(next_entry_errors=1, error_status=422)

    run_id = await choose(ann, copies="move")
    await ann.rest()

    assert len(on(ann, ann.calendar)) == 2
    assert len(on(ann, second(ann))) == 1
    assert ("none", "failed", "refused_by_calendar") in await _reasons(ann, run_id)


async def test_r16_deletions_that_are_refused_for_now_are_tried_again(ann: TwoPeopleWithRuns) -> None:
    """By the queue, with its delays."""
    await settled(ann)

    await choose(ann, copies="move")
    ann.people.world.faults.change(next_errors=2, error_status=503)
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False)]
    assert on(ann, second(ann)) == visits(2)


async def test_r20_a_move_that_was_cut_short_goes_on_with_the_next_activation(ann: TwoPeopleWithRuns) -> None:
    """Deactivated before it began: nothing is written until then."""
    await settled(ann)
    await choose(ann, copies="move")

    assert await inactive_for_a_while(ann) == ([("Meeting", False), *visits(2)], [])

    assert on(ann, ann.calendar) == [("Meeting", False)]
    assert on(ann, second(ann)) == visits(2)


async def test_r25_a_move_that_is_cancelled_leaves_the_rest_where_it_is(ann: TwoPeopleWithRuns) -> None:
    """And nothing in both places."""
    await settled(ann)
    run_id = await choose(ann, copies="move")
    assert run_id is not None

    await ann.syncing.cancel(ANN, run_id)
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(2)]
    assert on(ann, second(ann)) == []


async def test_r25_no_other_sync_begins_while_copies_move(ann: TwoPeopleWithRuns) -> None:
    """Neither Sync now nor another choice with copies to move."""
    await settled(ann)
    await choose(ann, copies="move")

    with pytest.raises(Conflict) as refused:
        await ann.syncing.start(ANN, ann.mine, None, started_by="ann")
    assert refused.value.code == "run_in_progress"
    with pytest.raises(Conflict) as refused:
        await choose(ann, ann.calendar, copies="move")
    assert refused.value.code == "run_in_progress"


async def test_r16_moving_there_and_back_again_doubles_nothing(ann: TwoPeopleWithRuns) -> None:
    """Each copy stands once, on the calendar that is linked."""
    await settled(ann)
    for calendar_id in (second(ann), ann.calendar, second(ann), ann.calendar):
        await choose(ann, calendar_id, copies="move")
        await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(2)]
    assert on(ann, second(ann)) == []
    await ann.say("Visit 00", title="Changed")
    await ann.people.rest()
    assert on(ann, ann.calendar) == [("Changed", True), ("Meeting", False), ("Visit 01", True)]


async def test_r16_a_move_after_the_old_calendar_was_lost_brings_the_copies_along(
    ann: TwoPeopleWithRuns,
) -> None:
    """*Choose another calendar* (R22): connected again, with everything on the new one."""
    await settled(ann)
    ann.people.world.set_missing(ann.calendar)
    await ann.home.looker.look(ann.mine, at_once=True)
    assert (await ann.row())["status"] == Status.NOT_CONNECTED
    await ann.say("Visit 00", title="Changed meanwhile")
    await ann.people.rest(reads=False)

    await choose(ann, copies="move")
    await ann.rest()

    assert on(ann, second(ann)) == [("Changed meanwhile", True), ("Visit 01", True)]


async def test_r16_a_retrieve_and_a_send_asked_for_with_it_follow_the_move(ann: TwoPeopleWithRuns) -> None:
    """One run does all three, and the options are off afterwards (R25)."""
    await settled(ann)
    ann.people.world.add_event(second(ann), summary="There", start=TEN, end=ELEVEN)
    await ann.people.pass_time(10)

    run_id = await choose(ann, copies="move", retrieve=WEEK, send=WEEK)
    await ann.rest()

    assert on(ann, second(ann)) == [("There", False), *visits(2)]
    assert await ann.titles() == ["Meeting", "There", "Visit 00", "Visit 01"]
    (run,) = await ann.rows(runs, runs.c.id == run_id)
    assert run["state"] == "done"
    assert (await ann.row())["send"]["enabled"] is False
    assert [error for error in ann.people.failures if not isinstance(error, Transient)] == []


async def test_r16_widened_boxes_count_from_now_on(ann: TwoPeopleWithRuns) -> None:
    """What was there before comes with its next change, or with a Send."""
    off: Mapping[str, bool] = {**form("")["item_types"], "appointment": False}
    await choose(ann, ann.calendar, item_types=off)
    await ann.rest()
    await ann.say("Before")
    await ann.people.rest(reads=False)
    await choose(ann, ann.calendar)
    await ann.rest()
    assert ann.events() == []

    await ann.say("After")
    await ann.people.rest(reads=False)
    assert ann.events() == [("After", True)]

    await choose(ann, ann.calendar, send=WEEK)
    await ann.rest()
    assert ann.events() == [("After", True), ("Before", True)]


async def test_r21_pairs_of_an_earlier_calendar_are_not_adopted_on_a_later_one(
    ann: TwoPeopleWithRuns,
) -> None:
    """What was left on the first calendar is not taken for an event of the second."""
    await settled(ann, items=1)
    await choose(ann)
    await ann.rest()
    ann.chosen = "Second"
    await ann.delete()
    await ann.rest()

    await ann.link_again(send={"past": "1_week", "future": "1_week"})
    await ann.retitle("Meeting", "Renamed")
    await ann.people.rest(reads=False)

    assert on(ann, second(ann)) == [("Renamed", True), ("Visit 00", True)]

"""Another calendar is chosen: a few hundred links a transaction, and a kill in between (R16)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.vorex import Action
from handlers.undoing.putting_back import MOVED_THERE
from service.integrations.activate import IntegrationSwitch
from service.integrations.undoing.whole_runs import RunUndo
from service.integrations.views import get_integration
from service.store.links import moves
from service.store.tables import links
from tests.support.choosing import (
    called,
    choose,
    inactive_for_a_while,
    on,
    second,
    settled,
    two_calendars,
    visits,
)
from tests.support.one_person import NINE, TEN
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns


@pytest.fixture
async def ann(request: pytest.FixtureRequest) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_calendars(request) as built:
        yield built


async def _links(ann: TwoPeopleWithRuns) -> list[Any]:
    rows = await ann.rows(links, links.c.integration_id == ann.mine)
    return sorted((row["id"], row["state"], row["moving"]) for row in rows)


async def _let_go_of_one(ann: TwoPeopleWithRuns) -> None:
    """The first bit of the run's first step; then its process dies."""
    store, mine = ann.home.store, await ann.home.value(ann.mine)
    async with store.begin() as connection:
        wished = await moves.wish_for_copies(connection, mine.id)
        (there,) = await moves.calendars(connection, mine)
        assert wished is not None
        after = await moves.let_go(connection, mine, wished, calendar_id=there, after="", limit=1)
    assert after is not None


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("copies", ["move", "leave"])
async def test_r16_choosing_touches_no_link_and_a_kill_while_they_are_let_go_of_changes_nothing(
    ann: TwoPeopleWithRuns, copies: str
) -> None:
    """Fifty thousand would keep everybody else from them for seconds."""
    await settled(ann, items=3)
    before = await _links(ann)

    await choose(ann, copies=copies)
    assert await _links(ann) == before
    await _let_go_of_one(ann)
    await ann.rest()

    stayed = visits(3) if copies == "leave" else []
    assert on(ann, ann.calendar) == [("Meeting", False), *stayed]
    assert on(ann, second(ann)) == ([] if stayed else visits(3))
    elsewhere = [row for row in await ann.rows(links) if row["calendar_id"] == ann.calendar]
    assert {(row["state"], row["moving"]) for row in elsewhere} == {("let_go", False)}


async def test_r50_the_undo_of_a_move_lists_its_copies_as_left_and_how_they_move_back(
    ann: TwoPeopleWithRuns,
) -> None:
    """It is the choice of the calendar that moved them, and that is made in the settings."""
    await settled(ann, items=3)
    run_id = await choose(ann, copies="move")
    await ann.rest()
    assert on(ann, second(ann)) == visits(3)

    page = await RunUndo(ann.home.store).rehearse(ANN, run_id or "", limit=10)

    moved = [(row.title, row.left, row.reason) for row in page.rows if row.reason == MOVED_THERE]
    assert sorted(moved) == [(title, True, MOVED_THERE) for title, _ in visits(3)]


async def test_r16_a_choice_that_was_cut_short_in_the_middle_goes_on_with_the_next_activation(
    ann: TwoPeopleWithRuns,
) -> None:
    """What was wished for the copies is remembered."""
    await settled(ann, items=3)
    await choose(ann, copies="move")
    await _let_go_of_one(ann)

    _, elsewhere = await inactive_for_a_while(ann)
    assert elsewhere == []

    assert on(ann, ann.calendar) == [("Meeting", False)]
    assert on(ann, second(ann)) == visits(3)


async def test_r25_a_move_that_is_cancelled_while_it_is_prepared_leaves_all_where_it_is(
    ann: TwoPeopleWithRuns,
) -> None:
    """Also what is marked to follow already."""
    await settled(ann, items=3)
    run_id = await choose(ann, copies="move")
    assert run_id is not None
    await _let_go_of_one(ann)

    await ann.syncing.cancel(ANN, run_id)
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(3)]
    assert on(ann, second(ann)) == []


async def test_r16_a_calendar_that_is_chosen_again_before_its_copies_moved_keeps_them(
    ann: TwoPeopleWithRuns,
) -> None:
    """They are to follow to where they stand."""
    await settled(ann, items=3)
    await choose(ann, copies="move")
    await _let_go_of_one(ann)
    await IntegrationSwitch(ann.home.store).deactivate(ANN, ann.mine)
    await ann.rest()

    await choose(ann, ann.calendar, copies="move")
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(3)]
    await ann.say("Visit 00", title="Changed")
    await ann.people.rest()
    assert ("Changed", True) in on(ann, ann.calendar)


async def test_r11_held_deletions_on_a_calendar_that_is_linked_no_longer_need_no_answer(
    ann: TwoPeopleWithRuns,
) -> None:
    """They spoke of another calendar."""
    await settled(ann, items=16)
    for event in ann.people.world.events(ann.calendar):
        ann.people.world.delete_event(ann.calendar, event["event_uid"])
    await ann.people.rest(reads=False)
    shown = await get_integration(ann.home.store, ANN, ann.mine)
    assert shown.held_deletions > 0

    await choose(ann, copies="leave")

    shown = await get_integration(ann.home.store, ANN, ann.mine)
    assert shown.held_deletions == 0


async def test_r25_copies_that_stay_after_a_cancellation_do_not_follow_a_later_choice(
    ann: TwoPeopleWithRuns,
) -> None:
    """The move was given up in its middle, and at once a third calendar is chosen."""
    ann.people.world.add_calendar("ann@example.com", "Third")
    await settled(ann, items=3)
    run_id = await choose(ann, copies="move")
    assert run_id is not None
    await _let_go_of_one(ann)
    await ann.syncing.cancel(ANN, run_id)

    await choose(ann, called(ann, "Third"), copies="move")
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(3)]
    assert (on(ann, second(ann)), on(ann, called(ann, "Third"))) == ([], [])


async def test_r16_copies_that_were_left_do_not_follow_a_later_choice(ann: TwoPeopleWithRuns) -> None:
    """They were marked by a move that was cut short; nothing has unmarked them yet."""
    ann.people.world.add_calendar("ann@example.com", "Third")
    await settled(ann, items=3)
    await choose(ann, copies="move")
    await _let_go_of_one(ann)
    await IntegrationSwitch(ann.home.store).deactivate(ANN, ann.mine)
    await choose(ann, called(ann, "Third"), copies="leave")

    await choose(ann, second(ann), copies="move")
    await ann.rest()

    assert on(ann, ann.calendar) == [("Meeting", False), *visits(3)]
    assert (on(ann, second(ann)), on(ann, called(ann, "Third"))) == ([], [])


async def test_r11_pairs_that_were_left_behind_loosen_no_brake(ann: TwoPeopleWithRuns) -> None:
    """Of the calendar that is linked now all twelve vanish at once: that is asked about."""
    await settled(ann, items=40)
    await choose(ann, copies="leave", event_types={"create": True, "update": True, "delete": True})
    await ann.rest()
    there = second(ann)
    for at in range(12):
        ann.people.world.add_event(there, summary=f"Meeting {at:02}", start=NINE, end=TEN)
    await ann.people.rest()
    before = await ann.titles()
    assert len(before) == 41 + 12
    for event in ann.people.world.events(there):
        ann.people.world.delete_event(there, event["event_uid"])
    await ann.people.rest()

    assert await ann.titles() == before
    assert (await get_integration(ann.home.store, ANN, ann.mine)).held_deletions == 12


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("copies", ["leave", "move"])
async def test_r16_a_calendar_that_is_chosen_again_is_kept_alike_again_in_both_directions(
    ann: TwoPeopleWithRuns, copies: str
) -> None:
    """Chosen by mistake and taken back: what was brought from it and what was sent to it."""
    both_ways = {"create": True, "update": True, "delete": True}
    await settled(ann)
    first = ann.calendar
    await choose(ann, copies=copies, event_types=both_ways)
    await ann.rest()
    await ann.retitle("Visit 01", "Visit 01, later")
    await ann.rest()
    await choose(ann, first, copies=copies, event_types=both_ways)
    await ann.rest()
    await ann.people.rest()
    assert await ann.titles() == ["Meeting", "Visit 00", "Visit 01, later"]

    _rename(ann, first, "Meeting", "Meeting, moved")
    _rename(ann, first, "Visit 00", "Visit 00, longer")
    await ann.people.rest()
    assert await ann.titles() == ["Meeting, moved", "Visit 00, longer", "Visit 01, later"]
    assert ("Visit 01, later", True) in on(ann, first)
    await ann.retitle("Meeting, moved", "Meeting, at noon")
    await ann.people.rest()
    assert ("Meeting, at noon", False) in on(ann, first)
    for title in ("Meeting, at noon", "Visit 00, longer"):
        ann.people.world.delete_event(first, _uid(ann, first, title))
    await ann.people.rest()
    assert await ann.titles() == ["Visit 01, later"]


async def test_r16_what_was_deleted_meanwhile_costs_nobody_an_event_of_their_own(
    ann: TwoPeopleWithRuns,
) -> None:
    """Brought from the first calendar, deleted here while the second is linked; then back again."""
    await settled(ann)
    first = ann.calendar
    await choose(ann, copies="leave")
    await ann.rest()
    (meeting,) = [one for one in await ann.home.items() if one.content and one.content.title == "Meeting"]
    await ann.say(meeting.id, action=Action.DELETED)
    await ann.say("Visit 01", title="Visit 01, later")
    await ann.rest()
    await choose(ann, first, copies="leave")
    await ann.rest()
    await ann.people.rest()

    assert ("Meeting", False) in on(ann, first)
    assert ("Visit 01, later", True) in on(ann, first)
    assert "Meeting" not in await ann.titles()


def _uid(ann: TwoPeopleWithRuns, calendar_id: str, title: str) -> str:
    events = ann.people.world.events(calendar_id)
    return next(str(one["event_uid"]) for one in events if one["summary"] == title and not one["deleted"])


def _rename(ann: TwoPeopleWithRuns, calendar_id: str, title: str, now: str) -> None:
    ann.people.world.change_event(calendar_id, _uid(ann, calendar_id, title), summary=now)

"""What the machine of rules has found, from the beginning: writes in the wrong order (R17, R18)."""

from typing import Any

import pytest

from contracts.calendar import LinkState, LogAction, Origin
from tests.builders import HOUR, NINE, TEN, a_content
from tests.support.rules_agreement import agree_with_calendar
from tests.support.rules_world import QUARTER_SECONDS, RulesWorld, send_all, settle


def a_world() -> RulesWorld:
    """An appointment of Vorex's and an event of the person's, both on both sides."""
    world = RulesWorld()
    world.publish(a_content(id="first"))
    world.add(world.calendars[0], summary="Theirs", start=NINE, end=TEN)
    settle(world)
    world.told.clear()
    return world


def change(world: RulesWorld, number: int, **changes: Any) -> None:
    """Vorex changes its first item or its second, and it is sent as fast as it goes."""
    content = list(world.vorex.values())[number][2]
    world.publish(content.model_copy(update=changes))
    world.tick()
    send_all(world)


def arrive(world: RulesWorld, calendar: int, write: int) -> None:
    place = world.calendars[calendar]
    world.arrive(place, place.arriving[write])
    world.tick()


def at_rest(world: RulesWorld) -> None:
    """Nothing came of what was read back, and the calendars show what Vorex has."""
    assert [entry for entry in world.told if entry.action is not LogAction.CREATE] == []
    settle(world, quiet=True)
    assert [entry for entry in world.told if entry.action is not LogAction.CREATE] == []
    assert {link.state for link in world.links.values()} == {LinkState.AGREED}
    titles = {content.title for _, deleted, content in world.vorex.values() if not deleted}
    for calendar in world.calendars:
        assert {(event.summary or "").removeprefix("Contoso – ") for event in calendar.living()} == titles


@pytest.mark.parametrize("number", [0, 1])
def test_r18_two_titles_that_arrive_in_the_wrong_order_with_reads_between(number: int) -> None:
    """Of an event of ours and of a foreign one."""
    world = a_world()
    change(world, number, title="Lunch with Jo")
    change(world, number, title="Dinner")
    for write in (1, 0):
        arrive(world, 0, write)
        world.read(world.calendars[0])
        assert all(item.changed_by is None or item.imported_by for item in world.items.values())
    at_rest(world)


def test_r18_a_place_that_is_overtaken_by_an_earlier_write_without_it() -> None:
    """On a copy of a foreign event."""
    world = a_world()
    change(world, 1, title="Lunch with Jo")
    change(world, 1, location="Bar", start=NINE, end=TEN)
    for write in (1, 0):
        arrive(world, 1, write)
        world.read(world.calendars[1])
    at_rest(world)


def test_r18_a_title_that_is_changed_and_changed_back_while_the_calendars_answers_lag() -> None:
    """What is read first is from before either change."""
    world = a_world()
    before = next(iter(world.vorex.values()))[2].title
    change(world, 0, title="Breakfast")
    arrive(world, 0, 0)
    change(world, 0, title=before)
    world.read(world.calendars[0], lag=1)
    world.read(world.calendars[0])
    at_rest(world)


def test_r17_three_edits_of_a_foreign_event_that_arrive_newest_first() -> None:
    """It ends at the newest, and is not given up as one that cannot be edited."""
    world = a_world()
    change(world, 1, start=NINE + 3 * HOUR, end=TEN + 3 * HOUR)
    change(world, 1, account_name="Contoso")
    change(world, 1, completed=True)
    while world.calendars[0].arriving:
        arrive(world, 0, -1)
    world.tick(QUARTER_SECONDS + 1)
    world.read(world.calendars[0])
    (foreign,) = (link for link in world.links.values() if link.origin is Origin.EXTERNAL)
    assert foreign.state is not LinkState.FROZEN
    at_rest(world)


@pytest.mark.parametrize("wait", [2, 30, 65])
def test_r18_an_item_without_a_date_for_a_moment_stays_when_the_deletion_comes_last(wait: int) -> None:
    """Neither deleted nor let go."""
    world = a_world()
    change(world, 0, start=None, end=None)
    world.tick(wait)
    change(world, 0, start=NINE, end=TEN)
    for write in (1, 0):
        arrive(world, 0, write)
        world.read(world.calendars[0])
    assert [item.deleted for item in world.items.values()] == [False, False]
    at_rest(world)


@pytest.mark.parametrize("title", ["Lunch with Jo", "Theirs"])
def test_r18_a_foreign_event_that_an_edit_reaches_before_its_deletion_does_not_come_back(title: str) -> None:
    """The deletion that Vorex asked for is on its way; the edit may have changed nothing."""
    world = a_world()
    change(world, 1, title="Between")
    change(world, 1, title=title)
    world.read(world.calendars[0])
    world.publish(list(world.vorex.values())[1][2], deleted=True)
    send_all(world)
    for _ in range(3):
        arrive(world, 0, 0)
        world.read(world.calendars[0])
    assert len(world.items) == 2
    at_rest(world)


def test_r18_a_write_that_undoes_what_was_written_once_more_is_no_edit_after_15_minutes_either() -> None:
    """The newest was made again for the first late write; a second came after that."""
    world = a_world()
    change(world, 0, title="Lunch with Jo")
    change(world, 0, location="Bar")
    change(world, 0, title="Dinner")
    arrive(world, 0, 0)
    world.tick(60)
    world.read(world.calendars[0])
    send_all(world)
    for write in (-1, -1, 0):
        arrive(world, 0, write)
    world.read(world.calendars[0])
    at_rest(world)


def test_r17_a_foreign_event_that_was_given_up_and_then_takes_an_older_edit_is_written_again() -> None:
    """It was possible, and later than 15 minutes."""
    world = a_world()
    change(world, 1, title="Lunch with Jo")
    change(world, 1, title="Dinner")
    for _ in range(2):
        arrive(world, 1, 0)
    world.tick(QUARTER_SECONDS + 1)
    world.read(world.calendars[0])
    (foreign,) = (link for link in world.links.values() if link.origin is Origin.EXTERNAL)
    assert foreign.state is LinkState.FROZEN
    for write in (1, 0):
        arrive(world, 0, write)
    settle(world)
    assert {link.state for link in world.links.values()} == {LinkState.AGREED}
    assert {event.summary for event in world.calendars[0].living()} == {"Lunch", "Dinner"}


def test_r18_a_time_that_was_put_back_and_arrives_after_the_next_change_is_no_edit_when_time_has_passed() -> (
    None
):
    """It looks as the event did before both changes, and had been taken for read back."""
    world = a_world()
    change(world, 0, start=NINE + HOUR, end=TEN + HOUR)
    change(world, 0, start=NINE, end=TEN)
    world.read(world.calendars[0])
    arrive(world, 0, 0)
    change(world, 0, title="Dinner")
    for write in (1, 0):
        arrive(world, 0, write)
    world.read(world.calendars[0])
    at_rest(world)


def test_r18_two_deletions_of_a_copy_that_was_written_twice_meanwhile_may_both_come_late() -> None:
    """The copy that came back as another event proves that one of them has arrived."""
    world = a_world()
    for _ in range(2):
        change(world, 0, start=None, end=None)
        change(world, 0, start=NINE + HOUR, end=TEN + HOUR)
    for write in (0, 0, 1, 0):
        arrive(world, 0, write)
        world.read(world.calendars[0])
    at_rest(world)


@pytest.mark.parametrize("title", ["Lunch", "Theirs"])
def test_r13_the_name_of_an_account_that_is_gone_since_leaves_a_persons_event_however_late_it_came(
    title: str,
) -> None:
    """A write of it arrived after their edit, and passes for one, which may even say what the item says."""
    world = a_world()
    place = world.calendars[0]
    theirs = next(event for event in place.living() if event.event_id is None)
    world.touch(place, theirs, summary="Dinner")
    world.tick()
    change(world, 1, account_name="Contoso")
    change(world, 1, account_name=None)
    world.touch(place, theirs, summary=title)
    world.tick(4)
    world.read(place)
    world.tick()

    settle(world)

    (item,) = [item for item in world.items.values() if item.imported_by]
    assert item.content is not None
    assert (item.content.title, item.content.account_name) == ("Theirs", None)
    agree_with_calendar(world, item, place)
    assert [event.summary for event in place.living() if event.event_id is None] == ["Theirs"]

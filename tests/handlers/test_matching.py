"""When an event and an item are the same thing: title, start and end alike (R1, R21, R29)."""

from dataclasses import replace
from datetime import date, timedelta, timezone

from contracts.vorex import ItemType
from handlers.matching import equal_items, items_by_match_key, match_key_of_event, match_key_of_item
from handlers.texts.compose import compose
from tests.builders import HOUR, NINE, TEN, a_content, an_event, an_item

DAY = date(2026, 12, 3)
LUNCH = ("Lunch", "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z")


def test_r29_an_event_is_told_by_its_title_and_times() -> None:
    assert match_key_of_event(an_event(summary="Lunch  ", description="other", location="other")) == LUNCH
    assert match_key_of_event(an_event(summary=None)) == ("", *LUNCH[1:])


def test_r29_times_are_the_same_whatever_zone_they_are_told_in() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert match_key_of_event(an_event(start=NINE.astimezone(india), end=TEN.astimezone(india))) == LUNCH


def test_r1_what_is_written_is_told_as_it_is_read() -> None:
    """Over whole days, too."""
    timed = compose(a_content(title="Lunch"))
    whole = compose(a_content(title="Lunch", all_day=True, start=DAY, end=DAY + timedelta(days=1)))
    assert timed is not None
    assert whole is not None
    assert match_key_of_event(timed) == LUNCH
    assert match_key_of_event(whole) == ("Lunch", "2026-12-03", "2026-12-04")
    assert match_key_of_event(replace(timed, summary="Lunch  \n")) == LUNCH


def test_r29_an_event_equals_an_item_by_the_items_own_title() -> None:
    """The account's name, which is written before it (R13), does not count."""
    named = an_item(type=ItemType.CRM_ACTIVITY, account_name="Smith Ltd")
    assert match_key_of_item(named) == LUNCH


def test_r29_an_item_without_an_end_lasts_as_long_as_its_event_would() -> None:
    assert match_key_of_item(an_item(end=None)) == ("Lunch", LUNCH[1], "2026-12-03T09:30:00Z")
    assert match_key_of_item(an_item(all_day=True, start=DAY, end=None)) == (
        "Lunch",
        "2026-12-03",
        "2026-12-04",
    )


def test_r29_an_item_without_a_date_equals_nothing() -> None:
    undated, unknown = an_item(start=None, end=None), replace(an_item(), content=None)
    assert match_key_of_item(undated) is None
    assert match_key_of_item(unknown) is None
    assert items_by_match_key([undated, unknown]) == {}


def test_r29_items_are_found_by_what_makes_an_event_equal_to_them() -> None:
    first, second = an_item(id="1"), an_item(id="2")
    later = an_item(id="3", start=NINE + HOUR, end=TEN + HOUR)
    found = items_by_match_key([first, an_item(id="4", start=None, end=None), second, later])
    assert found == {LUNCH: [first, second], ("Lunch", LUNCH[2], "2026-12-03T11:00:00Z"): [later]}


def test_r29_an_item_equals_an_event_only_where_that_has_no_equal_itself() -> None:
    lunch, dinner = an_item(id="1"), an_item(id="2", title="Dinner")
    events = [
        an_event(event_uid="a"),
        an_event(event_uid="b"),
        an_event(event_uid="c", summary="Dinner"),
        an_event(event_uid="d", summary="Tea"),
    ]
    assert equal_items(events, [lunch, dinner]) == {("Dinner", *LUNCH[1:]): [dinner]}
    assert equal_items(events[1:], [lunch]) == {LUNCH: [lunch]}
    assert equal_items([], [lunch]) == {}

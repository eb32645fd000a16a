"""The squares of a month: what lies on which day, however much and however long it is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from contracts.vorex import ItemType
from service.store.items.my_calendar import MonthItem
from service.web.pages.calendar.days import days_touched, is_bar
from service.web.pages.calendar.month_grid import DaySquare, MonthSlot, weeks
from tests.support.processor_time import seconds_of

MONTH, LONDON = date(2026, 12, 1), ZoneInfo("Europe/London")
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
MOST = 2


def _item(number: int, start: datetime, length: timedelta, *, all_day: bool = False) -> MonthItem:
    end = start + length
    return MonthItem(
        id=f"{number}",
        type=ItemType.APPOINTMENT,
        title=f"Item {number % 7}",
        all_day=all_day,
        completed=False,
        start=start.date() if all_day else start,
        end=end.date() + timedelta(days=1) if all_day else end,
        read_only_reason=None,
    )


_ITEMS = st.lists(
    st.tuples(st.integers(0, 80 * 24), st.integers(0, 50 * 24), st.booleans()), max_size=12
).map(
    lambda found: [
        _item(at, FIRST + timedelta(hours=start), timedelta(hours=length), all_day=whole)
        for at, (start, length, whole) in enumerate(found)
    ]
)


@given(given_items=_ITEMS)
def test_a_square_counts_all_that_touch_its_day_and_shows_the_first(given_items: list[MonthItem]) -> None:
    """What is shown lies there, what is not is counted, and no line is empty while something has no bar."""
    for week in weeks(MONTH, MONTH, given_items, LONDON, most=MOST):
        for square in week:
            there = [one for one in given_items if _touches(one, square.date)]
            shown = [slot.entry.key for slot in square.slots if slot is not None]
            assert square.count == len(there)
            assert square.more == len(there) - len(shown)
            assert len(square.slots) <= MOST
            assert set(shown) <= {f"appointment:{one.id}" for one in there}
            if not any(is_bar(one.start, one.end) for one in there):
                there.sort(key=lambda one: _order(one, square.date))
                assert shown == [f"appointment:{one.id}" for one in there[:MOST]]


@given(given_items=_ITEMS)
def test_a_bar_keeps_its_line_over_all_of_its_days(given_items: list[MonthItem]) -> None:
    """It opens on its first day of each week, and goes on to the right until its last."""
    for week in weeks(MONTH, MONTH, given_items, LONDON, most=MOST):
        for key in {slot.entry.key for day in week for slot in day.slots if slot and slot.entry.fills_days}:
            found = [(at, line, slot) for at, day in enumerate(week) for line, slot in _slots(day, key)]
            entry = found[0][2].entry
            days = [week[at].date for at, _, _ in found]
            assert days == [day.date for day in week if entry.first <= day.date <= entry.last]
            assert len({line for _, line, _ in found}) == 1
            assert [slot.opens for _, _, slot in found] == [True] + [False] * (len(found) - 1)
            assert [slot.goes_on for _, _, slot in found] == [True] * (len(found) - 1) + [False]


def _slots(day: DaySquare, key: str) -> list[tuple[int, MonthSlot]]:
    return [(line, slot) for line, slot in enumerate(day.slots) if slot and slot.entry.key == key]


def test_what_crosses_midnight_is_no_whole_day() -> None:
    """A night's work stands on its evening with its hour, and on the morning with its end."""
    night = _item(1, datetime(2026, 12, 3, 22, tzinfo=UTC), timedelta(hours=8))
    squares = {day.date.day: day for day in weeks(MONTH, MONTH, [night], LONDON, most=MOST)[0]}
    for day in (3, 4):
        (slot,) = squares[day].slots
        assert slot is not None
        assert (slot.entry.fills_days, slot.opens, slot.entry.starts, slot.entry.ends) == (
            False, True, "22:00", "06:00",
        )  # fmt: skip


def _touches(one: MonthItem, day: date) -> bool:
    first, last = days_touched(one.start, one.end, LONDON)
    return first <= day <= last


def _order(one: MonthItem, day: date) -> tuple[bool, str, str]:
    first, _ = days_touched(one.start, one.end, LONDON)
    assert isinstance(one.start, datetime)
    return first == day, one.start.astimezone(LONDON).strftime("%H:%M:%S"), one.title


def test_r43_items_that_last_for_months_take_no_longer_than_others() -> None:
    """Thousands on each day of the month held up everybody's pages for half a second."""
    short = [_item(at, FIRST + timedelta(hours=at % 1_900), timedelta(hours=1)) for at in range(3_000)]
    long = [_item(at, FIRST - timedelta(days=at), timedelta(days=9_000)) for at in range(3_000)]
    assert _seconds(long) < 3 * _seconds(short)


def _seconds(items: Sequence[MonthItem]) -> float:
    return seconds_of(lambda: weeks(MONTH, MONTH, items, LONDON, most=4), tries=5)

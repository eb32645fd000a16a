"""What the range words of a run mean, in the user's time zone (R24)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from handlers.runs import DaySpan, span_of

DAY = timedelta(days=1)
NOON = datetime(2026, 12, 3, 12, tzinfo=UTC)


def days(past: str, future: str, *, now: datetime = NOON, time_zone: str = "UTC") -> tuple[date, date]:
    """The first day, and the first that is not part of it any more."""
    span = span_of({"past": past, "future": future}, now=now, time_zone=time_zone)
    assert span.zone == ZoneInfo(time_zone)
    return span.first, span.beyond


def test_r24_today_is_one_whole_day() -> None:
    assert days("today", "today") == (date(2026, 12, 3), date(2026, 12, 4))


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        ("1_week", date(2026, 11, 26), date(2026, 12, 10)),
        ("2_weeks", date(2026, 11, 19), date(2026, 12, 17)),
        ("1_month", date(2026, 11, 3), date(2027, 1, 3)),
        ("3_months", date(2026, 9, 3), date(2027, 3, 3)),
        ("6_months", date(2026, 6, 3), date(2027, 6, 3)),
        ("12_months", date(2025, 12, 3), date(2027, 12, 3)),
    ],
)
def test_r24_a_range_begins_and_ends_with_the_same_day_of_a_week_or_month(
    word: str, first: date, last: date
) -> None:
    assert days(word, "today") == (first, date(2026, 12, 4))
    assert days("today", word) == (date(2026, 12, 3), last + DAY)


def test_r24_a_month_without_that_day_ends_with_its_last() -> None:
    end_of_march = datetime(2027, 3, 31, 12, tzinfo=UTC)
    assert days("1_month", "1_month", now=end_of_march) == (date(2027, 2, 28), date(2027, 5, 1))
    leap = datetime(2028, 3, 31, 12, tzinfo=UTC)
    assert days("1_month", "today", now=leap)[0] == date(2028, 2, 29)


def test_r24_months_go_over_the_turn_of_the_year() -> None:
    assert days("1_month", "1_month", now=datetime(2027, 1, 5, tzinfo=UTC)) == (
        date(2026, 12, 5),
        date(2027, 2, 6),
    )
    assert days("1_month", "1_month", now=datetime(2026, 11, 5, tzinfo=UTC)) == (
        date(2026, 10, 5),
        date(2026, 12, 6),
    )


def test_r24_today_is_the_users() -> None:
    late = datetime(2026, 12, 3, 20, tzinfo=UTC)
    assert days("today", "today", now=late, time_zone="Asia/Tokyo") == (date(2026, 12, 4), date(2026, 12, 5))


TOKYO = DaySpan(first=date(2026, 12, 3), beyond=date(2026, 12, 5), zone=ZoneInfo("Asia/Tokyo"))


def test_r24_a_range_begins_and_ends_at_the_zones_midnights() -> None:
    """Told in UTC."""
    assert TOKYO.starts_at == datetime(2026, 12, 2, 15, tzinfo=UTC)
    assert TOKYO.ends_at == datetime(2026, 12, 4, 15, tzinfo=UTC)
    assert TOKYO.starts_at.tzinfo is UTC
    assert TOKYO.ends_at.tzinfo is UTC


def test_r24_a_day_more_is_asked_for_on_both_sides_and_none_beyond_reach() -> None:
    def asked(earliest: int, latest: int) -> tuple[date, date]:
        return TOKYO.to_read((date(2026, 12, earliest), date(2026, 12, latest)))

    assert asked(1, 31) == (date(2026, 12, 2), date(2026, 12, 6))
    assert asked(3, 5) == (date(2026, 12, 3), date(2026, 12, 5))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of December in Tokyo."""
    return datetime(2026, 12, day, hour, minute, tzinfo=ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("start", "end", "within"),
    [
        (at(2, 23), at(3, 0), False),
        (at(2, 23), at(3, 0, 1), True),
        (at(3, 0), at(3, 0), True),
        (at(2, 23, 59), at(2, 23, 59), False),
        (at(4, 12), at(4, 13), True),
        (at(4, 23, 59), at(6, 0), True),
        (at(5, 0), at(5, 1), False),
        (at(2, 0), at(6, 0), True),
        (date(2026, 12, 2), date(2026, 12, 3), False),
        (date(2026, 12, 2), date(2026, 12, 4), True),
        (date(2026, 12, 4), date(2026, 12, 5), True),
        (date(2026, 12, 5), date(2026, 12, 6), False),
    ],
)
def test_r24_a_range_holds_whatever_lies_partly_within(start: Any, end: Any, within: bool) -> None:
    """The end is not part of it, and what has no length is where it begins."""
    assert TOKYO.holds(start, end) is within


def test_r24_an_event_that_begins_with_a_time_and_ends_with_a_day_is_told_by_its_days() -> None:
    assert TOKYO.holds(at(4, 23), date(2026, 12, 6))
    assert not TOKYO.holds(at(5, 0), date(2026, 12, 6))
    assert not TOKYO.holds(date(2026, 12, 2), at(3, 12))
    assert TOKYO.holds(date(2026, 12, 2), at(4, 0))

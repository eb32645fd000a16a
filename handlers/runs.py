"""What the range words of a run mean, in the user's time zone (R24)."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.times import ONE_DAY, InstantOrDay, as_day

RANGE_DAYS = {"today": 0, "1_week": 7, "2_weeks": 14}
RANGE_MONTHS = {"1_month": 1, "3_months": 3, "6_months": 6, "12_months": 12}


@dataclass(frozen=True, kw_only=True, slots=True)
class DaySpan:
    """Whole days in one zone; the last one is not part of it."""

    first: date
    beyond: date
    zone: ZoneInfo

    @property
    def starts_at(self) -> datetime:
        return _midnight(self.first, self.zone)

    @property
    def ends_at(self) -> datetime:
        return _midnight(self.beyond, self.zone)

    def to_read(self, reach: tuple[date, date]) -> tuple[date, date]:
        """The days to ask Cronofy for: one more on both sides, none beyond its reach (R24)."""
        earliest, latest = reach
        return max(self.first - ONE_DAY, earliest), min(self.beyond + ONE_DAY, latest)

    def holds(self, start: InstantOrDay, end: InstantOrDay) -> bool:
        """Whether any part of what lasts from start to end (exclusive) lies within."""
        if isinstance(start, datetime) and isinstance(end, datetime):
            return start < self.ends_at and (end > self.starts_at or start >= self.starts_at)
        return as_day(start) < self.beyond and as_day(end) > self.first


def span_of(words: Mapping[str, str], *, now: datetime, time_zone: str) -> DaySpan:
    """The days from the start of today less ``past`` to the end of today plus ``future``."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    return DaySpan(
        first=_moved(today, words["past"], -1),
        beyond=_moved(today, words["future"], 1) + ONE_DAY,
        zone=zone,
    )


def _moved(day: date, word: str, sign: int) -> date:
    if word in RANGE_DAYS:
        return day + timedelta(days=sign * RANGE_DAYS[word])
    return _months_on(day, sign * RANGE_MONTHS[word])


def _months_on(day: date, months: int) -> date:
    """The same day of another month, or its last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)

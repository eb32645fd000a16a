"""Times and dates as the API writes them (CRONOFY.md C1)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

DAY_SECONDS = 86_400
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(Z|UTC|[+-]\d\d:?\d\d)\Z",
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTime:
    """A start or an end: an instant with the zone it is shown in, or a whole day."""

    at: int
    """Seconds since 1970; of a day its midnight in UTC."""
    day: str | None
    """The date, if this is a whole day."""
    tzid: str = "Etc/UTC"

    def text(self) -> str:
        return self.day or iso_time(self.at)

    def localized(self) -> dict[str, str]:
        """The form of a read with localized_times (CRONOFY.md C17)."""
        if self.day:
            return {"time": self.day, "tzid": self.tzid}
        zone = find_zone(self.tzid) or UTC
        return {"time": datetime.fromtimestamp(self.at, zone).isoformat(), "tzid": self.tzid}


def iso_time(at: float) -> str:
    """Whole seconds in UTC."""
    return datetime.fromtimestamp(int(at), UTC).isoformat().removesuffix("+00:00") + "Z"


@lru_cache(maxsize=1024)
def find_zone(tzid: str) -> ZoneInfo | None:
    """The zone of that name, or nothing where there is none."""
    try:
        return ZoneInfo(tzid)
    except (KeyError, ValueError, OSError):
        return None


def parse_time(text: Any) -> int | None:
    """An instant with an offset and no fraction of a second, else nothing (CRONOFY.md C1)."""
    found = _TIME.match(text) if isinstance(text, str) else None
    if found is None or (found[3] or "").strip("0"):
        return None
    offset = "+00:00" if found[4] in {"Z", "UTC"} else found[4]
    try:
        return int(datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}").timestamp())
    except ValueError:
        return None


def parse_date(text: Any) -> date | None:
    if not isinstance(text, str) or not _DATE.match(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def day_moment(day: date, tzid: str = "Etc/UTC") -> EventTime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return EventTime(at=int(midnight.timestamp()), day=day.isoformat(), tzid=tzid)


def parse_moment(value: Any, tzid: str = "Etc/UTC") -> EventTime | None:
    """A start or an end in any accepted form; the zone inside it wins (CRONOFY.md C17)."""
    if isinstance(value, dict):
        tzid = value.get("tzid") or tzid
        value = value.get("time")
    if not isinstance(tzid, str) or find_zone(tzid) is None:
        return None
    day = parse_date(value)
    if day is not None:
        return day_moment(day, tzid)
    at = parse_time(value)
    return None if at is None else EventTime(at=at, day=None, tzid=tzid)


def today(now: float, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(now, zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def days_later(moment: EventTime, days: int) -> EventTime:
    """The same time of day some days on, by the clock on the wall of its zone."""
    if moment.day:
        return day_moment(date.fromisoformat(moment.day) + timedelta(days=days), moment.tzid)
    if not days:
        return moment  # by the clock on the wall, an hour that comes twice could not be told apart
    local = datetime.fromtimestamp(moment.at, find_zone(moment.tzid) or UTC)
    return EventTime(at=int((local + timedelta(days=days)).timestamp()), day=None, tzid=moment.tzid)

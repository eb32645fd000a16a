"""A month of one calendar, and an event's form, as the calendar's owner sees them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from service.demo.simulator.calendars.owner import OwnerError
from service.demo.simulator.model import Calendar, Event
from service.demo.simulator.state import Json
from service.demo.simulator.times import iso, zone_of

DAY = timedelta(days=1)
FIRST_YEAR, LAST_YEAR = 1970, 2200


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An event on a day."""

    uid: str
    summary: str
    starts: str
    first: date
    last: date
    whole: bool
    synced: bool
    """Whether an application made it: here the copies of Calendar Sync."""
    private: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    date: date
    within: bool
    today: bool
    entries: Sequence[Entry]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """An event as its owner reads and writes it; the last day is included."""

    summary: str = ""
    all_day: bool = False
    start_day: str = ""
    start_time: str = "09:00"
    end_day: str = ""
    end_time: str = "10:00"
    location: str = ""
    description: str = ""
    private: bool = False

    @classmethod
    def on(cls, day: date) -> "Form":
        return cls(start_day=day.isoformat(), end_day=day.isoformat())

    @classmethod
    def of(cls, event: Event, zone: tzinfo) -> "Form":
        starts, ends = _local(event.start.at, zone), _local(event.end.at, zone)
        first, last = _days(event, zone)
        return cls(
            summary=event.summary,
            all_day=event.start.day is not None,
            start_day=first.isoformat(),
            start_time="09:00" if event.start.day else f"{starts:%H:%M}",
            end_day=last.isoformat() if event.start.day else ends.date().isoformat(),
            end_time="10:00" if event.start.day else f"{ends:%H:%M}",
            location=(event.location or {}).get("description", ""),
            description=event.description,
            private=event.private,
        )

    @classmethod
    def sent(cls, fields: Mapping[str, object]) -> "Form":
        names = ("summary", "start_day", "start_time", "end_day", "end_time", "location", "description")
        texts = {name: str(fields.get(name, "")).replace("\r\n", "\n") for name in names}
        return cls(**texts, all_day="all_day" in fields, private="private" in fields)

    def fields(self, zone_name: str) -> Json:
        """As the owner's calendar program would save it; raises OwnerError with a sentence."""
        first, last = _day(self.start_day, "Start"), _day(self.end_day or self.start_day, "End")
        given: Json = {
            "summary": self.summary,
            "location": self.location,
            "description": self.description,
            "event_private": self.private,
            "tzid": zone_name,
        }
        if self.all_day:
            starts, ends = first.isoformat(), (last + DAY).isoformat()
            ordered = last >= first
        else:
            zone = zone_of(zone_name) or UTC
            begins = datetime.combine(first, _time(self.start_time, "Start time"), zone)
            ceases = datetime.combine(last, _time(self.end_time, "End time"), zone)
            starts, ends, ordered = iso(begins.timestamp()), iso(ceases.timestamp()), ceases >= begins
        if not ordered:
            raise OwnerError("The end must not be before the start.")
        return {**given, "start": starts, "end": ends}


def moved(event: Event, to: str, zone_name: str) -> Json:
    """The same event on another day."""
    zone = zone_of(zone_name) or UTC
    first, _ = _days(event, zone)
    days = (_day(to, "Day") - first).days
    if event.start.day:
        edges = (date.fromisoformat(edge) for edge in (event.start.day, event.end.day or event.start.day))
        start, end = ((edge + DAY * days).isoformat() for edge in edges)
    else:
        local = (_local(edge.at, zone) + DAY * days for edge in (event.start, event.end))
        start, end = (iso(edge.timestamp()) for edge in local)
    return {"start": start, "end": end, "tzid": zone_name}


def weeks(calendar: Calendar, month: date, now: float) -> list[list[Day]]:
    """Whole weeks from Monday on."""
    zone = zone_of(calendar.mailbox.zone) or UTC
    entries = [_entry(event, zone) for event in calendar.events.values()]
    first = month - DAY * month.weekday()
    beyond = next_month(month)
    beyond += DAY * (-beyond.weekday() % 7)
    today = _local(now, zone).date()
    days = [first + DAY * number for number in range((beyond - first).days)]
    shown = [
        Day(date=day, within=day.month == month.month, today=day == today, entries=_on(day, entries))
        for day in days
    ]
    return [shown[place : place + 7] for place in range(0, len(shown), 7)]


def next_month(month: date) -> date:
    return (month.replace(day=28) + 7 * DAY).replace(day=1)


def previous_month(month: date) -> date:
    return (month - DAY).replace(day=1)


def read_month(text: str, now: float, zone_name: str) -> date:
    """The month of that name, or this one."""
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        month = date.min
    if FIRST_YEAR <= month.year <= LAST_YEAR:
        return month
    return _local(now, zone_of(zone_name) or UTC).date().replace(day=1)


def _on(day: date, entries: Iterable[Entry]) -> list[Entry]:
    found = [entry for entry in entries if entry.first <= day <= entry.last]
    return sorted(found, key=lambda entry: (not entry.whole, entry.starts, entry.summary))


def _entry(event: Event, zone: tzinfo) -> Entry:
    first, last = _days(event, zone)
    return Entry(
        uid=event.uid,
        summary=event.summary,
        starts="" if event.start.day else f"{_local(event.start.at, zone):%H:%M}",
        first=first,
        last=last,
        whole=event.start.day is not None,
        synced=event.owner is not None,
        private=event.private,
    )


def _days(event: Event, zone: tzinfo) -> tuple[date, date]:
    if event.start.day:
        first = date.fromisoformat(event.start.day)
        last = date.fromisoformat(event.end.day or event.start.day) - DAY
    else:
        starts, ends = _local(event.start.at, zone), _local(event.end.at, zone)
        first = starts.date()
        last = ends.date() - DAY if ends.time() == time() else ends.date()
    return first, max(first, last)


def _local(at: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at, zone)


def _day(text: str, name: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise OwnerError(f"{name}: choose a day.") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise OwnerError(f"{name}: choose a day of this age.")
    return day


def _time(text: str, name: str) -> time:
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise OwnerError(f"{name}: choose a time.") from None

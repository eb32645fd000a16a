"""A month of one calendar, and an event's form, as the calendar's owner sees them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from service.demo.simulator.calendars.owner import OwnerError
from service.demo.simulator.model import ProviderCalendar, ProviderEvent
from service.demo.simulator.state import Json
from service.demo.simulator.times import find_zone, iso_time

DIARY_DAY = timedelta(days=1)
FIRST_DIARY_YEAR, LAST_DIARY_YEAR = 1970, 2200


@dataclass(frozen=True, kw_only=True, slots=True)
class DiaryEntry:
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
class DiaryDay:
    date: date
    within: bool
    today: bool
    entries: Sequence[DiaryEntry]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventForm:
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
    def on(cls, day: date) -> "EventForm":
        return cls(start_day=day.isoformat(), end_day=day.isoformat())

    @classmethod
    def of(cls, event: ProviderEvent, zone: tzinfo) -> "EventForm":
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
    def sent(cls, fields: Mapping[str, object]) -> "EventForm":
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
            starts, ends = first.isoformat(), (last + DIARY_DAY).isoformat()
            ordered = last >= first
        else:
            zone = find_zone(zone_name) or UTC
            begins = datetime.combine(first, _time(self.start_time, "Start time"), zone)
            ceases = datetime.combine(last, _time(self.end_time, "End time"), zone)
            starts, ends, ordered = (
                iso_time(begins.timestamp()),
                iso_time(ceases.timestamp()),
                ceases >= begins,
            )
        if not ordered:
            raise OwnerError("The end must not be before the start.")
        return {**given, "start": starts, "end": ends}


def moved(event: ProviderEvent, to: str, zone_name: str) -> Json:
    """The same event on another day."""
    zone = find_zone(zone_name) or UTC
    first, _ = _days(event, zone)
    days = (_day(to, "Day") - first).days
    if event.start.day:
        edges = (date.fromisoformat(edge) for edge in (event.start.day, event.end.day or event.start.day))
        start, end = ((edge + DIARY_DAY * days).isoformat() for edge in edges)
    else:
        local = (_local(edge.at, zone) + DIARY_DAY * days for edge in (event.start, event.end))
        start, end = (iso_time(edge.timestamp()) for edge in local)
    return {"start": start, "end": end, "tzid": zone_name}


def weeks(calendar: ProviderCalendar, month: date, now: float) -> list[list[DiaryDay]]:
    """Whole weeks from Monday on."""
    zone = find_zone(calendar.mailbox.zone) or UTC
    entries = [_entry(event, zone) for event in calendar.events.values()]
    first = month - DIARY_DAY * month.weekday()
    beyond = next_month(month)
    beyond += DIARY_DAY * (-beyond.weekday() % 7)
    today = _local(now, zone).date()
    days = [first + DIARY_DAY * number for number in range((beyond - first).days)]
    shown = [
        DiaryDay(date=day, within=day.month == month.month, today=day == today, entries=_on(day, entries))
        for day in days
    ]
    return [shown[place : place + 7] for place in range(0, len(shown), 7)]


def next_month(month: date) -> date:
    return (month.replace(day=28) + 7 * DIARY_DAY).replace(day=1)


def previous_month(month: date) -> date:
    return (month - DIARY_DAY).replace(day=1)


def read_month(text: str, now: float, zone_name: str) -> date:
    """The month of that name, or this one."""
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        month = date.min
    if FIRST_DIARY_YEAR <= month.year <= LAST_DIARY_YEAR:
        return month
    return _local(now, find_zone(zone_name) or UTC).date().replace(day=1)


def _on(day: date, entries: Iterable[DiaryEntry]) -> list[DiaryEntry]:
    found = [entry for entry in entries if entry.first <= day <= entry.last]
    return sorted(found, key=lambda entry: (not entry.whole, entry.starts, entry.summary))


def _entry(event: ProviderEvent, zone: tzinfo) -> DiaryEntry:
    first, last = _days(event, zone)
    return DiaryEntry(
        uid=event.uid,
        summary=event.summary,
        starts="" if event.start.day else f"{_local(event.start.at, zone):%H:%M}",
        first=first,
        last=last,
        whole=event.start.day is not None,
        synced=event.owner is not None,
        private=event.private,
    )


def _days(event: ProviderEvent, zone: tzinfo) -> tuple[date, date]:
    if event.start.day:
        first = date.fromisoformat(event.start.day)
        last = date.fromisoformat(event.end.day or event.start.day) - DIARY_DAY
    else:
        starts, ends = _local(event.start.at, zone), _local(event.end.at, zone)
        first = starts.date()
        last = ends.date() - DIARY_DAY if ends.time() == time() else ends.date()
    return first, max(first, last)


def _local(at: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at, zone)


def _day(text: str, name: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise OwnerError(f"{name}: choose a day.") from None
    if not FIRST_DIARY_YEAR <= day.year <= LAST_DIARY_YEAR:
        raise OwnerError(f"{name}: choose a day of this age.")
    return day


def _time(text: str, name: str) -> time:
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise OwnerError(f"{name}: choose a time.") from None

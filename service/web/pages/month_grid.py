"""My Calendar's days: which item lies on which of them, in the person's time zone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.calendar import Item
from contracts.times import ONE_DAY, InstantOrDay
from service.integrations.my_calendar import read_only_reason
from service.store.items.my_calendar import MonthItem

ONE_WEEK = timedelta(days=7)
FIRST_YEAR, LAST_YEAR = 1970, 2200


@dataclass(frozen=True, kw_only=True, slots=True)
class DayEntry:
    """An item as a day shows it."""

    key: str
    type: str
    title: str
    completed: bool
    all_day: bool
    first: date
    last: date
    starts: str
    ends: str
    read_only: str | None
    account: str | None = None
    location: str = ""
    private: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DaySquare:
    """One square of the month."""

    date: date
    within: bool
    today: bool
    entries: Sequence[DayEntry]
    """The first ones; the day's own page has the others."""
    count: int


def entry_of(item: Item, zone: ZoneInfo) -> DayEntry | None:
    """What is shown of the item; nothing of one without a date."""
    content = item.content
    if content is None or content.start is None:
        return None
    first, last = days_touched(content.start, content.end, zone)
    return DayEntry(
        key=f"{item.type.value}:{item.id}",
        type=item.type.value,
        title=content.title,
        account=content.account_name,
        location=content.location or "",
        private=content.private,
        completed=content.completed,
        all_day=content.all_day,
        first=first,
        last=last,
        starts=clock_time(content.start, zone),
        ends=clock_time(content.end, zone),
        read_only=read_only_reason(item),
    )


def days_touched(start: InstantOrDay, end: InstantOrDay | None, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last day that an item with these times touches."""
    if isinstance(start, datetime):
        first = start.astimezone(zone).date()
        ends = end.astimezone(zone) if isinstance(end, datetime) else start.astimezone(zone)
        last = ends.date() - ONE_DAY if ends.time() == time() else ends.date()
    else:
        first, last = start, (end or start + ONE_DAY) - ONE_DAY
    return first, max(first, last)


def clock_time(at: date | None, zone: ZoneInfo) -> str:
    """Hours and minutes there; empty for a whole day."""
    return f"{at.astimezone(zone):%H:%M}" if isinstance(at, datetime) else ""


def on(day: date, entries: Iterable[DayEntry]) -> list[DayEntry]:
    """That day's entries: whole days first, then by their time."""
    found = [entry for entry in entries if entry.first <= day <= entry.last]
    return sorted(found, key=lambda entry: (not _whole(entry, day), entry.starts, entry.title))


def _whole(entry: DayEntry, day: date) -> bool:
    return entry.all_day or entry.first < day


def squares(month: date) -> tuple[date, date]:
    """The days that the month's page shows: whole weeks from Monday; the second is not part of it."""
    first = month - ONE_DAY * month.weekday()
    following = next_month(month)
    return first, following + ONE_DAY * (-following.weekday() % 7)


def weeks(
    month: date, today: date, glances: Iterable[MonthItem], zone: ZoneInfo, *, most: int
) -> list[list[DaySquare]]:
    """The month's squares, each with so many of its items at most and the number of all."""
    first, beyond = squares(month)
    lying = _by_day(glances, zone, first, beyond - ONE_DAY)
    days = [first + ONE_DAY * number for number in range((beyond - first).days)]
    shown = [
        DaySquare(
            date=day,
            within=day.month == month.month,
            today=day == today,
            entries=[one.entry(zone) for one in sorted(lying[day], key=lambda one: one.order(day))[:most]],
            count=len(lying[day]),
        )
        for day in days
    ]
    return [shown[place : place + 7] for place in range(0, len(shown), 7)]


@dataclass(frozen=True, slots=True)
class _Lying:
    """An item and the days that it touches; only what is shown becomes an entry."""

    glance: MonthItem
    first: date
    last: date
    clock: time

    def order(self, day: date) -> tuple[bool, time, str]:
        whole = self.glance.all_day or self.first < day
        return not whole, self.clock, self.glance.title

    def entry(self, zone: ZoneInfo) -> DayEntry:
        one = self.glance
        return DayEntry(
            key=f"{one.type.value}:{one.id}",
            type=one.type.value,
            title=one.title,
            completed=one.completed,
            all_day=one.all_day,
            first=self.first,
            last=self.last,
            starts=clock_time(one.start, zone),
            ends=clock_time(one.end, zone),
            read_only=read_only_reason(one),
        )


def _by_day(
    glances: Iterable[MonthItem], zone: ZoneInfo, first: date, last: date
) -> Mapping[date, list[_Lying]]:
    """What touches each of the days from ``first`` to ``last``."""
    found: dict[date, list[_Lying]] = defaultdict(list)
    for one in glances:
        begins, ends = days_touched(one.start, one.end, zone)
        clock = one.start.astimezone(zone).time() if isinstance(one.start, datetime) else time()
        lying, day = _Lying(one, begins, ends, clock), max(begins, first)
        while day <= min(ends, last):
            found[day].append(lying)
            day += ONE_DAY
    return found


def next_month(month: date) -> date:
    return (month.replace(day=28) + ONE_WEEK).replace(day=1)


def previous_month(month: date) -> date:
    return (month.replace(day=1) - ONE_DAY).replace(day=1)


def read_day(text: str) -> date | None:
    """A day as addresses and forms write it; nothing for what is none or lies ages away."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def read_month(text: str) -> date | None:
    return read_day(f"{text}-01")


def instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)

"""Which days an item touches in the person's time zone, and what a day shows of it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.calendar import Item
from contracts.times import ONE_DAY, InstantOrDay
from service.integrations.my_calendar import read_only_reason
from service.store.items.my_calendar import DayItem, MonthItem
from service.web.catalogue import gettext
from service.web.locales import DEFAULT_PREFERENCES, LocalePreferences

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
    fills_days: bool
    """Whether it lies over its days like a bar; what merely crosses midnight does not."""
    first: date
    last: date
    starts: str
    ends: str
    read_only: str | None
    version: int = 0
    source: str | None = None
    """The integration whose calendar brought it; None where Vorex made it."""
    account: str | None = None
    location: str = ""
    private: bool = False
    overlaps: tuple[str, ...] = ()
    """Titles of what is busy at the same time."""


def entry_of(item: Item, zone: ZoneInfo, locale: LocalePreferences) -> DayEntry | None:
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
        fills_days=is_bar(content.start, content.end),
        first=first,
        last=last,
        starts=clock_time(content.start, zone, locale),
        ends=clock_time(content.end, zone, locale),
        read_only=read_only_reason(item),
        source=item.imported_by,
        version=item.version,
    )


def entry_of_glance(
    one: MonthItem, zone: ZoneInfo, locale: LocalePreferences = DEFAULT_PREFERENCES
) -> DayEntry:
    """The same from as much as a month's page asks for."""
    first, last = days_touched(one.start, one.end, zone)
    return DayEntry(
        key=f"{one.type.value}:{one.id}",
        type=one.type.value,
        title=one.title,
        completed=one.completed,
        all_day=one.all_day,
        fills_days=is_bar(one.start, one.end),
        first=first,
        last=last,
        starts=clock_time(one.start, zone, locale),
        ends=clock_time(one.end, zone, locale),
        read_only=read_only_reason(one),
        version=one.version,
        source=one.imported_by,
        private=one.private,
    )


def entry_of_day(item: DayItem, zone: ZoneInfo, locale: LocalePreferences = DEFAULT_PREFERENCES) -> DayEntry:
    """The same from as much as an agenda asks for."""
    shown = entry_of_glance(item.glance, zone, locale)
    return replace(shown, account=item.account_name, location=item.location)


def days_touched(start: InstantOrDay, end: InstantOrDay | None, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last day that an item with these times touches."""
    if isinstance(start, datetime):
        first = start.astimezone(zone).date()
        ends = end.astimezone(zone) if isinstance(end, datetime) else start.astimezone(zone)
        last = ends.date() - ONE_DAY if ends.time() == time() else ends.date()
    else:
        first, last = start, (end or start + ONE_DAY) - ONE_DAY
    return first, max(first, last)


def is_bar(start: InstantOrDay, end: InstantOrDay | None) -> bool:
    """Whether it fills days: a whole-day item, or one of 24 hours and more."""
    if not isinstance(start, datetime):
        return True
    return isinstance(end, datetime) and end - start >= ONE_DAY


def clock_time(at: date | None, zone: ZoneInfo, locale: LocalePreferences) -> str:
    """Hours and minutes there, said where the clock shows them a second time; empty for a whole day (R49)."""
    if not isinstance(at, datetime):
        return ""
    here = at.astimezone(zone)
    clock = locale.clock(here)
    return gettext("%(time)s again", time=clock) if here.fold else clock


def read_day(text: str) -> date | None:
    """A day as addresses and forms write it; nothing for what is none or lies ages away."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def read_month(text: str) -> date | None:
    return read_day(f"{text}-01")


def next_month(month: date) -> date:
    return (month.replace(day=28) + ONE_WEEK).replace(day=1)


def previous_month(month: date) -> date:
    return (month.replace(day=1) - ONE_DAY).replace(day=1)

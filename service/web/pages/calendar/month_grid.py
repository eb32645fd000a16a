"""The squares of a month: which item lies on which day, and bars that keep their place over a week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import accumulate
from zoneinfo import ZoneInfo

from contracts.times import ONE_DAY, usual_length
from service.store.items.my_calendar import MonthItem
from service.web.locales import DEFAULT_PREFERENCES, LocalePreferences
from service.web.pages.calendar.days import (
    DayEntry,
    days_touched,
    entry_of_glance,
    is_bar,
    next_month,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthSlot:
    """A line of a square."""

    entry: DayEntry
    opens: bool
    """Whether its title is seen here: on its first day, and again on the first of each week."""
    goes_on: bool
    """Whether the square to the right has it, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DaySquare:
    """One square of the month."""

    date: date
    within: bool
    today: bool
    slots: Sequence[MonthSlot | None]
    """The first ones; the day's own page has the others. None is an empty line above a bar."""
    count: int

    @property
    def more(self) -> int:
        return self.count - sum(slot is not None for slot in self.slots)


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """An item and the days that it touches; only what is shown becomes an entry."""

    glance: MonthItem
    first: date
    last: date
    clock: time

    @property
    def fills_days(self) -> bool:
        return is_bar(self.glance.start, self.glance.end)

    @property
    def times(self) -> tuple[datetime, datetime]:
        """From when to when; of what has a time of day."""
        start, end = self.glance.start, self.glance.end
        assert isinstance(start, datetime)
        return start, end if isinstance(end, datetime) else start + usual_length(all_day=False)


@dataclass(slots=True)
class _DayPile:
    """A day's items: how many they are, and the first of those that fill it and of those with a time."""

    count: int = 0
    bars: list[PlacedItem] = field(default_factory=list)
    since_yesterday: list[PlacedItem] = field(default_factory=list)
    timed: list[PlacedItem] = field(default_factory=list)

    def add(self, one: PlacedItem, day: date, most: int) -> None:
        those = self.bars if one.fills_days else self.since_yesterday if one.first < day else self.timed
        if len(those) < most:
            those.append(one)


def squares(month: date, locale: LocalePreferences = DEFAULT_PREFERENCES) -> tuple[date, date]:
    """The days that the month's page shows: whole weeks as the person counts them; the second is not part."""
    first = locale.week_of(month)
    following = next_month(month)
    beyond = locale.week_of(following)
    return first, beyond if beyond == following else beyond + ONE_DAY * 7


def weeks(
    month: date,
    today: date,
    glances: Iterable[MonthItem],
    zone: ZoneInfo,
    *,
    most: int,
    locale: LocalePreferences = DEFAULT_PREFERENCES,
) -> list[list[DaySquare]]:
    """The month's squares, each with so many of its items at most and the number of all."""
    first, beyond = squares(month, locale)
    days = [first + ONE_DAY * number for number in range((beyond - first).days)]
    piles = _by_day(glances, zone, days, most)
    found = []
    for at in range(0, len(days), 7):
        week, heaps = days[at : at + 7], piles[at : at + 7]
        lines = _lines(week, heaps, most)
        found.append(
            [
                DaySquare(
                    date=day,
                    within=day.month == month.month,
                    today=day == today,
                    slots=[_slot(one, day, week, zone, locale) for one in line],
                    count=pile.count,
                )
                for day, pile, line in zip(week, heaps, lines, strict=True)
            ]
        )
    return found


def _slot(
    one: PlacedItem | None, day: date, week: Sequence[date], zone: ZoneInfo, locale: LocalePreferences
) -> MonthSlot | None:
    if one is None:
        return None
    opens = not one.fills_days or day in (one.first, week[0])
    goes_on = one.fills_days and day < one.last and day < week[-1]
    return MonthSlot(entry=entry_of_glance(one.glance, zone, locale), opens=opens, goes_on=goes_on)


def _lines(week: Sequence[date], piles: Sequence[_DayPile], most: int) -> list[list[PlacedItem | None]]:
    """What each day shows: bars at one height over all of their days, the rest where room is left."""
    lines: list[list[PlacedItem | None]] = [[None] * most for _ in week]
    for one in bars_in_order({id(bar): bar for pile in piles for bar in pile.bars}.values(), week[0]):
        span = range(max((one.first - week[0]).days, 0), min((one.last - week[0]).days, 6) + 1)
        height = next((at for at in range(most) if all(lines[day][at] is None for day in span)), None)
        if height is not None:
            for day in span:
                lines[day][height] = one
    for line, pile in zip(lines, piles, strict=True):
        rest = iter((*pile.since_yesterday, *pile.timed))
        for at in range(most):
            if line[at] is None:
                line[at] = next(rest, None)
        while line and line[-1] is None:
            line.pop()
    return lines


def bars_in_order(bars: Iterable[PlacedItem], first: date) -> list[PlacedItem]:
    """Those that begin first before the others, the longest of them on top."""
    return sorted(bars, key=lambda one: (max(one.first, first), -(one.last - one.first), one.glance.title))


def _by_day(
    glances: Iterable[MonthItem], zone: ZoneInfo, days: Sequence[date], most: int
) -> Sequence[_DayPile]:
    """What touches each of the days, in one pass: thousands may lie on all of them."""
    found, more = [_DayPile() for _ in days], [0] * (len(days) + 1)
    hungry = list(range(len(days)))
    placed = sorted((place(one, zone) for one in glances), key=lambda one: (one.clock, one.glance.title))
    for one in placed:
        begins = max((one.first - days[0]).days, 0)
        beyond = min((one.last - days[0]).days + 1, len(days))
        if begins >= beyond:
            continue
        more[begins] += 1
        more[beyond] -= 1
        for at in hungry:
            if begins <= at < beyond:
                found[at].add(one, days[at], most)
        hungry = [at for at in hungry if len(found[at].bars) < most]
    for at, count in enumerate(accumulate(more[:-1])):
        found[at].count = count
    return found


def place(one: MonthItem, zone: ZoneInfo) -> PlacedItem:
    """The item on its days."""
    begins, ends = days_touched(one.start, one.end, zone)
    clock = one.start.astimezone(zone).time() if isinstance(one.start, datetime) else time()
    return PlacedItem(one, begins, ends, clock)

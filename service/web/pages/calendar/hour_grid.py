"""Days with their hours: where each item stands, what lies beside it, and what overlaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from contracts.times import ONE_DAY
from service.store.items.my_calendar import MonthItem
from service.web.locales import LocalePreferences
from service.web.pages.calendar.days import DayEntry, entry_of_glance
from service.web.pages.calendar.month_grid import PlacedItem, bars_in_order, place

QUARTER_MINUTES = 15
QUARTERS_A_DAY = 96
SHORTEST_BLOCK = 2
"""Quarters of an hour: what is shorter could not be read."""
MOST_LANES = 6
MOST_BARS = 6
MOST_BLOCKS_A_DAY = 60
USUAL_HOURS = (7, 20)
"""Hours that are shown of every day; more where something lies earlier or later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HourBlock:
    """An item in the column of its day."""

    entry: DayEntry
    begins: int
    """Minutes after midnight on the person's clock, on this day."""
    ends: int
    row: int
    """The quarter of an hour in which it begins, from the first hour that is shown; 1 is the first."""
    span: int
    lane: int
    lanes: int
    continued: bool
    """Whether it began on an earlier day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HourBar:
    """An item that fills days, above the hours."""

    entry: DayEntry
    column: int
    span: int
    row: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HourDay:
    """A day's column."""

    date: date
    today: bool
    blocks: Sequence[HourBlock]
    count: int
    more: int
    """Items for which there is no room here; the agenda has them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HourGrid:
    """One day or the seven of a week."""

    days: Sequence[HourDay]
    bars: Sequence[HourBar]
    first_hour: int
    last_hour: int
    now_row: int | None
    """The quarter of an hour that it is now, where today and this hour are shown."""

    @property
    def hours(self) -> range:
        return range(self.first_hour, self.last_hour)

    @property
    def whole(self) -> bool:
        return (self.first_hour, self.last_hour) == (0, 24)


@dataclass(slots=True)
class _Stretch:
    """An item's part of one day, in minutes of the person's clock."""

    one: PlacedItem
    begins: int
    ends: int
    lane: int = 0
    lanes: int = 1

    @property
    def row(self) -> int:
        return self.begins // QUARTER_MINUTES

    @property
    def until(self) -> int:
        rows = -(-self.ends // QUARTER_MINUTES)
        return min(max(rows, self.row + SHORTEST_BLOCK), QUARTERS_A_DAY)


@dataclass(frozen=True, slots=True)
class _Written:
    """How the page is written, and from which hour on."""

    zone: ZoneInfo
    locale: LocalePreferences
    first_hour: int

    def entry(self, glance: MonthItem) -> DayEntry:
        return entry_of_glance(glance, self.zone, self.locale)


def hour_grid(
    days: Sequence[date],
    now: datetime,
    glances: Iterable[MonthItem],
    zone: ZoneInfo,
    locale: LocalePreferences,
    *,
    all_hours: bool = False,
) -> HourGrid:
    """The days with what lies on them; ``now`` is the person's own time."""
    placed = [place(one, zone) for one in glances]
    bars = [one for one in placed if one.fills_days]
    parts = [_stretches(day, placed, zone) for day in days]
    first, last = (0, 24) if all_hours else _hours([one for part in parts for one in part])
    found = [
        _column(day, part, bars, now.date(), _Written(zone, locale, first))
        for day, part in zip(days, parts, strict=True)
    ]
    row = (now.hour - first) * 4 + now.minute // QUARTER_MINUTES + 1
    seen = now.date() in days and first <= now.hour < last
    shown, hidden = _bars(days, bars, _Written(zone, locale, first))
    return HourGrid(
        days=[replace(day, more=day.more + hidden[at]) for at, day in enumerate(found)],
        bars=shown,
        first_hour=first,
        last_hour=last,
        now_row=row if seen else None,
    )


def _hours(parts: Sequence[_Stretch]) -> tuple[int, int]:
    first = min([USUAL_HOURS[0], *(one.begins // 60 for one in parts)])
    return first, max([USUAL_HOURS[1], *(-(-one.until // 4) for one in parts)])


def _stretches(day: date, placed: Sequence[PlacedItem], zone: ZoneInfo) -> list[_Stretch]:
    """The day's part of what has a time, by its beginning."""
    there = [one for one in placed if not one.fills_days and one.first <= day <= one.last]
    found = [_stretch(one, day, zone) for one in there]
    return sorted(found, key=lambda one: (one.begins, one.one.times[0], -one.ends, one.one.glance.title))


def _stretch(one: PlacedItem, day: date, zone: ZoneInfo) -> _Stretch:
    start, until = one.times
    begins = _minutes(start.astimezone(zone), day)
    return _Stretch(one, begins, max(_minutes(until.astimezone(zone), day), begins))


def _minutes(at: datetime, day: date) -> int:
    if at.date() < day:
        return 0
    return at.hour * 60 + at.minute if at.date() == day else 24 * 60


def _column(
    day: date,
    parts: Sequence[_Stretch],
    bars: Sequence[PlacedItem],
    today: date,
    written: _Written,
) -> HourDay:
    shown = _in_lanes(parts[:MOST_BLOCKS_A_DAY])
    whole = sum(one.first <= day <= one.last for one in bars)
    return HourDay(
        date=day,
        today=day == today,
        blocks=[_block(one, shown, day, written) for one in shown],
        count=len(parts) + whole,
        more=len(parts) - len(shown),
    )


def _in_lanes(parts: Sequence[_Stretch]) -> list[_Stretch]:
    """What overlaps stands side by side; what finds no lane is left out."""
    shown: list[_Stretch] = []
    group: list[_Stretch] = []
    for one in parts:
        if group and one.row >= max(other.until for other in group):
            _share(group)
            group = []
        taken = {other.lane for other in group if other.until > one.row}
        lane = next((at for at in range(MOST_LANES) if at not in taken), None)
        if lane is not None:
            one.lane = lane
            group.append(one)
            shown.append(one)
    _share(group)
    return shown


def _share(group: Sequence[_Stretch]) -> None:
    lanes = max((one.lane for one in group), default=0) + 1
    for one in group:
        one.lanes = lanes


def _block(
    one: _Stretch,
    beside: Sequence[_Stretch],
    day: date,
    written: _Written,
) -> HourBlock:
    entry = written.entry(one.one.glance)
    others = [other.one.glance.title for other in beside if other is not one and _clash(one, other)]
    return HourBlock(
        entry=replace(entry, overlaps=tuple(others)),
        begins=one.begins,
        ends=one.ends,
        row=one.row - written.first_hour * 4 + 1,
        span=one.until - one.row,
        lane=one.lane + 1,
        lanes=one.lanes,
        continued=one.one.first < day,
    )


def _clash(one: _Stretch, other: _Stretch) -> bool:
    """By the moments themselves: on the day that has an hour twice, one clock time is two of them (R49)."""
    busy = one.one.glance.busy and other.one.glance.busy
    (starts, ends), (others, until) = one.one.times, other.one.times
    return busy and starts < until and others < ends


def _bars(
    days: Sequence[date], bars: Sequence[PlacedItem], written: _Written
) -> tuple[list[HourBar], list[int]]:
    """Above the hours, each at one height over all of its days; and how many of each day found no place."""
    taken: list[set[int]] = [set() for _ in days]
    shown, hidden = [], [0] * len(days)
    there = [one for one in bars if one.first <= days[-1] and one.last >= days[0]]
    for one in bars_in_order(there, days[0]):
        first = max((one.first - days[0]).days, 0)
        span = range(first, min((one.last - days[0]).days, len(days) - 1) + 1)
        height = next((at for at in range(MOST_BARS) if not any(at in taken[day] for day in span)), None)
        for day in span:
            if height is None:
                hidden[day] += 1
            else:
                taken[day].add(height)
        if height is not None:
            entry = written.entry(one.glance)
            shown.append(HourBar(entry=entry, column=first + 1, span=len(span), row=height + 1))
    return shown, hidden


def clock_changes(day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """What the clock shows before and after it is put forward or back on that day; None where it is not."""
    midnight = datetime.combine(day, datetime.min.time(), zone)
    end = datetime.combine(day + ONE_DAY, datetime.min.time(), zone)
    before, after = midnight.utcoffset(), end.utcoffset()
    if before == after or before is None or after is None:
        return None
    low, high = midnight.timestamp(), end.timestamp()
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, zone).utcoffset() == before
        low, high = (middle, high) if same else (low, middle)
    changed = datetime.fromtimestamp(high, zone)
    return changed.replace(tzinfo=None) - (after - before), changed.replace(tzinfo=None)


def week_days(day: date, locale: LocalePreferences) -> list[date]:
    """The seven days of the week that the day lies in."""
    return [locale.week_of(day) + timedelta(days=at) for at in range(7)]

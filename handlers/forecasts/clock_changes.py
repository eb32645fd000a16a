"""What a clock change will do to a person's days: pure, from what repeats and what is fixed (R49).

A meeting that repeats keeps its time in the zone in which it is arranged. Where that zone changes its clocks
on another day than the person's, or one of the two never does, the meeting is at another time of the
person's day from then on, and may meet a service call that it never met.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

AHEAD = timedelta(days=14)
"""So long before a clock change it is told what it will do."""
AFTER = timedelta(days=7)
"""So long after it a meeting that repeats has come once more, as a rule."""
BEFORE = timedelta(days=15)
"""So far back the last time before the change is looked for."""
LEAST_GAP = timedelta(minutes=15)
"""What is nearer than this leaves no time to go from one to the other."""
DAY, HALF_A_DAY = timedelta(days=1), timedelta(hours=12)
DAYS_OF_AN_ITEM = 31
"""So many days of one item are looked at."""
MOST_ITEMS = 2_000
"""So many items of a person are looked at, the first ones."""
MOST_OF_A_DAY = 60
"""With so many items of a day, the first ones, what moves is compared."""
MOST_CLASHES = 50
"""So many clashes of one series are told."""
ZONES_HELD = 1024
"""Zones of which the rules stay in memory; there are fewer than that. Python itself holds eight."""
WORLDS_CLOCKS = (
    "Etc/UTC", "America/New_York", "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe",
    "Pacific/Auckland", "America/Santiago", "America/Asuncion", "America/Havana", "Africa/Cairo",
    "Africa/Casablanca", "Asia/Jerusalem", "Asia/Beirut", "Europe/Chisinau",
)  # fmt: skip
"""A zone for each way in which clocks are changed: by these it is found where a meeting is arranged."""


class ClashKind(StrEnum):
    """A closed set; each has its sentence."""

    OVERLAP = "overlap"
    """The two overlap, and did not before."""
    NO_GAP = "no_gap"
    """There was time between the two, and is none any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedItem:
    """As much of a busy, timed item as is needed; ``series`` is what its occurrences have in common."""

    key: str
    title: str
    is_call: bool
    start: datetime
    end: datetime
    series: str | None = None
    zone: str | None = None
    """The zone that the item itself names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clash:
    """What a move does to another item; one of the two is a service call."""

    kind: ClashKind
    moved: PlannedItem
    """The occurrence that meets it."""
    other: PlannedItem


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedItem:
    """The first time after a clock change of something that repeats, and the last before it."""

    before: PlannedItem
    after: PlannedItem
    by: timedelta
    """How much later in the person's day; negative: earlier."""
    changed_at: datetime
    changing_zone: str
    clashes: tuple[Clash, ...] = ()
    """Of all its times within ``AFTER`` of the change."""


def near_changes(zones: Iterable[str], now: datetime) -> Mapping[str, datetime]:
    """The next clock change of each of these zones and of the world's, if it is within ``AHEAD``."""
    found = {zone: next_change(zone, now, now + AHEAD) for zone in dict.fromkeys((*zones, *WORLDS_CLOCKS))}
    return {zone: at for zone, at in found.items() if at is not None}


def forecast(
    items: Sequence[PlannedItem], *, zone: str, others: Iterable[str] = (), now: datetime
) -> list[MovedItem]:
    """What will move in the days of a person in ``zone``, by its first time after the change.

    ``others``: the zones of their calendars. What moves together with what it meets is no clash, nor is
    what overlapped before. The work is bounded by ``MOST_ITEMS`` and ``MOST_OF_A_DAY``.
    """
    items = sorted(items, key=lambda each: (each.start, each.key))[:MOST_ITEMS]
    zones = tuple(dict.fromkeys((*others, *WORLDS_CLOCKS)))
    moved: dict[str, MovedItem] = {}
    for series in _repeating(items, zone):
        moved |= _moves(series, zone, zones, now)
    by = {key: one.by for key, one in moved.items()}
    days = _by_day(items)
    told: dict[tuple[object, ...], MovedItem] = {}
    for one in sorted(moved.values(), key=lambda each: (each.after.start, each.after.key)):
        same = (one.after.series or one.after.title, one.after.is_call, one.changed_at, one.by)
        first = told.setdefault(same, one)
        room = MOST_CLASHES - len(first.clashes)
        if room > 0:
            found = islice(_clashes(one.after, days, by, zone), room)
            told[same] = replace(first, clashes=(*first.clashes, *found))
    return list(told.values())


def _repeating(items: Sequence[PlannedItem], zone: str) -> Iterator[list[PlannedItem]]:
    """Occurrences that belong together, by start: of a series, or of one title in a zone of its own."""
    found: defaultdict[tuple[str | None, ...], list[PlannedItem]] = defaultdict(list)
    for one in items:
        if one.series is not None:
            found["series", one.series].append(one)
        elif one.zone not in {None, zone}:
            found["title", str(one.is_call), one.title, one.zone].append(one)
    return (group for group in found.values() if len(group) > 1)


def _by_day(items: Sequence[PlannedItem]) -> Mapping[date, Sequence[PlannedItem]]:
    """By the days of UTC that they touch."""
    found: defaultdict[date, list[PlannedItem]] = defaultdict(list)
    for one in items:
        first, last = one.start.astimezone(UTC).date(), one.end.astimezone(UTC).date()
        for number in range(min((last - first).days, DAYS_OF_AN_ITEM) + 1):
            day = found[first + number * DAY]
            if len(day) < MOST_OF_A_DAY:
                day.append(one)
    return found


def _moves(
    series: Sequence[PlannedItem], zone: str, zones: Sequence[str], now: datetime
) -> dict[str, MovedItem]:
    """Each occurrence that comes at another time of the day than before a change, by its key.

    The first differs from the last before the change; those of the week that follows stand where it does.
    """
    moved: dict[str, MovedItem] = {}
    seen: dict[tuple[str, time, timedelta], PlannedItem] = {}
    for after in series:
        arranged = _arranged_in(after, zone, zones)
        found = _last_before(seen, after, zone, arranged)
        seen |= dict.fromkeys(_times_of_day(after, arranged), after)
        if found is None or not now < after.start <= now + AHEAD + AFTER:
            continue
        earlier = moved.get(found.before.key)
        if found.by and now < found.changed_at <= now + AHEAD:
            moved[after.key] = found
        elif not found.by and earlier is not None and after.start - earlier.changed_at <= AFTER:
            moved[after.key] = replace(earlier, after=after)
    return moved


def _last_before(
    seen: Mapping[tuple[str, time, timedelta], PlannedItem],
    after: PlannedItem,
    zone: str,
    arranged: Sequence[str],
) -> MovedItem | None:
    """How it stands to the last that was at its time of the day in one of those zones, if there is any."""
    best: tuple[PlannedItem, str] | None = None
    for place in _times_of_day(after, arranged):
        before = seen.get(place)
        if before is not None and (best is None or before.start > best[0].start):
            best = before, place[0]
    return None if best is None else _move(best[0], after, zone, best[1])


def _arranged_in(item: PlannedItem, zone: str, zones: Sequence[str]) -> Sequence[str]:
    """Where it may be arranged; the own zone first, for what keeps its time there does not move."""
    if item.series is None:
        return (zone, item.zone) if item.zone else (zone,)
    return (zone, *((item.zone,) if item.zone else ()), *zones)


def _move(before: PlannedItem, after: PlannedItem, zone: str, home: str) -> MovedItem:
    """The two are the same meeting: at the same time of the day in its home."""
    by = _difference(_local(before.start, zone), _local(after.start, zone))
    changes = ((next_change(one, before.start, after.start), one) for one in (zone, home))
    changed = [(at, one) for at, one in changes if at is not None]
    if not by or not changed:
        by, changed = timedelta(0), [(after.start, zone)]
    changed_at, changing = max(changed)
    return MovedItem(before=before, after=after, by=by, changed_at=changed_at, changing_zone=changing)


def _clashes(
    one: PlannedItem,
    days: Mapping[date, Sequence[PlannedItem]],
    moved: Mapping[str, timedelta],
    zone: str,
) -> Iterator[Clash]:
    """Between a service call and something else, of which one moves."""
    first, last = ((at.astimezone(UTC)).date() for at in (one.start - LEAST_GAP, one.end + LEAST_GAP))
    near = {other.key: other for day in {first, last} for other in days.get(day, ())}
    for other in sorted(near.values(), key=lambda each: (each.start, each.key)):
        if other.key == one.key or other.is_call == one.is_call:
            continue
        now_apart = _gap(one, other)
        if now_apart >= LEAST_GAP:
            continue
        before_apart = _gap(_unmoved(one, moved, zone), _unmoved(other, moved, zone))
        if now_apart < timedelta(0) <= before_apart:
            yield Clash(kind=ClashKind.OVERLAP, moved=one, other=other)
        elif timedelta(0) <= now_apart and before_apart >= LEAST_GAP:
            yield Clash(kind=ClashKind.NO_GAP, moved=one, other=other)


def _gap(one: PlannedItem, other: PlannedItem) -> timedelta:
    """The time between the two; negative where they overlap."""
    return max(one.start, other.start) - min(one.end, other.end)


def _unmoved(one: PlannedItem, moved: Mapping[str, timedelta], zone: str) -> PlannedItem:
    """The item where it would be, were it at its old time of the person's day."""
    by = moved.get(one.key)
    if not by:
        return one
    start = (_local(one.start, zone) - by).replace(tzinfo=_place(zone)).astimezone(UTC)
    return PlannedItem(
        key=one.key, title=one.title, is_call=one.is_call, start=start, end=start + (one.end - one.start)
    )


def _local(at: datetime, zone: str) -> datetime:
    """What clock and calendar show there, without their zone."""
    return at.astimezone(_place(zone)).replace(tzinfo=None)


@lru_cache(maxsize=ZONES_HELD)
def _place(zone: str) -> ZoneInfo:
    """Its rules, which are read from a file once."""
    return ZoneInfo(zone)


def _times_of_day(item: PlannedItem, zones: Iterable[str]) -> list[tuple[str, time, timedelta]]:
    """With its length: what lasts longer is another meeting."""
    return [(zone, _local(item.start, zone).time(), item.end - item.start) for zone in zones]


def _difference(before: datetime, after: datetime) -> timedelta:
    """How much later in the day, by the shorter way."""
    apart = (after - before) % DAY
    return apart - DAY if apart > HALF_A_DAY else apart


def next_change(zone: str, since: datetime, until: datetime) -> datetime | None:
    """The first moment after ``since`` and until then at which the clocks of that zone are changed."""
    day = since.astimezone(UTC).date()
    while day <= until.astimezone(UTC).date():
        found = _change_of_day(zone, day)
        if found is not None and since < found <= until:
            return found
        day += DAY
    return None


@lru_cache(maxsize=4096)
def _change_of_day(zone: str, day: date) -> datetime | None:
    """The change within that day of UTC, to the second."""
    low = datetime(day.year, day.month, day.day, tzinfo=UTC)
    high = low + DAY
    place = _place(zone)
    before = low.astimezone(place).utcoffset()
    if high.astimezone(place).utcoffset() == before:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(place).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high

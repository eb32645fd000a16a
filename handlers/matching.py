"""When an event and an item, or two events, are the same thing: title, start and end alike (R1, R21, R29)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from contracts.calendar import Item
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.times import wire_time
from handlers.compose import canonical, span

Twin = tuple[str, str, str]
"""Title, start and end, in canonical form."""


def twin_of(title: str, start: str, end: str) -> Twin:
    return canonical(title), start, end


def twin_of_event(event: CronofyEvent | EventFields) -> Twin:
    """Of an event as it was read, or as it is written."""
    return twin_of(event.summary or "", wire_time(event.start), wire_time(event.end))


def equal_twin(item: Item) -> Twin | None:
    """What an event must be to equal this item (R29); None without a date."""
    times = span(item.content) if item.content else None
    if item.content is None or times is None:
        return None
    return twin_of(item.content.title, wire_time(times[0]), wire_time(times[1]))


def equals_of(items: Iterable[Item]) -> Mapping[Twin, Sequence[Item]]:
    """These items by what makes an event equal to them."""
    equals: defaultdict[Twin, list[Item]] = defaultdict(list)
    for item in items:
        twin = equal_twin(item)
        if twin is not None:
            equals[twin].append(item)
    return equals


def equals_among(events: Sequence[CronofyEvent], items: Iterable[Item]) -> Mapping[Twin, Sequence[Item]]:
    """The items that equal an event of these which has no equal itself."""
    twins = Counter(twin_of_event(event) for event in events)
    return {twin: alike for twin, alike in equals_of(items).items() if twins[twin] == 1}

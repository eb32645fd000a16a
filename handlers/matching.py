"""When an event and an item, or two events, are the same thing: title, start and end alike (R1, R21, R29)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from contracts.calendar import Item
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.times import wire_time
from handlers.texts.compose import event_span
from handlers.texts.skeleton import skeleton

MatchKey = tuple[str, str, str]
"""Title, start and end, whatever providers make of the title (R37)."""


def match_key(title: str, start: str, end: str) -> MatchKey:
    return skeleton(title), start, end


def match_key_of_event(event: CronofyEvent | EventFields) -> MatchKey:
    """Of an event as it was read, or as it is written."""
    return match_key(event.summary or "", wire_time(event.start), wire_time(event.end))


def match_key_of_item(item: Item) -> MatchKey | None:
    """What an event must be to equal this item (R29); None without a date."""
    times = event_span(item.content) if item.content else None
    if item.content is None or times is None:
        return None
    return match_key(item.content.title, wire_time(times[0]), wire_time(times[1]))


def items_by_match_key(items: Iterable[Item]) -> Mapping[MatchKey, Sequence[Item]]:
    """These items by what makes an event equal to them."""
    equals: defaultdict[MatchKey, list[Item]] = defaultdict(list)
    for item in items:
        twin = match_key_of_item(item)
        if twin is not None:
            equals[twin].append(item)
    return equals


def equal_items(events: Sequence[CronofyEvent], items: Iterable[Item]) -> Mapping[MatchKey, Sequence[Item]]:
    """The items that equal an event of these which has no equal itself."""
    twins = Counter(match_key_of_event(event) for event in events)
    return {twin: alike for twin, alike in items_by_match_key(items).items() if twins[twin] == 1}

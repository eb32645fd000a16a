"""The time within which Vorex lets a technician move a service call (R52)."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from contracts.times import InstantOrDay
from contracts.vorex import ItemContent, ItemType


def is_open_call(content: ItemContent) -> bool:
    """Whether it is a service call that is still to be done: of any other nobody is asked."""
    return content.type is ItemType.SERVICE_CALL and not content.completed


def leaves_window(content: ItemContent, start: InstantOrDay, end: InstantOrDay) -> bool:
    """Whether the call, were it then, would begin before its window or end after it; days are its zone's."""
    begins, ends = (instant_in(moment, content.time_zone) for moment in (start, end))
    early = content.not_before is not None and begins < content.not_before
    late = content.not_after is not None and ends > content.not_after
    return early or late


def instant_in(moment: InstantOrDay, zone: str) -> datetime:
    """When a day begins in that zone; an instant as it is."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time(), ZoneInfo(zone)).astimezone(UTC)

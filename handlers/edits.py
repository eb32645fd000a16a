"""How an event's fields become an item's fields (R3, R6, R8)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from contracts.calendar import Moment
from contracts.cronofy import CronofyEvent
from contracts.fields import visible
from contracts.vorex import DescriptionFormat, ItemContent, ItemType, ShowAs
from handlers.compose import HALF_HOUR, ONE_DAY
from handlers.prints import TIME_FIELDS, bare_description, bare_title

MASKED_TITLE = "Private appointment"
UNTITLED = "(No title)"


def masked(event: CronofyEvent) -> CronofyEvent:
    """A foreign private event with its time only (R8)."""
    if not event.event_private:
        return event
    return replace(event, summary=MASKED_TITLE, description="", location="")


def imported(event: CronofyEvent, *, item_id: str, user_id: str, time_zone: str) -> ItemContent:
    """The appointment that a foreign event becomes (R3); the zone is the user's (DESIGN 7.3)."""
    event = masked(event)
    blank = ItemContent(
        id=item_id,
        type=ItemType.APPOINTMENT,
        title=UNTITLED,
        time_zone=time_zone,
        assignees=(user_id,),
    )
    fields = {"title", "description", "location", *TIME_FIELDS, "free", "private"}
    return edited(blank, event, fields)


def edited(item: ItemContent, event: CronofyEvent, fields: set[str]) -> ItemContent:
    """The item with these fields taken from the event; fields that the event lacks stay."""
    changes: dict[str, Any] = {}
    if "title" in fields and event.summary is not None:
        title = _clean(bare_title(event.summary, item))
        changes["title"] = title if visible(title) else UNTITLED
    if "description" in fields and event.description is not None:
        changes["description"] = _clean(bare_description(event.description, item))
        changes["description_format"] = DescriptionFormat.TEXT
    if "location" in fields and event.location is not None:
        changes["location"] = _clean(event.location)
    if fields & set(TIME_FIELDS):
        changes |= _times(item, event)
    if "free" in fields:
        changes["show_as"] = ShowAs.FREE if event.transparency == "transparent" else ShowAs.BUSY
    if "private" in fields and event.event_private is not None:
        changes["private"] = event.event_private
    return item.model_copy(update=changes)


def values_of(item: ItemContent, fields: set[str]) -> dict[str, object]:
    """The item's values of these fields, for a log entry that keeps what lost (R19)."""
    form = item.to_json_dict()
    names = {"free": "show_as"}
    return {name: form.get(names.get(name, name)) for name in sorted(fields)}


def _times(item: ItemContent, event: CronofyEvent) -> dict[str, Any]:
    timed = isinstance(event.start, datetime)
    length = _length(event.start, event.end)
    usual = HALF_HOUR if timed else ONE_DAY
    open_ended = (
        item.end is None and item.start is not None and item.all_day == (not timed) and length == usual
    )
    end = None if length <= timedelta(0) or open_ended else event.end
    return {"start": event.start, "end": end, "all_day": not timed}


def _length(start: Moment, end: Moment) -> timedelta:
    if isinstance(start, datetime) and isinstance(end, datetime):
        return end - start
    if isinstance(start, datetime) or isinstance(end, datetime):
        return timedelta(0)
    return end - start


def _clean(text: str) -> str:
    return text.replace("\x00", "")

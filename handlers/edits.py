"""How an event's fields become an item's fields (R3, R6, R8)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from contracts.calendar import Code
from contracts.cronofy import CronofyEvent
from contracts.fields import is_visible
from contracts.times import ONE_DAY, InstantOrDay, usual_length, wire_time
from contracts.vorex import DescriptionFormat, ItemContent, ItemType, ShowAs
from handlers.compose import canonical_text, description, summary
from handlers.fingerprints import TIME_FIELDS, bare_description, bare_title

MASKED_TITLE = "Private appointment"
UNTITLED = "(No title)"


def masked_event(event: CronofyEvent) -> CronofyEvent:
    """A foreign private event with its time only (R8)."""
    if not event.event_private:
        return event
    return replace(event, summary=MASKED_TITLE, description="", location="")


def read_only_code(event: CronofyEvent) -> Code | None:
    """Why a foreign event is read-only from Vorex, if it is (R8, R9)."""
    if event.event_private:
        return Code.PRIVATE
    return Code.SERIES if event.recurring else None


def imported_item(event: CronofyEvent, *, item_id: str, user_id: str, time_zone: str) -> ItemContent:
    """The appointment that a foreign event becomes (R3); the zone is the user's."""
    event = masked_event(event)
    blank = ItemContent(
        id=item_id,
        type=ItemType.APPOINTMENT,
        title=UNTITLED,
        time_zone=time_zone,
        assignees=(user_id,),
    )
    fields = {"title", "description", "location", *TIME_FIELDS, "free", "private"}
    return edited_item(blank, event, fields)


def edited_item(item: ItemContent, event: CronofyEvent, fields: set[str]) -> ItemContent:
    """The item with these fields taken from the event; fields that the event lacks stay."""
    changes = _times(item, event, fields) if fields & set(TIME_FIELDS) else {}
    if "free" in fields and event.transparency is not None:
        changes |= _shown(item.model_copy(update=changes), event.transparency == "transparent")
    if "private" in fields and event.event_private is not None:
        changes["private"] = event.event_private
    return item.model_copy(update=_texts(item, event, fields) | changes)


def _texts(item: ItemContent, event: CronofyEvent, fields: set[str]) -> dict[str, Any]:
    """The texts that say something else than what was written of them, cut or with R13's additions."""
    # "Call" of the account Acme stands there as "Acme – Call", which is no edit of it. "Acme – Call back" and
    # "Call back" are the same one: the title becomes "Call back". Of a title that was written cut, the first
    # 1023 characters and an ellipsis are no edit either, or the rest would be lost.
    changes: dict[str, Any] = {}
    title = _clean(bare_title(event.summary or "", item))
    if "title" in fields and event.summary is not None and title != bare_title(summary(item), item):
        changes["title"] = title if is_visible(title) else UNTITLED
    text = _clean(bare_description(event.description or "", item))
    if (
        "description" in fields
        and event.description is not None
        and text != bare_description(description(item), item)
    ):
        changes |= {"description": text, "description_format": DescriptionFormat.TEXT}
    if "location" in fields and event.location is not None:
        changes["location"] = _clean(canonical_text(event.location))
    return changes


def _shown(item: ItemContent, free: bool) -> dict[str, Any]:
    """Free or busy; a date without a time is free whatever it says, so a busy one gets its end (R14)."""
    # 3 December without an end is written as free. Made busy there, it gets its end, 4 December: a busy
    # item without one would be written as free again.
    shown: dict[str, Any] = {"show_as": ShowAs.FREE if free else ShowAs.BUSY}
    if not free and item.all_day and item.start is not None and item.end is None:
        shown["end"] = item.start + ONE_DAY
    return shown


def item_values(item: ItemContent, fields: set[str]) -> dict[str, object]:
    """The item's values of these fields, for a log entry that keeps what lost (R19)."""
    form = item.to_json_dict()
    names = {"free": "show_as"}
    return {name: form.get(names.get(name, name)) for name in sorted(fields)}


def event_values(event: CronofyEvent, fields: set[str]) -> dict[str, object]:
    """The event's values of these fields, for the same."""
    seen = {
        "title": event.summary,
        "description": event.description,
        "location": event.location,
        "start": wire_time(event.start),
        "end": wire_time(event.end),
        "free": "free" if event.transparency == "transparent" else "busy",
        "private": event.event_private,
    }
    return {name: seen[name] for name in sorted(fields)}


def conflict_values(
    *, kept: dict[str, object], lost: dict[str, object], private: bool | None
) -> dict[str, object]:
    """What won and what lost, for the log (R19); of a private item its times alone (R27)."""
    if not private:
        return {"kept": kept, "lost": lost}
    told = {*TIME_FIELDS, "deleted"}
    kept, lost = ({name: value for name, value in each.items() if name in told} for each in (kept, lost))
    return {"kept": kept, "lost": lost, "private": True}


def _times(item: ItemContent, event: CronofyEvent, fields: set[str]) -> dict[str, Any]:
    """The edges that differ; the other edge stays as the item has it, to the second."""
    timed = isinstance(event.start, datetime)
    usual = usual_length(all_day=not timed)
    length = _length(event.start, event.end)
    end = event.end if length > timedelta(0) else event.start + usual
    alike = item.start is not None and item.all_day == (not timed)
    # 9:00 without an end stands there until 9:30. Moved to 10:00–10:30 it has no end still.
    if alike and item.end is None and length in {usual, timedelta(0)}:
        return {"start": event.start}
    # 9:00:20 until 10:00:20 stands there as 9:00–10:00. Prolonged until 11:00, it begins at 9:00:20 still;
    # begun at 8:00, it lasts until 10:00:20.
    if alike and "start" not in fields and item.start is not None and item.start < end:
        return {"end": end}
    if alike and "end" not in fields and item.end is not None and event.start < item.end:
        return {"start": event.start}
    # 9:00–10:00 made a whole day, or moved to 14:00–15:00: both edges are as in the event.
    return {"start": event.start, "end": end, "all_day": not timed}


def _length(start: InstantOrDay, end: InstantOrDay) -> timedelta:
    if isinstance(start, datetime) and isinstance(end, datetime):
        return end - start
    if isinstance(start, datetime) or isinstance(end, datetime):
        return timedelta(0)
    return end - start


def _clean(text: str) -> str:
    return text.replace("\x00", "")

"""How an event's fields become an item's fields (R3, R6, R8)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from contracts.calendar import NO_FORMS, CalendarForms, Code
from contracts.cronofy import CronofyEvent
from contracts.fields import is_visible
from contracts.limits import LONGEST_LINE, LONGEST_TEXT, cut
from contracts.times import ONE_DAY, InstantOrDay, usual_length, wire_time
from contracts.vorex import DescriptionFormat, ItemContent, ItemType, ShowAs
from handlers.fingerprints import TIME_FIELDS, are_alike, has_no_length, text_print, title_print
from handlers.texts.advice import without_advice
from handlers.texts.compose import (
    UNTITLED,
    canonical_text,
    crossing_description,
    crossing_title,
    description,
    on_one_line,
    plain_description,
    summary,
    title_prefix,
)
from handlers.texts.cut_text import beginning, with_rest, with_rest_behind_dots, without_dots
from handlers.texts.own_marks import OwnMarks, bare_description, bare_title
from handlers.texts.skeleton import shown_line, shown_text, skeleton, without_join_information

MASKED_TITLE = "Private appointment"
ERASED_TITLE = "Erased appointment"


def masked_event(event: CronofyEvent) -> CronofyEvent:
    """A foreign private event with its time only (R8)."""
    if not event.event_private:
        return event
    return replace(event, summary=MASKED_TITLE, description="", location="")


def erased_content(item: ItemContent) -> ItemContent:
    """What is left of an appointment whose owner asked to be forgotten: its time (R41)."""
    nothing = {"description": "", "location": "", "account_name": None, "reference": None}
    form = {"title": ERASED_TITLE, "description_format": DescriptionFormat.TEXT}
    return item.model_copy(update=nothing | form)


def read_only_code(event: CronofyEvent) -> Code | None:
    """Why a foreign event is read-only from Vorex, if it is (R8, R9)."""
    if event.event_private:
        return Code.PRIVATE
    return Code.SERIES if event.recurring else None


def imported_item(event: CronofyEvent, *, item_id: str, user_id: str, time_zone: str) -> ItemContent:
    """The appointment that a foreign event becomes (R3); the zone is the user's."""
    event = masked_event(event)
    blank = ItemContent.from_json_dict(
        {
            "id": item_id,
            "type": ItemType.APPOINTMENT,
            "title": UNTITLED,
            "time_zone": time_zone,
            "assignees": (user_id,),
        }
    )
    fields = {"title", "description", "location", *TIME_FIELDS, "free", "private"}
    return edited_item(blank, event, fields)


def edited_item(
    item: ItemContent, event: CronofyEvent, fields: set[str], forms: CalendarForms = NO_FORMS
) -> ItemContent:
    """The item with these fields taken from the event; fields that the event lacks stay.

    ``forms``: what the event's calendar makes of texts, which is not taken.
    """
    changes = _times(item, event, fields) if fields & set(TIME_FIELDS) else {}
    if "free" in fields and event.transparency is not None:
        changes |= _shown(item.model_copy(update=changes), event.transparency == "transparent")
    if "private" in fields and event.event_private is not None:
        changes["private"] = event.event_private
    if "title" in fields and event.summary is not None:
        changes |= _title(item, event.summary, forms)
    if "description" in fields and event.description is not None:
        changes |= _description(item, event, forms)
    if "location" in fields and event.location is not None:
        changes |= _location(item, event.location, forms)
    return item.model_copy(update=changes)


def bears_former_mark(item: ItemContent, event: CronofyEvent, fields: set[str], forms: CalendarForms) -> bool:
    """Whether the event says there what was added of an account or record that its item has no more (R13)."""
    # "Acme – Call" was written there, and Acme taken from the item since. A title without the name may be as
    # its person typed it; with it, nobody but this sync has put it there.
    forgetful = replace(forms, accounts=(), references=())
    return edited_item(item, event, fields, forms) != edited_item(item, event, fields, forgetful)


def _title(item: ItemContent, read: str, forms: CalendarForms) -> dict[str, Any]:
    # "Call" of the account Acme stands there as "Acme – Call", which is no edit of it. "Acme – Call back" and
    # "Call back" are the same one: the title becomes "Call back". Of a title that was written cut, the first
    # 1023 characters and an ellipsis are no edit either, or the rest would be lost.
    title = _clean(bare_title(shown_line(read), item, earlier_marks(forms)))
    if title_print(title) == title_print(bare_title(summary(item), item)):
        return {}
    crossed = crossing_title(item)
    form = _cut_form(forms, "title", title_print(summary(item)))
    if form is not None:
        crossed = beginning(summary(item), form)[len(title_prefix(item)) :]
    whole = on_one_line(item.title)
    title = with_rest(title, crossed, whole) or with_rest_behind_dots(title, whole) or title
    return {"title": cut(title, LONGEST_LINE) if is_visible(title) else UNTITLED}


def _description(item: ItemContent, event: CronofyEvent, forms: CalendarForms) -> dict[str, Any]:
    read = _without_added(shown_text(without_advice(event.description or "", item)), item, event, forms)
    text = _clean(bare_description(read, item, earlier_marks(forms)))
    if skeleton(text) == skeleton(bare_description(description(item), item)):
        return {}
    crossed, whole = crossing_description(item), plain_description(item)
    kept = _cut_form(forms, "description", text_print(description(item)))
    if kept is not None:
        crossed = min(crossed, beginning(description(item), kept), key=len)
    if len(crossed) < len(whole) and is_visible(text):
        text = with_rest(text, crossed, whole) or f"{without_dots(text)}\n{whole[len(crossed) :]}"
    text = with_rest_behind_dots(text, whole) or text
    return {"description": cut(text, LONGEST_TEXT), "description_format": DescriptionFormat.TEXT}


def _without_added(text: str, item: ItemContent, event: CronofyEvent, forms: CalendarForms) -> str:
    """The text of a copy of ours without what its provider put behind it."""
    form, own = forms.texts.get("description"), plain_description(item)
    if form is not None and form.added.strip():
        text = text.replace(form.added.strip(), "")
    ours = event.event_id is not None and without_join_information(own) == own
    return without_join_information(text) if ours else text


def _location(item: ItemContent, read: str, forms: CalendarForms) -> dict[str, Any]:
    place = _clean(canonical_text(shown_line(read)))
    kept = _cut_form(forms, "location", text_print(item.location))
    if kept is not None:
        place = with_rest(place, beginning(item.location, kept), item.location) or place
    return {} if skeleton(place) == skeleton(item.location) else {"location": cut(place, LONGEST_LINE)}


def _cut_form(forms: CalendarForms, name: str, written: str) -> int | None:
    """How much of the text is left there, where its calendar has cut it."""
    form = forms.texts.get(name)
    return form.kept if form is not None and are_alike(name, form.written, written) else None


def earlier_marks(forms: CalendarForms) -> OwnMarks:
    """What may have been added to the event's texts before (R13)."""
    return OwnMarks(accounts=forms.accounts, references=forms.references)


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
        "description": event.description and without_advice(event.description),
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
    # an event without length becomes an item without an end, not one of half an hour
    end = None if has_no_length(event) else event.end if length > timedelta(0) else event.start + usual
    alike = item.start is not None and item.all_day == (not timed)
    # 9:00 without an end stands there until 9:30. Moved to 10:00–10:30 it has no end still.
    if alike and item.end is None and length in {usual, timedelta(0)}:
        return {"start": event.start}
    # 9:00:20 until 10:00:20 stands there as 9:00–10:00. Prolonged until 11:00, it begins at 9:00:20 still;
    # begun at 8:00, it lasts until 10:00:20.
    if alike and "start" not in fields and item.start is not None and (end is None or item.start < end):
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

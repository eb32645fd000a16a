"""Canonical prints: how what was written and what is read are compared, field by field."""

import hashlib
from datetime import datetime, timedelta

from contracts.calendar import Fingerprints
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.fields import is_visible
from contracts.times import InstantOrDay, read_time, usual_length, wire_time
from contracts.vorex import ItemContent, ItemType
from handlers.texts.advice import without_advice
from handlers.texts.compose import (
    UNTITLED,
    canonical_text,
    compose,
    on_one_line,
    plain_description,
    reference_line,
    title_prefix,
)
from handlers.texts.skeleton import skeleton

TIME_FIELDS = ("start", "end")
TEXT_FIELDS = ("title", "description", "location")
APPOINTMENT_FIELDS = (*TEXT_FIELDS, *TIME_FIELDS, "free", "private")
TIME_ROUNDING = timedelta(minutes=1)
NO_EVENT: Fingerprints = dict.fromkeys(APPOINTMENT_FIELDS, False) | {"free": "", "private": ""}
"""The prints of a deletion: like nothing that can be read."""
_HALF = 16
_FREE: dict[str | None, bool] = {"transparent": True, "opaque": False}


def fingerprints_of_event(event: CronofyEvent | EventFields, item: ItemContent) -> Fingerprints:
    """The prints of what is read or written; a field that was not sent is left out."""
    times: Fingerprints = {"start": wire_time(event.start), "end": wire_time(usual_end(event))}
    if item.type is not ItemType.APPOINTMENT:
        return times
    values = {
        "title": None if event.summary is None else title_print(event.summary),
        "description": None
        if event.description is None
        else text_print(without_advice(event.description, item)),
        "location": None if event.location is None else text_print(event.location),
        **times,
        "free": _FREE.get(event.transparency),
        "private": event.event_private,
    }
    return {name: value for name, value in values.items() if value is not None}


def fingerprints_of_copy(item: ItemContent) -> Fingerprints:
    """The prints of what the item should look like on a calendar; none without a date."""
    return fingerprints_of_event(fields, item) if (fields := compose(item)) else {}


def has_no_length(event: CronofyEvent | EventFields) -> bool:
    """Whether a timed event ends where it starts."""
    timed = isinstance(event.start, datetime) and isinstance(event.end, datetime)
    return timed and event.end <= event.start


def usual_end(event: CronofyEvent | EventFields) -> InstantOrDay:
    """When the event ends; one without length lasts as long as an item without an end (R14)."""
    timed = isinstance(event.start, datetime)
    if timed is not isinstance(event.end, datetime) or event.end > event.start:
        return event.end
    return event.start + usual_length(all_day=not timed)


def fingerprints_of_item(item: ItemContent) -> Fingerprints:
    """The prints of the item's texts as they would be written were there no limits (R12)."""
    return {
        "title": title_print(title_prefix(item) + on_one_line(item.title)),
        "description": text_print(f"{plain_description(item)}\n\n{reference_line(item)}"),
        "location": text_print(item.location),
    }


def differing_fields(read: Fingerprints, known: Fingerprints | None) -> set[str]:
    """The fields of ``read`` that are not as in ``known``; what either side leaves out does not differ."""
    if known is None:
        return set(read)
    return {name for name in read if name in known and not are_alike(name, read[name], known[name])}


def are_same(read: Fingerprints, known: Fingerprints | None) -> bool:
    return known is not None and not differing_fields(read, known)


def are_alike(name: str, read: str | bool, known: str | bool) -> bool:
    """Whether two prints of a field say the same, whatever providers made of its text or time (R18, R37)."""
    if read == known:
        return True
    if not isinstance(read, str) or not isinstance(known, str):
        return False
    if name in TIME_FIELDS:
        return _rounded(read, known)
    return name in TEXT_FIELDS and _one_text(read, known)


def _one_text(read: str, known: str) -> bool:
    """By the skeleton; a print that was stored before there were any has the older half alone."""
    if len(read) == len(known):
        return len(read) > _HALF and read[:_HALF] == known[:_HALF]
    return read[-_HALF:] == known[-_HALF:]


def _rounded(read: str, known: str) -> bool:
    """Providers that keep whole minutes have changed nothing (R18)."""
    there, ours = read_time(read), read_time(known)
    if not isinstance(there, datetime) or not isinstance(ours, datetime):
        return False
    return there.second == 0 and abs(there - ours) < TIME_ROUNDING


def title_print(title: str) -> str:
    """Of a title; an event without one says the same as the name that its item has instead."""
    return text_print("" if title == UNTITLED or not is_visible(title) else title)


def text_print(text: str) -> str:
    """Of a text: its skeleton's digest, then that of its canonical form."""
    return _digest(skeleton(text)) + _digest(canonical_text(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HALF]

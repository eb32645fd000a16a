"""Canonical prints: how what was written and what is read are compared, field by field."""

import hashlib
import unicodedata
from datetime import datetime, timedelta

from contracts.calendar import Fingerprints
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.times import read_time, wire_time
from contracts.vorex import ItemContent, ItemType
from handlers.compose import canonical_text, on_one_line, plain_description, reference_line, title_prefix

TIME_FIELDS = ("start", "end")
APPOINTMENT_FIELDS = ("title", "description", "location", *TIME_FIELDS, "free", "private")
TIME_ROUNDING = timedelta(minutes=1)
NO_EVENT: Fingerprints = dict.fromkeys(APPOINTMENT_FIELDS, False) | {"free": "", "private": ""}
"""The prints of a deletion: like nothing that can be read."""
_FREE: dict[str | None, bool] = {"transparent": True, "opaque": False}


def fingerprints_of_event(event: CronofyEvent | EventFields, item: ItemContent) -> Fingerprints:
    """The prints of what is read or written; a field that was not sent is left out."""
    times: Fingerprints = {"start": wire_time(event.start), "end": wire_time(event.end)}
    if item.type is not ItemType.APPOINTMENT:
        return times
    values = {
        "title": None if event.summary is None else _text(event.summary),
        "description": None if event.description is None else _text(event.description),
        "location": None if event.location is None else _text(event.location),
        **times,
        "free": _FREE.get(event.transparency),
        "private": event.event_private,
    }
    return {name: value for name, value in values.items() if value is not None}


def fingerprints_of_item(item: ItemContent) -> Fingerprints:
    """The prints of the item's texts as they would be written were there no limits (R12)."""
    return {
        "title": _text(title_prefix(item) + on_one_line(item.title)),
        "description": _text(f"{plain_description(item)}\n\n{reference_line(item)}"),
        "location": _text(item.location),
    }


def bare_title(title: str, item: ItemContent) -> str:
    """The title in canonical form without the account's name (R13)."""
    return canonical_text(title).removeprefix(unicodedata.normalize("NFC", title_prefix(item)))


def bare_description(text: str, item: ItemContent) -> str:
    """The description in canonical form without the reference line, wherever it stands by now (R13)."""
    clean, line = canonical_text(text), canonical_text(reference_line(item))
    if not line:
        return clean
    before, _, after = f"\n{clean}\n".rpartition(f"\n{line}\n")
    return canonical_text(f"{before}\n{after}")


def differing_fields(read: Fingerprints, known: Fingerprints | None) -> set[str]:
    """The fields of ``read`` that are not as in ``known``; what either side leaves out does not differ."""
    if known is None:
        return set(read)
    return {name for name in read if name in known and not _alike(name, read[name], known[name])}


def are_same(read: Fingerprints, known: Fingerprints | None) -> bool:
    return known is not None and not differing_fields(read, known)


def _alike(name: str, read: str | bool, known: str | bool) -> bool:
    if read == known:
        return True
    if name not in TIME_FIELDS or not isinstance(read, str) or not isinstance(known, str):
        return False
    return _rounded(read, known)


def _rounded(read: str, known: str) -> bool:
    """Providers that keep whole minutes have changed nothing (R18)."""
    there, ours = read_time(read), read_time(known)
    if not isinstance(there, datetime) or not isinstance(ours, datetime):
        return False
    return there.second == 0 and abs(there - ours) < TIME_ROUNDING


def _text(text: str) -> str:
    return hashlib.sha256(canonical_text(text).encode()).hexdigest()[:16]

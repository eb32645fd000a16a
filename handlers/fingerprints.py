"""Canonical prints: how what was written and what is read are compared, field by field (DESIGN 7.3)."""

import hashlib
import unicodedata
from collections.abc import Collection
from datetime import datetime, timedelta

from contracts.calendar import Prints
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.times import read_time, wire_time
from contracts.vorex import ItemContent, ItemType
from handlers.compose import canonical, one_line, plain_description, prefix, reference

TIME_FIELDS = ("start", "end")
APPOINTMENT_FIELDS = ("title", "description", "location", *TIME_FIELDS, "free", "private")
ROUNDING = timedelta(minutes=1)
NO_EVENT: Prints = dict.fromkeys(APPOINTMENT_FIELDS, False) | {"free": "", "private": ""}
"""The prints of a deletion: like nothing that can be read."""


def print_of_event(event: CronofyEvent | EventFields, item: ItemContent) -> Prints:
    """The prints of what is read or written; a field that was not sent is left out."""
    times: Prints = {"start": wire_time(event.start), "end": wire_time(event.end)}
    if item.type is not ItemType.APPOINTMENT:
        return times
    values = {
        "title": None if event.summary is None else _text(event.summary),
        "description": None if event.description is None else _text(event.description),
        "location": None if event.location is None else _text(event.location),
        **times,
        "free": {"transparent": True, "opaque": False}.get(event.transparency or ""),
        "private": event.event_private,
    }
    return {name: value for name, value in values.items() if value is not None}


def print_of_item(item: ItemContent) -> Prints:
    """The prints of the item's texts as they would be written were there no limits (R12)."""
    last = reference(item)
    return {
        "title": _text(prefix(item) + one_line(item.title)),
        "description": _text(f"{plain_description(item)}\n\n{last}" if last else plain_description(item)),
        "location": _text(item.location),
    }


def bare_title(title: str, item: ItemContent) -> str:
    """The title in canonical form without the account's name (R13)."""
    return canonical(title).removeprefix(unicodedata.normalize("NFC", prefix(item)))


def bare_description(text: str, item: ItemContent) -> str:
    """The description in canonical form without the reference line, wherever it stands by now (R13)."""
    clean, line = canonical(text), canonical(reference(item))
    before, found, after = f"\n{clean}\n".rpartition(f"\n{line}\n") if line else ("", "", "")
    return canonical(f"{before}\n{after}") if found else clean


def differing(read: Prints, known: Prints | None, among: Collection[str] | None = None) -> set[str]:
    """The fields of ``read`` that are not as in ``known``; what either side leaves out does not differ."""
    if known is None:
        return set(read)
    names = read.keys() if among is None else read.keys() & set(among)
    return {name for name in names if name in known and not _alike(name, read[name], known[name])}


def same(read: Prints, known: Prints | None) -> bool:
    return known is not None and not differing(read, known)


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
    return there.second == 0 and abs(there - ours) < ROUNDING


def _text(text: str) -> str:
    return hashlib.sha256(canonical(text).encode()).hexdigest()[:16]

"""What a calendar makes of what is written to it: seen, remembered, and told from a person's edit (R37)."""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from contracts.calendar import CalendarForms, Code, Fingerprints, Link, Origin, ShownText
from contracts.cronofy import CronofyEvent
from contracts.event_fields import EventFields
from contracts.fields import is_visible
from contracts.times import HALF_HOUR
from contracts.vorex import ItemContent
from handlers.fingerprints import (
    TEXT_FIELDS,
    are_alike,
    differing_fields,
    fingerprints_of_event,
    has_no_length,
)
from handlers.judgement import LinkedRow
from handlers.texts.advice import without_advice
from handlers.texts.compose import UNTITLED, compose
from handlers.texts.cut_text import beginning
from handlers.texts.own_marks import OwnMarks
from handlers.texts.skeleton import has_dots, is_beginning, shown_text, skeleton, without_dots_of

_Mark = TypeVar("_Mark")

FORMED_WITHIN_SECONDS = 120.0
"""Seconds after a write was accepted in which its provider, and hardly a person, changes its texts."""
LEAST_CUT = 40
"""Characters of a skeleton that a provider leaves at least where it cuts."""
LEAST_LIMIT = 250
"""From so many characters on a cut is the provider's, whenever it shows."""
MOST_REMEMBERED_MARKS = 4
SHADES = frozenset({"tentative", "out_of_office", "working_elsewhere"})


def seen_forms(forms: CalendarForms, event: CronofyEvent) -> CalendarForms:
    """With what a living row tells beside its texts."""
    shade = event.extended_transparency
    return replace(
        forms,
        keeps_private=forms.keeps_private or event.event_private is True,
        untitled=not is_visible(event.summary or ""),
        no_length=has_no_length(event),
        shade=shade if shade in SHADES else None,
    )


def inherited_forms(forms: CalendarForms, old: CalendarForms) -> CalendarForms:
    """What a new link has seen, with what an earlier one of the same event has learned."""
    return replace(
        forms,
        texts=old.texts,
        accounts=old.accounts,
        references=old.references,
        keeps_private=forms.keeps_private or old.keeps_private,
    )


def with_marks(link: Link, content: ItemContent) -> Link:
    """The link, which remembers what is added to the texts of its item (R13), should that be renamed."""
    marks, forms = OwnMarks.of(content), link.forms
    accounts = _newest((*forms.accounts, *marks.accounts))
    references = _newest((*forms.references, *marks.references))
    if (accounts, references) == (forms.accounts, forms.references):
        return link
    return replace(link, forms=replace(forms, accounts=accounts, references=references))


def _newest(marks: tuple[_Mark, ...]) -> tuple[_Mark, ...]:
    latest = dict.fromkeys(reversed(marks))
    return tuple(reversed(list(latest)[:MOST_REMEMBERED_MARKS]))


def recognised(row: LinkedRow, read: Fingerprints, own: Fingerprints) -> tuple[Fingerprints, Link]:
    """The prints of a row as they were written, where it shows what this calendar makes of that.

    The first reading after an accepted write may teach what that is; the link remembers it.
    """
    link = row.link
    newest = link.writes[-1].prints if link.writes else link.agreed or {}
    known = [each for each in (newest, link.agreed, link.last_read) if each]
    as_written, texts = dict(read), dict(link.forms.texts)
    for name in differing_fields(read, newest) & set(TEXT_FIELDS):
        shown, form = str(read[name]), texts.get(name)
        if form and are_alike(name, shown, form.shown) and _is_among(name, form.written, known):
            as_written[name] = form.written
        elif not _is_among(name, shown, known[1:]):
            learned = _learned(row, name, str(newest[name]), own)
            if learned is not None:
                texts[name] = replace(learned, shown=shown)
                as_written[name] = newest[name]
    if _is_private_lost(link, read, newest):
        as_written["private"] = True
    if texts == link.forms.texts:
        return as_written, link
    return as_written, replace(link, forms=replace(link.forms, texts=texts))


def _is_among(name: str, one: str, known: Iterable[Fingerprints]) -> bool:
    return any(name in each and are_alike(name, one, each[name]) for each in known)


def _is_private_lost(link: Link, read: Fingerprints, newest: Fingerprints) -> bool:
    """Whether the calendar never kept an event private: then it is no person who made it public."""
    kept = link.forms.keeps_private or link.code is Code.PRIVATE
    return read.get("private") is False and newest.get("private") is True and not kept


def _learned(row: LinkedRow, name: str, written_print: str, own: Fingerprints) -> ShownText | None:
    """What the calendar made of a text, if that is what the row shows of it."""
    written, shown = _written(row, name, written_print, own), _shown(row, name)
    if not written:
        return None
    ours, theirs = skeleton(written), skeleton(shown)
    form = ShownText(written=written_print, shown="")
    first = _is_first_reading(row)
    if is_beginning(theirs, ours) and _is_cut(name, theirs, first=first):
        return replace(form, kept=len(without_dots_of(theirs)))
    if first and theirs.startswith(ours) and _may_be_added(name, theirs[len(ours) :]):
        shown = shown_text(shown)
        return replace(form, added=shown[len(beginning(shown, len(ours))) :])
    return None


def _is_cut(name: str, theirs: str, *, first: bool) -> bool:
    """Whether a provider cuts so; a person who shortens a text does it later, and seldom at such a place."""
    if first:
        return len(theirs) >= LEAST_CUT
    return len(theirs) >= LEAST_LIMIT and (name != "description" or has_dots(theirs))


def _may_be_added(name: str, rest: str) -> bool:
    """Where to join, behind a description; the rest of an address, behind a place."""
    return name == "location" or (name == "description" and "://" in rest)


def _is_first_reading(row: LinkedRow) -> bool:
    """Whether the row shows what the newest write has just left there."""
    link = row.link
    if not link.writes or link.writes[-1].accepted_at is None:
        return False
    newest, accepted = link.writes[-1], link.writes[-1].accepted_at
    at = row.updated.timestamp() if row.updated is not None else row.reading.now
    return math.floor(newest.sent_at) <= at <= accepted + FORMED_WITHIN_SECONDS


def _written(row: LinkedRow, name: str, known: str, own: Fingerprints) -> str | None:
    """The text with that print, where it is still known in full."""
    if name in own and are_alike(name, str(own[name]), known):
        return _text(compose(row.content), name)
    desired = row.link.desired
    prints = fingerprints_of_event(desired, row.content) if desired is not None else {}
    return _text(desired, name) if name in prints and are_alike(name, str(prints[name]), known) else None


def _text(fields: EventFields | None, name: str) -> str | None:
    if fields is None:
        return None
    return {"title": fields.summary, "description": fields.description, "location": fields.location}[name]


def _shown(row: LinkedRow, name: str) -> str:
    event = row.event
    told = without_advice(event.description or "", row.content)
    shown = {"title": event.summary, "description": told, "location": event.location}
    return shown[name] or ""


def as_there(link: Link, fields: EventFields) -> EventFields:
    """What is written, where it says no more than the event without a title or a length says already."""
    if link.origin is not Origin.EXTERNAL:
        return fields
    if link.forms.untitled and fields.summary == UNTITLED:
        fields = replace(fields, summary="")
    usual = isinstance(fields.start, datetime) and fields.end - fields.start == HALF_HOUR
    return replace(fields, end=fields.start) if link.forms.no_length and usual else fields


def kept_shade(forms: CalendarForms, fields: EventFields) -> str | None:
    """Out of office, tentative or working elsewhere, where the event is to stay busy."""
    return forms.shade if fields.transparency == "opaque" else None

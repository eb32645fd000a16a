"""The wizard's four steps: what each takes from its form, and what it refuses with a sentence (G6–G9)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from contracts.cronofy import Calendar
from service.integrations.settings_form import FutureRetrieved, FutureSent, Past
from service.web import labels
from service.web.pages.form import Sent
from service.web.pages.wizard_draft import NOT_CHOSEN, Draft

TABS: Mapping[str, str] = {
    "linked-calendar": "Linked Calendar",
    "your-calendar": "Your Calendar",
    "sync-options": "Sync Options",
    "confirmation": "Confirmation",
}
ORDER: Sequence[str] = tuple(TABS)
OPTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "retrieve": {"past": get_args(Past), "future": get_args(FutureRetrieved)},
    "send": {"past": get_args(Past), "future": get_args(FutureSent)},
}
READ_ONLY = "{} is read-only: choose another calendar, or select no calendar items to send."
Errors = dict[str, str]


def merged(tab: str, draft: Draft, form: Sent, calendars: Sequence[Calendar]) -> Draft:
    """The draft with what the form of that step says; what it does not offer stays as it was."""
    if tab == "linked-calendar":
        return _linked_calendar(draft, form, calendars)
    if tab == "your-calendar":
        return replace(draft, item_types=form.boxes(labels.ITEM_TYPES))
    if tab == "sync-options":
        return replace(
            draft,
            retrieve=_option("retrieve", draft.retrieve, form),
            send=_option("send", draft.send, form),
        )
    if tab == "confirmation" and form.text("copies"):
        return replace(draft, copies="move" if form.text("copies") == "move" else "leave")
    return draft


def _linked_calendar(draft: Draft, form: Sent, calendars: Sequence[Calendar]) -> Draft:
    given = form.text("calendar_id")
    chosen = next((one for one in calendars if one.calendar_id == given), None)
    moved = draft.choosing(chosen) if chosen else replace(draft, calendar_id=None, calendar_name=None)
    return replace(moved, event_types=form.boxes(labels.EVENT_TYPES))


def _option(name: str, before: Mapping[str, Any], form: Sent) -> dict[str, Any]:
    """Ranges count only where the option is enabled (G9); a word that is not offered changes nothing."""
    if form.text(name) != "yes":
        return {**before, "enabled": False}
    given = {edge: form.text(f"{name}_{edge}") for edge in ("past", "future")}
    known = {edge: word for edge, word in given.items() if word in OPTIONS[name][edge]}
    return {**before, "enabled": True, **known}


def refused(tab: str, draft: Draft) -> Errors:
    """The sentence beside each field of that step that cannot stay so."""
    return _CHECKS.get(tab, _nothing)(draft)


def _nothing(_: Draft) -> Errors:
    return {}


def _check_calendar(draft: Draft) -> Errors:
    return {} if draft.calendar_id else {"calendar_id": NOT_CHOSEN}


def _check_items(draft: Draft) -> Errors:
    if draft.selects_nothing:
        return {"item_types": labels.COMPLAINTS["nothing_selected"]}
    if draft.read_only and any(draft.item_types.values()):
        return {"item_types": READ_ONLY.format(draft.calendar_name)}
    return {}


_CHECKS: Mapping[str, Callable[[Draft], Errors]] = {
    "linked-calendar": _check_calendar,
    "your-calendar": _check_items,
}


def neighbours(tab: str) -> dict[str, str | None]:
    """The steps before and after."""
    place = ORDER.index(tab)
    return {
        "back": ORDER[place - 1] if place else None,
        "next": ORDER[place + 1] if place + 1 < len(ORDER) else None,
    }


def skips_ahead(tab: str, to: str) -> bool:
    return ORDER.index(to) > ORDER.index(tab)

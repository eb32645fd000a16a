"""The wizard's four steps: what each takes from its form, and what it refuses with a sentence (G6–G9)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from contracts.cronofy import Calendar
from service.integrations.settings_form import FutureRetrieved, FutureSent, PastRange
from service.web import labels
from service.web.pages.form import FieldErrors, FormSubmission
from service.web.pages.wizard_draft import NO_CALENDAR_CHOSEN, SettingsDraft

WIZARD_TABS: Mapping[str, str] = {
    "linked-calendar": "Linked Calendar",
    "your-calendar": "Your Calendar",
    "sync-options": "Sync Options",
    "confirmation": "Confirmation",
}
TAB_ORDER: Sequence[str] = tuple(WIZARD_TABS)
RANGE_OPTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "retrieve": {"past": get_args(PastRange), "future": get_args(FutureRetrieved)},
    "send": {"past": get_args(PastRange), "future": get_args(FutureSent)},
}
CALENDAR_READ_ONLY = "{} is read-only: choose another calendar, or select no calendar items to send."


def merged(
    tab: str, draft: SettingsDraft, form: FormSubmission, calendars: Sequence[Calendar]
) -> SettingsDraft:
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


def _linked_calendar(
    draft: SettingsDraft, form: FormSubmission, calendars: Sequence[Calendar]
) -> SettingsDraft:
    given = form.text("calendar_id")
    chosen = next((one for one in calendars if one.calendar_id == given), None)
    moved = draft.choosing(chosen) if chosen else replace(draft, calendar_id=None, calendar_name=None)
    return replace(moved, event_types=form.boxes(labels.EVENT_TYPES))


def _option(name: str, before: Mapping[str, Any], form: FormSubmission) -> dict[str, Any]:
    """Ranges count only where the option is enabled (G9); a word that is not offered changes nothing."""
    if form.text(name) != "yes":
        return {**before, "enabled": False}
    given = {edge: form.text(f"{name}_{edge}") for edge in ("past", "future")}
    known = {edge: word for edge, word in given.items() if word in RANGE_OPTIONS[name][edge]}
    return {**before, "enabled": True, **known}


def refused(tab: str, draft: SettingsDraft) -> FieldErrors:
    """The sentence beside each field of that step that cannot stay so."""
    return _CHECKS.get(tab, _nothing)(draft)


def _nothing(_: SettingsDraft) -> FieldErrors:
    return {}


def _check_calendar(draft: SettingsDraft) -> FieldErrors:
    return {} if draft.calendar_id else {"calendar_id": NO_CALENDAR_CHOSEN}


def _check_items(draft: SettingsDraft) -> FieldErrors:
    if draft.selects_nothing:
        return {"item_types": labels.COMPLAINTS["nothing_selected"]}
    if draft.read_only and any(draft.item_types.values()):
        return {"item_types": CALENDAR_READ_ONLY.format(draft.calendar_name)}
    return {}


_CHECKS: Mapping[str, Callable[[SettingsDraft], FieldErrors]] = {
    "linked-calendar": _check_calendar,
    "your-calendar": _check_items,
}


def neighbours(tab: str) -> dict[str, str | None]:
    """The steps before and after."""
    place = TAB_ORDER.index(tab)
    return {
        "back": TAB_ORDER[place - 1] if place else None,
        "next": TAB_ORDER[place + 1] if place + 1 < len(TAB_ORDER) else None,
    }


def skips_ahead(tab: str, to: str) -> bool:
    return TAB_ORDER.index(to) > TAB_ORDER.index(tab)

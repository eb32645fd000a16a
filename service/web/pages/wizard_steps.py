"""The wizard's four steps: what each takes from its form, and what it refuses with a sentence (G6–G9)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

from contracts.cronofy import Calendar
from contracts.limits import LONGEST_NAME
from contracts.times import ONE_DAY
from handlers.runs import DaySpan, span_of
from service.integrations.settings_form import FutureRetrieved, FutureSent, PastRange
from service.web import labels
from service.web.catalogue import Texts, gettext
from service.web.locales import DEFAULT_PREFERENCES, LocalePreferences
from service.web.pages.form import FieldErrors, FormSubmission
from service.web.pages.wizard_draft import NO_CALENDAR_CHOSEN, SettingsDraft

WIZARD_TABS: Mapping[str, str] = Texts(
    {
        "linked-calendar": "Linked Calendar",
        "your-calendar": "Your Calendar",
        "sync-options": "Sync Options",
        "confirmation": "Confirmation",
    }
)
TAB_ORDER: Sequence[str] = tuple(WIZARD_TABS)
RANGE_OPTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "retrieve": {"past": get_args(PastRange), "future": get_args(FutureRetrieved)},
    "send": {"past": get_args(PastRange), "future": get_args(FutureSent)},
}
ID_END_SHOWN = 6
"""Characters of a calendar's id that tell it from another of its name."""


def merged(
    tab: str, draft: SettingsDraft, form: FormSubmission, calendars: Sequence[Calendar]
) -> SettingsDraft:
    """The draft with what the form of that step says; what it does not offer stays as it was."""
    if tab == "linked-calendar":
        return _linked_calendar(draft, form, calendars)
    if tab == "your-calendar":
        boxes = form.boxes(labels.EVENT_DETAILS)
        return replace(draft, item_types=form.boxes(labels.ITEM_TYPES), event_details=boxes)
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
    name = form.text("own_name").strip()[:LONGEST_NAME]
    return replace(moved, event_types=form.boxes(labels.EVENT_TYPES), own_name=name)


def calendar_labels(calendars: Sequence[Calendar]) -> Mapping[str, str]:
    """What each is called where it is chosen, by its id; two of one name by the end of their ids, too."""
    names = Counter(one.name for one in calendars)
    return {one.calendar_id: _label(one, alone=names[one.name] == 1) for one in calendars}


def _label(calendar: Calendar, *, alone: bool) -> str:
    marks = [] if alone else [f"…{calendar.calendar_id[-ID_END_SHOWN:]}"]
    marks += [gettext("main calendar")] if calendar.primary and not alone else []
    marks += [gettext("read-only")] if calendar.read_only else []
    return f"{calendar.name} ({', '.join(marks)})" if marks else calendar.name


def range_days(
    option: Mapping[str, Any],
    *,
    now: datetime,
    time_zone: str,
    locale: LocalePreferences = DEFAULT_PREFERENCES,
) -> str:
    """The days of a range as the person reads them: 15–29 Nov."""
    span = span_of(option, now=now, time_zone=time_zone)
    return locale.days_of_year(span.first, span.beyond - ONE_DAY)


def _last_day(span: DaySpan, locale: LocalePreferences) -> str:
    last = span.beyond - ONE_DAY
    return locale.days_of_year(last, last) if last.year == span.first.year else locale.short_day(last)


def range_edges(
    name: str, *, now: datetime, time_zone: str, locale: LocalePreferences = DEFAULT_PREFERENCES
) -> Mapping[str, Mapping[str, str]]:
    """The day that each word of that option's ranges means, by edge and word, as the person writes it."""
    words = RANGE_OPTIONS[name]
    back = {
        word: span_of({"past": word, "future": "today"}, now=now, time_zone=time_zone)
        for word in words["past"]
    }
    ahead = {
        word: span_of({"past": "today", "future": word}, now=now, time_zone=time_zone)
        for word in words["future"]
    }
    return {
        "past": {word: locale.days_of_year(span.first, span.first) for word, span in back.items()},
        "future": {word: _last_day(span, locale) for word, span in ahead.items()},
    }


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
    return {} if draft.calendar_id else {"calendar_id": gettext(NO_CALENDAR_CHOSEN)}


def read_only_sentence(draft: SettingsDraft) -> str:
    """Why nothing can be sent to the chosen calendar."""
    return gettext(
        "%(calendar)s is read-only: choose another calendar, or select no calendar items to send.",
        calendar=draft.calendar_name,
    )


def _check_items(draft: SettingsDraft) -> FieldErrors:
    if draft.selects_nothing:
        return {"item_types": labels.COMPLAINTS["nothing_selected"]}
    if draft.read_only and any(draft.item_types.values()):
        return {"item_types": read_only_sentence(draft)}
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

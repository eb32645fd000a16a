"""Templates into answers: escaped, in the person's time zone, with a form token wherever a form is."""

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal
from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import pass_context
from jinja2.runtime import Context

from contracts.fields import rfc3339
from service.integrations.telling.agreement import WHY_WORDS
from service.web import labels
from service.web.catalogue import Texts, gettext, grouped, ngettext, npgettext, pgettext, spoken
from service.web.catalogue.told import told
from service.web.cookies import left_unsaid, note_said
from service.web.help_links import help_address
from service.web.locales import DEFAULT_PREFERENCES, LocalePreferences, preferences_of
from service.web.tokens import Visitor

SECONDS_A_MINUTE, SECONDS_AN_HOUR, LONG_WAIT_SECONDS = 60, 3600, 7200
MOMENT_FIELDS = ("at", "first_failed_at", "last_failed_at")
LIST_FIELDS = ("attempts", "acts")

WEB_FOLDER = Path(__file__).parent
WHY_DIFFERENT = Texts(WHY_WORDS)
TEMPLATES = Jinja2Templates(directory=WEB_FOLDER / "templates")
FORM_TOKEN = "form_token"  # noqa: S105 -- the name of a hidden field


def render_page(
    request: Request, name: str, *, status: int = 200, among: Jinja2Templates | None = None, **values: Any
) -> Response:
    """The template as an answer; ``request.state.visitor`` is whom it greets."""
    visitor = getattr(request.state, "visitor", None)
    zone = visitor.time_zone if visitor else "UTC"
    token = ""
    if visitor and visitor.session:
        token = request.app.state.services.tokens.form_token(visitor.session)
    troubles = getattr(request.state, "troubles", ())
    notices = getattr(request.state, "weather", ())
    known = {"visitor": visitor, "zone": zone, "troubles": troubles, "weather": notices, FORM_TOKEN: token}
    known |= values
    known |= {"locale": locale_of(request, visitor), "language": spoken(), **left_unsaid(request)}
    answer = (among or TEMPLATES).TemplateResponse(request, name, known, status_code=status)
    note_said(request, answer)
    return answer


@cache
def static_address(name: str) -> str:
    """The address of a file of ours, another one whenever its bytes are."""
    print_ = hashlib.sha256((WEB_FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={print_}"


def locale_of(request: Request, visitor: Visitor | None) -> LocalePreferences:
    """How whoever asks writes times: as Vorex says, else as the browser does (R49)."""
    accepted = request.headers.get("Accept-Language", "")
    if visitor is None:
        return preferences_of(None, accepted)
    return preferences_of(
        visitor.locale, accepted, hour_cycle=visitor.hour_cycle, week_start=visitor.week_start
    )


def format_seconds(at: datetime, zone: str, locale: LocalePreferences = DEFAULT_PREFERENCES) -> str:
    """A moment of the day, as exact as a wait needs it."""
    return locale.clock_with_seconds(at.astimezone(ZoneInfo(zone)))


def format_value(given: object, zone: str, locale: LocalePreferences = DEFAULT_PREFERENCES) -> str:
    """A field's value that was not kept, as a person reads it."""
    if not isinstance(given, str):
        return gettext("Yes") if given else gettext("No")
    try:
        at = datetime.fromisoformat(given) if "T" in given else date.fromisoformat(given)
        return format_when(at, zone, locale)
    except (OverflowError, ValueError):
        return given


def format_when(at: date, zone: str, locale: LocalePreferences = DEFAULT_PREFERENCES) -> str:
    """A moment, or a whole day."""
    if isinstance(at, datetime):
        return locale.moment(at.astimezone(ZoneInfo(zone)))
    return gettext("%(day)s, all day", day=locale.short_day(at))


def format_span(
    times: tuple[date, date | None], zone: str, locale: LocalePreferences = DEFAULT_PREFERENCES
) -> str:
    """From one moment or day to another, which may not be known."""
    start, end = times
    if isinstance(start, datetime) and isinstance(end, datetime):
        return locale.span(start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone)))
    return " – ".join(format_when(at, zone, locale) for at in times if at)


def format_tenths(number: float) -> str:
    """A number with one digit behind its point, so written."""
    return format_decimal(number, "#,##0.0", locale=spoken())


def format_number(number: float) -> str:
    """A number as exact as it is told, to a thousandth."""
    return format_decimal(number, locale=spoken())


def _filter(form: Callable[..., str]) -> Callable[..., str]:
    """A filter that writes as the reader of the page does."""

    @pass_context
    def in_the_readers_way(context: Context, value: Any, *more: str) -> str:
        return form(context.get("locale", DEFAULT_PREFERENCES), value, *more)

    return in_the_readers_way


def wait_words(seconds: float) -> str:
    """A wait as people say it, rounded up."""
    if (whole := math.ceil(seconds)) < SECONDS_A_MINUTE:
        return ngettext("%(number)s second", "%(number)s seconds", max(1, whole), number=max(1, whole))
    if seconds < LONG_WAIT_SECONDS:
        minutes = math.ceil(seconds / SECONDS_A_MINUTE)
        return ngettext("%(number)s minute", "%(number)s minutes", minutes, number=minutes)
    hours = math.ceil(seconds / SECONDS_AN_HOUR)
    return ngettext("%(number)s hour", "%(number)s hours", hours, number=hours)


def range_words(chosen: Mapping[str, str]) -> str:
    """How far back and ahead a run looks."""
    past, future = labels.RANGES[chosen["past"]], labels.RANGES[chosen["future"]]
    return gettext("past: %(past)s, future: %(future)s", past=past, future=future)


TEMPLATES.env.add_extension("jinja2.ext.i18n")
TEMPLATES.env.policies["ext.i18n.trimmed"] = True
TEMPLATES.env.install_gettext_callables(  # type: ignore[attr-defined]
    gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext
)
TEMPLATES.env.trim_blocks = TEMPLATES.env.lstrip_blocks = True
TEMPLATES.env.globals |= {
    "help_address": help_address, "static": static_address, "words": labels,
}  # fmt: skip
TEMPLATES.env.filters |= {
    "clock": _filter(lambda locale, at, zone: locale.clock(at.astimezone(ZoneInfo(zone)))),
    "decimal": format_number,
    "exact": _filter(lambda locale, at, zone: locale.exact_moment(at.astimezone(ZoneInfo(zone)))),
    "said_why": _filter(
        lambda locale, pair, zone: pair.said(
            lambda at: locale.moment(at.astimezone(ZoneInfo(zone))), WHY_DIFFERENT
        )
    ),
    "iso": rfc3339,
    "joined": labels.joined,
    "long_day": _filter(LocalePreferences.long_day),
    "number": grouped,
    "moment": _filter(lambda locale, at, zone: locale.moment(at.astimezone(ZoneInfo(zone)))),
    "range_words": range_words,
    "short_day": _filter(LocalePreferences.short_day),
    "span": _filter(lambda locale, times, zone: format_span(times, zone, locale)),
    "tenths": format_tenths,
    "told": told,
    "value": _filter(lambda locale, given, zone: format_value(given, zone, locale)),
    "wait": wait_words,
    "when": _filter(lambda locale, at, zone: format_when(at, zone, locale)),
}


def with_moments(form: Mapping[str, Any]) -> dict[str, Any]:
    """A letter or a group as the API tells it, with moments that a page can show."""
    shown = {name: datetime.fromisoformat(form[name]) for name in MOMENT_FIELDS if name in form}
    stories = {name: [with_moments(one) for one in form[name]] for name in LIST_FIELDS if name in form}
    return {**form, **shown, **stories}

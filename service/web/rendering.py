"""Templates into answers: escaped, in the person's time zone, with a form token wherever a form is."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates

from contracts.fields import rfc3339
from service.web import labels

MOMENT_FIELDS = ("at", "first_failed_at", "last_failed_at")
LIST_FIELDS = ("attempts", "acts")

WEB_FOLDER = Path(__file__).parent
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
    known = {"visitor": visitor, "zone": zone, FORM_TOKEN: token, **values}
    return (among or TEMPLATES).TemplateResponse(request, name, known, status_code=status)


@cache
def static_address(name: str) -> str:
    """The address of a file of ours, another one whenever its bytes are."""
    print_ = hashlib.sha256((WEB_FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={print_}"


def format_moment(at: datetime, zone: str) -> str:
    """A point in time as the person's clock shows it."""
    return f"{day_words(at.astimezone(ZoneInfo(zone)))}, {format_time(at, zone)}"


def format_time(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M}"


def format_seconds(at: datetime, zone: str) -> str:
    """A moment of the day, as exact as a story needs it."""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def format_value(given: object, zone: str) -> str:
    """A field's value that was not kept, as a person reads it."""
    if not isinstance(given, str):
        return "Yes" if given else "No"
    try:
        return format_when(datetime.fromisoformat(given) if "T" in given else date.fromisoformat(given), zone)
    except ValueError:
        return given


def format_when(at: date, zone: str) -> str:
    """A moment, or a whole day."""
    return format_moment(at, zone) if isinstance(at, datetime) else f"{day_words(at)}, all day"


def day_words(day: date) -> str:
    """3 December 2026, shortened as a list needs it."""
    return f"{day.day} {day:%b %Y}"


def long_day(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B %Y}"


def range_words(chosen: Mapping[str, str]) -> str:
    """How far back and ahead a run looks."""
    past, future = labels.RANGES[chosen["past"]], labels.RANGES[chosen["future"]]
    return f"past: {past}, future: {future}"


TEMPLATES.env.trim_blocks = TEMPLATES.env.lstrip_blocks = True
TEMPLATES.env.globals |= {"static": static_address, "words": labels}
TEMPLATES.env.filters |= {
    "clock": format_time,
    "day_words": day_words,
    "iso": rfc3339,
    "joined": labels.joined,
    "long_day": long_day,
    "moment": format_moment,
    "range_words": range_words,
    "seconds": format_seconds,
    "value": format_value,
    "when": format_when,
}


def with_moments(form: Mapping[str, Any]) -> dict[str, Any]:
    """A letter or a group as the API tells it, with moments that a page can show."""
    shown = {name: datetime.fromisoformat(form[name]) for name in MOMENT_FIELDS if name in form}
    stories = {name: [with_moments(one) for one in form[name]] for name in LIST_FIELDS if name in form}
    return {**form, **shown, **stories}

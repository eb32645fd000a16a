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

MOMENTS = ("at", "first_failed_at", "last_failed_at")
STORIES = ("attempts", "acts")

HERE = Path(__file__).parent
TEMPLATES = Jinja2Templates(directory=HERE / "templates")
FORM_TOKEN = "form_token"  # noqa: S105 -- the name of a hidden field


def page(
    request: Request, name: str, *, status: int = 200, among: Jinja2Templates | None = None, **values: Any
) -> Response:
    """The template as an answer; ``request.state.visitor`` is whom it greets."""
    visitor = getattr(request.state, "visitor", None)
    zone = visitor.time_zone if visitor else "UTC"
    token = ""
    if visitor and visitor.session:
        token = request.app.state.desk.passes.form_token(visitor.session)
    known = {"visitor": visitor, "zone": zone, FORM_TOKEN: token, **values}
    return (among or TEMPLATES).TemplateResponse(request, name, known, status_code=status)


@cache
def static(name: str) -> str:
    """The address of a file of ours, another one whenever its bytes are."""
    print_ = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={print_}"


def moment(at: datetime, zone: str) -> str:
    """A point in time as the person's clock shows it."""
    return f"{day_words(at.astimezone(ZoneInfo(zone)))}, {clock(at, zone)}"


def clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M}"


def seconds(at: datetime, zone: str) -> str:
    """A moment of the day, as exact as a story needs it."""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"


def value(given: object, zone: str) -> str:
    """A field's value that was not kept, as a person reads it."""
    if not isinstance(given, str):
        return "Yes" if given else "No"
    try:
        return when(datetime.fromisoformat(given) if "T" in given else date.fromisoformat(given), zone)
    except ValueError:
        return given


def when(at: date, zone: str) -> str:
    """A moment, or a whole day."""
    return moment(at, zone) if isinstance(at, datetime) else f"{day_words(at)}, all day"


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
TEMPLATES.env.globals |= {"static": static, "words": labels}
TEMPLATES.env.filters |= {
    "clock": clock,
    "day_words": day_words,
    "iso": rfc3339,
    "joined": labels.joined,
    "long_day": long_day,
    "moment": moment,
    "range_words": range_words,
    "seconds": seconds,
    "value": value,
    "when": when,
}


def told_moments(form: Mapping[str, Any]) -> dict[str, Any]:
    """A letter or a group as the API tells it, with moments that a page can show."""
    shown = {name: datetime.fromisoformat(form[name]) for name in MOMENTS if name in form}
    stories = {name: [told_moments(one) for one in form[name]] for name in STORIES if name in form}
    return {**form, **shown, **stories}

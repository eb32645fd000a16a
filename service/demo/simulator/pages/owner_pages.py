"""The linked calendar as its provider shows it: its owner adds, moves and deletes events."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from service.demo.simulator.calendars import owner
from service.demo.simulator.calendars.owner import OwnerError
from service.demo.simulator.model import PROVIDER_KINDS, ProviderCalendar
from service.demo.simulator.pages import diary
from service.demo.simulator.pages.diary import EventForm
from service.demo.simulator.routing import Endpoint, route
from service.demo.simulator.times import find_zone
from service.demo.simulator.world import SimulatedWorld

SIMULATOR_FOLDER = Path(__file__).parents[1]
SEE_OTHER, FORBIDDEN, PAGE_NOT_FOUND, FORM_INVALID = 303, 403, 404, 422
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
)
DIARY_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TEMPLATES = Jinja2Templates(directory=SIMULATOR_FOLDER / "templates")
_TEMPLATES.env.trim_blocks = _TEMPLATES.env.lstrip_blocks = True

OwnerAct = Callable[["_OwnersCalendar", Mapping[str, Any]], None]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _OwnersCalendar:
    """One calendar's owner at their calendar program."""

    world: SimulatedWorld
    request: Request
    calendar: ProviderCalendar
    calendar_id: str

    @property
    def uid(self) -> str:
        return self.request.query_params.get("uid", "")

    def address(self, path: str = "", **query: str) -> str:
        given = {name: value for name, value in query.items() if value}
        return f"/owner/{self.calendar_id}{path}" + (f"?{urlencode(given)}" if given else "")

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        word = PROVIDER_KINDS[self.calendar.mailbox.provider][2]
        known = {"calendar": self.calendar, "provider": word, "address": self.address, **values}
        return _page(self.request, name, status, **known)


def owner_routes(world: SimulatedWorld) -> list[BaseRoute]:
    """Beside Cronofy's addresses, which are others."""
    base = "/owner/{calendar_id}"
    return [
        Mount("/provider", StaticFiles(directory=SIMULATOR_FOLDER / "static")),
        route("/", _list(world)),
        route(base, _shown(world, _month)),
        route(f"{base}/event", _shown(world, _form)),
        route(f"{base}/event", _done(world, _save), methods=("POST",)),
        route(f"{base}/event/delete", _done(world, _delete), methods=("POST",)),
        route(f"{base}/event/move", _done(world, _move), methods=("POST",)),
    ]


def _page(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    answer = _TEMPLATES.TemplateResponse(request, name, values, status_code=status)
    answer.headers["Content-Security-Policy"] = CONTENT_POLICY
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _list(world: SimulatedWorld) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        words = {name: word for name, (_, _, word) in PROVIDER_KINDS.items()}
        return _page(request, "calendars.html", mailboxes=world.mailboxes.values(), words=words)

    return endpoint


def _opened(world: SimulatedWorld, request: Request) -> _OwnersCalendar | None:
    world.catch_up()
    calendar_id = request.path_params["calendar_id"]
    try:
        calendar = world.calendar(calendar_id)
    except LookupError:
        return None
    return _OwnersCalendar(world=world, request=request, calendar=calendar, calendar_id=calendar_id)


def _missing(request: Request) -> Response:
    return _page(request, "missing.html", PAGE_NOT_FOUND)


def _shown(world: SimulatedWorld, show: Callable[[_OwnersCalendar], Response]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        desk = _opened(world, request)
        return _missing(request) if desk is None else show(desk)

    return endpoint


def _month(desk: _OwnersCalendar) -> Response:
    now, zone = desk.world.clock.now(), desk.calendar.mailbox.zone
    month = diary.read_month(desk.request.query_params.get("month", ""), now, zone)
    return desk.page(
        "month_of_owner.html",
        month=month,
        weekdays=DIARY_WEEKDAYS,
        weeks=diary.weeks(desk.calendar, month, now),
        before=f"{diary.previous_month(month):%Y-%m}",
        after=f"{diary.next_month(month):%Y-%m}",
    )


def _form(desk: _OwnersCalendar) -> Response:
    """A new event on a day, or a known one."""
    zone = find_zone(desk.calendar.mailbox.zone) or UTC
    if desk.uid:
        event = desk.calendar.events.get(desk.uid)
        if event is None:
            return _missing(desk.request)
        return _form_page(desk, EventForm.of(event, zone), series=event.series)
    try:
        day = date.fromisoformat(desk.request.query_params.get("day", ""))
    except ValueError:
        day = datetime.fromtimestamp(desk.world.clock.now(), zone).date()
    return _form_page(desk, EventForm.on(day))


def _form_page(
    desk: _OwnersCalendar, form: EventForm, *, wrong: str = "", series: str | None = None
) -> Response:
    status = FORM_INVALID if wrong else 200
    return desk.page("event_of_owner.html", status, form=form, uid=desk.uid, wrong=wrong, series=series)


def _done(world: SimulatedWorld, act: OwnerAct) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return Response("Another site sent this.", FORBIDDEN)
        desk = _opened(world, request)
        if desk is None:
            return _missing(request)
        fields = await request.form()
        try:
            act(desk, fields)
        except OwnerError as error:
            return _form_page(desk, EventForm.sent(fields), wrong=str(error))
        month = str(fields.get("start_day") or fields.get("day") or "")[:7]
        return RedirectResponse(desk.address(month=month), SEE_OTHER)

    return endpoint


def _save(desk: _OwnersCalendar, fields: Mapping[str, Any]) -> None:
    given = EventForm.sent(fields).fields(desk.calendar.mailbox.zone)
    if desk.uid:
        owner.change(desk.world, desk.calendar, desk.uid, given)
    else:
        owner.add(desk.world, desk.calendar, given)


def _delete(desk: _OwnersCalendar, _: Mapping[str, Any]) -> None:
    owner.delete(desk.world, desk.calendar, desk.uid)


def _move(desk: _OwnersCalendar, fields: Mapping[str, Any]) -> None:
    event = owner.find(desk.calendar, desk.uid)
    given = diary.moved(event, str(fields.get("day", "")), desk.calendar.mailbox.zone)
    owner.change(desk.world, desk.calendar, desk.uid, given)

"""Plain pages that show how things stand; everything they lead to can be done through the API as well."""

from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from service.accounts.refusals import Unknown
from service.web.desk import AtDesk, Known
from service.web.paging import OfIntegration, bounds
from service.web.shapes import integration_form, item_form

TEMPLATES = Jinja2Templates(directory=Path(__file__).parent / "templates")
_WORDS = {
    "create": "Create",
    "update": "Update",
    "delete": "Delete",
    "appointment": "Appointments",
    "crm_activity": "CRM Activities",
    "service_call": "Service Calls",
    "task": "Tasks",
    "todo": "To Dos",
}
TEMPLATES.env.filters["checked"] = lambda boxes: ", ".join(_WORDS[name] for name, on in boxes.items() if on)
NOTICES = {"refused": "Access was not allowed. Nothing was saved."}
MONTH = timedelta(days=31)
MOST = 200
TABS = ("linked-calendar", "your-calendar", "sync-options", "confirmation")

router = APIRouter(include_in_schema=False)


@router.get("/")
async def first_page() -> Response:
    return RedirectResponse("/calendar-sync", HTTPStatus.SEE_OTHER)


@router.get("/calendar-sync")
async def list_page(request: Request, desk: AtDesk, visitor: Known, notice: str = "") -> Response:
    """The list of the person's integrations (G4, G16)."""
    shown = await desk.accounts.listed(visitor.person.owner, limit=MOST)
    integrations = [integration_form(one) for one in shown]
    return _page(request, "list.html", integrations=integrations, notice=NOTICES.get(notice))


@router.get("/calendar-sync/{integration_id}/settings/{tab}")
async def settings_page(
    request: Request, desk: AtDesk, visitor: Known, integration_id: OfIntegration, tab: str
) -> Response:
    """What is set, and how to set it (G6)."""
    if tab not in TABS:
        raise Unknown("There is no such page.")
    shown = await desk.accounts.get(visitor.person.owner, integration_id)
    return _page(request, "settings.html", integration=integration_form(shown), tab=tab)


@router.get("/my-calendar")
async def my_calendar_page(request: Request, desk: AtDesk, visitor: Known) -> Response:
    """The items of the next month, with the button to Calendar Sync (G4)."""
    today = desk.clock.now()
    first, last = bounds(today.date().isoformat(), (today + MONTH).date().isoformat(), visitor.time_zone)
    found = await desk.my_calendar.items(visitor.person, since=first, until=last, limit=MOST)
    return _page(request, "my_calendar.html", items=[item_form(item) for item, _ in found])


def _page(request: Request, name: str, **values: Any) -> Response:
    return TEMPLATES.TemplateResponse(request, name, values)

"""Which service calls the next clock changes touch, for whoever plans them: times alone (R47, R49)."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from handlers.forecasts.clock_changes import Clash, MovedItem
from service.integrations.telling.clock_forecast import TechnicianForecast
from service.web.catalogue import Texts
from service.web.dependencies import Services
from service.web.labels import LabelTexts
from service.web.pages.calendar.clock_changes import CLOCK_CLASHES, TimeWriter
from service.web.pages.tenant.visitors import Administrator
from service.web.paths import ADMINISTRATION_PATH
from service.web.rendering import locale_of, render_page

CLOCK_MOVES: LabelTexts = Texts(
    {
        "call": "The service call moves; before, it was here:",
        "meeting": "The meeting moves; before, it was here:",
    }
)
router = APIRouter(prefix=ADMINISTRATION_PATH)


@router.get("/clock-changes")
async def technicians_clock_changes(request: Request, services: Services, visitor: Administrator) -> Response:
    """Technician by technician: the call, what it meets, and how the two stood before."""
    found = await services.clock_forecast.of_technicians(visitor.tenant_id, now=services.clock.now())
    locale = locale_of(request, visitor)
    return render_page(
        request,
        "tenant_clock_changes.html",
        technicians=[
            {
                "user_id": one.user_id,
                "zone": one.zone,
                "rows": list(_rows(one, TimeWriter(zone=one.zone, locale=locale))),
            }
            for one in found
        ],
        here="administration",
    )


def _rows(technician: TechnicianForecast, writer: TimeWriter) -> Iterator[Mapping[str, Any]]:
    for moved in technician.moved:
        for clash in moved.clashes:
            yield _row(moved, clash, writer)


def _row(moved: MovedItem, clash: Clash, writer: TimeWriter) -> Mapping[str, Any]:
    call, other = (clash.moved, clash.other) if clash.moved.is_call else (clash.other, clash.moved)
    return {
        "call": writer.span(call),
        "other": writer.span(other),
        "moves": CLOCK_MOVES["call" if clash.moved.is_call else "meeting"],
        "before": writer.span(moved.before),
        "kind": CLOCK_CLASHES[clash.kind.value],
        "changed_at": writer.moment(moved.changed_at),
        "changing_zone": moved.changing_zone,
    }

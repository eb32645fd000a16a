"""*Watch first*: one page says what would have happened, and *Begin* starts for real."""

from fastapi import APIRouter, Request, Response

from service.integrations import views
from service.integrations.refusals import Conflict
from service.integrations.watching import report
from service.web.dependencies import Services
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page

router = APIRouter(prefix=INTEGRATIONS_PATH)


@router.get("/{integration_id}/watching")
async def watching_page(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    integration_id: IntegrationPathId,
) -> Response:
    """Counts by direction, action and type of item, what would not have been done and why, and samples."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    return render_page(
        request,
        "watching.html",
        one=integration_card(shown),
        told=await report(services.store, shown, masked=False),
        runs_first=bool(shown.retrieve["enabled"] or shown.send["enabled"]),
        here="calendar-sync",
    )


@router.post("/{integration_id}/watch")
async def watch(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """*Watch first* on the card."""
    try:
        await services.switching.watch(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(f"{INTEGRATIONS_PATH}/{integration_id}/watching")


@router.post("/{integration_id}/begin")
async def begin(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """*Begin*: for real from here."""
    try:
        await services.switching.activate(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(INTEGRATIONS_PATH, notice="activated")

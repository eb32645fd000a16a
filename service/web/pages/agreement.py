"""Which pairs of both sides differ, and why, with *Check now* (R51)."""

from fastapi import APIRouter, Request, Response

from service.integrations import views
from service.integrations.refusals import Conflict
from service.integrations.telling.agreement import list_differing
from service.web.dependencies import Services
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.paging import IdCursor, IntegrationPathId
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page

DIFFERING_ON_A_PAGE = 200
router = APIRouter(prefix=INTEGRATIONS_PATH)


@router.get("/{integration_id}/agreement")
async def agreement_page(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    integration_id: IntegrationPathId,
    after: IdCursor,
) -> Response:
    """The sentence of the list, and each pair that it does not count."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    page = await list_differing(
        services.store, shown.integration, masked=False, after=after, limit=DIFFERING_ON_A_PAGE
    )
    return render_page(
        request,
        "agreement.html",
        one=integration_card(shown),
        rows=page.rows,
        following=page.following,
        first=after is None,
        here="calendar-sync",
    )


@router.post("/{integration_id}/agreement")
async def check_now(services: Services, form: SentForm, integration_id: IntegrationPathId) -> Response:
    """*Check now*: both sides are compared, once a minute at most (R44)."""
    try:
        await services.syncing.compare(form.visitor.person.owner, integration_id)
    except Conflict as conflict:
        return redirect_to(INTEGRATIONS_PATH, complaint=conflict.code)
    return redirect_to(INTEGRATIONS_PATH, notice="comparing")

"""What undoing a sync would do, item by item, before it is done (R50)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.integrations import views
from service.integrations.refusals import Conflict, Unknown
from service.store.runs.runs import RunRow
from service.web.dependencies import Services, WebServices
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.redirect import redirect_to
from service.web.paging import IntegrationPathId, is_id
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page
from service.web.tokens import Visitor

CHANGES_A_PAGE = 100
LONGEST_CURSOR = 64
router = APIRouter(prefix=f"{INTEGRATIONS_PATH}/{{integration_id}}")


@router.get("/runs/{run}/undo")
async def ask_before_undoing(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    integration_id: IntegrationPathId,
    run: str,
    after: Annotated[str | None, Query(max_length=LONGEST_CURSOR)] = None,
) -> Response:
    """What would be put back on either side, and what would be left and why."""
    owner = visitor.person.owner
    shown = await views.get_integration(services.store, owner, integration_id)
    row = await _of(services, visitor, integration_id, run)
    try:
        with services.undo_pace.turn(visitor):
            page = await services.undoing.rehearse(owner, run, after=after, limit=CHANGES_A_PAGE)
            forecast = await services.undoing.forecast(owner, run) if after is None else None
    except Conflict as conflict:
        return redirect_to(_address(integration_id, run), complaint=_complaint(conflict))
    return render_page(
        request,
        "run_undo.html",
        one=integration_card(shown),
        run=row,
        forecast=forecast,
        rows=page.rows,
        following=page.following,
        first=after is None,
        here="calendar-sync",
    )


@router.post("/runs/{run}/undo")
async def undo(
    services: Services, form: SentForm, *, integration_id: IntegrationPathId, run: str
) -> Response:
    """Begin it; on to the run that does it."""
    visitor = form.visitor
    await _of(services, visitor, integration_id, run)
    try:
        undoing = await services.undoing.start(visitor.person.owner, run, started_by=visitor.user_id)
    except Conflict as conflict:
        return redirect_to(_address(integration_id, run), complaint=_complaint(conflict))
    return redirect_to(_address(integration_id, undoing), notice="undoing")


async def _of(services: WebServices, visitor: Visitor, integration_id: str, run: str) -> RunRow:
    if is_id(run):
        row = await services.syncing.shown(visitor.person.owner, run)
        if row["integration_id"] == integration_id:
            return row
    raise Unknown("There is no such run.")


def _address(integration_id: str, run: str) -> str:
    return f"{INTEGRATIONS_PATH}/{integration_id}/runs/{run}"


def _complaint(conflict: Conflict) -> str:
    return "nothing_to_undo" if conflict.code == "not_editable" else conflict.code

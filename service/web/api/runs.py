"""Runs as JSON: start, see, cancel."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response

from service.integrations.refusals import Unknown
from service.integrations.settings_form import SyncRequest
from service.store.runs.runs import RunRow
from service.web.api.integrations import owner_seen_by
from service.web.dependencies import Services, SignedInVisitor
from service.web.paging import DEFAULT_PAGE, IdCursor, IntegrationPathId, PageLimit, is_id
from service.web.schemas import Listed, RunShape, StartedShape, UndoShape, page_form, run_form, undo_form

router = APIRouter(tags=["runs"])


def _run_id(run: str) -> str:
    """Anything that is no id names no run."""
    if not is_id(run):
        raise Unknown("There is no such run.")
    return run


RunPathId = Annotated[str, Depends(_run_id)]
RunRanges = Annotated[
    SyncRequest | None, Body(examples=[{"retrieve": {"past": "1_week", "future": "1_month"}, "send": None}])
]


@router.post(
    "/integrations/{integration_id}/sync", status_code=HTTPStatus.ACCEPTED, response_model=StartedShape
)
async def sync_now(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, ranges: RunRanges = None
) -> dict[str, Any]:
    """Start a run; without a body in both directions, with the last ranges (G12)."""
    owner = visitor.person.owner
    run_id = await services.syncing.start(owner, integration_id, ranges, started_by=visitor.user_id)
    return {"run_id": run_id}


@router.get("/integrations/{integration_id}/runs", response_model=Listed[RunShape])
async def list_runs(
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    after: IdCursor,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """The integration's runs, newest first."""
    owner = owner_seen_by(visitor)
    return page_form(await services.syncing.listed(owner, integration_id, after=after, limit=limit), run_form)


@router.get("/runs/{run}", response_model=RunShape)
async def get_run(services: Services, visitor: SignedInVisitor, run: RunPathId) -> dict[str, Any]:
    """How far that run has come."""
    return run_form(await services.syncing.shown(owner_seen_by(visitor), run))


@router.get("/integrations/{integration_id}/runs/{run}", response_model=RunShape)
async def get_run_of(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, run: RunPathId
) -> dict[str, Any]:
    """How far that run of this integration has come."""
    return run_form(_within(integration_id, await services.syncing.shown(owner_seen_by(visitor), run)))


@router.post("/runs/{run}/cancel", response_model=RunShape)
async def cancel_run(services: Services, visitor: SignedInVisitor, run: RunPathId) -> dict[str, Any]:
    """End the run before its time; what it has done stays."""
    return run_form(await services.syncing.cancel(visitor.person.owner, run))


@router.post("/integrations/{integration_id}/runs/{run}/cancel", response_model=RunShape)
async def cancel_run_of(
    services: Services, visitor: SignedInVisitor, integration_id: IntegrationPathId, run: RunPathId
) -> dict[str, Any]:
    """End that run of this integration before its time."""
    _within(integration_id, await services.syncing.shown(visitor.person.owner, run))
    return run_form(await services.syncing.cancel(visitor.person.owner, run))


@router.post(
    "/runs/{run}/undo",
    status_code=HTTPStatus.ACCEPTED,
    response_model=StartedShape | Listed[UndoShape],
    responses={HTTPStatus.OK: {"model": Listed[UndoShape], "description": "With dry_run"}},
)
async def undo_run(
    services: Services,
    visitor: SignedInVisitor,
    run: RunPathId,
    response: Response,
    *,
    dry_run: bool = False,
    after: str | None = None,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Put back what the run changed and nobody has changed since; with ``dry_run`` only say what would be."""
    owner = visitor.person.owner
    if dry_run:
        response.status_code = HTTPStatus.OK
        with services.undo_pace.turn(visitor):
            page = await services.undoing.rehearse(owner, run, after=after, limit=limit)
        return page_form(page, undo_form)
    return {"run_id": await services.undoing.start(owner, run, started_by=visitor.user_id)}


def _within(integration_id: str, row: RunRow) -> RunRow:
    if row["integration_id"] != integration_id:
        raise Unknown("There is no such run.")
    return row

"""An integration's log as JSON (G14, R27)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from contracts.calendar import Direction, Outcome
from contracts.vorex import ItemType
from service.integrations import views
from service.store.logs.logs import Filter, Wanted
from service.web.api.integrations import seen_by
from service.web.dependencies import AtDesk, Known
from service.web.paging import FIFTY, IdCursor, Limit, OfIntegration, Part
from service.web.schemas import Listed, LogEntryShape, listed, log_form

router = APIRouter(prefix="/integrations/{integration_id}/logs", tags=["logs"])


def _wanted(
    direction: Direction | None = None,
    outcome: Outcome | None = None,
    item_type: ItemType | None = None,
    q: Part | None = None,
) -> Wanted:
    """``q`` is a part of the title or the reason."""
    return Wanted(direction=direction, outcome=outcome, item_type=item_type, q=q)


@router.get("", response_model=Listed[LogEntryShape], response_model_exclude_unset=True)
async def list_log(
    desk: AtDesk,
    visitor: Known,
    integration_id: OfIntegration,
    *,
    after: IdCursor,
    asked: Annotated[Wanted, Depends(_wanted)],
    trigger: Filter = Filter.RUN,
    limit: Limit = FIFTY,
) -> dict[str, Any]:
    """What happened, newest first: what runs did, or the rest, or both.

    With ``q`` a page may hold fewer entries than were asked for and still have a next one.
    """
    shown = await views.get_integration(desk.store, seen_by(visitor), integration_id)
    page = await views.list_log(
        desk.store, shown, reader=visitor.user_id, trigger=trigger, after=after, limit=limit, wanted=asked
    )
    return listed(page, log_form)

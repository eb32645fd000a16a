"""An integration's log as JSON (G14, R27)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter

from contracts.calendar import Trigger
from service.store import logs
from service.web.desk import AtDesk, Known
from service.web.integrations import seen_by
from service.web.paging import FIFTY, IdCursor, Limit, OfIntegration
from service.web.shapes import Listed, LogEntryShape, log_form

Filter = Literal["run", "real_time", "all"]
TRIGGERS: Mapping[Filter, Sequence[Trigger]] = {
    "run": (Trigger.RUN,),
    "real_time": (Trigger.REAL_TIME, Trigger.OPERATOR),
    "all": tuple(Trigger),
}

router = APIRouter(prefix="/integrations/{integration_id}/logs", tags=["logs"])


@router.get("", response_model=Listed[LogEntryShape])
async def list_log(
    desk: AtDesk,
    visitor: Known,
    integration_id: OfIntegration,
    *,
    after: IdCursor,
    trigger: Filter = "run",
    limit: Limit = FIFTY,
) -> dict[str, Any]:
    """What happened, newest first: what runs did, or the rest, or both."""
    await desk.accounts.get(seen_by(visitor), integration_id)
    async with desk.store.read() as connection:
        found = await logs.page(
            connection, integration_id, triggers=TRIGGERS[trigger], before=after, limit=limit + 1
        )
    page = found[:limit]
    following = page[-1]["id"] if len(found) > limit else None
    return {"items": [log_form(entry) for entry in page], "next": following}

"""An integration's log as JSON (G14, R27)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from contracts.calendar import Direction, Outcome
from contracts.vorex import ItemType
from service.integrations import views
from service.integrations.refusals import Invalid
from service.store.logs.logs import LogFilter, LogQuery
from service.web.api.integrations import owner_seen_by
from service.web.dependencies import Services, SignedInVisitor
from service.web.paging import DEFAULT_PAGE, IdCursor, IntegrationPathId, PageLimit, SearchText, range_bounds
from service.web.schemas import Listed, LogEntryShape, log_form, page_form

RunKind = Literal["finish", "sync_now", "catch_up", "daily", "undo", "answer"]
LOG_WORDS = ("trigger", "direction", "outcome", "item_type", "q", "kind", "from", "to", "after", "limit")
router = APIRouter(prefix="/integrations/{integration_id}/logs", tags=["logs"])


def _wanted(  # noqa: PLR0917 -- each is a query parameter
    request: Request,
    visitor: SignedInVisitor,
    direction: Direction | None = None,
    outcome: Outcome | None = None,
    item_type: ItemType | None = None,
    q: SearchText | None = None,
    kind: RunKind | None = None,
    since: Annotated[str | None, Query(alias="from")] = None,
    until: Annotated[str | None, Query(alias="to")] = None,
) -> LogQuery:
    """``q`` is a part of the title or the reason; a range from a day to the same day is that day."""
    for name in request.query_params:
        if name not in LOG_WORDS:
            raise Invalid.one(name, f"is no filter; there are {', '.join(LOG_WORDS)}")
    first, last = range_bounds(since, until, visitor.time_zone)
    return LogQuery(
        direction=direction, outcome=outcome, item_type=item_type, q=q, kind=kind,
        since=first.instant if first else None, until=last.instant if last else None,
    )  # fmt: skip


@router.get("", response_model=Listed[LogEntryShape], response_model_exclude_unset=True)
async def list_log(
    services: Services,
    visitor: SignedInVisitor,
    integration_id: IntegrationPathId,
    *,
    after: IdCursor,
    asked: Annotated[LogQuery, Depends(_wanted)],
    trigger: LogFilter = LogFilter.RUN,
    limit: PageLimit = DEFAULT_PAGE,
) -> dict[str, Any]:
    """What happened, newest first: what runs did, or the rest, or both.

    With ``q`` a page may hold fewer entries than were asked for and still have a next one.
    """
    shown = await views.get_integration(services.store, owner_seen_by(visitor), integration_id)
    page = await views.list_log(
        services.store, shown, reader=visitor.user_id, trigger=trigger, after=after, limit=limit, wanted=asked
    )
    return page_form(page, log_form)

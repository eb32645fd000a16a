"""*Logs*: runs first with the items inside, real-time changes behind a second filter (G14, R25, R27)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from service.integrations import views
from service.integrations.refusals import Conflict, Unknown
from service.integrations.runs import list_entries_of_run
from service.store.engine.paging import Page
from service.store.integrations.listing import IntegrationView
from service.store.logs.logs import LogFilter, LogQuery
from service.store.runs.runs import ENDED_STATES, PERSONS_RUNS, RunRow
from service.web import labels
from service.web.dependencies import Services, WebServices
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.logs_csv import as_csv
from service.web.pages.redirect import redirect_to
from service.web.paging import LONGEST_SEARCH, IdCursor, IntegrationPathId, is_id
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page
from service.web.tokens import Visitor

RUNS_A_PAGE = 50
SERVICE_NAME = "Calendar Sync"
LogRows = Page[Mapping[Any, Any]]
router = APIRouter(prefix=f"{INTEGRATIONS_PATH}/{{integration_id}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogsAddress:
    """The filter as the address has it; a word of no closed set asks for nothing."""

    trigger: LogFilter
    wanted: LogQuery

    @property
    def given(self) -> dict[str, str]:
        """What is asked for beside the trigger."""
        names = ("direction", "outcome", "item_type", "q")
        return {name: value for name in names if (value := getattr(self.wanted, name))}

    @property
    def query(self) -> str:
        return urlencode({"trigger": self.trigger, **self.given})


def _narrowed(
    trigger: str = "run", direction: str = "", outcome: str = "", item_type: str = "", q: str = ""
) -> LogsAddress:
    wanted = LogQuery(
        direction=direction if direction in labels.DIRECTIONS else None,
        outcome=outcome if outcome in labels.OUTCOMES else None,
        item_type=item_type if item_type in labels.ITEM_TYPE else None,
        q=q.replace("\0", "").strip()[:LONGEST_SEARCH] or None,
    )
    shown = LogFilter.REAL_TIME if trigger == LogFilter.REAL_TIME else LogFilter.RUN
    return LogsAddress(trigger=shown, wanted=wanted)


AskedLogs = Annotated[LogsAddress, Depends(_narrowed)]


@router.get("/logs")
async def logs_page(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    integration_id: IntegrationPathId,
    after: IdCursor,
    asked: AskedLogs,
) -> Response:
    """One row for each run, or for each change; newest first. A filter asks for changes, of runs as well."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    runs_alone = asked.trigger is LogFilter.RUN and not asked.given
    found = await (_runs if runs_alone else _entries)(services, visitor, shown, asked, after)
    return render_page(
        request,
        "logs.html",
        one=integration_card(shown),
        asked=asked,
        runs_alone=runs_alone,
        rows=found.rows,
        following=found.following,
        ended_early=found.ended_early,
        first=after is None,
        live=any(not row.get("ended", True) for row in found.rows),
        here="calendar-sync",
    )


async def _runs(
    services: WebServices, visitor: Visitor, shown: IntegrationView, _asked: LogsAddress, after: str | None
) -> LogRows:
    owner = visitor.person.owner
    found = await services.syncing.listed(owner, shown.integration.id, after=after, limit=RUNS_A_PAGE)
    return replace(found, rows=[run_row(run, visitor) for run in found.rows])


async def _entries(
    services: WebServices, visitor: Visitor, shown: IntegrationView, asked: LogsAddress, after: str | None
) -> LogRows:
    return await views.list_log(
        services.store, shown, reader=visitor.user_id, trigger=asked.trigger, after=after, limit=RUNS_A_PAGE,
        wanted=asked.wanted,
    )  # fmt: skip


@router.get("/logs.csv")
async def logs_as_csv(
    services: Services, visitor: PageVisitor, *, integration_id: IntegrationPathId, asked: AskedLogs
) -> Response:
    """The same entries as the page shows, all of them; on the first tab what syncs did, item by item."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    lines = as_csv(services.store, shown, reader=visitor.user_id, trigger=asked.trigger, wanted=asked.wanted)
    headers = {"Content-Disposition": 'attachment; filename="calendar-sync-log.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def run_row(run: RunRow, visitor: Visitor) -> dict[str, Any]:
    """A run as its row and its page tell it."""
    who = "You" if run["started_by"] == visitor.user_id else run["started_by"]
    return {
        **run,
        "who": who if run["kind"] in PERSONS_RUNS else SERVICE_NAME,
        "ended": run["state"] in ENDED_STATES,
        "at": run["started_at"] or run["requested_at"],
    }


@router.get("/runs/{run}")
async def run_page(
    request: Request,
    services: Services,
    visitor: PageVisitor,
    *,
    integration_id: IntegrationPathId,
    run: str,
    after: IdCursor,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """How far the run has come, and what it did with each item (R25, R27)."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    row = await _of(services, visitor, integration_id, run)
    entries = await list_entries_of_run(services.store, row, after=after, limit=RUNS_A_PAGE)
    return render_page(
        request,
        "run.html",
        one=integration_card(shown),
        run=run_row(row, visitor),
        by_hand=row["kind"] in PERSONS_RUNS,
        rows=entries.rows,
        following=entries.following,
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="calendar-sync",
    )


async def _of(services: WebServices, visitor: Visitor, integration_id: str, run: str) -> RunRow:
    """That run of that integration; anything else is not there."""
    if is_id(run):
        row = await services.syncing.shown(visitor.person.owner, run)
        if row["integration_id"] == integration_id:
            return row
    raise Unknown("There is no such run.")


@router.post("/runs/{run}/cancel")
async def cancel(
    services: Services, form: SentForm, *, integration_id: IntegrationPathId, run: str
) -> Response:
    await _of(services, form.visitor, integration_id, run)
    address = f"{INTEGRATIONS_PATH}/{integration_id}/runs/{run}"
    try:
        await services.syncing.cancel(form.visitor.person.owner, run)
    except Conflict as conflict:
        return redirect_to(address, complaint=conflict.code)
    return redirect_to(address, notice="cancelled")

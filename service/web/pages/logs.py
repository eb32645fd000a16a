"""*Logs*: runs first with the items inside, real-time changes behind a second filter (G14, R25, R27)."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from service.integrations import views
from service.integrations.refusals import Conflict, Unknown
from service.integrations.runs import (
    RUN_COUNTS,
    WHY_PASSED_OVER,
    list_rows_of_run,
    run_counts,
    why_passed_over,
)
from service.integrations.telling.switched_off import switched_off
from service.store.engine.paging import Page
from service.store.integrations.listing import IntegrationView
from service.store.logs.logs import LogFilter
from service.store.runs.runs import ENDED_STATES, PERSONS_RUNS, RunRow
from service.web import labels
from service.web.catalogue import Texts, gettext
from service.web.dependencies import Services, WebServices, letters_of
from service.web.pages.form import PageVisitor, SentForm
from service.web.pages.integrations import integration_card
from service.web.pages.logs_address import AskedLogs, LogsAddress
from service.web.pages.logs_csv import as_csv
from service.web.pages.redirect import redirect_to
from service.web.paging import IdCursor, IntegrationPathId, is_id
from service.web.paths import INTEGRATIONS_PATH
from service.web.rendering import render_page
from service.web.tokens import Role, Visitor

RUNS_A_PAGE = 50
SERVICE_NAME = "Calendar Sync"
RUN_NUMBERS: labels.LabelTexts = Texts(RUN_COUNTS)
WHY_PASSED: labels.LabelTexts = Texts(WHY_PASSED_OVER)
LogRows = Page[Mapping[Any, Any]]
router = APIRouter(prefix=f"{INTEGRATIONS_PATH}/{{integration_id}}")


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
    runs_alone = asked.trigger is LogFilter.RUN and not asked.of_items
    found: LogRows = Page(rows=(), following=None)
    if not asked.wrong:
        found = await (_runs if runs_alone else _entries)(services, visitor, shown, asked, after)
    return render_page(
        request,
        "logs.html",
        status=422 if asked.wrong else 200,
        letters={} if runs_alone else await _letters(services, visitor, found),
        reached=set() if runs_alone else await _reached(services, visitor, found),
        switched_off=None if runs_alone else await _switched_off(services, shown),
        one=integration_card(shown),
        asked=asked,
        numbers=RUN_NUMBERS,
        runs_alone=runs_alone,
        rows=found.rows,
        following=found.following,
        ended_early=found.ended_early,
        first=after is None,
        live=any(not row.get("ended", True) for row in found.rows),
        here="calendar-sync",
    )


async def _runs(
    services: WebServices, visitor: Visitor, shown: IntegrationView, asked: LogsAddress, after: str | None
) -> LogRows:
    owner = visitor.person.owner
    found = await services.syncing.listed(
        owner, shown.integration.id, after=after, limit=RUNS_A_PAGE, wanted=asked.wanted
    )
    return replace(found, rows=[run_row(run, visitor) for run in found.rows])


async def _entries(
    services: WebServices, visitor: Visitor, shown: IntegrationView, asked: LogsAddress, after: str | None
) -> LogRows:
    return await views.list_log_rows(
        services.store, shown, reader=visitor.user_id, trigger=asked.trigger, after=after, limit=RUNS_A_PAGE,
        wanted=asked.wanted,
    )  # fmt: skip


async def _letters(services: WebServices, visitor: Visitor, found: LogRows) -> Mapping[str, str]:
    """The dead letters of the messages that entries name, for operators; by the messages' ids."""
    named = {row["message_id"] for row in found.rows if row.get("message_id")}
    if visitor.role is not Role.OPERATOR or not named:
        return {}
    return await letters_of(services, visitor).of_messages(named)


async def _reached(services: WebServices, visitor: Visitor, found: LogRows) -> Collection[str]:
    """The items of these entries that have a page for this reader, deleted ones too (R50)."""
    named = {row["item_ref"] for row in found.rows if row.get("item_ref")}
    return await services.my_calendar.reached(visitor.person, named)


async def _switched_off(services: WebServices, shown: IntegrationView) -> str | None:
    """The entry by which its deactivation is undone while it rests; what watched begins by no Undo (R50)."""
    async with services.store.read() as connection:
        return await switched_off(connection, shown.integration)


@router.get("/logs.csv")
async def logs_as_csv(
    services: Services, visitor: PageVisitor, *, integration_id: IntegrationPathId, asked: AskedLogs
) -> Response:
    """The same entries as the page shows, all of them; on the first tab what syncs did, item by item."""
    shown = await views.get_integration(services.store, visitor.person.owner, integration_id)
    if asked.wrong:
        address = f"{INTEGRATIONS_PATH}/{integration_id}/logs?{asked.query}"
        return redirect_to(address)
    lines = as_csv(services.store, shown, reader=visitor.user_id, trigger=asked.trigger, wanted=asked.wanted)
    headers = {"Content-Disposition": 'attachment; filename="calendar-sync-log.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def run_row(run: RunRow, visitor: Visitor) -> dict[str, Any]:
    """A run as its row and its page tell it."""
    who = gettext("You") if run["started_by"] == visitor.user_id else run["started_by"]
    return {
        **run,
        "who": who if run["kind"] in PERSONS_RUNS else SERVICE_NAME,
        "ended": run["state"] in ENDED_STATES,
        "counts": run_counts(run),
        "why_passed": why_passed_over(run, WHY_PASSED),
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
    entries = await list_rows_of_run(services.store, row, after=after, limit=RUNS_A_PAGE)
    return render_page(
        request,
        "run.html",
        one=integration_card(shown),
        run=run_row(row, visitor),
        numbers=RUN_NUMBERS,
        by_hand=row["kind"] in PERSONS_RUNS,
        can_undo=await services.undoing.can_be_undone(visitor.person.owner, run),
        rows=entries.rows,
        letters=await _letters(services, visitor, entries),
        reached=await _reached(services, visitor, entries),
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

"""*Logs*: runs first with the items inside, real-time changes behind a second filter (G14, R25, R27)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.accounts.refusals import Conflict, Unknown
from service.accounts.watching import entries_of_run
from service.store import logs as log_store
from service.store.accounts import PERSONS_RUNS
from service.store.runs import ENDED, RunRow
from service.web import words
from service.web.desk import AtDesk, Desk
from service.web.logs import TRIGGERS
from service.web.pages.leading import LIST, to
from service.web.pages.listing import card
from service.web.pages.people import Form, Guest
from service.web.paging import IdCursor, OfIntegration, is_id
from service.web.passes import Visitor
from service.web.rendering import page

A_PAGE = 50
BY_ITSELF = "Calendar Sync"
router = APIRouter(prefix=f"{LIST}/{{integration_id}}")


@router.get("/logs")
async def logs_page(
    request: Request,
    desk: AtDesk,
    visitor: Guest,
    *,
    integration_id: OfIntegration,
    after: IdCursor,
    trigger: str = "run",
) -> Response:
    """One row for each run, or for each change that crossed by itself; newest first."""
    owner = visitor.person.owner
    shown = await desk.accounts.get(owner, integration_id)
    if trigger == "real_time":
        rows = await _real_time(desk, integration_id, after)
    else:
        found = await desk.syncing.listed(owner, integration_id, after=after, limit=A_PAGE + 1)
        rows = [told(run, visitor) for run in found]
    return page(
        request,
        "logs.html",
        one=card(shown),
        trigger="real_time" if trigger == "real_time" else "run",
        rows=rows[:A_PAGE],
        following=rows[A_PAGE - 1]["id"] if len(rows) > A_PAGE else None,
        first=after is None,
        live=any(not row.get("ended", True) for row in rows),
        here="calendar-sync",
    )


async def _real_time(desk: Desk, integration_id: str, after: str | None) -> list[dict[str, Any]]:
    triggers = TRIGGERS["real_time"]
    async with desk.store.read() as connection:
        found = await log_store.page(
            connection, integration_id, triggers=triggers, before=after, limit=A_PAGE + 1
        )
    return [dict(row) for row in found]


def told(run: RunRow, visitor: Visitor) -> dict[str, Any]:
    """A run as its row and its page tell it."""
    who = "You" if run["started_by"] == visitor.user_id else run["started_by"]
    return {
        **run,
        "who": who if run["kind"] in PERSONS_RUNS else BY_ITSELF,
        "ended": run["state"] in ENDED,
        "at": run["started_at"] or run["requested_at"],
    }


@router.get("/runs/{run}")
async def run_page(
    request: Request,
    desk: AtDesk,
    visitor: Guest,
    *,
    integration_id: OfIntegration,
    run: str,
    after: IdCursor,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """How far the run has come, and what it did with each item (R25, R27)."""
    shown = await desk.accounts.get(visitor.person.owner, integration_id)
    row = await _of(desk, visitor, integration_id, run)
    entries = await entries_of_run(desk.store, row, after=after, limit=A_PAGE + 1)
    return page(
        request,
        "run.html",
        one=card(shown),
        run=told(row, visitor),
        by_hand=row["kind"] in PERSONS_RUNS,
        rows=entries[:A_PAGE],
        following=entries[A_PAGE - 1]["id"] if len(entries) > A_PAGE else None,
        notice=words.NOTICES.get(notice),
        complaint=words.COMPLAINTS.get(complaint),
        here="calendar-sync",
    )


async def _of(desk: Desk, visitor: Visitor, integration_id: str, run: str) -> RunRow:
    """That run of that integration; anything else is not there."""
    if is_id(run):
        row = await desk.syncing.shown(visitor.person.owner, run)
        if row["integration_id"] == integration_id:
            return row
    raise Unknown("There is no such run.")


@router.post("/runs/{run}/cancel")
async def cancel(desk: AtDesk, form: Form, *, integration_id: OfIntegration, run: str) -> Response:
    await _of(desk, form.visitor, integration_id, run)
    address = f"{LIST}/{integration_id}/runs/{run}"
    try:
        await desk.syncing.cancel(form.visitor.person.owner, run)
    except Conflict as conflict:
        return to(address, complaint=conflict.code)
    return to(address, notice="cancelled")

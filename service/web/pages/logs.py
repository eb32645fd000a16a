"""*Logs*: runs first with the items inside, real-time changes behind a second filter (G14, R25, R27)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from service.integrations import views
from service.integrations.refusals import Conflict, Unknown
from service.integrations.runs import entries_of_run
from service.store.engine.paging import Page
from service.store.integrations.listing import Shown
from service.store.logs.logs import Filter, Wanted
from service.store.runs.runs import ENDED, PERSONS_RUNS, RunRow
from service.web import labels
from service.web.dependencies import AtDesk, Desk
from service.web.pages.form import Form, Guest
from service.web.pages.integrations import card
from service.web.pages.logs_csv import as_csv
from service.web.pages.redirect import LIST, to
from service.web.paging import LONGEST_PART, IdCursor, OfIntegration, is_id
from service.web.rendering import page
from service.web.tokens import Visitor

A_PAGE = 50
BY_ITSELF = "Calendar Sync"
Rows = Page[Mapping[Any, Any]]
router = APIRouter(prefix=f"{LIST}/{{integration_id}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrowed:
    """The filter as the address has it; a word of no closed set asks for nothing."""

    trigger: Filter
    wanted: Wanted

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
) -> Narrowed:
    wanted = Wanted(
        direction=direction if direction in labels.DIRECTIONS else None,
        outcome=outcome if outcome in labels.OUTCOMES else None,
        item_type=item_type if item_type in labels.ITEM_TYPE else None,
        q=q.replace("\0", "").strip()[:LONGEST_PART] or None,
    )
    shown = Filter.REAL_TIME if trigger == Filter.REAL_TIME else Filter.RUN
    return Narrowed(trigger=shown, wanted=wanted)


Asked = Annotated[Narrowed, Depends(_narrowed)]


@router.get("/logs")
async def logs_page(
    request: Request,
    desk: AtDesk,
    visitor: Guest,
    *,
    integration_id: OfIntegration,
    after: IdCursor,
    asked: Asked,
) -> Response:
    """One row for each run, or for each change; newest first. A filter asks for changes, of runs as well."""
    shown = await views.get_integration(desk.store, visitor.person.owner, integration_id)
    runs_alone = asked.trigger is Filter.RUN and not asked.given
    found = await (_runs if runs_alone else _entries)(desk, visitor, shown, asked, after)
    return page(
        request,
        "logs.html",
        one=card(shown),
        asked=asked,
        runs_alone=runs_alone,
        rows=found.rows,
        following=found.following,
        ended_early=found.ended_early,
        first=after is None,
        live=any(not row.get("ended", True) for row in found.rows),
        here="calendar-sync",
    )


async def _runs(desk: Desk, visitor: Visitor, shown: Shown, _asked: Narrowed, after: str | None) -> Rows:
    owner = visitor.person.owner
    found = await desk.syncing.listed(owner, shown.integration.id, after=after, limit=A_PAGE)
    return replace(found, rows=[told(run, visitor) for run in found.rows])


async def _entries(desk: Desk, visitor: Visitor, shown: Shown, asked: Narrowed, after: str | None) -> Rows:
    return await views.list_log(
        desk.store, shown, reader=visitor.user_id, trigger=asked.trigger, after=after, limit=A_PAGE,
        wanted=asked.wanted,
    )  # fmt: skip


@router.get("/logs.csv")
async def logs_as_csv(
    desk: AtDesk, visitor: Guest, *, integration_id: OfIntegration, asked: Asked
) -> Response:
    """The same entries as the page shows, all of them; on the first tab what syncs did, item by item."""
    shown = await views.get_integration(desk.store, visitor.person.owner, integration_id)
    lines = as_csv(desk.store, shown, reader=visitor.user_id, trigger=asked.trigger, wanted=asked.wanted)
    headers = {"Content-Disposition": 'attachment; filename="calendar-sync-log.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


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
    shown = await views.get_integration(desk.store, visitor.person.owner, integration_id)
    row = await _of(desk, visitor, integration_id, run)
    entries = await entries_of_run(desk.store, row, after=after, limit=A_PAGE)
    return page(
        request,
        "run.html",
        one=card(shown),
        run=told(row, visitor),
        by_hand=row["kind"] in PERSONS_RUNS,
        rows=entries.rows,
        following=entries.following,
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
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

"""``integrations``: see, pause, resume and sync, for operators."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from service.cli.operator import on_store, operator_name
from service.cli.output import EXIT_FAILED, AsJson, exit_wrong_usage, print_json, print_line
from service.cli.tables import run_progress
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.pages import PageWriter
from service.integrations import views
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import IntegrationDeletion
from service.integrations.runs import IntegrationRuns
from service.integrations.settings_form import SyncRequest
from service.store.engine.paging import Page
from service.store.engine.store import Store
from service.store.integrations.listing import Owner
from service.store.logs.logs import LogFilter
from service.store.runs.runs import ENDED_STATES
from service.web.schemas import integration_form, log_form, page_form, run_form

app = typer.Typer(help="Linked calendars and their runs.", no_args_is_help=True)

ALL_OWNERS = Owner(tenant_id=None, user_id=None)
"""An operator at the command line sees and touches everyone's."""
RUN_POLL_SECONDS = 0.5
RUN_COUNTS = ("created", "updated", "skipped", "failed")

_T = TypeVar("_T")
JsonDocument = dict[str, Any]

IntegrationArgument = Annotated[str, typer.Argument(metavar="ID")]
AfterOption = Annotated[str | None, typer.Option(help="The cursor of the next page.")]
LimitOption = Annotated[int, typer.Option(min=1, max=200)]
RangeOption = Annotated[str | None, typer.Option(metavar="PAST,FUTURE", help="Such as today,1_month.")]


class HeldDeletionsAnswer(StrEnum):
    """What is to become of held deletions."""

    DELETE = "delete"
    KEEP = "keep"


class DeletedCopies(StrEnum):
    """What is to become of copies on the linked calendar."""

    KEEP = "keep"
    REMOVE = "remove"


@app.command("list")
def list_integrations(*, after: AfterOption = None, limit: LimitOption = 50, as_json: AsJson = False) -> None:
    """Everyone's, oldest first."""
    page = _on_store(lambda store: views.list_integrations(store, ALL_OWNERS, after=after, limit=limit))
    form = page_form(page, integration_form)
    if as_json:
        print_json(form)
        return
    for one in form["items"]:
        switch = "active" if one["active"] else "paused"
        calendar = one["calendar_name"] or "no calendar yet"
        print_line(f"{one['id']}  {switch:<6}  {one['status']:<13}  {one['account_name']}  {calendar}")
    _say_more(form)


@app.command()
def show(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """One integration whole."""
    shown = _on_store(lambda store: views.get_integration(store, ALL_OWNERS, integration_id))
    _say_whole(integration_form(shown), as_json=as_json)


@app.command()
def pause(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Deactivate: no more sync either way; pairs and connection stay."""
    shown = _on_store(lambda store: IntegrationSwitch(store).deactivate(ALL_OWNERS, integration_id))
    _say_whole(integration_form(shown), as_json=as_json)


@app.command()
def resume(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Activate, and catch up with what happened meanwhile."""
    shown = _on_store(lambda store: IntegrationSwitch(store).activate(ALL_OWNERS, integration_id))
    _say_whole(integration_form(shown), as_json=as_json)


@app.command()
def sync(
    integration_id: IntegrationArgument,
    *,
    retrieve: RangeOption = None,
    send: RangeOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run; without ranges in both directions, with the last ones."""
    request = _request(retrieve, send)
    form = _on_store(lambda store: _synced(IntegrationRuns(store), integration_id, request, wait=wait))
    if as_json:
        print_json(form)
    elif not wait:
        print_line(f"run {form['run_id']}")
    else:
        counts = ", ".join(f"{form[name]} {name}" for name in RUN_COUNTS)
        print_line(f"{form['state']}: {counts}" + (f" ({form['reason']})" if form["reason"] else ""))
    if wait and form["state"] != "done":
        raise typer.Exit(EXIT_FAILED)


async def _synced(
    syncing: IntegrationRuns, integration_id: str, request: SyncRequest | None, *, wait: bool
) -> JsonDocument:
    """The run's id, or the whole run once it has ended."""
    run_id = await syncing.start(ALL_OWNERS, integration_id, request, started_by=operator_name())
    if not wait:
        return {"run_id": run_id}
    with run_progress() as tell:
        while True:
            row = await syncing.shown(ALL_OWNERS, run_id)
            tell(row["done"], row["total"], row["now"] or row["state"])
            if row["state"] in ENDED_STATES:
                return run_form(row)
            await asyncio.sleep(RUN_POLL_SECONDS)


@app.command()
def log(
    integration_id: IntegrationArgument,
    *,
    trigger: Annotated[LogFilter, typer.Option(help="What runs did, the rest, or both.")] = LogFilter.ALL,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """What happened, newest first."""

    async def work(store: Store) -> Page[Mapping[Any, Any]]:
        shown = await views.get_integration(store, ALL_OWNERS, integration_id)
        return await views.list_log(store, shown, reader=None, trigger=trigger, after=after, limit=limit)

    form = page_form(_on_store(work), log_form)
    if as_json:
        print_json(form)
        return
    for entry in form["items"]:
        arrow = "->" if entry["direction"] == "to_linked_calendar" else "<-"
        what = f"{entry['action']:<7}  {entry['outcome']:<7}  {entry['code']:<13}"
        print_line(f"{entry['at']}  {arrow}  {what}  {entry['title'] or ''}  {entry['reason']}")
    _say_more(form)


@app.command()
def runs(
    integration_id: IntegrationArgument,
    *,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """Its syncs, newest first."""
    page = _on_store(
        lambda store: IntegrationRuns(store).listed(ALL_OWNERS, integration_id, after=after, limit=limit)
    )
    form = page_form(page, run_form)
    if as_json:
        print_json(form)
        return
    for one in form["items"]:
        counts = ", ".join(f"{one[name]} {name}" for name in RUN_COUNTS)
        print_line(
            f"{one['id']}  {one['kind']:<9}  {one['state']:<9}  {counts}  {one['reason'] or ''}".rstrip()
        )
    _say_more(form)


@app.command()
def cancel(run_id: Annotated[str, typer.Argument(metavar="RUN")], as_json: AsJson = False) -> None:
    """End a sync before its time; what it has done stays."""
    ended = _on_store(lambda store: IntegrationRuns(store).cancel(ALL_OWNERS, run_id))
    _say_whole(run_form(ended), as_json=as_json)


@app.command()
def held(
    integration_id: IntegrationArgument,
    answer: Annotated[HeldDeletionsAnswer, typer.Option(help="Carry the held deletions out, or undo them.")],
    as_json: AsJson = False,
) -> None:
    """Answer for the owner what becomes of deletions that wait (R11)."""

    async def work(store: Store) -> int:
        return await HeldDeletions(store, PageWriter(store)).settle(ALL_OWNERS, integration_id, answer.value)

    count = _on_store(work)
    _say_whole({"count": count}, as_json=as_json)


@app.command()
def delete(
    integration_id: IntegrationArgument,
    *,
    copies: Annotated[
        DeletedCopies, typer.Option(help="Keep or remove what the sync added.")
    ] = DeletedCopies.KEEP,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete for good, after telling how many copies are on the linked calendar (G13, R21)."""
    ask = not (yes or as_json)
    there = _on_store(lambda store: _deleted(IntegrationDeletion(store), integration_id, copies, ask=ask))
    _say_whole({"copies": there}, as_json=as_json)


async def _deleted(
    leaving: IntegrationDeletion, integration_id: str, copies: DeletedCopies, *, ask: bool
) -> int:
    """The number of copies is told before the question (R21)."""
    there = await leaving.copies(ALL_OWNERS, integration_id)
    if ask:
        question = f"{there} copies are on the linked calendar. Delete, and {copies.value} them?"
        typer.confirm(question, abort=True, err=True)
    await leaving.delete(ALL_OWNERS, integration_id, copies=copies.value)
    return there


def _on_store(verb: Callable[[Store], Awaitable[_T]]) -> _T:
    return on_store("integrations", verb)


def _request(retrieve: str | None, send: str | None) -> SyncRequest | None:
    """None where no range is given: the last ones count."""
    if retrieve is None and send is None:
        return None
    form = {"retrieve": _range("--retrieve", retrieve), "send": _range("--send", send)}
    try:
        return SyncRequest.model_validate(form)
    except ValidationError as error:
        words = "; ".join(f"--{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        exit_wrong_usage(words)


def _range(option: str, text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    past, comma, future = text.partition(",")
    if not comma:
        exit_wrong_usage(f"{option} {text}: must be two words such as today,1_month")
    return {"past": past, "future": future}


def _say_whole(form: JsonDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(form)
        return
    for name, value in form.items():
        if value is not None:
            print_line(f"{name}: {value}")


def _say_more(page: JsonDocument) -> None:
    if page["next"]:
        print_line(f"more: --after {page['next']}")

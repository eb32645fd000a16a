"""``integrations``: see, pause, resume and sync, for operators."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from service.cli.integration_words import (
    ALL_OWNERS,
    DeletedCopies,
    IntegrationArgument,
    JsonDocument,
    RunArgument,
    StatusWord,
    noted,
    range_request,
    say_more,
    say_whole,
)
from service.cli.operator import on_store, operator_name
from service.cli.output import EXIT_FAILED, AfterOption, AsJson, LimitOption, print_json, print_line
from service.cli.people import held
from service.cli.tables import run_progress
from service.integrations import views
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import IntegrationDeletion
from service.integrations.runs import RUN_COUNTS, IntegrationRuns, run_counts, why_passed_over
from service.integrations.settings_form import SyncRequest
from service.integrations.telling.agreement import list_differing
from service.integrations.undoing.whole_runs import RunUndo
from service.integrations.watching import WatchedReport, report
from service.operations.forgotten_texts import ForgottenTexts
from service.store.engine.paging import Page
from service.store.engine.store import Store
from service.store.integrations.tenants import TenantQuery
from service.store.logs.logs import LogFilter
from service.store.runs.runs import ENDED_STATES
from service.web.api.agreement_schema import differing_form
from service.web.api.watching_schema import watched_form
from service.web.schemas import integration_form, log_form, page_form, run_form, undo_form

app = typer.Typer(help="Linked calendars and their runs.", no_args_is_help=True)
app.command()(held.held)

RUN_POLL_SECONDS = 0.5

_T = TypeVar("_T")

RangeOption = Annotated[str | None, typer.Option(metavar="PAST,FUTURE", help="Such as today,1_month.")]


@app.command("list")
def list_integrations(
    *,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant alone.")] = None,
    person: Annotated[str | None, typer.Option(metavar="USER", help="Of this Vorex user alone.")] = None,
    status: Annotated[StatusWord | None, typer.Option(help="How they stand; held: a question waits.")] = None,
    q: Annotated[
        str | None, typer.Option(metavar="TEXT", help="An id, or a part of person, account or calendar.")
    ] = None,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """Everyone's, oldest first; with options only those that match (R47)."""
    asked = TenantQuery(person=person, status=status.value if status else None, q=(q or "").strip() or None)
    page = _on_store(
        lambda store: views.list_tenants_integrations(store, tenant, asked, after=after, limit=limit)
    )
    form = page_form(page, integration_form)
    if as_json:
        print_json(form)
        return
    for shown in page.rows:
        one = shown.integration
        switch = "active" if one.active else "watching" if one.watching else "paused"
        calendar = one.calendar_name or "no calendar yet"
        whose = f"{one.tenant_id}/{one.user_id}"
        print_line(f"{one.id}  {whose}  {switch:<8}  {one.status:<13}  {shown.account_name}  {calendar}")
    say_more(form)


@app.command()
def show(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """One integration whole."""
    shown = _on_store(lambda store: views.get_integration(store, ALL_OWNERS, integration_id))
    say_whole(integration_form(shown), as_json=as_json)


@app.command()
def pause(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Deactivate: no more sync either way; pairs and connection stay. Its log says who did it (R47)."""
    note = noted("pause", integration_id)
    shown = _on_store(
        lambda store: IntegrationSwitch(store).deactivate(ALL_OWNERS, integration_id, noted=note)
    )
    say_whole(integration_form(shown), as_json=as_json)


@app.command()
def resume(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Activate, and catch up with what happened meanwhile. Its log says who did it (R47)."""
    note = noted("resume", integration_id)
    shown = _on_store(
        lambda store: IntegrationSwitch(store).activate(ALL_OWNERS, integration_id, begins=False, noted=note)
    )
    say_whole(integration_form(shown), as_json=as_json)


@app.command()
def watch(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Only say what it would do, and write nothing on either side; *watching* tells what that was."""
    note = noted("watch", integration_id)
    shown = _on_store(lambda store: IntegrationSwitch(store).watch(ALL_OWNERS, integration_id, noted=note))
    say_whole(integration_form(shown), as_json=as_json)


@app.command()
def watching(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """What would have happened since it watches, what would not, and why."""

    async def work(store: Store) -> WatchedReport:
        shown = await views.get_integration(store, ALL_OWNERS, integration_id)
        return await report(store, shown, masked=True)

    form = watched_form(_on_store(work))
    if as_json:
        print_json(form)
        return
    print_line(f"watching since {form['since']}" if form["since"] else "it does not watch")
    if form["full"]:
        print_line("as much is remembered as may be: events that are new are passed over until begin")
    for one in (*form["done"], *form["left"]):
        arrow = "->" if one["direction"] == "to_linked_calendar" else "<-"
        what = f"{one['times']:>6}  {arrow}  {one['action']:<7}  {one['item_type'] or '':<12}"
        print_line(f"{what}  {one['outcome']:<7}  {one['reason']}")


@app.command()
def begin(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Begin for real: both sides are paired, and what changed meanwhile follows. Its log says who did it."""
    note = noted("begin", integration_id)
    shown = _on_store(lambda store: IntegrationSwitch(store).activate(ALL_OWNERS, integration_id, noted=note))
    say_whole(integration_form(shown), as_json=as_json)


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
    request = range_request(retrieve, send)
    form = _on_store(lambda store: _synced(IntegrationRuns(store), integration_id, request, wait=wait))
    if as_json:
        print_json(form)
    elif not wait:
        print_line(f"run {form['run_id']}")
    else:
        counts = _counts(form)
        print_line(f"{form['state']}: {counts}" + (f" ({form['reason']})" if form["reason"] else ""))
    if wait and form["state"] != "done":
        raise typer.Exit(EXIT_FAILED)


def _counts(run: JsonDocument) -> str:
    """The numbers as the pages call them, with the reasons of what was passed over."""
    told = run_counts(run)
    why = "; ".join(f"{reason}: {number}" for reason, number in why_passed_over(run))
    said = ", ".join(f"{told[name]} {label.lower()}" for name, label in RUN_COUNTS.items())
    return f"{said} ({why})" if why else said


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
    trigger: Annotated[
        LogFilter, typer.Option(help="What runs did, what watching says, the rest, or all.")
    ] = LogFilter.ALL,
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
    say_more(form)


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
        counts = _counts(one)
        print_line(
            f"{one['id']}  {one['kind']:<9}  {one['state']:<9}  {counts}  {one['reason'] or ''}".rstrip()
        )
    say_more(form)


@app.command("agreement")
def show_agreement(
    integration_id: IntegrationArgument,
    *,
    check: Annotated[bool, typer.Option("--check", help="Have both sides compared now.")] = False,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """How many pairs of both sides agree, and why each of the others does not (R51)."""
    if check:
        run_id = _on_store(lambda store: IntegrationRuns(store).compare(ALL_OWNERS, integration_id))
        say_whole({"run_id": run_id}, as_json=as_json)
        return

    async def work(store: Store) -> JsonDocument:
        shown = await views.get_integration(store, ALL_OWNERS, integration_id)
        page = await list_differing(store, shown.integration, masked=True, after=after, limit=limit)
        return differing_form(shown, page)

    form = _on_store(work)
    if as_json:
        print_json(form)
        return
    told = f"{form['agree']} of {form['of']} agree, checked {form['checked_at']}"
    print_line(told if form["checked_at"] else "never checked; to do it: --check")
    for one in form["differ"]:
        title = one["title"] or "Without a title"
        print_line(f"{one['item_type']}:{one['item_id']}  {title}  {one['why']}")
    say_more(form)


@app.command()
def cancel(run_id: RunArgument, as_json: AsJson = False) -> None:
    """End a sync before its time; what it has done stays. Its log says who did it (R47)."""
    note = partial(noted, "cancel")
    ended = _on_store(lambda store: IntegrationRuns(store).cancel(ALL_OWNERS, run_id, noted=note))
    say_whole(run_form(ended), as_json=as_json)


@app.command("undo-run")
def undo_run(
    run_id: RunArgument,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """Put back what a sync changed and nobody has changed since, by a run of its own (R50)."""
    if not dry_run:
        who = operator_name()
        undone_by = _on_store(lambda store: RunUndo(store).start(ALL_OWNERS, run_id, started_by=who))
        say_whole({"run_id": undone_by}, as_json=as_json)
        return
    page = _on_store(lambda store: RunUndo(store).rehearse(ALL_OWNERS, run_id, after=after, limit=limit))
    form = page_form(page, undo_form)
    if as_json:
        print_json(form)
        return
    for one in form["items"]:
        arrow = "->" if one["direction"] == "to_linked_calendar" else "<-"
        print_line(f"{'left' if one['left'] else 'back'}  {arrow}  {one['title'] or ''}  {one['reason']}")
    say_more(form)


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
    """Delete for good, after telling how many copies are on the linked calendar (G13, R21).

    With --json nobody can be asked: without --yes they are counted and nothing is done.
    """
    counted = as_json and not yes
    there = _on_store(
        lambda store: _deleted(IntegrationDeletion(store), integration_id, copies, yes=yes, counted=counted)
    )
    if as_json:
        print_json({"copies": there, "dry_run": counted})
    else:
        print_line(f"copies: {there}")


async def _deleted(
    leaving: IntegrationDeletion, integration_id: str, copies: DeletedCopies, *, yes: bool, counted: bool
) -> int:
    """The number of copies is told before the question (R21)."""
    there = await leaving.copies(ALL_OWNERS, integration_id)
    if counted:
        return there
    if not yes:
        question = f"{there} copies are on the linked calendar. Delete, and {copies.value} them?"
        typer.confirm(question, abort=True, err=True)
    note = noted("delete", integration_id)
    await leaving.delete(ALL_OWNERS, integration_id, copies=copies.value, noted=note)
    return there


@app.command("forget-deleted")
def forget_deleted(
    *,
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Of which tenant the person is.")],
    user: Annotated[str, typer.Option(metavar="USER", help="Whose deleted items.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Blank what a person's deleted items said, before its thirty days are over (R50).

    Without --yes they are counted and nothing is done. None of them can be put back after that.
    """
    if yes:
        count = _on_store(lambda store: ForgottenTexts(store, who=operator_name()).forget(tenant, user))
    else:
        count = _on_store(lambda store: ForgottenTexts(store, who=operator_name()).count(tenant, user))
    if as_json:
        print_json({"items": count, "dry_run": not yes})
        return
    counted = f"{count:,} deleted {'item' if count == 1 else 'items'}"
    print_line(f"{counted} blanked" if yes else f"{counted} would be blanked; to do it: --yes")


def _on_store(verb: Callable[[Store], Awaitable[_T]]) -> _T:
    return on_store("integrations", verb)

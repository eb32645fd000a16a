"""``integrations``: see, pause, resume and sync, for operators (DESIGN 3, 11)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from service.cli.operator import on_store, who
from service.cli.output import FAILED, AsJson, refuse, say, say_json
from service.cli.tables import run_progress
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.pages import Pages
from service.integrations import views
from service.integrations.activate import Switching
from service.integrations.delete import Leaving
from service.integrations.runs import Syncing
from service.integrations.settings_form import SyncRequest
from service.store.engine.paging import Page
from service.store.engine.store import Store
from service.store.integrations.listing import Owner
from service.store.logs.logs import Filter
from service.store.runs.runs import ENDED
from service.web.schemas import integration_form, listed, log_form, run_form

app = typer.Typer(help="Linked calendars and their runs.", no_args_is_help=True)

EVERYONE = Owner(tenant_id=None, user_id=None)
"""An operator at the command line sees and touches everyone's."""
POLL_SECONDS = 0.5
COUNTS = ("created", "updated", "skipped", "failed")

_T = TypeVar("_T")
Form = dict[str, Any]

Id = Annotated[str, typer.Argument(metavar="ID")]
After = Annotated[str | None, typer.Option(help="The cursor of the next page.")]
Limit = Annotated[int, typer.Option(min=1, max=200)]
Range = Annotated[str | None, typer.Option(metavar="PAST,FUTURE", help="Such as today,1_month.")]


class Answer(StrEnum):
    """What is to become of held deletions."""

    DELETE = "delete"
    KEEP = "keep"


class Copies(StrEnum):
    """What is to become of copies on the linked calendar."""

    KEEP = "keep"
    REMOVE = "remove"


@app.command("list")
def list_integrations(*, after: After = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Everyone's, oldest first."""
    page = _on_store(lambda store: views.list_integrations(store, EVERYONE, after=after, limit=limit))
    form = listed(page, integration_form)
    if as_json:
        say_json(form)
        return
    for one in form["items"]:
        switch = "active" if one["active"] else "paused"
        calendar = one["calendar_name"] or "no calendar yet"
        say(f"{one['id']}  {switch:<6}  {one['status']:<13}  {one['account_name']}  {calendar}")
    _say_more(form)


@app.command()
def show(integration_id: Id, as_json: AsJson = False) -> None:
    """One integration whole."""
    shown = _on_store(lambda store: views.get_integration(store, EVERYONE, integration_id))
    _say_whole(integration_form(shown), as_json=as_json)


@app.command()
def pause(integration_id: Id, as_json: AsJson = False) -> None:
    """Deactivate: no more sync either way; pairs and connection stay."""
    shown = _on_store(lambda store: Switching(store).deactivate(EVERYONE, integration_id))
    _say_whole(integration_form(shown), as_json=as_json)


@app.command()
def resume(integration_id: Id, as_json: AsJson = False) -> None:
    """Activate, and catch up with what happened meanwhile."""
    shown = _on_store(lambda store: Switching(store).activate(EVERYONE, integration_id))
    _say_whole(integration_form(shown), as_json=as_json)


@app.command()
def sync(
    integration_id: Id,
    *,
    retrieve: Range = None,
    send: Range = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run; without ranges in both directions, with the last ones."""
    request = _request(retrieve, send)
    form = _on_store(lambda store: _synced(Syncing(store), integration_id, request, wait=wait))
    if as_json:
        say_json(form)
    elif not wait:
        say(f"run {form['run_id']}")
    else:
        counts = ", ".join(f"{form[name]} {name}" for name in COUNTS)
        say(f"{form['state']}: {counts}" + (f" ({form['reason']})" if form["reason"] else ""))
    if wait and form["state"] != "done":
        raise typer.Exit(FAILED)


async def _synced(syncing: Syncing, integration_id: str, request: SyncRequest | None, *, wait: bool) -> Form:
    """The run's id, or the whole run once it has ended."""
    run_id = await syncing.start(EVERYONE, integration_id, request, started_by=who())
    if not wait:
        return {"run_id": run_id}
    with run_progress() as tell:
        while True:
            row = await syncing.shown(EVERYONE, run_id)
            tell(row["done"], row["total"], row["now"] or row["state"])
            if row["state"] in ENDED:
                return run_form(row)
            await asyncio.sleep(POLL_SECONDS)


@app.command()
def log(
    integration_id: Id,
    *,
    trigger: Annotated[Filter, typer.Option(help="What runs did, the rest, or both.")] = Filter.ALL,
    after: After = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """What happened, newest first."""

    async def work(store: Store) -> Page[Mapping[Any, Any]]:
        shown = await views.get_integration(store, EVERYONE, integration_id)
        return await views.list_log(store, shown, reader=None, trigger=trigger, after=after, limit=limit)

    form = listed(_on_store(work), log_form)
    if as_json:
        say_json(form)
        return
    for entry in form["items"]:
        arrow = "->" if entry["direction"] == "to_linked_calendar" else "<-"
        what = f"{entry['action']:<7}  {entry['outcome']:<7}  {entry['code']:<13}"
        say(f"{entry['at']}  {arrow}  {what}  {entry['title'] or ''}  {entry['reason']}")
    _say_more(form)


@app.command()
def runs(integration_id: Id, *, after: After = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Its syncs, newest first."""
    page = _on_store(lambda store: Syncing(store).listed(EVERYONE, integration_id, after=after, limit=limit))
    form = listed(page, run_form)
    if as_json:
        say_json(form)
        return
    for one in form["items"]:
        counts = ", ".join(f"{one[name]} {name}" for name in COUNTS)
        say(f"{one['id']}  {one['kind']:<9}  {one['state']:<9}  {counts}  {one['reason'] or ''}".rstrip())
    _say_more(form)


@app.command()
def cancel(run_id: Annotated[str, typer.Argument(metavar="RUN")], as_json: AsJson = False) -> None:
    """End a sync before its time; what it has done stays."""
    ended = _on_store(lambda store: Syncing(store).cancel(EVERYONE, run_id))
    _say_whole(run_form(ended), as_json=as_json)


@app.command()
def held(
    integration_id: Id,
    answer: Annotated[Answer, typer.Option(help="Carry the held deletions out, or undo them.")],
    as_json: AsJson = False,
) -> None:
    """Answer for the owner what becomes of deletions that wait (R11)."""

    async def work(store: Store) -> int:
        return await HeldDeletions(store, Pages(store)).settle(EVERYONE, integration_id, answer.value)

    count = _on_store(work)
    _say_whole({"count": count}, as_json=as_json)


@app.command()
def delete(
    integration_id: Id,
    *,
    copies: Annotated[Copies, typer.Option(help="Keep or remove what the sync added.")] = Copies.KEEP,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete for good, after telling how many copies are on the linked calendar (G13, R21)."""
    ask = not (yes or as_json)
    there = _on_store(lambda store: _deleted(Leaving(store), integration_id, copies, ask=ask))
    _say_whole({"copies": there}, as_json=as_json)


async def _deleted(leaving: Leaving, integration_id: str, copies: Copies, *, ask: bool) -> int:
    """The number of copies is told before the question (R21)."""
    there = await leaving.copies(EVERYONE, integration_id)
    if ask:
        question = f"{there} copies are on the linked calendar. Delete, and {copies.value} them?"
        typer.confirm(question, abort=True, err=True)
    await leaving.delete(EVERYONE, integration_id, copies=copies.value)
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
        refuse(words)


def _range(option: str, text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    past, comma, future = text.partition(",")
    if not comma:
        refuse(f"{option} {text}: must be two words such as today,1_month")
    return {"past": past, "future": future}


def _say_whole(form: Form, *, as_json: bool) -> None:
    if as_json:
        say_json(form)
        return
    for name, value in form.items():
        if value is not None:
            say(f"{name}: {value}")


def _say_more(page: Form) -> None:
    if page["next"]:
        say(f"more: --after {page['next']}")

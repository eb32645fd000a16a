"""``integrations``: see, pause, resume and sync, for operators (DESIGN 3, 11)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from service import app as root
from service.cli.dead_letters import who
from service.cli.output import FAILED, refuse, run, say, say_json, settings_for
from service.cli.tables import run_progress
from service.consumers.inbound.held_deletions import HeldDeletions
from service.integrations.activate import Switching
from service.integrations.delete import Leaving
from service.integrations.ownership import owned
from service.integrations.runs import Syncing
from service.integrations.settings_form import SyncRequest
from service.store.engine.store import Store
from service.store.integrations import listing
from service.store.integrations.listing import Owner
from service.store.logs import logs
from service.store.logs.logs import Filter, Wanted
from service.store.runs.runs import ENDED
from service.web.schemas import integration_form, log_form, run_form

app = typer.Typer(help="Linked calendars and their runs.", no_args_is_help=True)

EVERYONE = Owner(tenant_id=None, user_id=None)
POLL_SECONDS = 0.5
COUNTS = ("created", "updated", "skipped", "failed")

_T = TypeVar("_T")
Form = dict[str, Any]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
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


@dataclass(frozen=True, kw_only=True)
class Desk:
    """An operator sees and touches everyone's."""

    store: Store

    async def page(self, *, after: str | None, limit: int) -> Form:
        async with self.store.read() as connection:
            found = await listing.listed(connection, EVERYONE, after=after, limit=limit + 1)
        following = found[limit - 1].integration.id if len(found) > limit else None
        return {"items": [integration_form(one) for one in found[:limit]], "next": following}

    async def show(self, integration_id: str) -> Form:
        async with self.store.read() as connection:
            return integration_form(await owned(connection, EVERYONE, integration_id))

    async def switch(self, integration_id: str, *, on: bool) -> Form:
        switching = Switching(self.store)
        turn = switching.activate if on else switching.deactivate
        return integration_form(await turn(EVERYONE, integration_id))

    async def log(self, integration_id: str, shown: Filter, *, after: str | None, limit: int) -> Form:
        async with self.store.read() as connection:
            await owned(connection, EVERYONE, integration_id)
            page = await logs.page(
                connection,
                integration_id,
                triggers=shown.triggers,
                before=after,
                limit=limit,
                wanted=Wanted(masked=True),
            )
        return {"items": [log_form(entry) for entry in page.entries], "next": page.following}

    async def sync(self, integration_id: str, request: SyncRequest | None, *, wait: bool) -> Form:
        """The run's id, or the whole run once it has ended."""
        syncing = Syncing(self.store)
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

    async def runs(self, integration_id: str, *, after: str | None, limit: int) -> Form:
        found = await Syncing(self.store).listed(EVERYONE, integration_id, after=after, limit=limit + 1)
        following = found[limit - 1]["id"] if len(found) > limit else None
        return {"items": [run_form(row) for row in found[:limit]], "next": following}

    async def cancel(self, run_id: str) -> Form:
        return run_form(await Syncing(self.store).cancel(EVERYONE, run_id))

    async def answer(self, integration_id: str, answer: Answer) -> Form:
        async with self.store.read() as connection:
            await owned(connection, EVERYONE, integration_id)
        return {"count": await HeldDeletions(self.store).settle(integration_id, answer.value)}

    async def delete(self, integration_id: str, copies: Copies, *, ask: bool) -> Form:
        """The number of copies is told before the question (R21)."""
        leaving = Leaving(self.store)
        there = await leaving.copies(EVERYONE, integration_id)
        if ask:
            question = f"{there} copies are on the linked calendar. Delete, and {copies.value} them?"
            typer.confirm(question, abort=True, err=True)
        await leaving.delete(EVERYONE, integration_id, copies=copies.value)
        return {"copies": there}


@app.command("list")
def list_integrations(*, after: After = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Everyone's, oldest first."""
    page = _at_the_desk(lambda desk: desk.page(after=after, limit=limit))
    if as_json:
        say_json(page)
        return
    for one in page["items"]:
        switch = "active" if one["active"] else "paused"
        calendar = one["calendar_name"] or "no calendar yet"
        say(f"{one['id']}  {switch:<6}  {one['status']:<13}  {one['account_name']}  {calendar}")
    _say_more(page)


@app.command()
def show(integration_id: Id, as_json: AsJson = False) -> None:
    """One integration whole."""
    _say_whole(_at_the_desk(lambda desk: desk.show(integration_id)), as_json=as_json)


@app.command()
def pause(integration_id: Id, as_json: AsJson = False) -> None:
    """Deactivate: no more sync either way; pairs and connection stay."""
    _say_whole(_at_the_desk(lambda desk: desk.switch(integration_id, on=False)), as_json=as_json)


@app.command()
def resume(integration_id: Id, as_json: AsJson = False) -> None:
    """Activate, and catch up with what happened meanwhile."""
    _say_whole(_at_the_desk(lambda desk: desk.switch(integration_id, on=True)), as_json=as_json)


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
    form = _at_the_desk(lambda desk: desk.sync(integration_id, request, wait=wait))
    if as_json:
        say_json(form)
    elif not wait:
        say(f"run {form['run_id']}")
    else:
        counts = ", ".join(f"{form[name]} {name}" for name in COUNTS)
        say(f"{form['state']}: {counts}" + (f" ({form['reason']})" if form["reason"] else ""))
    if wait and form["state"] != "done":
        raise typer.Exit(FAILED)


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
    page = _at_the_desk(lambda desk: desk.log(integration_id, trigger, after=after, limit=limit))
    if as_json:
        say_json(page)
        return
    for entry in page["items"]:
        arrow = "->" if entry["direction"] == "to_linked_calendar" else "<-"
        what = f"{entry['action']:<7}  {entry['outcome']:<7}  {entry['code']:<13}"
        say(f"{entry['at']}  {arrow}  {what}  {entry['title'] or ''}  {entry['reason']}")
    _say_more(page)


@app.command()
def runs(integration_id: Id, *, after: After = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Its syncs, newest first."""
    page = _at_the_desk(lambda desk: desk.runs(integration_id, after=after, limit=limit))
    if as_json:
        say_json(page)
        return
    for one in page["items"]:
        counts = ", ".join(f"{one[name]} {name}" for name in COUNTS)
        say(f"{one['id']}  {one['kind']:<9}  {one['state']:<9}  {counts}  {one['reason'] or ''}".rstrip())
    _say_more(page)


@app.command()
def cancel(run_id: Annotated[str, typer.Argument(metavar="RUN")], as_json: AsJson = False) -> None:
    """End a sync before its time; what it has done stays."""
    _say_whole(_at_the_desk(lambda desk: desk.cancel(run_id)), as_json=as_json)


@app.command()
def held(
    integration_id: Id,
    answer: Annotated[Answer, typer.Option(help="Carry the held deletions out, or undo them.")],
    as_json: AsJson = False,
) -> None:
    """Answer for the owner what becomes of deletions that wait (R11)."""
    _say_whole(_at_the_desk(lambda desk: desk.answer(integration_id, answer)), as_json=as_json)


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
    form = _at_the_desk(lambda desk: desk.delete(integration_id, copies, ask=ask))
    _say_whole(form, as_json=as_json)


def _at_the_desk(verb: Callable[[Desk], Awaitable[_T]]) -> _T:
    settings = settings_for("integrations")

    async def work() -> _T:
        async with AsyncExitStack() as stack:
            return await verb(Desk(store=await root.open_store(settings, stack)))

    return run(work)


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

"""``stray``: copies of ours that stand for no item any more, for operators."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, TypeVar

import typer

from contracts.times import wire_time
from service import app as root
from service.app.server import SystemClock
from service.cli.integration_words import IntegrationArgument
from service.cli.operator import operator_name
from service.cli.output import AsJson, print_json, print_line, run_work, settings_for
from service.integrations.accounts.strays import StrayCopies

app = typer.Typer(help="Copies of ours that stand for no item any more.", no_args_is_help=True)

_T = TypeVar("_T")


@app.command("list")
def list_strays(integration_id: IntegrationArgument, as_json: AsJson = False) -> None:
    """Those on the integration's linked calendar, without their texts."""
    found = _on_cronofy(lambda strays: strays.found(integration_id))
    rows = [
        {"event_id": one.event_id, "start": wire_time(one.start), "end": wire_time(one.end)} for one in found
    ]
    if as_json:
        print_json({"items": rows, "next": None})
        return
    for row in rows:
        print_line(f"{row['event_id']}  {row['start']}  {row['end']}")
    print_line(f"{len(rows)} stray")


@app.command()
def remove(
    integration_id: IntegrationArgument,
    *,
    expect: Annotated[int | None, typer.Option(min=0, help="How many were counted.")] = None,
    as_json: AsJson = False,
) -> None:
    """Remove them from the linked calendar; without --expect they are counted and nothing is done."""
    if expect is None:
        count = len(_on_cronofy(lambda strays: strays.found(integration_id)))
        form = {"count": count, "removed": 0, "refused": 0}
        told = f"{count} would be removed; to do it: --expect {count}"
    else:
        who = f"operator {operator_name()}"
        done = _on_cronofy(lambda strays: strays.remove(integration_id, expect=expect, who=who))
        form = {"count": expect, "removed": done.removed, "refused": done.refused}
        told = f"{done.removed} removed, {done.refused} refused"
    if as_json:
        print_json(form)
    else:
        print_line(told)


def _on_cronofy(verb: Callable[[StrayCopies], Awaitable[_T]]) -> _T:
    """What the verb gives; store and Cronofy are open for as long as it takes."""
    settings = settings_for("stray")

    async def work() -> _T:
        async with AsyncExitStack() as stack:
            store = await root.open_store(settings, stack)
            parts = await root.open_parts(settings, stack, store, SystemClock())
            return await verb(StrayCopies(store, parts.cronofy.gateway))

    return run_work(work)

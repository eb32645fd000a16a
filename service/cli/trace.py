"""``trace``: the way of one change, with the wait of each step."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from contracts.fields import rfc3339
from service.cli.operator import on_store
from service.cli.output import AsJson, exit_failed, print_json, print_line
from service.cli.tables import print_table
from service.store.engine.store import Store
from service.store.logs.traces import TraceStep, way_of


def trace(
    named: Annotated[
        str, typer.Argument(metavar="ID", help="Of a message or a trace, or an item as TENANT/TYPE/ID.")
    ],
    as_json: AsJson = False,
) -> None:
    """Print the way of one change through this service, and how long each step waited; never its texts."""

    async def work(store: Store) -> Sequence[TraceStep]:
        async with store.read() as connection:
            return await way_of(connection, named)

    steps = on_store("trace", work)
    if not steps:
        exit_failed("nothing is known of it: neither a message, nor a trace, nor an item as TENANT/TYPE/ID")
    rows = [_form(step, wait) for step, wait in zip(steps, _waits(steps), strict=True)]
    if as_json:
        print_json({"items": rows, "next": None})
        return
    headings = ("at", "waited", "step", "tenant", "message", "integration")
    print_table(headings, [_line(row) for row in rows])
    for trace_id in sorted({step.trace_id for step in steps if step.trace_id}):
        print_line(f"trace {trace_id}")


def _waits(steps: Sequence[TraceStep]) -> Sequence[float]:
    return [0.0, *((later.at - earlier.at).total_seconds() for earlier, later in pairwise(steps))]


def _form(step: TraceStep, wait: float) -> dict[str, object]:
    return {
        "at": rfc3339(step.at),
        "waited_seconds": round(wait, 3),
        "step": step.step,
        "tenant_id": step.tenant_id,
        "message_id": step.message_id,
        "trace_id": step.trace_id,
        "integration_id": step.integration_id,
    }


def _line(row: dict[str, object]) -> list[str]:
    named = [str(row[name] or "–") for name in ("step", "tenant_id", "message_id", "integration_id")]
    return [str(row["at"]), f"{row['waited_seconds']} s", *named]

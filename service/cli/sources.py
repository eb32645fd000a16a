"""``sources``: who publishes contradicting versions, and who is trusted again (R42)."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from contracts.fields import instant, rfc3339
from service.cli.operator import on_store, operator_name
from service.cli.output import AsJson, exit_wrong_usage, print_json, print_line
from service.cli.tables import print_table
from service.operations.sources import Sources, TrustReport, has_started_again
from service.store.engine.store import Store
from service.store.messages.sources import DoubtfulSource

app = typer.Typer(help="Publishers of item-changed messages, and their versions.", no_args_is_help=True)


@app.command("list")
def list_sources(*, as_json: AsJson = False) -> None:
    """Those whose versions contradicted what was known within the last day."""
    found = on_store("sources", lambda store: Sources(store).doubtful())
    if as_json:
        print_json({"items": [_form(one) for one in found]})
        return
    headings = ("source", "other content", "lower versions", "since", "trusted since", "started again")
    print_table(headings, [_line(one) for one in found])


@app.command()
def trust(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="As list shows it.")],
    since: Annotated[str, typer.Option(metavar="TIME", help="Such as 2026-12-01T08:00:00Z.")],
    *,
    expect: Annotated[int | None, typer.Option(min=0, help="Refuse if there are more than this.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take the source's newest message of each item as true, whatever its version, from that moment on.

    For a source that was restored from a backup, and whose versions start again lower. Without --expect the
    items whose newest message was passed over are counted, and nothing is done.
    """
    moment = _moment(since)
    if expect is None:
        items = on_store("sources", lambda store: Sources(store).forecast(source, since=moment)).items
    else:
        work = partial(_trusted, source, moment, expect)
        items = on_store("sources", work).items
    if as_json:
        print_json({"source": source, "since": rfc3339(moment), "items": items, "dry_run": expect is None})
        return
    counted = f"{items:,} {'item' if items == 1 else 'items'} whose newest message was passed over"
    if expect is None:
        print_line(f"{counted} would be taken in; to do it: --expect {items}")
    else:
        print_line(f"{counted} taken in; {source} is trusted from {rfc3339(moment)} on")


async def _trusted(source: str, since: datetime, expect: int, store: Store) -> TrustReport:
    return await Sources(store).trust(source, since=since, expect=expect, who=operator_name())


def _moment(text: str) -> datetime:
    try:
        return instant(text).astimezone(UTC)
    except ValueError:
        exit_wrong_usage("--since: must be a time with an offset, such as 2026-12-03T09:00:00Z")


def _line(one: DoubtfulSource) -> list[str]:
    *cells, started_again = _form(one).values()
    return [*("-" if cell is None else str(cell) for cell in cells), "yes" if started_again else "no"]


def _form(one: DoubtfulSource) -> dict[str, Any]:
    return {
        "source": one.source,
        "conflicting": one.conflicting,
        "backwards": one.backwards,
        "first_said_at": rfc3339(one.first_said_at),
        "trusted_since": rfc3339(one.trusted_since) if one.trusted_since else None,
        "started_again": has_started_again(one),
    }

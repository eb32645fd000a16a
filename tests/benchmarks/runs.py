"""``make bench ARGS="--runs 50000"``: one Retrieve and one Send of so many, within Cronofy's own limits.

A process for each queue does the work, as deployed; the memory is all processes' together.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from tests.benchmarks.ground import Failed, Servers, database_of, servers
from tests.support.large_runs import AS_DEPLOYED, Kind, Limits, RunSeen, large_runs
from tests.support.processes import ROOT

RESULT = ROOT / "build" / "runs.json"
ENGINES = ("PostgreSQL", "SQLite")
LIMITS = Limits()


async def _one(running: Servers, engine: str, kind: Kind, count: int) -> RunSeen:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            database_of(running, engine, folder) as url,
            large_runs(url, running.broker().url, folder, LIMITS) as place,
        ):
            if kind == "retrieve":
                place.fill_calendar(count)
            else:
                await place.fill_vorex(count)
            return await place.sync(kind, AS_DEPLOYED)


def _row(engine: str, kind: str, told: RunSeen, count: int) -> dict[str, Any]:
    if (told.run["state"], told.run["created"]) != ("done", count):
        raise Failed(f"{kind} on {engine}: {told.run['created']} of {count}, {told.run['state']}")
    least = LIMITS.least(told.requests)
    return {
        "run": f"{kind}, {engine}",
        "seconds": round(told.seconds, 1),
        "requests": told.requests,
        "least_seconds": round(least, 1),
        "of_least": round(told.seconds / least, 3) if least else None,
        "memory_mib": round(max(told.memory), 1),
        "growth_mib": round(told.growth, 1),
        "progress_seen": len(told.progress),
    }


def _table(rows: Sequence[dict[str, Any]], count: int) -> Table:
    shown = Table(title=f"One run over {count:,}, at most 475 requests a minute and 45 a second")
    for name in rows[0]:
        shown.add_column(name.replace("_", " "), justify="left" if name == "run" else "right")
    for row in rows:
        shown.add_row(*(str(value) for value in row.values()))
    return shown


def tell(console: Console, count: int) -> int:
    """Measure, print the table and write build/runs.json; the exit code."""
    rows: list[dict[str, Any]] = []
    try:
        with servers() as running:
            for engine in ENGINES:
                for kind in get_args(Kind):
                    told = asyncio.run(_one(running, engine, kind, count))
                    rows.append(_row(engine, kind, told, count))
                    console.print(rows[-1])
    except (Failed, AssertionError) as error:
        sys.stderr.write(f"benchmark: {error}\n")
        return 1
    console.print(_table(rows, count))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"count": count, "measured": rows}, indent=2) + "\n")
    return 0

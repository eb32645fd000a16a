"""``make bench``: measures side by side in one run, prints a table and writes build/benchmark.json."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from service import telemetry
from tests.benchmarks import pages
from tests.benchmarks.ground import Failed, Job, Servers, servers
from tests.benchmarks.throughput import Measured, one_round
from tests.support.processes import ROOT

Round = dict[str, Measured]
RESULT = ROOT / "build" / "benchmark.json"
LARGEST_BATCH, PREFETCH = 50, 2000


def allowed_requests(job: Job, *, consumers: int = 1) -> int:
    """DESIGN 15's bound for a burst of waiting events."""
    lane = min(LARGEST_BATCH, PREFETCH / job.integrations)
    return int(1.2 * (job.events / lane + consumers * job.integrations))


async def measure(running: Servers, job: Job, rounds: int, console: Console) -> list[Round]:
    """So many rounds, each told as it ends."""
    found: list[Round] = []
    for number in range(1, rounds + 1):
        found.append(await one_round(running, job))
        told = ", ".join(f"{name} {one.rate:,.0f}/s" for name, one in found[-1].items())
        console.print(f"round {number} of {rounds}: {told}")
    return found


def summary(rounds: Sequence[Round], job: Job) -> list[dict[str, Any]]:
    """Medians over the rounds; ratios are taken within each round."""
    return [
        {
            "what": name,
            "events_per_second": round(median(one[name].rate for one in rounds), 1),
            "of_bare": round(median(one[name].rate / one["bare loop"].rate for one in rounds), 3),
            "requests": max(one[name].requests for one in rounds),
            "allowed_requests": allowed_requests(job),
        }
        for name in rounds[0]
    ]


def table(rows: Sequence[dict[str, Any]], job: Job, rounds: int) -> Table:
    """For people, and for the README."""
    title = f"{job.events:,} waiting events, {job.integrations} integrations, median of {rounds}"
    shown = Table(title=title)
    for name in ("RabbitMQ with", "events/s", "of bare", "Cronofy requests", "allowed"):
        shown.add_column(name, justify="left" if name == "RabbitMQ with" else "right")
    for row in rows:
        used = (str(row["requests"]), str(row["allowed_requests"])) if row["requests"] else ("", "")
        shown.add_row(row["what"], f"{row['events_per_second']:,.0f}", f"{row['of_bare']:.2f}", *used)
    return shown


def main() -> int:
    """The exit code: 1 where something is missing, or not all work was done."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--integrations", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", action="store_true", help="how fast each page answers, and nothing else")
    given = parser.parse_args()
    job = Job(events=given.events, integrations=given.integrations)
    console = Console()
    telemetry.set_up(level=logging.WARNING)
    if given.pages:
        return pages.tell(console)
    try:
        with servers() as running:
            rounds = asyncio.run(measure(running, job, given.rounds, console))
    except (Failed, AssertionError) as error:
        sys.stderr.write(f"benchmark: {error}\n")
        return 1
    rows = summary(rounds, job)
    console.print(table(rows, job, given.rounds))
    RESULT.parent.mkdir(exist_ok=True)
    each = [{name: round(one.rate, 1) for name, one in found.items()} for found in rounds]
    written = {**vars(given), "measured": rows, "events_per_second_of_each_round": each}
    RESULT.write_text(json.dumps(written, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

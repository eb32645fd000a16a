"""``make bench``: measures the lines of DESIGN 15 side by side; a table, build/benchmark.json, pictures.

Several calls add up: each replaces the sections that it measured. ``--pictures`` only draws what is there.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from service import telemetry
from tests.benchmarks import ageing, growth, pages, pictures, runs, waiting
from tests.benchmarks.comparison import comparison
from tests.benchmarks.ground import Failed, Job, Servers, servers
from tests.benchmarks.results import Found
from tests.support.processes import ROOT

RESULT = ROOT / "build" / "benchmark.json"
Section = Callable[[Servers, argparse.Namespace, Console], Awaitable[Found]]

SECTIONS: Mapping[str, Section] = {
    "throughput": lambda given, options, console: comparison(
        given, Job(events=options.events, integrations=options.integrations), options.rounds, console
    ),
    "bursts": lambda given, _options, _console: growth.bursts(given),
    "limits": lambda given, options, _console: waiting.limits(given, minutes=options.minutes),
    "crowd": lambda given, _options, _console: waiting.crowd(given),
    "latency": lambda given, options, _console: waiting.latency(
        given, events=options.latency_events, half_load=options.half_load
    ),
    "rows": lambda given, options, _console: growth.rows(
        given, options.events, [0, options.rows // 5, options.rows], options.rounds
    ),
    "memory": lambda given, options, _console: growth.memory(given, options.memory_events),
    "scaling": lambda given, options, _console: growth.scaling(given, options.events // 2),
    "integrations": lambda given, options, _console: growth.integrations(given, options.events),
    "purging": lambda given, options, _console: ageing.purging(given, options.purged),
}


def main() -> int:
    """The exit code: 1 where something is missing, or not all work was done."""
    options = _parser().parse_args()
    console = Console()
    telemetry.set_up(level=logging.WARNING)
    if options.pages:
        return pages.tell(console)
    if options.runs:
        return runs.tell(console, options.runs)
    found = _known()
    if not options.pictures:
        try:
            with servers() as running:
                asyncio.run(_measure(running, options, console, found))
        except (Failed, AssertionError) as error:
            sys.stderr.write(f"benchmark: {error}\n")
            return 1
    console.print(_table(found))
    for section in found.values():
        for curve in section.curves:
            console.print(f"drawn: {pictures.draw(curve).relative_to(ROOT)}")
    return 0


async def _measure(
    running: Servers, options: argparse.Namespace, console: Console, found: dict[str, Found]
) -> None:
    for name in options.only or SECTIONS:
        console.print(f"[bold]{name}[/bold]")
        found[name] = await SECTIONS[name](running, options, console)
        for line in found[name].lines:
            console.print(f"  {line.what}: {line.value:,g} {line.unit} ({line.goal or 'no goal'})")
        RESULT.parent.mkdir(exist_ok=True)
        told: dict[str, Any] = {key: each.to_json_dict() for key, each in found.items()}
        RESULT.write_text(json.dumps(told, indent=2) + "\n")


def _known() -> dict[str, Found]:
    """What earlier calls measured."""
    if not RESULT.exists():
        return {}
    told = json.loads(RESULT.read_text())
    return {name: Found.from_json_dict(told[name]) for name in SECTIONS if name in told}


def _table(found: Mapping[str, Found]) -> Table:
    shown = Table(title="The numbers of DESIGN 15")
    for name in ("section", "what", "measured", "to reach", ""):
        shown.add_column(name, justify="right" if name in {"measured", "to reach"} else "left")
    for section, each in found.items():
        for line in each.lines:
            verdict = {True: "reached", False: "[red]missed[/red]", None: ""}[line.reached]
            shown.add_row(section, line.what, f"{line.value:,g} {line.unit}".strip(), line.goal, verdict)
    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections; all without it")
    parser.add_argument("--runs", type=int, help="one Retrieve and one Send of so many, and nothing else")
    parser.add_argument("--pages", action="store_true", help="how fast each page answers, and nothing else")
    parser.add_argument("--pictures", action="store_true", help="measure nothing, draw what is known")
    numbers = {
        "events": 10_000,
        "integrations": 40,
        "rounds": 3,
        "rows": 5_000_000,
        "memory-events": 100_000,
        "latency-events": 400,
        "minutes": 4,
        "purged": 500_000,
    }
    for name, usual in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--half-load", type=float, default=600.0, help="events a second that are half of all")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""``make bench``: measures every number to reach, side by side; a table, build/benchmark.json, pictures.

Each section is measured several times, and the medians count. Several calls add up: each replaces the
sections that it measured. ``--beside`` measures another tree of the project in turns with this one, round
by round. ``--pictures`` only draws what is there.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from service.telemetry import logs
from tests.benchmarks import (
    ageing,
    crowded,
    elsewhere,
    features,
    growth,
    holding,
    load,
    pages,
    pictures,
    resting,
    runs,
    waiting,
)
from tests.benchmarks.comparison import comparison
from tests.benchmarks.ground import Failed, Job, Servers, servers
from tests.benchmarks.results import Found, Line, beside, folded
from tests.support.processes import ROOT

RESULT = ROOT / elsewhere.RESULT
Section = Callable[[Servers, argparse.Namespace], Awaitable[Found]]
BAR, WIDTH = 30, 150

SECTIONS: Mapping[str, Section] = {
    "throughput": lambda given, options: comparison(
        given, Job(events=options.events, integrations=options.integrations)
    ),
    "bursts": lambda given, _options: growth.bursts(given),
    "limits": lambda given, options: waiting.limits(given, minutes=options.minutes),
    "crowd": lambda given, _options: waiting.crowd(given),
    "latency": lambda given, options: waiting.latency(
        given, events=options.latency_events, half_load=options.half_load
    ),
    "load": lambda given, _options: load.load(given),
    "memory": lambda given, options: holding.memory(given, options.memory_events),
    "growth": lambda given, options: crowded.growth(
        given, options.events // 2, options.people, options.items
    ),
    "rest": lambda _given, options: resting.rest(options.accounts),
    "features": lambda _given, _options: features.features(),
    "scaling": lambda given, options: growth.scaling(given, options.events // 2),
    "integrations": lambda given, options: growth.integrations(given, options.events),
    "purging": lambda given, options: ageing.purging(given, options.purged),
    "rows": lambda given, options: growth.rows(
        given, options.events, [0, options.rows // 5, options.rows], options.rounds
    ),
}
NUMBERS: Mapping[str, int | float] = {
    "events": 10_000,
    "integrations": 40,
    "rows": 5_000_000,
    "memory-events": 100_000,
    "latency-events": 400,
    "half-load": 900.0,
    "minutes": 4,
    "purged": 500_000,
    "accounts": 200,
    "people": 100_000,
    "items": 5_000_000,
}
"""How much is measured, by the name of the option; half load is in events a second."""
ROUNDS_OF_ITS_OWN = {"features", "growth", "rest", "rows"}
"""Filling the tables takes longer than measuring beside them; what is counted is the same each time."""


def main() -> int:
    """The exit code: 1 where something is missing, or not all work was done."""
    options = _parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    logs.set_up(level="warning")
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
        rounds = 1 if name in ROUNDS_OF_ITS_OWN else options.rounds
        here, there = [], []
        for _ in range(rounds):
            here.append(await _round(running, name, options, console))
            if options.beside:
                there.append(await _elsewhere(name, options, console, rounds))
        found[name] = beside(folded(here), folded(there)) if there else folded(here)
        RESULT.parent.mkdir(exist_ok=True)
        told: dict[str, Any] = {key: each.to_json_dict() for key, each in found.items()}
        RESULT.write_text(json.dumps(told, indent=2) + "\n")


async def _round(running: Servers, name: str, options: argparse.Namespace, console: Console) -> Found:
    """One of them, told as it ends."""
    began = time.monotonic()
    found = await SECTIONS[name](running, options)
    _tell(console, name, began, found)
    return found


async def _elsewhere(name: str, options: argparse.Namespace, console: Console, rounds: int) -> Found:
    """The same in the other tree; a section of its own rounds makes them there, too."""
    began = time.monotonic()
    numbers = {each: getattr(options, each.replace("-", "_")) for each in NUMBERS}
    numbers["rounds"] = 1 if rounds > 1 else options.rounds
    found = await asyncio.to_thread(elsewhere.measured, options.beside, name, numbers)
    _tell(console, f"{name} in {options.beside.name}", began, found)
    return found


def _tell(console: Console, name: str, began: float, found: Found) -> None:
    console.print(f"[bold]{name}[/bold], {time.monotonic() - began:,.0f} s")
    for line in found.lines:
        console.print(f"  {line.what}: {_told(line.value, line)} ({line.goal or 'no goal'})")


def _told(value: float, line: Line) -> str:
    return f"{value:,g} {line.unit}".strip()


def _known() -> dict[str, Found]:
    """What earlier calls measured."""
    if not RESULT.exists():
        return {}
    told = json.loads(RESULT.read_text())
    return {name: Found.from_json_dict(told[name]) for name in SECTIONS if name in told}


def _table(found: Mapping[str, Found]) -> Table:
    """Medians, beside what the rounds found and what they have to reach."""
    shown = Table(title="The numbers to reach")
    for name in ("section", "what", "median", "rounds", "beside", "to reach", ""):
        shown.add_column(name, justify="right" if name in {"median", "beside", "to reach"} else "left")
    for section, each in found.items():
        longest = max((line.value for line in each.lines if line.bar), default=0.0)
        for number, line in enumerate(each.lines):
            verdict = {True: "reached", False: "[red]missed[/red]", None: ""}[line.reached]
            bar = "█" * max(1, round(BAR * line.value / longest)) if line.bar else verdict
            there = "" if line.there is None else _told(line.there, line)
            named, told = "" if number else section, _told(line.value, line)
            shown.add_row(named, line.what, told, line.spread, there, line.goal, bar)
        shown.add_section()
    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections; all without it")
    parser.add_argument("--runs", type=int, help="one Retrieve and one Send of so many, and nothing else")
    parser.add_argument("--pages", action="store_true", help="how fast each page answers, and nothing else")
    parser.add_argument("--pictures", action="store_true", help="measure nothing, draw what is known")
    parser.add_argument("--beside", type=Path, help="another tree of the project, measured in turns")
    parser.add_argument("--rounds", type=int, default=3)
    for name, usual in NUMBERS.items():
        parser.add_argument(f"--{name}", type=type(usual), default=usual)
    return parser


if __name__ == "__main__":
    sys.exit(main())

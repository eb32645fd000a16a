"""Ours and the baselines side by side: rates, ratios, and the table with its bars."""

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.benchmarks.ground import ENGINES, Job, Servers
from tests.benchmarks.results import Found, Line
from tests.benchmarks.throughput import Measured, one_round

Round = dict[str, Measured]
BARE = "bare loop"
BAR = 40
TO_REACH = {
    "PostgreSQL": {"straightforward": 12.0, "tuned": 8.0, "tuned in FastStream": 8.0},
    "SQLite": {"tuned": 12.0},
}
OF_BARE = 0.2


async def comparison(servers: Servers, job: Job, rounds: int, console: Console) -> Found:
    """So many rounds, each told as it ends; medians, with the ratios taken within each round."""
    fewer = Job(events=max(job.integrations, job.events // 10), integrations=job.integrations)
    found: list[Round] = []
    for number in range(1, rounds + 1):
        found.append(await one_round(servers, job, fewer))
        told = ", ".join(f"{name} {one.rate:,.0f}/s" for name, one in found[-1].items())
        console.print(f"round {number} of {rounds}: {told}")
    console.print(_table(found, job))
    return Found(lines=_lines(found, job), details={"events_per_second": _rates(found)})


def _rates(rounds: Sequence[Round]) -> dict[str, list[float]]:
    return {name: [round(one[name].rate, 1) for one in rounds] for name in rounds[0]}


def _lines(rounds: Sequence[Round], job: Job) -> list[Line]:
    lines = []
    for engine in ENGINES:
        ours = f"ours, {engine}"
        least = OF_BARE if engine == "PostgreSQL" else None
        lines.append(Line(what=f"of the bare loop, {engine}", value=_ratio(rounds, ours, BARE), least=least))
        for other, least in TO_REACH[engine].items():
            value = _ratio(rounds, ours, f"{other}, {engine}")
            lines.append(Line(what=f"times {other}, {engine}", value=value, least=least))
        requests = max(each[ours].requests for each in rounds)
        lines.append(
            Line(what=f"requests for {job.events:,} events, {engine}", value=requests, most=job.allowed)
        )
    return lines


def _ratio(rounds: Sequence[Round], one: str, other: str) -> float:
    return round(median(each[one].rate / each[other].rate for each in rounds), 2)


def _table(rounds: Sequence[Round], job: Job) -> Table:
    """For people, and for the README."""
    rates = {name: median(each) for name, each in _rates(rounds).items()}
    fastest = max(rate for name, rate in rates.items() if name != BARE)
    shown = Table(
        title=f"{job.events:,} waiting events, {job.integrations} integrations, median of {len(rounds)}"
    )
    for name in ("", "events/s", "of bare", "Cronofy requests"):
        shown.add_column(name, justify="right" if name else "left")
    shown.add_column("")
    for name, rate in rates.items():
        bar = "█" * max(1, round(BAR * min(1.0, rate / fastest)))
        requests = max(each[name].requests for each in rounds)
        shown.add_row(name, f"{rate:,.0f}", f"{_ratio(rounds, name, BARE):.2f}", str(requests or ""), bar)
    return shown

"""Ours and the baselines side by side: rates, and the ratios to reach."""

from collections.abc import Mapping

from tests.benchmarks.ground import ENGINES, Job, Servers
from tests.benchmarks.results import Found, Line
from tests.benchmarks.throughput import BARE, Measured, one_round

TO_REACH: dict[str, dict[str, float | None]] = {
    "PostgreSQL": {"straightforward": 12.0, "tuned": 8.0, "tuned in FastStream": 8.0},
    "SQLite": {"straightforward": None, "tuned": 12.0, "tuned in FastStream": None},
}
OF_BARE: dict[str, float | None] = {"PostgreSQL": 0.2, "SQLite": None}


async def comparison(servers: Servers, job: Job) -> Found:
    """Everything once; the slow ones get fewer events, for their rate does not depend on how many wait."""
    fewer = Job(events=max(job.integrations, job.events // 10), integrations=job.integrations)
    measured = await one_round(servers, job, fewer)
    rates = [
        Line(what=name, value=round(each.rate, 1), unit="events/s", bar=True)
        for name, each in measured.items()
    ]
    return Found(lines=[*rates, *(line for engine in ENGINES for line in _ratios(measured, job, engine))])


def _ratios(measured: Mapping[str, Measured], job: Job, engine: str) -> list[Line]:
    ours = measured[f"ours, {engine}"]
    of_bare = round(ours.rate / measured[BARE].rate, 3)
    return [
        Line(what=f"ours of the bare loop, {engine}", value=of_bare, unit="×", least=OF_BARE[engine]),
        *(
            Line(
                what=f"ours against {other}, {engine}",
                value=round(ours.rate / measured[f"{other}, {engine}"].rate, 2),
                unit="×",
                least=least,
            )
            for other, least in TO_REACH[engine].items()
        ),
        Line(
            what=f"requests for {job.events:,} events, {engine}",
            value=ours.requests,
            most=job.allowed,
            each_round=True,
        ),
    ]

"""How long an event takes under any load, and in how much company it goes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks.ground import Failed, Job, Place, Servers, place
from tests.benchmarks.results import Curve, Found, Line, percentile
from tests.benchmarks.throughput import AT_ONCE, ended
from tests.benchmarks.waiting import PER_MINUTE, PER_SECOND, waits

RATES = (2, 10, 40, 100, 200, 400, 900)
"""Events a second."""
PEOPLE = 100
ANSWER_SECONDS = 0.08
"""What Cronofy takes for an answer."""
LEAST_EVENTS, LOAD_SECONDS = 40, 10
RAISED = "limits raised"
LIMITS: Mapping[str, tuple[int, int]] = {
    "no limits": (0, 0),
    RAISED: (1_000, 10_000),
    "Cronofy's limits": (PER_SECOND, PER_MINUTE),
}
"""Requests a second and a minute."""
MOST_MEDIAN = {10: 40.0, 100: 60.0, 200: 150.0, 400: 500.0}
"""Milliseconds to reach where the limits do not bind; 99 % are to take at most five times that."""
LATE_FACTOR = 5
HALF_BUDGET_RATE, HALF_BUDGET_EVENTS, HALF_BUDGET_MOST = PER_MINUTE / 60 / 2, 500, 2_000.0
BESIDE_RATES = (2, 10, 40, 100)
"""For what another handler is given: it does no more than some 160 a second."""


@dataclass(frozen=True, kw_only=True)
class LoadSeen:
    """One rhythm's waits in milliseconds, and the writes of a request."""

    waits: list[float]
    company: float

    def share(self, part: float) -> float:
        return round(percentile(self.waits, part), 1)


async def load(servers: Servers) -> Found:
    """From publishing to the request at Cronofy, at each rate and under each limit; FastStream beside it."""
    lines: list[Line] = []
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, (per_second, per_minute) in LIMITS.items():
        settings = {
            "CRONOFY_REQUESTS_PER_SECOND": str(per_second),
            "CRONOFY_REQUESTS_PER_MINUTE": str(per_minute),
        }
        for rate in RATES:
            seen = await _ours(servers, rate, _events(rate), settings)
            goal = MOST_MEDIAN.get(rate) if name == RAISED else None
            lines += _lines(f"{name}, {rate} a second", seen, goal)
            curves.setdefault(name, []).append((rate, seen.share(0.5)))
        if name not in {"no limits", RAISED}:
            seen = await _ours(servers, HALF_BUDGET_RATE, HALF_BUDGET_EVENTS, settings)
            what = f"{name}, half of the budget, 99 %"
            lines.append(Line(what=what, value=seen.share(0.99), unit="ms", most=HALF_BUDGET_MOST))
    for rate in BESIDE_RATES:
        seen = await _faststream(servers, rate)
        lines += _lines(f"the same in FastStream, {rate} a second", seen, None)
        curves.setdefault("FastStream", []).append((rate, seen.share(0.5)))
    curve = Curve(
        name="load",
        title="From publishing to the request, median, Cronofy at 80 ms",
        across="events a second over 100 people",
        up="milliseconds",
        series=curves,
        logarithmic=True,
    )
    return Found(lines=lines, curves=[curve])


def _events(rate: float) -> int:
    return max(LEAST_EVENTS, int(rate * LOAD_SECONDS))


def _lines(what: str, seen: LoadSeen, goal: float | None) -> list[Line]:
    late = goal and goal * LATE_FACTOR
    return [
        Line(what=f"{what}, median", value=seen.share(0.5), unit="ms", most=goal),
        Line(what=f"{what}, 95 %", value=seen.share(0.95), unit="ms"),
        Line(what=f"{what}, 99 %", value=seen.share(0.99), unit="ms", most=late),
        Line(what=f"{what}, writes a request", value=round(seen.company, 2)),
    ]


async def _ours(servers: Servers, rate: float, events: int, settings: Mapping[str, str]) -> LoadSeen:
    job = Job(events=events, integrations=PEOPLE)
    async with place(servers, job, "PostgreSQL") as here:
        servers.forget(latency=ANSWER_SECONDS)
        async with here.consumers(1, **settings):
            seen = await _seen(here, job, rate)
            await here.all_settled(job)
        await here.verified(job)
    return seen


async def _faststream(servers: Servers, rate: float) -> LoadSeen:
    job = Job(events=_events(rate), integrations=PEOPLE)
    async with place(servers, job, "PostgreSQL") as here:
        servers.forget(latency=ANSWER_SECONDS)
        words = (here.url, here.broker.url, servers.cronofy, str(job.events), str(AT_ONCE))
        running = asyncio.create_task(ended("with_faststream", *words))
        seen = await _seen(here, job, rate)
        await running
    return seen


async def _seen(here: Place, job: Job, rate: float) -> LoadSeen:
    took = await waits(here, job, 1 / rate)
    if len(took) != job.events - 1:
        raise Failed(f"{job.events - 1 - len(took)} of {job.events} events did not arrive")
    requests = len((await here.ask("/seen"))["requests"])
    return LoadSeen(waits=[each * 1000 for each in took], company=job.events / requests)

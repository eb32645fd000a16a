"""How long somebody waits: at rest, under load, beside a crowd, and under Cronofy's limits."""

import asyncio
import time
from collections.abc import Sequence

from tests.benchmarks.ground import Failed, Job, Place, Servers, place
from tests.benchmarks.results import Curve, Found, Line, percentile
from tests.support.waiting import until

AT_REST = 0.05
"""Seconds between two events at rest."""
SHARES = {"median": 0.5, "95 %": 0.95, "99 %": 0.99}
MOST = {"median": 20.0, "99 %": 120.0}
BIG, SMALL, SMALL_EVENTS = 10_000, 50, 10
PER_SECOND, PER_MINUTE, KEPT_TO = 50, 500, 475
MINUTE = 60.0


async def latency(servers: Servers, *, events: int, half_load: float) -> Found:
    """From publishing to the request at Cronofy: one event at a time, and at half of what can be done."""
    lines, curves = [], {}
    under_load = f"at {half_load:g} a second"
    for name, pause in (("at rest", AT_REST), (under_load, 1 / half_load)):
        count = events if name == "at rest" else int(half_load * 15)
        job = Job(events=count, integrations=40)
        async with place(servers, job, "PostgreSQL") as here:
            servers.forget()
            async with here.consumers(1):
                took = await waits(here, job, pause)
                await here.all_settled(job)
            await here.verified(job)
        for share, part in SHARES.items():
            most = MOST.get(share) if name == "at rest" else None
            value = round(percentile(took, part) * 1000, 1)
            lines.append(Line(what=f"{name}, {share}", value=value, unit="ms", most=most))
        curves[name] = [(part, percentile(took, part / 100) * 1000) for part in range(1, 100)]
    curve = Curve(
        name="latency",
        title="From publishing to the request at Cronofy",
        across="per cent of events",
        up="milliseconds",
        series=curves,
    )
    return Found(lines=lines, curves=[curve])


async def waits(here: Place, job: Job, pause: float) -> list[float]:
    """Publish in an even rhythm; the seconds that each event took."""
    messages = job.messages()
    said: dict[str, float] = {}
    sending: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    await here.world.broker.publish(messages[0])  # so that everything is open
    await asyncio.sleep(1)
    next_at = loop.time()
    for number, message in enumerate(messages[1:], start=1):
        next_at += pause
        await asyncio.sleep(max(0.0, next_at - loop.time()))
        said[job.event_id(number)] = time.time()
        task = asyncio.create_task(here.world.broker.publish(message))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await here.all_arrived(job)
    arrived = await here.ask("/arrived")
    return [arrived[key] - at for key, at in said.items()]


async def crowd(servers: Servers) -> Found:
    """One integration with 10,000 changes and 50 others with ten: how long those ten take."""
    lines = []
    for milliseconds in (0, 200):
        job = Crowd(events=BIG + SMALL * SMALL_EVENTS, integrations=1 + SMALL)
        async with place(servers, job, "PostgreSQL") as here:
            servers.forget(latency=milliseconds / 1000)
            async with here.consumers(1):
                messages = job.messages()
                await here.publish(messages[:BIG])
                await here.publish(messages[BIG:])
                published = time.time()
                await here.all_arrived(job)
                await here.all_settled(job)
            await here.verified(job)
            arrived = await here.ask("/arrived")
        last = max(arrived[job.event_id(number)] for number in range(BIG, job.events))
        what = f"50 beside a crowd, Cronofy at {milliseconds} ms"
        lines.append(Line(what=what, value=round(max(0.0, last - published), 1), unit="s", most=20))
    return Found(lines=lines)


class Crowd(Job):
    """The first person has nearly everything."""

    def person(self, number: int) -> str:
        return "u-0" if number < BIG else f"u-{1 + number % SMALL}"


async def limits(servers: Servers, *, minutes: int = 4) -> Found:
    """Three consumers at a Cronofy that enforces its limits: none is broken, nearly all is used."""
    job = Job(events=30_000, integrations=1_000)
    async with place(servers, job, "PostgreSQL") as here:
        servers.forget(per_second=PER_SECOND, per_minute=PER_MINUTE)
        limited = {
            "CRONOFY_REQUESTS_PER_SECOND": str(PER_SECOND),
            "CRONOFY_REQUESTS_PER_MINUTE": str(PER_MINUTE),
        }
        async with here.consumers(3, **limited):
            publishing = asyncio.create_task(here.publish(job.messages()))
            await until(lambda: _begun(here), seconds=60, what="the first request")
            await asyncio.sleep(minutes * MINUTE + 1)
            told = await here.ask("/seen")
            await publishing
        twice = [key for key, times in told["writes"].items() if times > 1]
        if twice or not set(told["writes"]) <= job.event_ids():
            raise Failed(f"{len(twice)} events were written twice, or strange ones at all")
    used = _used(told["requests"], range(1, minutes))
    return Found(
        lines=[
            Line(what="429 answers", value=told["refused"], most=0, each_round=True),
            Line(
                what=f"of {KEPT_TO} requests a minute used, minutes 2 to {minutes}",
                value=round(used, 3),
                least=0.9,
            ),
        ],
    )


async def _begun(here: Place) -> bool:
    await asyncio.sleep(0.2)
    return bool((await here.ask("/count"))["requests"])


def _used(requests: Sequence[float], minutes: range) -> float:
    """The least share of the budget that any of these minutes used."""
    begin = requests[0]
    counts = [
        sum(1 for at in requests if begin + m * MINUTE <= at < begin + (m + 1) * MINUTE) for m in minutes
    ]
    return min(counts) / KEPT_TO

"""How speed and requests change with consumers, integrations, bursts, rows and time (DESIGN 15)."""

import asyncio
import signal
from collections.abc import Sequence
from statistics import median

import psutil

from tests.benchmarks.ageing import grow
from tests.benchmarks.ground import ENGINES, Job, Place, Servers, place
from tests.benchmarks.results import Curve, Found, Line, Point
from tests.benchmarks.throughput import consumed, product
from tests.support.processes import Started

SLOW = 0.2
INTEGRATIONS = 40
NUMBERS_OF_INTEGRATIONS = (1, 10, 40, 200, 1000)
NUMBERS_OF_CONSUMERS = (1, 2, 4)
BURSTS = (100, 1_000, 10_000)
TO_REACH = {2: 1.8, 4: 3.2}
MEBIBYTE = 1024 * 1024


async def bursts(servers: Servers) -> Found:
    """Requests for a burst that waits, by one and by three consumers."""
    lines, per_event = [], []
    for events in BURSTS:
        job = Job(events=events, integrations=INTEGRATIONS)
        measured = await product(servers, job, "PostgreSQL")
        per_event.append((float(events), measured.requests / events))
        what = f"requests for {events:,} events, one consumer"
        lines.append(Line(what=what, value=measured.requests, most=job.allowed))
    job = Job(events=BURSTS[-1], integrations=INTEGRATIONS)
    allowed = job.allowed_for(consumers=3)
    many = await _of_many(servers, job, 3)
    lines.append(Line(what=f"requests for {job.events:,} events, three consumers", value=many, most=allowed))
    curve = Curve(
        name="requests-by-burst",
        title="Cronofy requests for an event, 40 integrations",
        across="events that wait",
        up="requests for an event",
        series={"one consumer": per_event},
        logarithmic=True,
    )
    return Found(lines=lines, curves=[curve])


async def _of_many(servers: Servers, job: Job, consumers: int) -> int:
    async with place(servers, job, "PostgreSQL") as here:
        servers.forget()
        async with here.consumers(consumers) as made:
            _all(made, signal.SIGSTOP)  # so that the burst waits, and each of them finds its share
            await here.publish(job.messages())
            _all(made, signal.SIGCONT)
            await here.all_arrived(job)
            await here.all_settled(job)
        await here.verified(job)
        return len((await here.ask("/seen"))["requests"])


def _all(consumers: Sequence[Started], number: int) -> None:
    for each in consumers:
        each.process.send_signal(number)


async def scaling(servers: Servers, events: int) -> Found:
    """One, two and four consumers with one request in flight each, at a Cronofy that takes 200 ms."""
    rates: dict[int, float] = {}
    for count in NUMBERS_OF_CONSUMERS:
        job = Job(events=events * count, integrations=INTEGRATIONS)
        async with place(servers, job, "PostgreSQL") as here:
            servers.forget(latency=SLOW)
            async with here.consumers(count, CONCURRENCY="1"):
                await here.publish(job.messages())
                await here.all_arrived(job)
                await here.all_settled(job)
            await here.verified(job)
            arrived = sorted((await here.ask("/arrived")).values())
        rates[count] = _steady(arrived)
    lines = [
        Line(what=f"{count} consumers against one", value=round(rates[count] / rates[1], 2), least=least)
        for count, least in TO_REACH.items()
    ]
    points = [(float(count), rate) for count, rate in rates.items()]
    return Found(
        lines=lines,
        curves=[
            Curve(
                name="throughput-by-consumers",
                title="Throughput by consumers, one request in flight each, Cronofy at 200 ms",
                across="consumers",
                up="events a second",
                series={"PostgreSQL": points},
            )
        ],
    )


def _steady(arrived: Sequence[float]) -> float:
    """Events a second between the first tenth and the last."""
    first, last = len(arrived) // 10, len(arrived) * 9 // 10
    return (last - first) / (arrived[last] - arrived[first])


async def integrations(servers: Servers, events: int) -> Found:
    """The same events over more and more integrations."""
    series: dict[str, list[Point]] = {engine: [] for engine in ENGINES}
    lines = []
    for number in NUMBERS_OF_INTEGRATIONS:
        job = Job(events=events, integrations=number)
        for engine in ENGINES:
            measured = await product(servers, job, engine)
            series[engine].append((float(number), measured.rate))
            if engine == "PostgreSQL":
                what = f"requests for {events:,} events over {number:,} integrations"
                lines.append(Line(what=what, value=measured.requests, most=job.allowed))
    curve = Curve(
        name="throughput-by-integrations",
        title="Throughput by integrations",
        across="integrations",
        up="events a second",
        series=series,
        logarithmic=True,
    )
    return Found(lines=lines, curves=[curve])


async def rows(servers: Servers, events: int, steps: Sequence[int], rounds: int) -> Found:
    """Speed beside millions of inbox rows and log entries that are there already."""
    series: dict[str, list[Point]] = {}
    lines = []
    for engine in ENGINES:
        series[engine] = []
        job = Job(events=events, integrations=INTEGRATIONS)
        for step in steps:
            async with place(servers, job, engine) as here:
                await grow(here.world.store, step)
                rates = [(await _again(here, job, number)) for number in range(rounds)]
            series[engine].append((step / 1e6, median(rates)))
        share = series[engine][-1][1] / series[engine][0][1]
        what = f"speed beside {steps[-1] / 1e6:g} million rows, {engine}"
        lines.append(Line(what=what, value=round(share, 2), least=0.9))
    curve = Curve(
        name="throughput-by-rows",
        title="Throughput by rows already in inbox and log, each",
        across="million rows",
        up="events a second",
        series=series,
    )
    return Found(lines=lines, curves=[curve])


async def _again(here: Place, job: Job, number: int) -> float:
    part = Job(events=job.events, integrations=job.integrations, series=number)
    await here.fill(part.messages())
    return (await consumed(here, part)).rate


async def memory(servers: Servers, events: int) -> Found:
    """What a consumer holds while so many events pass."""
    job = Job(events=events, integrations=INTEGRATIONS)
    points: list[Point] = []
    async with place(servers, job, "PostgreSQL") as here:
        await here.fill(job.messages())
        servers.forget()
        async with here.consumers(1) as (consumer,):
            process = psutil.Process(consumer.process.pid)
            while not points or points[-1][0] < events:
                passed = (await here.ask("/count"))["events"]
                points.append((float(passed), process.memory_info().rss / MEBIBYTE))
                await asyncio.sleep(0.5)
            await here.all_settled(job)
            last = process.memory_info().rss / MEBIBYTE
        await here.verified(job)
    middle = max(up for passed, up in points if passed <= events / 2)
    return Found(
        lines=[
            Line(what=f"MiB after {events:,} events", value=round(last, 1), most=150),
            Line(what="of what it was at half of them", value=round(last / middle, 2), most=1.05),
        ],
        curves=[
            Curve(
                name="memory-by-events",
                title="Memory of a consumer",
                across="events",
                up="MiB",
                series={"PostgreSQL": [*points, (float(events), last)]},
            )
        ],
    )

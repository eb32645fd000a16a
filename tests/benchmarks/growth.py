"""How speed and requests change with consumers, integrations, bursts, rows and time."""

import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.benchmarks.ageing import keep_their_plans
from tests.benchmarks.ground import ENGINES, INTEGRATIONS, Job, Place, Servers, place
from tests.benchmarks.results import Curve, Found, Line, folded
from tests.benchmarks.throughput import Measured, consumed, product
from tests.support.grown import grow
from tests.support.processes import Started

SLOW = 0.2
NUMBERS_OF_INTEGRATIONS = (1, 10, 40, 200, 1000)
NUMBERS_OF_CONSUMERS = (1, 2, 4)
BURSTS = (100, 1_000, 10_000, 50_000)
BURST_OF_MANY = 10_000
TO_REACH = {2: 1.8, 4: 3.2}


async def bursts(servers: Servers) -> Found:
    """Speed at a burst that waits, and requests for it by one and by three consumers."""
    jobs = [Job(events=events, integrations=INTEGRATIONS) for events in BURSTS]
    measured = await _measured(servers, jobs)
    job = Job(events=BURST_OF_MANY, integrations=INTEGRATIONS)
    lines = [
        *_requests(jobs, measured),
        Line(
            what=f"requests for {job.events:,} events, three consumers",
            value=await _of_many(servers, job, 3),
            most=job.allowed_for(consumers=3),
        ),
    ]
    requests = Curve(
        name="requests-by-burst",
        title="Cronofy requests for an event, 40 integrations",
        across="events that wait",
        up="requests for an event",
        series={
            engine: [(float(one.events), one.requests / one.events) for one in measured[engine]]
            for engine in ENGINES
        },
        logarithmic=True,
    )
    rates = Curve(
        name="throughput-by-burst",
        title="Throughput by burst, 40 integrations, from the consumer's start",
        across="events that wait",
        up="events a second",
        series={engine: [(float(one.events), one.rate) for one in measured[engine]] for engine in ENGINES},
        logarithmic=True,
    )
    return Found(lines=lines, curves=[requests, rates])


async def _measured(servers: Servers, jobs: Sequence[Job]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {engine: [] for engine in ENGINES}
    for job in jobs:
        for engine in ENGINES:
            found[engine].append(await product(servers, job, engine))
    return found


def _requests(jobs: Sequence[Job], measured: Mapping[str, Sequence[Measured]]) -> list[Line]:
    return [
        Line(
            what=f"requests for {job.events:,} events over {job.integrations:,} integrations",
            value=max(measured[engine][number].requests for engine in ENGINES),
            most=job.allowed,
        )
        for number, job in enumerate(jobs)
    ]


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
        Line(
            what=f"{count} consumers against one",
            value=round(rates[count] / rates[1], 2),
            unit="×",
            least=least,
        )
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
    jobs = [Job(events=events, integrations=number) for number in NUMBERS_OF_INTEGRATIONS]
    measured = await _measured(servers, jobs)
    series = {
        engine: [(float(job.integrations), one.rate) for job, one in zip(jobs, measured[engine], strict=True)]
        for engine in ENGINES
    }
    curve = Curve(
        name="throughput-by-integrations",
        title="Throughput by integrations",
        across="integrations",
        up="events a second",
        series=series,
        logarithmic=True,
    )
    return Found(lines=_requests(jobs, measured), curves=[curve])


async def rows(servers: Servers, events: int, steps: Sequence[int], rounds: int) -> Found:
    """Speed beside millions of inbox rows and log entries, filled in once for all rounds."""
    job = Job(events=events, integrations=INTEGRATIONS)
    rates: dict[str, list[list[float]]] = {engine: [] for engine in ENGINES}
    for engine in ENGINES:
        for step in steps:
            async with place(servers, job, engine) as here:
                await grow(here.world.store, step, since=datetime.now(UTC) - timedelta(days=1))
                if step == steps[-1]:
                    await keep_their_plans(here.world.store)
                rates[engine].append([await _again(here, job, number) for number in range(rounds)])
    return folded([_beside(rates, steps, number) for number in range(rounds)])


def _beside(rates: Mapping[str, Sequence[Sequence[float]]], steps: Sequence[int], number: int) -> Found:
    """One round of it."""
    series = {
        engine: [(step / 1e6, found[number]) for step, found in zip(steps, rates[engine], strict=True)]
        for engine in ENGINES
    }
    lines = [
        Line(
            what=f"speed beside {steps[-1] / 1e6:g} million rows, {engine}",
            value=round(series[engine][-1][1] / series[engine][0][1], 2),
            unit="×",
            least=0.9,
        )
        for engine in ENGINES
    ]
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

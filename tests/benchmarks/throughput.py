"""Events per second of ``consume outbound``, of a bare loop, and of what others would write."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime

from contracts.messages import QUEUE_OUTBOUND
from tests.benchmarks.ground import ENGINES, LONGEST, Failed, Job, Place, Servers, place
from tests.support.processes import ROOT

AT_ONCE = 10
BARE = "bare loop"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One pass over all events."""

    seconds: float
    events: int
    requests: int = 0

    @property
    def rate(self) -> float:
        return self.events / self.seconds


async def bare(servers: Servers, job: Job) -> Measured:
    """The broker alone."""
    async with place(servers, Job(events=job.events, integrations=1), "SQLite") as here:
        await here.fill(job.messages())
        told = await ended("bare", here.broker.url, str(job.events))
        if left := await here.world.broker.depth(QUEUE_OUTBOUND):
            raise Failed(f"the bare loop left {left} events in the queue")
    return Measured(seconds=told["ended"] - told["began"], events=job.events)


async def product(servers: Servers, job: Job, engine: str, **changed: str) -> Measured:
    """One ``consume outbound`` from its first message to the last one in the inbox."""
    async with place(servers, job, engine) as here:
        await here.fill(job.messages())
        return await consumed(here, job, **changed)


async def consumed(here: Place, job: Job, **changed: str) -> Measured:
    """The events that wait there."""
    here.servers.forget()
    async with here.consumers(1, **changed) as (consumer,):
        began = datetime.fromisoformat(consumer.logged("consumer.started")["timestamp"]).timestamp()
        await here.all_arrived(job)
        await here.all_settled(job)
    settled = await here.verified(job)
    requests = len((await here.ask("/seen"))["requests"])
    return Measured(seconds=settled - began, events=job.events, requests=requests)


async def handler(servers: Servers, job: Job, engine: str, script: str, *, at_once: int) -> Measured:
    """A consumer of the usual kind over the same tables."""
    async with place(servers, job, engine) as here:
        await here.fill(job.messages())
        servers.forget()
        told = await ended(script, here.url, here.broker.url, servers.cronofy, str(job.events), str(at_once))
        settled = await here.verified(job)
        requests = len((await here.ask("/seen"))["requests"])
    return Measured(seconds=settled - told["began"], events=job.events, requests=requests)


async def ended(script: str, *words: str) -> dict[str, float]:
    """What a script said at its end."""

    def run() -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", f"tests.benchmarks.{script}", *words]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=LONGEST)

    done = await asyncio.to_thread(run)
    if done.returncode:
        raise Failed(f"{script} failed: {done.stderr.decode()[-500:]}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


async def one_round(servers: Servers, job: Job, fewer: Job) -> dict[str, Measured]:
    """Everything once, one after the other, so that what disturbs the machine disturbs all alike."""
    found = {BARE: await bare(servers, job)}
    for engine in ENGINES:
        found[f"ours, {engine}"] = await product(servers, job, engine)
        for name, script, at_once in (
            ("straightforward", "straightforward", 1),
            ("tuned", "straightforward", AT_ONCE),
            ("tuned in FastStream", "with_faststream", AT_ONCE),
        ):
            measured = await handler(servers, fewer, engine, script, at_once=at_once)
            found[f"{name}, {engine}"] = measured
    return found

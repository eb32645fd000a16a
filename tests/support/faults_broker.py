"""Outbound consumers over a real RabbitMQ, each with connections of its own as a process has them."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aio_pika

from contracts.errors import Unavailable
from contracts.ports import Outgoing, Publisher
from service.broker.rabbitmq import RabbitBroker
from service.consumers.outbound.engine import OutboundConsumer
from service.store.engine.store import Store
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.rabbitmq import RabbitMQ
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

RETRY_DELAYS = (1, 2)


class PassingClock(ManualClock):
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def connected_to(url: str, **options: Any) -> RabbitBroker:
    """Quick to notice what is wrong, and patient with a broker that is only slow."""
    usual: dict[str, Any] = {
        "retry_delays": RETRY_DELAYS,
        "watch_seconds": 1.0,
        "connect_timeout": 10.0,
        "publish_timeout": 3.0,
    }
    return RabbitBroker(url, **usual | options)


async def insist(broker: Publisher, message: Outgoing) -> None:
    """Publish it again and again until it is confirmed."""
    while True:
        try:
            return await broker.publish(message)
        except Unavailable:
            await asyncio.sleep(0.1)


@dataclass(kw_only=True)
class ConsumersOnRabbitMQ:
    """One store, one calendar provider, and any number of consumers on one RabbitMQ."""

    rabbitmq: RabbitMQ
    world: Outbound
    stack: AsyncExitStack
    brokers: dict[int, RabbitBroker] = field(default_factory=dict)
    """By the identity of the consumer that uses it."""

    async def consumer(self, url: str | None = None, **options: Any) -> OutboundConsumer:
        """A started consumer with two connections of its own; by a wire that may fail: soon given up."""
        broker = connected_to(url, connect_timeout=3.0) if url else connected_to(self.rabbitmq.url)
        await broker.open()
        self.stack.push_async_callback(broker.close)
        usual: dict[str, Any] = {"broker": broker, "retry_delays": RETRY_DELAYS}
        consumer = self.world.consumer(**usual | options)
        self.brokers[id(consumer)] = broker
        return await self.world.start(consumer)

    async def publish(self, messages: Iterable[Outgoing], *, at_once: int = 50) -> None:
        """As Vorex does: whatever was not confirmed is published again under its id."""
        waiting = asyncio.Semaphore(at_once)

        async def one(message: Outgoing) -> None:
            async with waiting:
                await insist(self.world.broker, message)

        await asyncio.gather(*(one(message) for message in messages))

    async def settled(self, ids: Iterable[str], *, seconds: float = 90) -> None:
        """Return when the store knows the end of every message and RabbitMQ holds none."""
        wanted = {*ids}

        async def all_known() -> bool:
            return wanted <= {*await self.world.finished()}

        await until(all_known, seconds=seconds, what="the end of every message")
        await until(self.empty, seconds=seconds, what="empty queues")

    async def empty(self) -> bool:
        """Whether no queue holds a message and nobody has one in hand."""
        return not any((await asyncio.to_thread(self.rabbitmq.queues)).values())

    async def newest_once(self, events: Sequence[Outgoing]) -> None:
        """Every item has one event, at its newest version, and nobody complained."""
        titles = {event.message_id: event for event in events}
        assert self.world.calendars.titles == sorted(newest_titles(titles.values()))
        assert [dict(letter) for letter in await self.world.letters()] == []


@asynccontextmanager
async def consumers_on_rabbitmq(rabbitmq: RabbitMQ, store: Store) -> AsyncIterator[ConsumersOnRabbitMQ]:
    """One integration's world, without a consumer yet."""
    broker = connected_to(rabbitmq.url)
    async with AsyncExitStack() as stack, outbound(store, PassingClock(), broker) as world:
        await world.integration()
        yield ConsumersOnRabbitMQ(rabbitmq=rabbitmq, world=world, stack=stack)


@asynccontextmanager
async def through_proxy(rabbitmq: RabbitMQ, *, heartbeat: int = 2) -> AsyncIterator[tuple[TcpProxy, str]]:
    """A wire to the node that the test can cut, and the address that leads through it."""
    async with TcpProxy("127.0.0.1", rabbitmq.node.port) as wire:
        url = rabbitmq.url.replace(f":{rabbitmq.node.port}/", f":{wire.port}/")
        yield wire, f"{url}?heartbeat={heartbeat}"


@asynccontextmanager
async def raw_channel(rabbitmq: RabbitMQ) -> AsyncIterator[Any]:
    """A channel that does what our own code never does."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        yield await connection.channel()


def events_of(items: int, versions: int, *, prefix: str = "m") -> list[Outgoing]:
    """Every version of every item, the items side by side."""
    return [
        changed(f"{prefix}-i-{item}", version, id=f"{prefix}-{item}-{version}")
        for version in range(1, versions + 1)
        for item in range(items)
    ]


def shuffled(events: Sequence[Outgoing]) -> list[Outgoing]:
    """In any order, always the same one, and every fifth twice."""
    mixed = [*events, *events[::5]]
    random.Random(8).shuffle(mixed)
    return mixed


def newest_titles(events: Iterable[Outgoing]) -> list[str]:
    """What a calendar shows in the end; ids are as ``events_of`` makes them."""
    newest: dict[str, int] = {}
    for event in events:
        prefix, item, version = event.message_id.rsplit("-", 2)
        name = f"{prefix}-i-{item}"
        newest[name] = max(newest.get(name, 0), int(version))
    return [f"{name} v{version}" for name, version in newest.items()]

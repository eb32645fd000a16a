"""Both brokers behind the few verbs that the conformance suite needs beyond the port."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from contracts.messages import ITEMS_EXCHANGE
from contracts.ports import Broker, Delivery, Outgoing, Subscription
from service.broker.memory import MemoryBroker
from service.broker.rabbitmq import RabbitBroker
from tests.support.clock import ManualClock
from tests.support.waiting import until

RETRY_DELAYS = (1, 3)


@dataclass
class RecordingSink:
    """A sink that remembers everything, and can wait for it."""

    deliveries: list[Delivery] = field(default_factory=list)
    lost_generations: list[int] = field(default_factory=list)

    def deliver(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    def lost(self, generation: int) -> None:
        self.lost_generations.append(generation)

    @property
    def ids(self) -> list[str | None]:
        return [delivery.message_id for delivery in self.deliveries]

    async def received(self, count: int, *, seconds: float = 60) -> list[Delivery]:
        what = f"delivery {count} (there are {len(self.deliveries)})"
        await until(lambda: len(self.deliveries) >= count, seconds=seconds, what=what)
        return self.deliveries[:count]


class MemoryUnderTest:
    """A memory broker and the clock that moves its delays."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker: Broker = MemoryBroker(clock=self.clock, retry_delays=RETRY_DELAYS)

    async def interrupt(self) -> None:
        assert isinstance(self.broker, MemoryBroker)
        self.broker.interrupt()

    async def pass_time(self, seconds: float) -> None:
        await self.clock.pass_time(seconds)

    def moment(self) -> float:
        """Seconds by the clock that moves the delays."""
        return self.clock.monotonic()

    async def quiet(self) -> None:
        """Return when nothing more will be delivered."""
        assert isinstance(self.broker, MemoryBroker)
        await self.broker.drain()


class RabbitUnderTest:
    """A RabbitMQ, its connections cut as a network would."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.broker: Broker = RabbitBroker(url, retry_delays=RETRY_DELAYS, **options)

    async def interrupt(self) -> None:
        assert isinstance(self.broker, RabbitBroker)
        await self.broker._consuming.rebuild()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def moment(self) -> float:
        """As the memory broker's, and nobody can stop it."""
        return time.monotonic()

    async def quiet(self) -> None:
        """A round trip to the server: what it sent before its answer has been received."""
        for _ in range(3):
            await self.broker.missing()


BrokerUnderTest = MemoryUnderTest | RabbitUnderTest


def item(message_id: str = "m-1", **changes: Any) -> Outgoing:
    """A message as Vorex would publish it."""
    usual: dict[str, Any] = {"exchange": ITEMS_EXCHANGE, "routing_key": "task.created", "body": b"{}"}
    return Outgoing(**usual | {"message_id": message_id} | changes)


async def take(broker: Broker, queue: str, *, prefetch: int = 100) -> tuple[RecordingSink, Subscription]:
    taker = RecordingSink()
    return taker, await broker.subscribe(queue, prefetch=prefetch, sink=taker)

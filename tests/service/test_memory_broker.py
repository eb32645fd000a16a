"""What the memory broker promises beyond the port: the last net, the outbox's word, no loss."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.messages import INTEGRATIONS_EXCHANGE, QUEUE_OUTBOUND, QUEUE_PARKED
from contracts.ports import ATTEMPT_HEADER, Delivery, Outgoing
from service.broker.memory import MemoryBroker
from service.broker.topology import DELIVERY_LIMIT, retry_exchange
from tests.support.brokers import RecordingSink, item, take
from tests.support.clock import ManualClock


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker(clock=ManualClock(), retry_delays=(1,))
    await broker.open()
    await broker.declare()
    yield broker
    await broker.close()


async def test_a_message_that_returns_too_often_ends_in_the_last_net(broker: MemoryBroker) -> None:
    """The return after the thousandth parks it, with its key and origin."""
    await broker.publish(item("m-1", routing_key="todo.deleted"))
    taker, _ = await take(broker, QUEUE_OUTBOUND)
    for _ in range(DELIVERY_LIMIT + 1):
        broker.interrupt()
        await broker.drain()

    parked, _ = await take(broker, QUEUE_PARKED)

    (got,) = await parked.received(1)
    assert (got.message_id, got.routing_key, got.origin) == ("m-1", "todo.deleted", QUEUE_OUTBOUND)
    assert taker.deliveries[-1].returns == DELIVERY_LIMIT
    assert await broker.depth(QUEUE_OUTBOUND) == 0


async def test_what_nobody_takes_is_told_at_once_and_leaves_no_trace() -> None:
    """Facts about integrations have no queue of ours: a year of them must not fill the memory."""
    settled: list[str] = []
    broker = MemoryBroker(clock=ManualClock(), retry_delays=(1,), settled=settled.append)
    await broker.open()
    await broker.declare()
    fact = Outgoing(
        exchange=INTEGRATIONS_EXCHANGE,
        routing_key="integration.deleted",
        body=b"{}",
        message_id="f-1",
        mandatory=False,
    )

    await broker.publish(fact)

    assert settled == ["f-1"]
    assert not broker.copies
    await broker.close()


async def test_an_id_is_settled_when_no_copy_of_it_is_left() -> None:
    """A retry is a copy too: acknowledged after it was put off, the message is not done with."""
    settled: list[str] = []
    clock = ManualClock()
    broker = MemoryBroker(clock=clock, retry_delays=(1,), settled=settled.append)
    await broker.open()
    await broker.declare()
    await broker.publish(item("m-1"))
    taker, subscription = await take(broker, QUEUE_OUTBOUND)

    retry = item("m-1", exchange=retry_exchange(1), routing_key=QUEUE_OUTBOUND, headers={ATTEMPT_HEADER: 2})
    await broker.publish(retry)
    await subscription.ack(await taker.received(1))
    assert settled == []

    await clock.pass_time(1)
    await subscription.ack((await taker.received(2))[1:])
    assert settled == ["m-1"]
    await broker.close()


async def test_a_delay_survives_closing_and_opening(broker: MemoryBroker) -> None:
    """What waits for a retry waits on, and comes home late rather than never."""
    await broker.publish(item("m-1", exchange=retry_exchange(1), routing_key=QUEUE_OUTBOUND))
    await broker.close()
    await broker.open()
    clock = broker._clock
    assert isinstance(clock, ManualClock)

    await asyncio.sleep(0)
    await clock.pass_time(1)

    assert await broker.depth(QUEUE_OUTBOUND) == 1


steps = st.lists(
    st.sampled_from(["publish", "ack", "ack some", "interrupt", "close", "retry", "time"]), max_size=60
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_every_message_is_somewhere_until_it_is_settled(script: list[str]) -> None:
    """Nothing is lost and nothing settled comes again, over any order of events."""
    asyncio.run(Story().play(script))


class Story:
    """A broker, one consumer at a time, and the ids that must still be there."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = MemoryBroker(clock=self.clock, retry_delays=(1,))
        self.taker = RecordingSink()
        self.open: set[str] = set()
        self.done: list[Delivery] = []

    async def play(self, script: list[str]) -> None:
        await self.broker.open()
        await self.broker.declare()
        await self.subscribe()
        for number, step in enumerate(script):
            await self.take_step(step, f"m-{number}")
            await self.broker.drain()
        await self.finish()

    async def subscribe(self) -> None:
        self.taker = RecordingSink()
        self.subscription = await self.broker.subscribe(QUEUE_OUTBOUND, prefetch=3, sink=self.taker)

    async def take_step(self, step: str, message_id: str) -> None:
        match step:
            case "publish":
                await self.broker.publish(item(message_id))
                self.open.add(message_id)
            case "ack":
                await self.settle(len(self.taker.deliveries))
            case "ack some":
                await self.settle(1)
            case "interrupt":
                self.broker.interrupt()
            case "close":
                await self.subscription.close()
                await self.subscribe()
            case "retry":
                await self.put_off()
            case _:
                await self.clock.pass_time(1)

    def in_hand(self) -> list[Delivery]:
        gone = {*self.taker.lost_generations}
        return [
            each for each in self.taker.deliveries if each.generation not in gone and each not in self.done
        ]

    async def settle(self, count: int) -> None:
        for delivery in self.in_hand()[-count:]:
            await self.acknowledge(delivery)
            self.open.discard(str(delivery.message_id))

    async def put_off(self) -> None:
        for delivery in self.in_hand()[:1]:
            home = {"exchange": retry_exchange(1), "routing_key": QUEUE_OUTBOUND}
            await self.broker.publish(item(str(delivery.message_id), **home))
            await self.acknowledge(delivery)

    async def acknowledge(self, delivery: Delivery) -> None:
        self.done.append(delivery)
        await self.subscription.ack([delivery])

    async def finish(self) -> None:
        await self.subscription.close()
        await self.clock.pass_time(1)
        rest, _ = await take(self.broker, QUEUE_OUTBOUND, prefetch=1000)
        await self.broker.drain()
        assert sorted(map(str, rest.ids)) == sorted(self.open)
        await self.broker.close()

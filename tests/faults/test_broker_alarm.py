"""RabbitMQ has no memory left: it takes no message, and hands out and settles those it has (T10)."""

import asyncio

import pytest

from contracts.errors import Unavailable
from contracts.messages import QUEUE_OUTBOUND
from service.outbox import LeasedOutbox
from service.store.engine.store import Store
from service.store.messages import outbox
from service.store.messages.outbox import enqueue
from tests.support.calendars import changed
from tests.support.faults_broker import consumers_on_rabbitmq, events_of
from tests.support.knobs import sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]


async def test_t10_in_a_memory_alarm_work_in_hand_ends_and_what_must_be_published_waits(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Acknowledgements flow; retries and outbox rows stay where they are, and go on by themselves."""
    events, fact = events_of(20, 1), changed("fact-i-0", id="fact-0-1")
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
        world = place.world
        consumer = await place.consumer()
        world.calendars.gate.clear()
        world.calendars.refused = {"late v1": 503}
        await place.publish([*events, changed("late", id="late")])
        await until(lambda: consumer.unsettled == 21, what="work in hand")
        leased = LeasedOutbox(
            store=some_store,
            publisher=place.brokers[id(consumer)],
            holder="one",
            written=asyncio.Event(),
            poll=0.1,
        )
        async with some_store.begin() as connection:
            await enqueue(connection, [fact], now=await some_store.now(connection))

        with rabbitmq.memory_alarm():
            with pytest.raises(Unavailable):
                await world.broker.publish(changed("held"))
            with pytest.raises(Unavailable):
                await leased.flush()
            world.calendars.gate.set()
            await until(lambda: _only_the_retry_is_left(rabbitmq), what="20 acknowledgements")
            assert len(await _unsent(some_store)) == 1
            await until(lambda: consumer.ready, what="a ready consumer")
            world.calendars.refused = {}

        await until(lambda: _flushed(leased, some_store), what="an empty outbox")
        await place.settled([*(event.message_id for event in events), "late", fact.message_id])
        assert world.calendars.titles.count("late v1") == 1
        assert await world.letters() == []


async def _only_the_retry_is_left(rabbitmq: RabbitMQ) -> bool:
    queues = await asyncio.to_thread(rabbitmq.queues)
    return queues[QUEUE_OUTBOUND] == 1 and sum(queues.values()) == 1


async def _unsent(store: Store) -> list[str]:
    async with store.read() as connection:
        return list(await outbox.unsent(connection, now=await store.now(connection), limit=10))


async def _flushed(leased: LeasedOutbox, store: Store) -> bool:
    try:
        await leased.flush()
    except Unavailable:
        return False
    return not await _unsent(store)

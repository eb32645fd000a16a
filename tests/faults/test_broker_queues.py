"""Queues that disappear, give up, or lose patience with a consumer (T9, T17, T18, T26)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from contracts.messages import QUEUE_OUTBOUND, QUEUE_PARKED
from service.broker.topology import DELIVERY_LIMIT
from service.consumers.parked import ParkedMessages
from service.store.engine.store import Store
from tests.support.brokers import RecordingSink
from tests.support.calendars import changed
from tests.support.faults_broker import (
    ConsumersOnRabbitMQ,
    PassingClock,
    consumers_on_rabbitmq,
    events_of,
    raw_channel,
)
from tests.support.knobs import sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]


@contextmanager
def impatient(rabbitmq: RabbitMQ, **milliseconds: int) -> Iterator[None]:
    """The node's own time limits, shortened for what is opened meanwhile."""
    usual = {
        "consumer_timeout": 1_800_000,
        "channel_tick_interval": 60_000,
        "dead_letter_worker_publisher_confirm_timeout": 180_000,
    }
    _set(rabbitmq, milliseconds)
    try:
        yield
    finally:
        _set(rabbitmq, {name: usual[name] for name in milliseconds})


def _set(rabbitmq: RabbitMQ, milliseconds: dict[str, int]) -> None:
    told = ", ".join(f"application:set_env(rabbit, {name}, {value})" for name, value in milliseconds.items())
    rabbitmq.node.ctl("eval", f"{told}.")


async def in_hand(place: ConsumersOnRabbitMQ, count: int) -> None:
    """Return when the first consumer holds so many messages and waits for the calendar."""
    consumer = place.world.consumers[0]
    await until(lambda: consumer.unsettled == count and place.world.calendars.requests, what="work in hand")


async def test_t9_a_queue_deleted_under_a_consumer_takes_no_work_with_it(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """What was taken in is written all the same; unready until the queue is declared, then it goes on."""
    taken, later = events_of(10, 1), events_of(5, 1, prefix="later")
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, raw_channel(rabbitmq) as channel:
        consumer = await place.consumer()
        place.world.calendars.gate.clear()
        await place.publish(taken)
        await in_hand(place, len(taken))
        await channel.queue_delete(QUEUE_OUTBOUND)
        await until(lambda: not consumer.ready, what="an unready consumer")
        place.world.calendars.gate.set()
        await until(lambda: len(place.world.calendars.events) == len(taken), what="what was taken in")

        await place.world.broker.declare()
        await until(lambda: consumer.ready, what="a ready consumer")
        await place.publish(later)
        await place.settled(event.message_id for event in later)
        await place.newest_once([*taken, *later])


async def test_a_retry_that_finds_no_queue_keeps_its_message_until_there_is_one(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Returned as unroutable: nothing is acknowledged, nothing circles, the neighbours go on (R30)."""
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, raw_channel(rabbitmq) as channel:
        await place.consumer()
        place.world.calendars.refused = {"late v1": 503}
        await channel.queue_delete("calendar-sync.retry.1")
        await place.publish([changed("late", id="late"), changed("other", id="other")])
        await until(lambda: len(place.world.calendars.events) == 1, what="the neighbour")
        (consumer,) = place.world.consumers
        await until(lambda: consumer._transaction_b.unpublished, what="a retry that cannot be published")
        await until(lambda: _held(rabbitmq, 1), what="the neighbour's acknowledgement")
        assert (await asyncio.to_thread(rabbitmq.queues))[QUEUE_PARKED] == 0

        place.world.calendars.refused = {}
        await place.world.broker.declare()
        await place.settled(["late", "other"])
        assert place.world.calendars.titles == ["late v1", "other v1"]


async def test_t26_a_consumer_that_holds_messages_too_long_gets_them_again_and_writes_once(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """RabbitMQ closes the channel under it; two consumers then have the messages, and one the claims."""
    events = events_of(10, 1)
    with impatient(rabbitmq, consumer_timeout=1500, channel_tick_interval=500):
        async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
            stuck = await place.consumer()
            place.world.calendars.gate.clear()
            await place.publish(events)
            await in_hand(place, len(events))
            await until(lambda: stuck._lost > 0, seconds=90, what="the end of RabbitMQ's patience")
            await place.consumer()
            place.world.calendars.gate.set()
            await place.settled(event.message_id for event in events)
            await place.newest_once(events)
            await until(lambda: stuck.ready, what="a ready consumer")


async def test_acknowledgements_that_come_after_their_channel_are_not_sent(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """An operator cuts the connections with work in hand; the new channel never hears of the old tags."""
    events = events_of(20, 1)
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
        consumer = await place.consumer()
        place.world.calendars.gate.clear()
        await place.publish(events)
        await in_hand(place, len(events))
        await asyncio.to_thread(rabbitmq.close_connections)
        await until(lambda: consumer._lost > 0, what="notice of the cut")
        await until(lambda: consumer.unsettled == len(events) and consumer.ready, what="all of them again")
        lost = consumer._lost
        place.world.calendars.gate.set()
        await place.settled(event.message_id for event in events)
        await place.newest_once(events)
        assert consumer._lost == lost


@asynccontextmanager
async def importing(place: ConsumersOnRabbitMQ, store: Store) -> AsyncIterator[None]:
    """The keeper's part that takes from the last net."""
    parked = ParkedMessages(store=store, broker=place.world.broker, clock=PassingClock())
    await parked.start()
    task = asyncio.create_task(parked.run())
    try:
        yield
    finally:
        await parked.stop()
        await task


async def test_t17_what_rabbitmq_gives_up_is_a_dead_letter_that_can_be_replayed(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """One return beyond the limit: parked, imported with its bytes, and done when an operator sends it."""
    heavy = changed("heavy", id="heavy")
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, raw_channel(rabbitmq) as channel:
        await place.publish([heavy])
        queue = await channel.get_queue(QUEUE_OUTBOUND)
        returned = 0
        while (message := await queue.get(fail=False, timeout=60)) is not None:
            await message.reject(requeue=True)
            returned += 1
        assert returned == DELIVERY_LIMIT + 1
        async with importing(place, some_store):
            await until(place.world.letters, what="the dead letter")
        (letter,) = await place.world.letters()
        assert (letter["code"], letter["queue"], letter["state"]) == (
            "delivery_limit",
            QUEUE_OUTBOUND,
            "open",
        )
        assert bytes(letter["body"]) == heavy.body

        await place.consumer()
        await place.world.replay(letter)
        await place.settled(["heavy"])
        assert [each["state"] for each in await place.world.letters()] == ["resolved"]
        assert place.world.calendars.titles == ["heavy v1"]


async def test_t17_a_window_that_is_returned_again_and_again_buries_nobody(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Consumers that die with a full window are not the messages' fault: none is given up."""
    events = events_of(sized(30, 200), 1)
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
        await place.publish(events)
        for _ in range(25):
            idler = RecordingSink()
            subscription = await place.world.broker.subscribe(QUEUE_OUTBOUND, prefetch=1000, sink=idler)
            await idler.received(len(events))
            await subscription.close()
        await place.consumer()
        await place.settled(event.message_id for event in events)
        await place.newest_once(events)


async def test_t18_without_a_last_net_rabbitmq_keeps_what_it_gave_up_until_there_is_one(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Dead-lettering at least once: the parking queue may be missing for a while, and nothing is lost."""
    with impatient(rabbitmq, dead_letter_worker_publisher_confirm_timeout=500):
        async with consumers_on_rabbitmq(rabbitmq, some_store) as place, raw_channel(rabbitmq) as channel:
            await channel.queue_delete(QUEUE_PARKED)
            await place.publish(events_of(3, 1))
            queue = await channel.get_queue(QUEUE_OUTBOUND)
            for _ in range(3):
                message = await queue.get(timeout=60)
                await message.reject(requeue=False)
            await until(lambda: _held(rabbitmq, 3), what="three messages without a way out")
            await place.world.broker.declare()
            async with importing(place, some_store):
                await until(lambda: _letters(place, 3), what="three dead letters")


async def _letters(place: ConsumersOnRabbitMQ, count: int) -> bool:
    return len(await place.world.letters()) == count


async def _held(rabbitmq: RabbitMQ, count: int) -> bool:
    return (await asyncio.to_thread(rabbitmq.queues))[QUEUE_OUTBOUND] == count

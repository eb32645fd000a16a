"""The network between us and RabbitMQ stalls, breaks, or loses one of its ends (T8, T25)."""

import asyncio
import random
from collections import Counter

import pytest

from contracts.errors import Unavailable
from contracts.messages import QUEUE_OUTBOUND
from service.consumers.outbound.engine import OutboundConsumer
from service.outbox import LeasedOutbox
from service.store.engine.store import Store
from service.store.messages import outbox
from service.store.messages.outbox import enqueue
from tests.support.calendars import changed
from tests.support.faults_broker import (
    ConsumersOnRabbitMQ,
    connected_to,
    consumers_on_rabbitmq,
    events_of,
    insist,
    through_proxy,
)
from tests.support.knobs import sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]


async def in_hand(place: ConsumersOnRabbitMQ, ids: int) -> None:
    """Return when the only consumer holds so many messages and waits for the calendar."""
    (consumer,) = place.world.consumers
    await until(lambda: consumer.unsettled == ids and place.world.calendars.requests, what="work in hand")


async def test_t25_a_wire_that_stalls_with_work_in_hand_costs_nothing(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Answers come while nothing can be acknowledged; what comes again is known, and nothing is missing."""
    events = events_of(30, 1)
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, through_proxy(rabbitmq) as (wire, url):
        consumer = await place.consumer(url)
        place.world.calendars.gate.clear()
        await place.publish(events)
        await in_hand(place, len(events))
        wire.freeze()
        place.world.calendars.gate.set()
        await until(lambda: not consumer.ready, what="notice of the stall")
        wire.thaw()
        await until(lambda: consumer.ready, what="a ready consumer")
        await place.settled(event.message_id for event in events)
        await place.newest_once(events)


async def test_t25_a_connection_that_breaks_again_and_again_is_mended_each_time(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """A RST in the middle of anything: every message is done, by somebody, with one event per item."""
    events = events_of(40, 3)
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, through_proxy(rabbitmq) as (wire, url):
        consumers = [await place.consumer(url, prefetch=20, intake_size=5) for _ in range(2)]
        publishing = asyncio.create_task(place.publish(events, at_once=10))
        for _ in range(sized(2, 30)):
            wire.reset()
            await until(lambda: all(each.ready for each in consumers), what="ready consumers")
        await publishing
        await place.settled(event.message_id for event in events)
        await place.newest_once(events)


async def test_t25_the_messages_of_a_half_open_connection_go_to_another_consumer(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """RabbitMQ knows that its peer is gone, the peer does not: it notices by itself and works on."""
    events = events_of(10, 1)
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, through_proxy(rabbitmq) as (wire, url):
        deaf = await place.consumer(url)
        place.world.calendars.gate.clear()
        await place.publish(events)
        await in_hand(place, len(events))
        wire.half_open()
        await place.consumer()
        place.world.calendars.gate.set()
        await place.settled(event.message_id for event in events)
        await until(lambda: deaf.ready, what="a consumer that hears again")
        await place.newest_once(events)


async def test_t8_a_publish_whose_confirm_is_lost_is_unknown_and_repeated_under_its_id(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """It arrived, and nobody said so: published again it is there twice, and its effect once."""
    async with (
        consumers_on_rabbitmq(rabbitmq, some_store) as place,
        through_proxy(rabbitmq, heartbeat=30) as (wire, url),
    ):
        vorex = connected_to(url, publish_timeout=1.0)
        await vorex.open()
        await insist(vorex, changed("warm", id="warm"))
        event, before = changed("once", id="once"), await place.world.broker.depth(QUEUE_OUTBOUND)
        wire.freeze_answers()
        with pytest.raises(Unavailable):
            await vorex.publish(event)
        wire.thaw()
        await insist(vorex, event)
        await until(lambda: _holds(place, before + 2), what="both copies")
        await place.consumer()
        await place.settled(["warm", "once"])

        assert place.world.calendars.titles == ["once v1", "warm v1"]
        assert len(place.world.calendars.writes) == 2
        await vorex.close()


async def test_t22_an_outbox_that_never_hears_a_confirm_sends_the_same_ids_again(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Published, unmarked, published again in the same order: nothing is lost, the effect is there once."""
    events = events_of(20, 2)
    async with (
        consumers_on_rabbitmq(rabbitmq, some_store) as place,
        through_proxy(rabbitmq, heartbeat=30) as (wire, url),
    ):
        sender = connected_to(url, publish_timeout=1.0)
        await sender.open()
        await insist(sender, changed("warm-i-0", id="warm-0-1"))
        leased = LeasedOutbox(
            store=some_store, publisher=sender, holder="one", written=asyncio.Event(), poll=0.1
        )
        async with some_store.begin() as connection:
            await enqueue(connection, events, now=await some_store.now(connection))
        wire.freeze_answers()
        with pytest.raises(Unavailable):
            await leased.flush()
        wire.thaw()
        running = asyncio.create_task(leased.run())
        await until(lambda: _sent(some_store), what="an empty outbox")
        leased.stop()
        await running
        assert await place.world.broker.depth(QUEUE_OUTBOUND) > len(events) + 1
        await place.consumer()
        await place.settled(event.message_id for event in events)
        await place.newest_once([*events, changed("warm-i-0", id="warm-0-1")])
        await sender.close()


async def _sent(store: Store) -> bool:
    async with store.read() as connection:
        return not await outbox.unsent(connection, now=await store.now(connection), limit=1)


async def _holds(place: ConsumersOnRabbitMQ, least: int) -> bool:
    return await place.world.broker.depth(QUEUE_OUTBOUND) >= least


async def test_t25_through_a_bad_network_everything_arrives_and_nothing_is_left_behind(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Stalls, resets and half-open connections in any order; then no task and no socket is too many."""
    events = events_of(sized(40, 400), 3)
    chance = random.Random(25)
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place, through_proxy(rabbitmq) as (wire, url):
        consumers = [await place.consumer(url, prefetch=30, intake_size=10) for _ in range(2)]
        await place.publish(events[:1])  # the publisher's channel is opened by the first
        await place.settled([events[0].message_id])
        connections = 2 * len(consumers)
        await until(lambda: _all_ready(consumers) and wire.connections == connections, what="all at work")
        tasks = _tasks()
        publishing = asyncio.create_task(place.publish(events, at_once=10))
        for _ in range(sized(3, 200)):
            await _disturb(wire, chance)
            await until(lambda: _all_ready(consumers), what="ready consumers")
        await publishing
        await place.settled((event.message_id for event in events), seconds=sized(90, 600))
        await place.newest_once(events)
        await until(lambda: not _tasks() - tasks, what=f"no task beyond {tasks}")
        await until(lambda: wire.connections == connections, what="just its connections")


def _all_ready(consumers: list[OutboundConsumer]) -> bool:
    return all(consumer.ready for consumer in consumers)


async def _disturb(wire: TcpProxy, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    match chance.randrange(3):
        case 0:
            wire.reset()
        case 1:
            wire.half_open()
        case 2:
            wire.freeze()
            await asyncio.sleep(chance.uniform(0.5, sized(2, 6)))
            wire.thaw()


def _tasks() -> Counter[str]:
    """How many of each kind."""
    return Counter(str(task.get_coro()).partition(" at ")[0] for task in asyncio.all_tasks())

"""What only a real server can do to us: restart, run out of memory, lose queues, fall silent."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import aio_pika
import pytest

from contracts.errors import Permanent, SyncError, Unavailable, Unroutable
from contracts.messages import (
    NOTICES_EXCHANGE,
    PEOPLE_EXCHANGE,
    QUEUE_OUTBOUND,
    QUEUE_PARKED,
    QUEUE_PEOPLE,
    REPLAY_EXCHANGE,
)
from service.broker.rabbitmq import RabbitBroker
from service.broker.subscription import RabbitSubscription
from service.broker.topology import PERMISSIONS, retry_exchange, topology
from tests.support.brokers import RETRY_DELAYS, item, take
from tests.support.rabbitmq import RabbitMQ
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = pytest.mark.rabbitmq


def connected_to(url: str, **options: Any) -> RabbitBroker:
    usual: dict[str, Any] = {"retry_delays": RETRY_DELAYS, "watch_seconds": 1.0}
    return RabbitBroker(url, **usual | options)


@pytest.fixture
async def broker(rabbitmq: RabbitMQ) -> AsyncIterator[RabbitBroker]:
    broker = connected_to(rabbitmq.url, publish_timeout=6.0)
    await broker.open()
    await broker.declare()
    yield broker
    await broker.close()


@pytest.fixture
async def raw(rabbitmq: RabbitMQ) -> AsyncIterator[Any]:
    """A channel that does what our own code never does."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        yield await connection.channel()


async def test_after_kill_minus_nine_of_the_broker_deliveries_resume_by_themselves(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """Everything confirmed survives, the sink hears of the loss, and no one has to do anything."""
    for number in range(20):
        await broker.publish(item(f"m-{number}"))
    taker, subscription = await take(broker, QUEUE_OUTBOUND, prefetch=50)
    before = await taker.received(20)

    await asyncio.to_thread(rabbitmq.restart)

    wanted = {delivery.message_id for delivery in before}
    await until(lambda: wanted <= {*taker.ids[20:]}, what="all of them again")
    assert taker.lost_generations[0] == before[0].generation
    assert wanted == {*taker.ids} == {f"m-{number}" for number in range(20)}
    await until(lambda: broker.ready and subscription.alive)
    await broker.publish(item("m-after"))


async def test_publishing_through_a_broken_connection_either_confirms_or_says_unavailable(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """With many in flight nothing hangs, nothing is cancelled, and what was confirmed is there."""
    confirmed: set[str] = set()
    errors: list[SyncError] = []
    over = asyncio.Event()

    async def publish_on(name: int) -> None:
        for number in count():
            try:
                await broker.publish(item(f"m-{name}-{number}"))
                confirmed.add(f"m-{name}-{number}")
            except SyncError as exc:
                errors.append(exc)
            if over.is_set():
                return

    publishers = [asyncio.create_task(publish_on(name)) for name in range(100)]
    await until(lambda: confirmed)
    await asyncio.to_thread(rabbitmq.close_connections)
    await until(lambda: errors)
    await until(lambda: broker.ready)
    over.set()
    await asyncio.gather(*publishers)

    assert {type(error) for error in errors} == {Unavailable}
    taker, subscription = await take(broker, QUEUE_OUTBOUND, prefetch=100_000)
    await until(lambda: confirmed <= {*taker.ids})
    await subscription.ack(taker.deliveries)


async def test_an_operator_who_closes_our_connections_costs_us_nothing(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """Both connections come back, with the consumer."""
    taker, subscription = await take(broker, QUEUE_OUTBOUND)
    await broker.publish(item("m-1"))
    await taker.received(1)

    await asyncio.to_thread(rabbitmq.close_connections)

    await taker.received(2)
    await until(lambda: broker.ready and subscription.alive)
    await broker.publish(item("m-2"))
    await taker.received(3)


async def test_a_deleted_queue_makes_the_consumer_unalive_until_it_is_declared_again(
    broker: RabbitBroker, raw: Any
) -> None:
    """T9: never silent, and no manual step beyond declaring."""
    taker, subscription = await take(broker, QUEUE_OUTBOUND)
    await broker.publish(item("m-1"))
    (lost,) = await taker.received(1)

    await raw.queue_delete(QUEUE_OUTBOUND)
    await until(lambda: not subscription.alive and taker.lost_generations)
    assert taker.lost_generations == [lost.generation]

    await broker.declare()
    await until(lambda: subscription.alive)
    await broker.publish(item("m-2"))
    await taker.received(2)
    assert taker.ids == ["m-1", "m-2"]


async def test_a_queue_that_differs_is_named_with_its_argument_and_left_alone(
    rabbitmq: RabbitMQ, raw: Any
) -> None:
    """T1: declare changes no existing queue and deletes none; everything that differs is told at once."""
    (outbound,) = (queue for queue in topology().queues if queue.name == QUEUE_OUTBOUND)
    older = {**outbound.arguments, "x-delivery-limit": 20}
    await raw.declare_queue(QUEUE_OUTBOUND, durable=True, arguments=older)
    await raw.declare_exchange(NOTICES_EXCHANGE, "fanout", durable=True)
    await raw.default_exchange.publish(aio_pika.Message(b"kept"), QUEUE_OUTBOUND)
    broker = connected_to(rabbitmq.url)
    await broker.open()

    with pytest.raises(Permanent) as told:
        await broker.declare()

    assert "queue calendar-sync.outbound: x-delivery-limit is 20, it must be 1000" in str(told.value)
    assert "exchange cronofy.notices: type is fanout, it must be topic" in str(told.value)
    assert await broker.depth(QUEUE_OUTBOUND) == 1
    assert await broker.missing() == []
    await broker.close()


async def test_in_a_memory_alarm_publishing_times_out_while_acknowledgements_flow(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """T10: the two connections never hold each other up; the alarm shows, and passes by itself."""
    for number in range(3):
        await broker.publish(item(f"m-{number}"))
    taker, subscription = await take(broker, QUEUE_OUTBOUND)
    got = await taker.received(3)

    with rabbitmq.memory_alarm():
        with pytest.raises(Unavailable):
            await broker.publish(item("m-held"))
        await until(lambda: not broker.ready)
        await subscription.ack(got)
        await until(lambda: _empty(rabbitmq), what="the acknowledgements")

    await until(lambda: broker.ready)
    await broker.publish(item("m-4"))
    await until(lambda: subscription.alive)


async def _empty(rabbitmq: RabbitMQ) -> bool:
    return (await asyncio.to_thread(rabbitmq.queues))[QUEUE_OUTBOUND] == 0


async def test_a_silent_wire_is_noticed_and_the_connection_rebuilt(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """Neither end says anything, so only asking shows it."""
    async with TcpProxy("127.0.0.1", rabbitmq.node.port) as wire:
        ours = connected_to(
            rabbitmq.url.replace(f":{rabbitmq.node.port}/", f":{wire.port}/"), connect_timeout=4.0
        )
        await ours.open()
        taker, subscription = await take(ours, QUEUE_OUTBOUND)
        wire.freeze()
        await broker.publish(item("m-1"))

        await until(lambda: not subscription.alive)
        wire.thaw()

        await taker.received(1)
        await until(lambda: subscription.alive)
        await ours.close()


async def test_a_consumer_that_the_broker_forgot_is_rebuilt(broker: RabbitBroker) -> None:
    """Messages are ready, the window has room, and nothing comes: the watchdog takes a new channel."""
    taker, subscription = await take(broker, QUEUE_OUTBOUND)
    assert isinstance(subscription, RabbitSubscription)
    window = subscription._window
    assert window is not None
    (tag,) = window._underlay.consumers
    await window._underlay.basic_cancel(tag)

    await broker.publish(item("m-1"))

    await taker.received(1)
    assert taker.lost_generations == [window.generation]


class FullQueue:
    """What the library keeps for a wire on which nothing is written any more: no frame finds room in it."""

    async def basic_ack(self, *_: Any, **__: Any) -> None:
        await asyncio.Event().wait()


async def test_t8_whoever_acknowledges_while_a_node_goes_is_not_kept_for_ever(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """It is let go when the channel is over, and what it could not say comes again."""
    await broker.publish(item("m-1"))
    taker, subscription = await take(broker, QUEUE_OUTBOUND)
    assert isinstance(subscription, RabbitSubscription)
    window = subscription._window
    assert window is not None
    window._underlay = FullQueue()
    acknowledging = asyncio.create_task(subscription.ack(await taker.received(1)))
    await asyncio.sleep(0)

    await asyncio.to_thread(rabbitmq.close_connections)

    async with asyncio.timeout(20):
        await acknowledging
    await taker.received(2)


async def test_a_refused_message_ends_in_the_last_net_with_its_origin(broker: RabbitBroker, raw: Any) -> None:
    """What the broker itself gives up keeps its key and id, and says where it was."""
    await broker.publish(item("m-1", routing_key="todo.deleted"))
    got = await (await raw.get_queue(QUEUE_OUTBOUND)).get()
    await got.reject(requeue=False)

    taker, _ = await take(broker, QUEUE_PARKED)

    (parked,) = await taker.received(1)
    assert (parked.message_id, parked.routing_key) == ("m-1", "todo.deleted")
    assert (parked.origin, parked.headers) == (QUEUE_OUTBOUND, {})


async def test_on_the_wire_a_message_is_persistent_without_priority_expiration_or_foreign_headers(
    broker: RabbitBroker, raw: Any
) -> None:
    """T27: RabbitMQ 4.3 sorts by a priority, however it got there."""
    await broker.publish(item("m-1", headers={"calendar-sync-attempt": 2, "x-delivery-count": 7}))

    underlay = await raw.get_underlay_channel()
    got = await underlay.basic_get(QUEUE_OUTBOUND)

    sent = got.header.properties
    assert (sent.content_type, sent.delivery_mode) == ("application/cloudevents+json", 2)
    assert (sent.priority, sent.expiration) == (None, None)
    assert {name for name in sent.headers if name != "x-delivery-count"} == {"calendar-sync-attempt"}
    await underlay.basic_ack(got.delivery.delivery_tag)


async def test_the_same_id_in_flight_twice_keeps_the_two_answers_apart(broker: RabbitBroker) -> None:
    """A return names only the id, so one that arrives must not be blamed for one that does not."""
    taken, refused = await asyncio.gather(
        broker.publish(item("same")),
        broker.publish(item("same", exchange=REPLAY_EXCHANGE, routing_key="nowhere")),
        return_exceptions=True,
    )

    assert taken is None
    assert isinstance(refused, Unroutable)


async def test_each_user_may_do_its_own_work_and_no_more(rabbitmq: RabbitMQ, broker: RabbitBroker) -> None:
    """T3: the patterns of docker-compose's users, tried in kind."""
    rabbitmq.add_users(PERMISSIONS)
    relay, consumer, vorex = (connected_to(rabbitmq.url_of(user)) for user in ("relay", "consumer", "vorex"))
    for each in (relay, consumer, vorex):
        await each.open()
        assert await each.missing() == []

    await relay.publish(item("n-1", exchange=NOTICES_EXCHANGE, routing_key="change"))
    await vorex.publish(item("m-1"))
    await vorex.publish(item("p-1", exchange=PEOPLE_EXCHANGE, routing_key="session.revoked"))
    people, _ = await take(consumer, QUEUE_PEOPLE)
    await people.received(1)
    await consumer.publish(item("m-2", exchange=retry_exchange(1), routing_key=QUEUE_OUTBOUND))
    taker, _ = await take(consumer, QUEUE_OUTBOUND)
    await taker.received(2)
    for each, exchange in (
        (relay, "vorex.items"),
        (vorex, "calendar-sync.replay"),
        (consumer, NOTICES_EXCHANGE),
        (consumer, PEOPLE_EXCHANGE),
        (relay, PEOPLE_EXCHANGE),
    ):
        with pytest.raises(Permanent):
            await each.publish(item("m-3", exchange=exchange))
    _, refused = await take(relay, QUEUE_OUTBOUND)
    assert not refused.alive

    for each in (relay, consumer, vorex):
        await each.close()


async def test_the_operators_user_can_declare_the_topology(rabbitmq: RabbitMQ) -> None:
    """Nobody needs an administrator of the broker to set it up."""
    rabbitmq.add_users({"operator": PERMISSIONS["operator"]})
    operator = connected_to(rabbitmq.url_of("operator"))
    await operator.open()

    await operator.declare()

    assert await operator.missing() == []
    await operator.close()


async def test_opening_says_at_once_when_there_is_no_broker() -> None:
    """An error with a reason, not an endless wait; the password is not in it."""
    broker = connected_to("amqp://someone:hush@127.0.0.1:1/")

    with pytest.raises(Unavailable) as told:
        await broker.open()

    assert "hush" not in str(told.value)
    assert not broker.ready

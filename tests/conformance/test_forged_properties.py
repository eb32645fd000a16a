"""What a publisher may write into the properties of a message, and what it gains by that: nothing (R44)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
from aiormq import spec

from contracts.messages import ITEMS_EXCHANGE, QUEUE_OUTBOUND, QUEUE_PARKED, QUEUE_RUNS
from contracts.ports import Outgoing
from service.broker.rabbitmq import RabbitBroker
from service.broker.topology import retry_exchange
from tests.support.brokers import RETRY_DELAYS, take
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

pytestmark = pytest.mark.rabbitmq
LONG_IDS = ("\N{GRINNING FACE}" * 64, "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 128, "x" * 256)
DEATH = {"queue": QUEUE_RUNS, "reason": "expired", "count": 9, "exchange": "", "routing-keys": ["x"]}
FORGED_DEATHS: dict[str, dict[str, Any]] = {
    "first": {"x-first-death-queue": QUEUE_RUNS},
    "last": {"x-last-death-queue": QUEUE_RUNS},
    "list": {"x-death": [DEATH]},
    "counted": {"x-death": [DEATH, DEATH | {"queue": QUEUE_OUTBOUND}]},
    "no list": {"x-death": "never"},
}


class Bytes(str):
    """A text whose bytes on the wire are no text, as many as there is room for."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff" * 255


@pytest.fixture
async def broker(rabbitmq: RabbitMQ) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(rabbitmq.url, retry_delays=RETRY_DELAYS, watch_seconds=1.0)
    await broker.open()
    await broker.declare()
    yield broker
    await broker.close()


async def forge(rabbitmq: RabbitMQ, message_id: str, **properties: Any) -> None:
    """Publish as Vorex's user could, with whatever properties."""
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel: Any = await (await connection.channel()).get_underlay_channel()
        told = spec.Basic.Properties(message_id=message_id, **properties)
        await channel.basic_publish(b"{}", exchange=ITEMS_EXCHANGE, routing_key="a.b", properties=told)


def again(message_id: str) -> Outgoing:
    return Outgoing(
        exchange=retry_exchange(RETRY_DELAYS[0]),
        routing_key=QUEUE_OUTBOUND,
        body=b"{}",
        message_id=message_id,
    )


@pytest.mark.parametrize("message_id", LONG_IDS, ids=lambda text: f"{len(text)} characters")
async def test_r30_an_id_of_more_bytes_than_travel_is_published_all_the_same(
    broker: RabbitBroker, message_id: str
) -> None:
    """A message's id has 200 characters, a property 255 bytes."""
    taker, _ = await take(broker, QUEUE_OUTBOUND)

    await broker.publish(again(message_id))

    (came,) = await taker.received(1)
    assert came.message_id
    assert came.message_id != message_id


async def test_r44_any_number_under_one_id_are_published_side_by_side(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """One after the other, they would keep everybody waiting who is settled with them."""
    channels: Any = broker._publisher
    on_their_way = 0

    async def held(*_: object, **__: object) -> None:
        nonlocal on_their_way
        on_their_way += 1
        await all_there.wait()

    all_there = asyncio.Event()
    send, channels._connection.unblocked = channels._connection.unblocked, held
    published = [asyncio.create_task(broker.publish(again("same"))) for _ in range(200)]
    await until(lambda: on_their_way == len(published), what="all of them on their way")
    channels._connection.unblocked = send
    all_there.set()
    await asyncio.gather(*published)

    taker, _ = await take(broker, QUEUE_OUTBOUND, prefetch=1000)
    came = await taker.received(len(published))
    assert len({delivery.message_id for delivery in came}) == len(came)


async def test_r30_what_came_under_an_id_without_text_can_be_sent_round(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """Spelt out, its bytes are four times as many."""
    await forge(rabbitmq, Bytes("any"))
    taker, _ = await take(broker, QUEUE_OUTBOUND)
    (came,) = await taker.received(1)

    await broker.publish(again(came.message_id or ""))

    await taker.received(2)


async def test_r44_a_forged_count_of_returns_makes_nobody_suspicious(
    rabbitmq: RabbitMQ, broker: RabbitBroker
) -> None:
    """What is suspicious is taken alone, and everybody else waits; the broker says whether it came before."""
    await forge(rabbitmq, "m-1", headers={"x-delivery-count": 900})
    taker, subscription = await take(broker, QUEUE_OUTBOUND)
    (first,) = await taker.received(1)
    await subscription.close()
    later, _ = await take(broker, QUEUE_OUTBOUND)
    (second,) = await later.received(1)

    assert (first.returns, second.returns) == (0, 1)


@pytest.mark.parametrize("headers", FORGED_DEATHS.values(), ids=FORGED_DEATHS)
async def test_r30_where_the_broker_took_a_message_out_is_the_brokers_word(
    rabbitmq: RabbitMQ, broker: RabbitBroker, headers: dict[str, Any]
) -> None:
    """Else a replay would bring it to a queue that its publisher may not write to."""
    await forge(rabbitmq, "m-1", expiration="1", headers=headers)

    # a queue of this kind lets a message expire where it is next, or when somebody asks
    holder, subscription = await take(broker, QUEUE_OUTBOUND)
    taker, _ = await take(broker, QUEUE_PARKED)

    (parked,) = await taker.received(1)
    assert (parked.origin, parked.expired) == (QUEUE_OUTBOUND, True)
    assert holder.ids == []
    await subscription.close()

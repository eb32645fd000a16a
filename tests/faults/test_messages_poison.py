"""Messages that nobody should ever send, on the wire of a real RabbitMQ (R30; T17)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from aiormq import spec

from contracts.messages import ITEMS_EXCHANGE, QUEUE_PARKED
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER
from service.store.engine.store import Store
from service.store.tables import attempts
from tests.support.calendars import changed
from tests.support.faults_broker import ConsumersOnRabbitMQ, consumers_on_rabbitmq, raw_channel
from tests.support.knobs import sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]


class Bytes(str):
    """A text whose bytes on the wire are no text."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe" + str(self).encode()


class FarOff(datetime):
    """A moment that a publisher gave in microseconds where AMQP wants seconds."""

    def timestamp(self) -> float:
        return super().timestamp() * 1e6


FAR_OFF = FarOff(2026, 12, 1, tzinfo=UTC)
ODDITIES: Mapping[str, Mapping[str, Any]] = {
    "id-without-text": {"message_id": Bytes("id")},
    "no-id": {"message_id": None},
    "words-without-text": {"reply_to": Bytes("a"), "correlation_id": Bytes("b"), "app_id": Bytes("c")},
    "moment": {"timestamp": FAR_OFF},
    "moment-in-headers": {"headers": {"sent": FAR_OFF, ATTEMPT_HEADER: 1}},
    "header-without-text": {"headers": {Bytes("name"): 1}},
    "header-values": {"headers": {"a": {"b": [1, None, Decimal("1.5")]}, "c": bytearray(b"\xff"), "d": "\0"}},
    "many-headers": {"headers": {f"name-{number}": "x" * 1000 for number in range(129)}},
    "fractional-attempt": {"headers": {ATTEMPT_HEADER: 1e30}},
    "large-attempt": {"headers": {ATTEMPT_HEADER: 2**62}},
    "small-attempt": {"headers": {ATTEMPT_HEADER: -5}},
    "no-attempt": {"headers": {ATTEMPT_HEADER: "many"}},
    "unknown-replay": {"headers": {REPLAY_HEADER: "no such letter \0"}},
    "forged": {"headers": {"x-delivery-count": 900, "x-death": "never", "x-first-death-queue": "elsewhere"}},
    "foreign-kind": {"content_type": "text/plain", "content_encoding": "gzip", "priority": 9},
}
"""Properties of messages whose body is good."""
GARBAGE: Mapping[str, bytes] = {
    "empty": b"",
    "no-text": b"\xff\xfe\x00",
    "zeros": b"\0" * 1000,
    "half": b'{"specversion":"1.0","id":',
    "nothing": b"null",
    "a-list": b"[{}]",
    "deep": b"[" * 100_000,
    "deep-objects": b'{"data":' * 20_000,
    "many-digits": b'{"id":' + b"9" * 10_000 + b"}",
    "no-number": b'{"specversion":"1.0","id":NaN}',
    "half-a-pair": b'{"specversion":"1.0","id":"\\ud800","source":"\\u0000"}',
    "huge": b'{"id":"' + b"x" * 8_000_000 + b'"}',
}


async def publish_raw(
    channel: Any, body: bytes, *, key: str = "appointment.created", **properties: Any
) -> None:
    underlay = await channel.get_underlay_channel()
    told = spec.Basic.Properties(**properties)
    await underlay.basic_publish(body, exchange=ITEMS_EXCHANGE, routing_key=key, properties=told)


def generation(place: ConsumersOnRabbitMQ) -> int:
    """Of the channel that the only consumer lives on."""
    (consumer,) = place.world.consumers
    subscription: Any = consumer._subscription
    assert subscription is not None
    assert subscription._window is not None
    number: int = subscription._window.generation
    return number


async def test_t17_nothing_on_the_wire_breaks_the_consumer_or_hinders_a_neighbour(
    rabbitmq: RabbitMQ, store: Store
) -> None:
    """Odd properties around a good body do no harm, also through a retry; a bad body is one dead letter."""
    async with consumers_on_rabbitmq(rabbitmq, store) as place, raw_channel(rabbitmq) as channel:
        await place.consumer(retry_delays=(1,) * 60)
        before = generation(place)
        place.world.calendars.refused = {f"{name} v1": 503 for name in ODDITIES}
        await place.publish([changed("first", id="first")])
        for name, body in GARBAGE.items():
            await publish_raw(channel, body, message_id=name)
        for name, properties in ODDITIES.items():
            body = changed(name, id=name).body
            await publish_raw(channel, body, **{"message_id": name, **properties})
        await publish_raw(channel, changed("key", id="key").body, key=Bytes("key"))
        await place.publish([changed("last", id="last")])
        await until(lambda: tried(place), what="a first attempt at all")
        place.world.calendars.refused = {}
        await place.settled(["first", "last", "key", *ODDITIES])

        titles = sorted(f"{name} v1" for name in (*ODDITIES, "first", "last", "key"))
        assert place.world.calendars.titles == titles
        letters = await place.world.letters()
        assert {(letter["code"], letter["state"]) for letter in letters} == {("malformed", "open")}
        assert sorted(bytes(letter["body"]) for letter in letters) == sorted(GARBAGE.values())
        assert generation(place) == before
        assert await place.world.broker.depth(QUEUE_PARKED) == 0


async def tried(place: ConsumersOnRabbitMQ) -> bool:
    return {row["message_id"] for row in await place.world.rows(attempts)} >= {*ODDITIES}

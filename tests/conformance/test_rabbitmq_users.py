"""Each user of RabbitMQ tries every verb on every name: what it must, it may, and nothing more (T3)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed

from contracts.messages import QUEUE_PARKED
from service.broker.rabbitmq import RabbitBroker
from service.broker.topology import PERMISSIONS, WORK_QUEUES, topology
from tests.support.brokers import item
from tests.support.rabbitmq import RabbitMQ

pytestmark = pytest.mark.rabbitmq

DELAYS = (10, 60)
RETRIES = {"calendar-sync.retry.10", "calendar-sync.retry.60"}
SENT = {"vorex.items", "calendar-sync.items", "calendar-sync.integrations", "calendar-sync.commands"}
DEFAULT = ""
"""The default exchange: whoever may write to it reaches every queue."""
WHOLE = topology(DELAYS)
EXCHANGES = {each.name for each in WHOLE.exchanges}
QUEUES = {each.name for each in WHOLE.queues}
VOREXS_OWN = {name for name in EXCHANGES if name.startswith("vorex.")}
WRITES = {
    "vorex": VOREXS_OWN,
    "relay": {"cronofy.notices"},
    "web": {*SENT, "calendar-sync.replay"},
    "consumer": {*SENT, *RETRIES, "calendar-sync.replay"},
    "operator": {*EXCHANGES, DEFAULT},
}
READS: dict[str, set[str]] = {
    "vorex": set(),
    "relay": set(),
    "web": set(),
    "consumer": {*WORK_QUEUES, QUEUE_PARKED},
    "operator": QUEUES,
}
FOLLOWS = {
    "vorex": {"vorex.items", "calendar-sync.items", "calendar-sync.integrations"},
    "operator": EXCHANGES,
}
"""Exchanges from which a user may have messages sent to a queue of its own."""
KEYS = {"calendar-sync.commands": "run.requested", "calendar-sync.replay": "calendar-sync.outbound"}
Deed = Callable[[AbstractChannel, str], Awaitable[object]]


@pytest.fixture
async def node(rabbitmq: RabbitMQ) -> AsyncIterator[RabbitMQ]:
    """The whole topology, and every user."""
    broker = RabbitBroker(rabbitmq.url, retry_delays=DELAYS)
    await broker.open()
    await broker.declare()
    rabbitmq.add_users(PERMISSIONS)
    yield rabbitmq
    await broker.close()


async def publish(channel: AbstractChannel, name: str) -> None:
    exchange = channel.default_exchange if name == DEFAULT else await channel.get_exchange(name, ensure=False)
    message = aio_pika.Message(b"{}")
    await exchange.publish(message, routing_key="calendar-sync.nobody", mandatory=False, timeout=10)


async def read(channel: AbstractChannel, name: str) -> None:
    queue = await channel.get_queue(name, ensure=False)
    await queue.get(no_ack=False, fail=False, timeout=10)


async def declare(channel: AbstractChannel, name: str) -> None:
    """As it is, which changes nothing and takes the right to configure it."""
    kind = next(each.kind for each in WHOLE.exchanges if each.name == name)
    await channel.declare_exchange(name, kind, durable=True)


async def purge(channel: AbstractChannel, name: str) -> None:
    await (await channel.get_queue(name, ensure=False)).purge()


async def delete(channel: AbstractChannel, name: str) -> None:
    await (await channel.get_queue(name, ensure=False)).delete(if_unused=False, if_empty=False)


async def intrude(channel: AbstractChannel, name: str) -> None:
    await (await channel.get_queue(name, ensure=False)).bind("calendar-sync.items", routing_key="#")


async def allowed(connection: AbstractConnection, deed: Deed, names: Iterable[str]) -> set[str]:
    """Those of the names on which RabbitMQ let it be done."""
    done = set()
    for name in sorted(names):
        channel = await connection.channel(publisher_confirms=True)
        try:
            await deed(channel, name)
            done.add(name)
            await channel.close()
        except ChannelAccessRefused:
            pass
    return done


@dataclass(kw_only=True, frozen=True)
class TriedRights:
    """On which names RabbitMQ let a user do what."""

    write: set[str]
    read: set[str]
    purge: set[str]
    declare: set[str]
    follow: set[str]
    intrude: set[str]
    delete: set[str]


async def tried(connection: AbstractConnection, user: str) -> TriedRights:
    async def follow(channel: AbstractChannel, name: str) -> None:
        queue = await channel.declare_queue(f"vorex.of-{user}", durable=True)
        await queue.bind(name, routing_key="#")

    return TriedRights(
        write=await allowed(connection, publish, {*EXCHANGES, DEFAULT}),
        read=await allowed(connection, read, QUEUES),
        purge=await allowed(connection, purge, QUEUES),
        declare=await allowed(connection, declare, EXCHANGES),
        follow=await allowed(connection, follow, EXCHANGES),
        intrude=await allowed(connection, intrude, QUEUES),
        delete=await allowed(connection, delete, QUEUES),
    )


async def test_a_user_may_do_exactly_what_its_work_takes(node: RabbitMQ) -> None:
    """T3: every exchange and every queue is tried, so a new one is refused until it is placed here."""
    for user in PERMISSIONS:
        async with await aio_pika.connect(node.url_of(user)) as connection:
            rights = await tried(connection, user)

        configures = user == "operator"
        expected = TriedRights(
            write=WRITES[user],
            read=READS[user],
            purge=READS[user],
            declare=EXCHANGES if configures else set(),
            follow=FOLLOWS.get(user, set()),
            intrude=QUEUES if configures else set(),
            delete=QUEUES if configures else set(),
        )
        assert rights == expected, user


async def test_a_user_speaks_under_no_other_name(node: RabbitMQ) -> None:
    """T3: RabbitMQ refuses a message that says that somebody else wrote it."""
    for user in ("vorex", "relay", "web", "consumer"):
        async with await aio_pika.connect(node.url_of(user)) as connection:
            channel = await connection.channel(publisher_confirms=True)
            exchange = await channel.get_exchange(min(WRITES[user]), ensure=False)
            forged = aio_pika.Message(b"{}", user_id="operator")
            with pytest.raises(ChannelPreconditionFailed):
                await exchange.publish(forged, routing_key="x", timeout=10)


async def test_pages_can_do_all_their_work_as_their_own_user(node: RabbitMQ) -> None:
    """T3: looks whether all is there, counts what waits, sends what the outbox holds."""
    broker = RabbitBroker(node.url_of("web"), retry_delays=DELAYS)
    await broker.open()

    assert await broker.missing() == []
    for exchange in sorted(WRITES["web"] - {"calendar-sync.integrations"}):
        await broker.publish(item("m-1", exchange=exchange, routing_key=KEYS.get(exchange, "task.created")))
    assert await broker.depth("calendar-sync.outbound") == 3

    await broker.close()


def test_the_tables_above_name_every_user() -> None:
    """A new one is refused here until it is placed."""
    assert set(WRITES) == set(READS) == set(PERMISSIONS)

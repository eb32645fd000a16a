"""A cluster of three loses each of its nodes once while events flow (T8)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from contracts.ports import Outgoing
from service.store.engine.store import Store
from tests.support.faults_broker import (
    ConsumersOnRabbitMQ,
    consumers_on_rabbitmq,
    events_of,
    shuffled,
)
from tests.support.knobs import sized
from tests.support.rabbitmq import RabbitMQ, installed_scripts
from tests.support.rabbitmq_cluster import CLUSTER_VHOST, RabbitCluster, rabbit_cluster
from tests.support.servers import absent
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]
ITEMS, VERSIONS = sized(60, 600), 4


@pytest.fixture
def cluster() -> Iterator[RabbitCluster]:
    scripts = installed_scripts()
    if scripts is None:
        absent("RabbitMQ cluster", "install rabbitmq-server")
    with rabbit_cluster(scripts) as started:
        yield started


@pytest.fixture
async def place(cluster: RabbitCluster, some_store: Store) -> AsyncIterator[ConsumersOnRabbitMQ]:
    """Clients are led to whichever node answers, by what stands before the cluster."""
    async with TcpProxy("127.0.0.1", *cluster.ports) as front:
        rabbitmq = RabbitMQ(cluster.nodes[0], CLUSTER_VHOST, port=front.port)
        async with consumers_on_rabbitmq(rabbitmq, some_store) as opened:
            yield opened


async def test_t8_a_cluster_that_loses_each_node_once_loses_and_doubles_nothing(
    cluster: RabbitCluster, place: ConsumersOnRabbitMQ
) -> None:
    """Shuffled versions, every fifth twice; one consumer knows all hosts, two come through the front.

    Each event is written at most once in each version and never in an older one than before.
    """
    assert set(cluster.members().values()) == {3}
    hosts = ",".join(f"127.0.0.1:{port}" for port in cluster.ports)
    consumers = [await place.consumer(prefetch=60, intake_size=20) for _ in range(2)]
    consumers.append(await place.consumer(f"amqp://guest:guest@{hosts}/{CLUSTER_VHOST}", prefetch=60))
    events = shuffled(events_of(ITEMS, VERSIONS))
    share = len(events) // len(cluster.nodes) + 1
    for number, node in enumerate(cluster.nodes):
        part = events[number * share : (number + 1) * share]
        publishing = asyncio.create_task(place.publish(part, at_once=20))
        await begun(place, part)
        await asyncio.to_thread(node.kill)
        await publishing
        await asyncio.to_thread(node.start)
        await until(lambda: asyncio.to_thread(cluster.whole), seconds=sized(90, 600), what="a whole cluster")
    assert all([*(each.ready for each in consumers)])
    await place.settled((event.message_id for event in events), seconds=sized(90, 600))
    await place.newest_once(events)
    for event_id in {write.key[1] for write in place.world.calendars.writes}:
        seen = [int((title or "").rpartition(" v")[2]) for title in place.world.calendars.history(event_id)]
        assert seen == sorted(set(seen))


async def begun(place: ConsumersOnRabbitMQ, part: Sequence[Outgoing]) -> None:
    """Return when a third of them are done: the rest is on its way."""
    ids = {event.message_id for event in part}

    async def some() -> bool:
        return len(ids & {*await place.world.finished()}) * 3 > len(ids)

    await until(some, what="the first of them")

"""The database goes away in every way it can: nothing is acknowledged, nothing given up, and it goes on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from contracts.messages import QUEUE_OUTBOUND
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.consumers.outbound.engine import OutboundConsumer
from service.store.engine.store import ANSWER_SECONDS, Store
from service.store.tables import attempts
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.knobs import sized
from tests.support.postgresql import PostgreSQL
from tests.support.rabbitmq import RabbitMQ
from tests.support.stage import CONSUME, staged
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

GONE = sized(5, 30)
"""Seconds."""
BEFORE, MEANWHILE = 20, 20
LONG = "Bring the spare part. " * 1_000
"""No page that a database has already has room for it: one short message may still fit on a full disk."""

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 900))]


@asynccontextmanager
async def consuming(seen_by: Store, under_test: Store, broker_url: str) -> AsyncIterator[Outbound]:
    """A consumer on the computer's clock with its own way to the database."""
    async with outbound(seen_by, ManualClock(), RabbitBroker(broker_url)) as world:
        await world.integration()
        consumer = OutboundConsumer(
            store=under_test,
            broker=world.broker,
            cronofy=world.calendars,
            budget=world.budget,
            looker=world.looker,
            clock=SystemClock(),
            shutdown_grace=5.0,
        )
        world.consumers.append(consumer)
        await world.start(consumer)
        yield world


async def _survives(
    world: Outbound, take_away: Callable[[], Awaitable[Any]], give_back: Callable[[], Awaitable[Any]]
) -> None:
    """What is published before, during and after ends well, and not before the database is back."""
    consumer = world.consumers[-1]
    await world.publish(*(changed(f"b-{number}") for number in range(BEFORE)))
    await until(lambda: _done(world, BEFORE), what="the first messages done")
    await take_away()
    await world.publish(*(changed(f"m-{number}", description=LONG) for number in range(MEANWHILE)))
    await until(lambda: not consumer.ready, what="a consumer that says it is not ready")
    assert len(world.calendars.events) == BEFORE
    await give_back()
    await until(lambda: _done(world, BEFORE + MEANWHILE), seconds=90, what="all messages done")
    await unburnt(world)
    assert len(world.calendars.events) == BEFORE + MEANWHILE
    await until(lambda: consumer.ready, what="a ready consumer")


async def _done(world: Outbound, count: int) -> bool:
    return list((await world.finished()).values()) == ["done"] * count


async def unburnt(world: Outbound) -> None:
    """No dead letter, no attempt used up, nothing left in the queue."""
    assert await world.letters() == []
    assert await world.rows(attempts) == []
    assert await world.broker.depth(QUEUE_OUTBOUND) == 0


@pytest.mark.postgresql
async def test_t11_postgresql_is_killed_under_real_consumers_and_comes_back(
    rabbitmq: RabbitMQ, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """Away for 30 s while events pour in: what was acknowledged is recorded, and the rest is done after."""
    name = await postgresql.fresh()
    # the tests' server is told to be quick, and would then forget the last commits when it is killed
    await postgresql.run(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    async with staged(postgresql.url(name), rabbitmq.url, tmp_path) as stage:
        await stage.people("u-17")
        consumers = await stage.start(*CONSUME, count=2)
        await stage.faults(latency_ms=200)
        first = [changed(f"b-{number}", id=f"b-{number}") for number in range(BEFORE)]
        await stage.publish(first[: BEFORE // 2])
        await stage.settled(BEFORE // 2)
        await stage.publish(first[BEFORE // 2 :])
        await asyncio.to_thread(postgresql.kill)
        second = [changed(f"m-{number}", id=f"m-{number}") for number in range(MEANWHILE)]
        await stage.publish(second)
        await asyncio.sleep(GONE)
        left = (await asyncio.to_thread(rabbitmq.queues))[QUEUE_OUTBOUND]
        await asyncio.to_thread(postgresql.start)

        assert await stage.recorded() >= BEFORE + MEANWHILE - left
        assert left >= MEANWHILE
        await stage.settled(BEFORE + MEANWHILE)
        await unburnt(stage.world)
        await stage.shows("u-17", *(f"{message.message_id} v1" for message in (*first, *second)))
        assert [each.process.poll() for each in consumers] == [None, None]
        assert await stage.stop(consumers) == [0, 0]


@asynccontextmanager
async def at_a_wire(
    broker_url: str, postgresql: PostgreSQL, *, answer_within: float = ANSWER_SECONDS
) -> AsyncIterator[tuple[TcpProxy, Outbound]]:
    """A consumer that reaches its database through a wire, and the wire."""
    name = await postgresql.fresh()
    seen_by = Store(postgresql.url(name))
    await seen_by.upgrade()
    async with postgresql.wired(name) as (wire, behind):
        under_test = Store(behind, answer_within=answer_within)
        async with consuming(seen_by, under_test, broker_url) as world:
            yield wire, world
        await under_test.close()
    await seen_by.close()


@pytest.mark.postgresql
async def test_t11_connections_to_postgresql_are_cut_and_refused(
    broker_url: str, postgresql: PostgreSQL
) -> None:
    """Every connection of the pool breaks at once and no new one is let in."""
    async with at_a_wire(broker_url, postgresql) as (wire, world):

        async def cut() -> None:
            wire.refuse()
            wire.reset()

        await _survives(world, cut, wire.accept)


@pytest.mark.postgresql
async def test_t11_a_database_that_is_silent_is_given_up_in_time(
    broker_url: str, postgresql: PostgreSQL
) -> None:
    """A wire that leads nowhere: no statement waits for ever, and the connection is not used again."""
    async with at_a_wire(broker_url, postgresql, answer_within=1.0) as (wire, world):

        async def silence() -> None:
            wire.freeze()

        async def another_wire() -> None:
            wire.half_open()  # the old connections stay silent for ever
            wire.thaw()

        await _survives(world, silence, another_wire)


@pytest.mark.postgresql
async def test_t11_a_consumer_that_has_nothing_to_do_is_ready_again_with_its_database(
    broker_url: str, postgresql: PostgreSQL
) -> None:
    """What finds the database gone and back may be a look for forgotten links, without any message."""
    async with at_a_wire(broker_url, postgresql) as (wire, world):
        consumer = world.consumers[-1]
        wire.refuse()
        wire.reset()
        await until(lambda: not consumer.ready, what="a consumer that says it is not ready")
        await wire.accept()
        await until(lambda: consumer.ready, what="a ready consumer")


async def test_t11_sqlite_is_locked_by_another_process_for_longer_than_one_waits(
    broker_url: str, sqlite_url: str
) -> None:
    """Whoever holds the file, a backup or a person with a shell: it is waited for."""
    seen_by = Store(sqlite_url)
    await seen_by.upgrade()
    under_test = Store(sqlite_url)
    _hurry(under_test)
    path = sqlite_url.removeprefix("sqlite+aiosqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holder:
        async with consuming(seen_by, under_test, broker_url) as world:

            async def lock() -> None:
                holder.execute("PRAGMA busy_timeout = 20000")
                await asyncio.to_thread(holder.execute, "BEGIN IMMEDIATE")

            async def unlock() -> None:
                holder.execute("ROLLBACK")

            await _survives(world, lock, unlock)
    await under_test.close()
    await seen_by.close()


def _hurry(store: Store) -> None:
    """Have it wait for a lock for a tenth of a second, not for thirty."""

    @event.listens_for(store.engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 100")


async def test_t11_a_full_disk_loses_nothing(broker_url: str, sqlite_url: str) -> None:
    """SQLite says that the disk is full until somebody makes room."""
    seen_by = Store(sqlite_url)
    await seen_by.upgrade()
    under_test = Store(sqlite_url)
    full: list[bool] = []

    @event.listens_for(under_test.engine.sync_engine, "begin")
    def limit(connection: Any) -> None:
        pages = 1 if full else 2**30  # it never shrinks below what there is
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async with consuming(seen_by, under_test, broker_url) as world:

        async def fill() -> None:
            full.append(True)

        async def make_room() -> None:
            full.clear()

        await _survives(world, fill, make_room)
    await under_test.close()
    await seen_by.close()

"""The message loop for notices and runs: side by side, settled once, and given back (R30, R31)."""

import asyncio
from typing import Any

import pytest

from contracts.envelope import RunRequested
from contracts.errors import Transient, Unavailable
from contracts.messages import COMMANDS_EXCHANGE, QUEUE_RUNS
from contracts.ports import Outgoing
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.consumers.loop import MessageLoop
from service.store.engine.store import Store
from service.store.messages import suspects
from service.store.messages.inbox import known
from service.store.messages.suspects import name_of
from tests.support.message_loop import NOW, ScriptedHandler, a_step, loop_under_test
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until


async def test_a_message_is_handled_and_settled(store: Store) -> None:
    """The handler gets the message, its key and its attempt."""
    async with loop_under_test(store) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")

    (received,) = ground.work.seen
    assert (received.key, received.attempt) == (("/calendar-sync", "m-1"), 1)


async def test_a_message_that_is_done_is_not_handled_again(store: Store) -> None:
    """The inbox answers redeliveries."""
    async with loop_under_test(store) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        await ground.publish("m-1")
        await until(lambda: ground.settled.count("m-1") == 2)

    assert len(ground.work.seen) == 1


async def test_a_slow_message_does_not_block_the_others(store: Store) -> None:
    """Side by side up to the concurrency."""
    async with loop_under_test(store, concurrency=2) as ground:
        ground.work.gate.clear()
        await ground.publish("slow")
        await ground.work.begun.wait()
        ground.work.gate = asyncio.Event()
        ground.work.gate.set()
        await ground.publish("quick")
        await ground.settle("quick")


async def test_no_more_than_the_concurrency_are_in_hand(store: Store) -> None:
    """The rest waits its turn."""
    async with loop_under_test(store, concurrency=2) as ground:
        ground.work.gate.clear()
        for number in range(4):
            await ground.publish(f"m-{number}")
        await until(lambda: len(ground.work.seen) == 2)
        await ground.broker.drain()
        assert len(ground.work.seen) == 2
        ground.work.gate.set()
        await ground.settle("m-3")


async def test_nothing_is_acknowledged_while_the_database_is_gone(store: Store) -> None:
    """The message goes on where it was, and no attempt is burnt."""
    async with loop_under_test(store) as ground:
        intact, ground.consumer._store = ground.consumer._store, Gone(store)  # type: ignore[assignment]
        await ground.publish("m-1")
        await until(lambda: ground.clock._sleepers, what="the back-off")
        assert ground.settled == []
        ground.consumer._store = intact
        await ground.clock.pass_time(10)
        await ground.settle("m-1")

    assert [each.attempt for each in ground.work.seen] == [1]


async def test_nothing_is_acknowledged_while_a_retry_cannot_be_published(store: Store) -> None:
    """Acknowledged only after the retry queue has it."""
    async with loop_under_test(store, Transient("busy")) as ground:
        publish, ground.broker.publish = ground.broker.publish, _refuse  # type: ignore[method-assign]
        ground.work.gate.clear()
        await publish(
            Outgoing(exchange=COMMANDS_EXCHANGE, routing_key="run.x", body=a_step("m-1"), message_id="m-1")
        )
        ground.work.gate.set()
        await until(lambda: ground.clock._sleepers, what="the back-off")
        assert ground.settled == []
        ground.broker.publish = publish  # type: ignore[method-assign]
        await ground.clock.pass_time(10)
        await ground.retry(10, attempts=2)
        await ground.settle("m-1")


async def test_a_message_that_was_lost_with_its_channel_is_done_once(store: Store) -> None:
    """The copy that comes again waits for the hand that still works on the first."""
    async with loop_under_test(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        await ground.work.begun.wait()
        ground.broker.interrupt()
        await ground.broker.drain()
        ground.work.gate.set()
        await ground.settle("m-1")

    assert len(ground.work.seen) == 1


async def test_stopping_finishes_what_is_in_hand(store: Store) -> None:
    """SIGTERM: stop taking, finish, acknowledge, close."""
    async with loop_under_test(store, concurrency=1) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        await ground.publish("m-2")
        await ground.work.begun.wait()
        stopping = asyncio.create_task(ground.consumer.stop(grace=20))
        await asyncio.sleep(0)
        ground.work.gate.set()
        await stopping
        assert ground.settled == ["m-1"]
        assert await ground.broker.depth(QUEUE_RUNS) == 1


async def test_stopping_gives_back_what_takes_too_long(store: Store) -> None:
    """After the grace time another process gets it."""
    async with loop_under_test(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        await ground.work.begun.wait()
        await ground.consumer.stop(grace=0.05)
        assert ground.settled == []
        assert await ground.broker.depth(QUEUE_RUNS) == 1


async def test_a_message_over_which_processes_die_is_taken_alone_and_given_up(store: Store) -> None:
    """Two returns make it suspicious, three crashes end it; its neighbours are done."""
    async with store.begin() as connection:
        for _ in range(3):
            await suspects.suspect(connection, QUEUE_RUNS, [name_of(a_step("m-1"))], now=NOW)
    async with loop_under_test(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        for _ in range(2):
            await ground.work.begun.wait()
            ground.work.begun.clear()
            await ground.consumer.stop(grace=0)
            await ground.begin_again()
        await ground.settle("m-1")
        (letter,) = await ground.letters()
        await ground.consumer.stop(grace=0)

    assert letter["code"] == "crash_loop"
    assert len(ground.work.seen) == 2


async def test_crashes_are_counted_before_anything_of_the_message_is_read(store: Store) -> None:
    """Reading it may be what kills; counted under its bytes, even what is no message is given up."""
    async with store.begin() as connection:
        for _ in range(3):
            await suspects.suspect(connection, QUEUE_RUNS, [name_of(b"no message")], now=NOW)
    async with loop_under_test(store) as ground:
        await ground.consumer.stop(grace=0)
        await ground.publish("h-1", b"no message")
        await ground.come_back_twice()
        await ground.settle("h-1")
        (letter,) = await ground.letters()

    assert letter["code"] == "crash_loop"


async def test_a_suspicious_message_that_succeeds_is_suspicious_no_more(store: Store) -> None:
    """Returns by broken connections are nobody's fault."""
    async with loop_under_test(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        for _ in range(2):
            await ground.broker.drain()
            ground.broker.interrupt()
        ground.work.gate.set()
        await ground.settle("m-1")

    async with store.begin() as connection:
        name = name_of(a_step("m-1"))
        assert await suspects.suspect(connection, QUEUE_RUNS, [name], now=NOW) == {name: 0}
        assert await known(connection, QUEUE_RUNS, [("/calendar-sync", "m-1")])


@pytest.mark.rabbitmq
async def test_on_rabbitmq_a_message_survives_retries_and_broken_connections(
    rabbitmq: RabbitMQ, sqlite_url: str
) -> None:
    """R30: retried through the broker's queues, done once, off every queue in the end."""
    store, broker = Store(sqlite_url), RabbitBroker(rabbitmq.url, retry_delays=(1, 2))
    await store.upgrade()
    work = ScriptedHandler(store, Transient("busy"), Transient("busy"))
    consumer = MessageLoop(
        queue=QUEUE_RUNS,
        expected=RunRequested,
        handler=work,
        broker=broker,
        store=store,
        clock=SystemClock(),
        delays=(1, 2),
        concurrency=4,
    )
    await broker.open()
    await broker.declare()
    await consumer.start()
    await broker.publish(
        Outgoing(exchange=COMMANDS_EXCHANGE, routing_key="run.x", body=a_step("m-1"), message_id="m-1")
    )
    await until(lambda: len(work.seen) == 2, what="the second attempt")
    work.gate.clear()
    await until(lambda: len(work.seen) == 3, what="the third attempt")
    await asyncio.to_thread(rabbitmq.close_connections)
    work.gate.set()

    async def settled() -> bool:
        return consumer.alive and not any(rabbitmq.queues().values())

    await until(settled, seconds=30, what="empty queues")
    await consumer.stop(grace=5)
    await broker.close()
    async with store.read() as connection:
        assert await known(connection, QUEUE_RUNS, [("/calendar-sync", "m-1")]) == {
            ("/calendar-sync", "m-1"): "done"
        }
    assert [each.attempt for each in work.seen] == [1, 2, 3]
    await store.close()


class Gone:
    """A store whose database cannot be reached."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in {"begin", "read"}:
            raise Unavailable("the database cannot be reached")
        return getattr(self._store, name)


async def _refuse(message: Outgoing) -> None:
    raise Unavailable("not confirmed")

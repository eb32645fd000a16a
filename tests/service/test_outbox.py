"""The outbox: everything written is sent, in order, by one sender at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from contracts.errors import Unavailable, Unroutable
from contracts.messages import FACTS_EXCHANGE, QUEUE_OUTBOUND
from contracts.ports import Outgoing
from service.broker.memory import MemoryBroker
from service.outbox import OUTBOX_LEASE, EmbeddedOutbox, LeasedOutbox, OutboxSender, StorePublisher, Unsettled
from service.store.engine import leases
from service.store.engine.store import Store
from service.store.messages import outbox
from service.store.messages.outbox import enqueue
from service.store.tables import outbox as table
from tests.support.brokers import RecordingSink
from tests.support.clock import ManualClock
from tests.support.waiting import until


class Wire:
    """A publisher that remembers what it confirmed, and refuses what it is told to."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.trouble: dict[str, Exception] = {}

    async def publish(self, message: Outgoing) -> None:
        await asyncio.sleep(0)
        if error := self.trouble.get(message.message_id):
            raise error
        self.sent.append(message.message_id)


def a_fact(message_id: str) -> Outgoing:
    return Outgoing(exchange=FACTS_EXCHANGE, routing_key="task.created", body=b"{}", message_id=message_id)


async def written(store: Store, *message_ids: str) -> None:
    async with store.begin() as connection:
        now = await store.now(connection)
        await enqueue(connection, [a_fact(each) for each in message_ids], now=now)


async def unsent(store: Store) -> list[str]:
    async with store.read() as connection:
        wanted = select(table.c.message_id).where(table.c.sent_at.is_(None)).order_by(table.c.id)
        return list(await connection.scalars(wanted))


@asynccontextmanager
async def running(sender: OutboxSender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        sender.stop()
        await asyncio.wait_for(task, 60)


def a_sender(
    store: Store,
    wire: Wire,
    *,
    holder: str = "a",
    poll: float = 3600,
    enqueued: asyncio.Event | None = None,
) -> LeasedOutbox:
    """Without ``enqueued`` nobody tells it of what is written."""
    return LeasedOutbox(
        store=store, publisher=wire, holder=holder, written=enqueued or asyncio.Event(), poll=poll
    )


async def test_a_row_is_sent_at_once_after_its_commit(store: Store) -> None:
    """The writer's own process does not wait for the poll."""
    wire, enqueued = Wire(), asyncio.Event()
    sender = a_sender(store, wire, enqueued=enqueued)
    writing = Store(store.url, on_enqueued=enqueued.set)

    async with running(sender):
        await written(writing, "m-1")
        await until(lambda: wire.sent == ["m-1"])
    await writing.close()

    assert await unsent(store) == []


async def test_a_row_of_another_process_is_found_by_polling(store: Store) -> None:
    """Nobody wakes this sender."""
    wire = Wire()

    async with running(a_sender(store, wire, poll=0.02)):
        await written(store, "m-1")
        await until(lambda: wire.sent == ["m-1"])


async def test_rows_go_out_in_the_order_in_which_they_were_written(store: Store) -> None:
    """Many windows long."""
    wire = Wire()
    ids = [f"m-{n}" for n in range(300)]
    await written(store, *ids)
    sender = a_sender(store, wire)

    while await sender.flush():
        pass

    assert wire.sent == ids
    assert await unsent(store) == []


async def test_only_the_confirmed_prefix_is_marked(store: Store) -> None:
    """A row behind an unconfirmed one is sent again rather than passed over."""
    wire = Wire()
    wire.trouble["m-1"] = Unavailable("not confirmed")
    await written(store, "m-0", "m-1", "m-2")
    sender = a_sender(store, wire)

    with pytest.raises(Unavailable):
        await sender.flush()
    assert await unsent(store) == ["m-1", "m-2"]

    wire.trouble.clear()
    await sender.flush()
    assert await unsent(store) == []
    assert wire.sent[-2:] == ["m-1", "m-2"]


async def test_an_unroutable_row_holds_the_outbox_and_says_so(store: Store) -> None:
    """A deployment error: nothing is dropped, nothing overtakes it."""
    wire = Wire()
    wire.trouble["m-0"] = Unroutable("No queue takes a message to calendar-sync.items.")
    await written(store, "m-0", "m-1")
    sender = a_sender(store, wire, poll=0.02)

    async with running(sender):
        await until(lambda: sender.held)
        assert "No queue takes" in str(sender.held)
        assert await unsent(store) == ["m-0", "m-1"]
        wire.trouble.clear()
        await until(lambda: sender.held is None)

    assert await unsent(store) == []


async def test_of_two_senders_only_the_holder_of_the_lease_sends(store: Store) -> None:
    """Two at once would reorder."""
    first, second = Wire(), Wire()
    await written(store, "m-0")
    async with store.begin() as connection:
        now = await store.now(connection)
        assert await leases.acquire(connection, OUTBOX_LEASE, holder="a", seconds=30, now=now)

    assert not await a_sender(store, second, holder="b").flush()
    assert second.sent == []

    await a_sender(store, first, holder="a").flush()
    assert first.sent == ["m-0"]


async def test_many_senders_side_by_side_send_each_row_once_and_in_order(store: Store) -> None:
    """R31: any number of processes."""
    wire = Wire()
    senders = [a_sender(store, wire, holder=f"p-{n}", poll=0.01) for n in range(4)]
    ids = [f"m-{n}" for n in range(60)]

    async with running(senders[0]), running(senders[1]), running(senders[2]), running(senders[3]):
        for message_id in ids:
            await written(store, message_id)
        await until(lambda: len(wire.sent) >= len(ids))

    assert wire.sent == ids


async def test_a_dead_senders_lease_runs_out(store: Store) -> None:
    """Nobody waits for ever for a process that was killed."""
    async with store.begin() as connection:
        await leases.acquire(connection, OUTBOX_LEASE, holder="dead", seconds=30, now=1000.0)
    async with store.begin() as connection:
        epoch = await leases.acquire(connection, OUTBOX_LEASE, holder="b", seconds=30, now=1031.0)
        assert epoch == 2
        assert not await leases.held(connection, OUTBOX_LEASE, epoch=1)


async def test_rows_sent_long_ago_are_deleted_in_small_chunks(store: Store) -> None:
    """After a day nobody asks for them; unsent ones stay whatever their age."""
    await written(store, "m-0", "m-1", "m-2", "m-3")
    async with store.begin() as connection:
        ids = await outbox.unsent(connection, now=0.0, limit=3)
        await outbox.mark_sent(connection, ids, now=1000.0)
        assert await outbox.forget_sent(connection, before=1000.0) == 0
        assert await outbox.forget_sent(connection, before=1001.0, limit=2) == 2
        assert await outbox.forget_sent(connection, before=1001.0) == 1
    assert await unsent(store) == ["m-3"]


async def test_what_is_published_through_the_store_is_in_the_outbox(store: Store) -> None:
    """Publishers of other processes hand over to ``up``."""
    await StorePublisher(store).publish(a_fact("m-1"))

    assert await unsent(store) == ["m-1"]


class Embedded:
    """A process that is its own broker, on a given store."""

    def __init__(self, store: Store) -> None:
        enqueued = asyncio.Event()
        unsettled = Unsettled(enqueued)
        self.clock = ManualClock()
        self.broker = MemoryBroker(clock=self.clock, settled=unsettled.settled)
        self.sender = EmbeddedOutbox(
            store=store, publisher=self.broker, unsettled=unsettled, written=enqueued, poll=0.02
        )
        self.taker = RecordingSink()

    async def open(self) -> None:
        await self.broker.open()
        await self.broker.declare()
        self.subscription = await self.broker.subscribe(QUEUE_OUTBOUND, prefetch=1000, sink=self.taker)


async def test_an_embedded_row_counts_as_sent_when_its_message_was_settled(store: Store) -> None:
    """The broker's memory is no journal."""
    process = Embedded(store)
    await process.open()
    await written(store, "m-1", "m-2")

    async with running(process.sender):
        one, _ = await process.taker.received(2)
        assert await unsent(store) == ["m-1", "m-2"]
        await process.subscription.ack([one])
        await until(_unsent_are(store, ["m-2"]))

    assert process.taker.ids == ["m-1", "m-2"]
    await process.broker.close()


async def test_unsettled_embedded_rows_are_sent_again_at_the_next_start(store: Store) -> None:
    """Killed in between, the message is not lost."""
    await written(store, "m-1", "m-2")
    killed = Embedded(store)
    await killed.open()
    await killed.sender.flush()
    (one, _) = await killed.taker.received(2)
    await killed.subscription.ack([one])
    await killed.sender.flush()
    await killed.broker.close()

    started = Embedded(store)
    await started.open()
    await started.sender.flush()

    assert [each.message_id for each in await started.taker.received(1)] == ["m-2"]
    await started.broker.close()


async def test_a_retry_keeps_an_embedded_row_unsent_until_its_end(store: Store) -> None:
    """The copy that waits in a retry queue is still that message."""
    process = Embedded(store)
    await process.open()
    await written(store, "m-1")
    await process.sender.flush()
    (delivery,) = await process.taker.received(1)

    again = Outgoing(
        exchange="calendar-sync.retry.10", routing_key=QUEUE_OUTBOUND, body=b"{}", message_id="m-1"
    )
    await process.broker.publish(again)
    await process.subscription.ack([delivery])
    await process.sender.flush()
    assert await unsent(store) == ["m-1"]

    await process.clock.pass_time(10)
    (_, second) = await process.taker.received(2)
    await process.subscription.ack([second])
    await process.sender.flush()
    assert await unsent(store) == []
    await process.broker.close()


def _unsent_are(store: Store, ids: list[str]) -> Callable[[], object]:
    async def check() -> bool:
        return await unsent(store) == ids

    return check


async def test_after_a_standstill_replays_keep_their_distances(store: Store) -> None:
    """R30: they are spaced by sending; what came due meanwhile does not go out all at once."""
    wire = Wire()
    sender = a_sender(store, wire)
    async with store.begin() as connection:
        now = await store.now(connection)
        due = [("letter", now - 60 + 20 * number) for number in range(6)]
        await enqueue(connection, [a_fact(f"r-{number}") for number in range(6)], now=now, due=due)
        await enqueue(connection, [a_fact("m-1")], now=now)

    while await sender.flush():
        pass

    assert sorted(wire.sent) == ["m-1", "r-0"]
    async with store.read() as connection:
        wanted = select(table.c.due_at).where(table.c.sent_at.is_(None)).order_by(table.c.due_at)
        moments = list(await connection.scalars(wanted))
    assert [moment - now for moment in moments] == pytest.approx([20, 40, 60, 80, 100], abs=15)


async def test_the_embedded_outbox_keeps_their_distances_too(store: Store) -> None:
    """What the broker has already been given is not moved."""
    wire = Wire()
    enqueued = asyncio.Event()
    unsettled = Unsettled(enqueued)
    sender = EmbeddedOutbox(store=store, publisher=wire, unsettled=unsettled, written=enqueued)
    async with store.begin() as connection:
        now = await store.now(connection)
        due = [("letter", now - 60 + 20 * number) for number in range(3)]
        await enqueue(connection, [a_fact(f"r-{number}") for number in range(3)], now=now, due=due)

    await sender.flush()
    await sender.flush()

    assert wire.sent == ["r-0"]
    assert len(unsettled.rows) == 1

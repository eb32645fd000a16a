"""What cannot be published of one tenant holds nobody else's rows (R44)."""

import asyncio

import pytest
from sqlalchemy import select

from contracts.errors import Unavailable, Unroutable
from contracts.messages import FACTS_EXCHANGE
from contracts.ports import Outgoing
from service.outbox import (
    OUTBOX_ROWS_AT_ONCE,
    EmbeddedOutbox,
    LeasedOutbox,
    OutboxSender,
    Unsettled,
)
from service.store.engine.store import Store
from service.store.messages.outbox import enqueue
from service.store.tables import outbox as table
from tests.support.waiting import until

KINDS = pytest.mark.parametrize("kind", ["leased", "embedded"])


class Wire:
    """Takes none of these messages; where it is ``brittle``, none that is on its way beside one, either."""

    def __init__(self, *bad: str, brittle: bool = False) -> None:
        self.bad = set(bad)
        self.brittle = brittle
        self.sent: list[str] = []
        self._broken = 0
        self._in_flight = 0

    async def publish(self, message: Outgoing) -> None:
        self._in_flight += 1
        broken = self._broken
        try:
            await asyncio.sleep(0)
            if message.message_id in self.bad:
                self._broken += self._in_flight > 1
                raise Unroutable(f"no queue takes {message.message_id}")
            await asyncio.sleep(0)
            if self.brittle and self._broken > broken:
                raise Unavailable("the channel is gone")
        finally:
            self._in_flight -= 1
        self.sent.append(message.message_id)


def rows(tenant: str, number: int) -> list[Outgoing]:
    body = b'{"data":{"tenant_id":"%s"}}' % tenant.encode()
    return [
        Outgoing(exchange=FACTS_EXCHANGE, routing_key="x.y", body=body, message_id=f"{tenant} {one:04}")
        for one in range(number)
    ]


async def put(store: Store, *messages: Outgoing) -> None:
    async with store.begin() as connection:
        await enqueue(connection, messages, now=await store.now(connection))


async def unsent(store: Store) -> list[str]:
    async with store.read() as connection:
        wanted = select(table.c.message_id).where(table.c.sent_at.is_(None)).order_by(table.c.id)
        return list(await connection.scalars(wanted))


def sender(kind: str, store: Store, wire: Wire, *, poll: float = 3600) -> OutboxSender:
    written = asyncio.Event()
    if kind == "leased":
        return LeasedOutbox(store=store, publisher=wire, holder="me", written=written, poll=poll)
    return EmbeddedOutbox(
        store=store, publisher=wire, unsettled=Unsettled(written), written=written, poll=poll
    )


async def flushed(outbox: OutboxSender) -> int:
    """How many windows it took until nothing more could be sent."""
    windows = 1
    while await outbox.flush():
        windows += 1
        assert windows < 100
    return windows


@KINDS
async def test_r44_a_row_that_no_queue_takes_holds_its_tenants_alone(store: Store, kind: str) -> None:
    """However many windows there are behind it."""
    wire = Wire("evil 0001")
    await put(store, *rows("evil", 300), *rows("good", 2 * OUTBOX_ROWS_AT_ONCE))

    await flushed(sender(kind, store, wire))

    assert [each for each in wire.sent if each.startswith("good")] == [
        each.message_id for each in rows("good", 2 * OUTBOX_ROWS_AT_ONCE)
    ]
    assert "evil 0000" in wire.sent


async def test_r44_what_is_held_is_neither_marked_nor_overtaken(store: Store) -> None:
    """It goes out, in its order, once it can."""
    wire = Wire("evil 0001")
    await put(store, *rows("evil", 4), *rows("good", 4))
    outbox = sender("leased", store, wire, poll=0.02)
    await flushed(outbox)
    assert await unsent(store) == ["evil 0001", "evil 0002", "evil 0003"]

    wire.bad, wire.sent = set(), []
    task = asyncio.create_task(outbox.run())
    await until(lambda: wire.sent == ["evil 0001", "evil 0002", "evil 0003"], what="the rows that were held")
    outbox.stop()
    await asyncio.wait_for(task, 60)

    assert await unsent(store) == []


async def test_r44_a_row_that_breaks_the_channel_is_found_by_sending_one_after_the_other(
    store: Store,
) -> None:
    """All that was on its way beside it fails with it, each time."""
    wire = Wire("evil 0000", brittle=True)
    await put(store, *rows("evil", 2), *rows("good", 5), *rows("fine", 5))
    outbox = sender("leased", store, wire)

    with pytest.raises(Unroutable):
        await outbox.flush()
    await flushed(outbox)

    assert await unsent(store) == ["evil 0000", "evil 0001"]


async def test_while_the_broker_is_gone_little_is_tried(store: Store) -> None:
    """Each attempt may take as long as a publish may, and the lease does not last for many."""
    wire = Wire(*(f"t{number} 0000" for number in range(10)))
    for number in range(10):
        await put(store, *rows(f"t{number}", 1))
    outbox = sender("leased", store, wire)
    tried: list[str] = []

    async def publish(message: Outgoing) -> None:
        tried.append(message.message_id)
        raise Unavailable("gone")

    wire.publish = publish  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await outbox.flush()
    tried.clear()
    with pytest.raises(Unavailable):
        await outbox.flush()

    assert len(tried) == 2

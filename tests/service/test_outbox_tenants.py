"""The outbox is fair to tenants: thousands of facts of one delay another's by a window (R44)."""

import asyncio

import pytest
from sqlalchemy import select

from contracts.envelope import RunRequested, encode
from contracts.messages import FACTS_EXCHANGE, RunData
from contracts.ports import Outgoing
from service.outbox import OUTBOX_ROWS_AT_ONCE, EmbeddedOutbox, LeasedOutbox, OutboxSender, Unsettled
from service.store.engine.store import Store
from service.store.messages.outbox import enqueue
from service.store.tables import outbox as table
from tests.support.clock import START
from tests.support.owners import stored_integration

MINE = "0192e4c1-0000-7000-8000-000000000001"
FLOOD = 1500


class Wire:
    """Confirms everything, and remembers it."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def publish(self, message: Outgoing) -> None:
        await asyncio.sleep(0)
        self.sent.append(message.message_id)


def facts(tenant: str, number: int) -> list[Outgoing]:
    body = b'{"data":{"tenant_id":"%s"}}' % tenant.encode()
    return [
        Outgoing(
            exchange=FACTS_EXCHANGE, routing_key="task.created", body=body, message_id=f"{tenant} {one:05}"
        )
        for one in range(number)
    ]


async def put(store: Store, *messages: Outgoing, due: float | None = None) -> None:
    async with store.begin() as connection:
        now = await store.now(connection)
        paced = [] if due is None else [("letter", now + due)] * len(messages)
        await enqueue(connection, messages, now=now, due=paced)


def sender(kind: str, store: Store, wire: Wire) -> OutboxSender:
    written = asyncio.Event()
    if kind == "leased":
        return LeasedOutbox(store=store, publisher=wire, holder="me", written=written)
    return EmbeddedOutbox(store=store, publisher=wire, unsettled=Unsettled(written), written=written)


async def windows_until(outbox: OutboxSender, wire: Wire, wanted: int, tenant: str) -> int:
    windows = 0
    while sum(1 for each in wire.sent if each.startswith(tenant)) < wanted:
        await outbox.flush()
        windows += 1
        assert windows < 50, "starved"
    return windows


@pytest.mark.parametrize("kind", ["leased", "embedded"])
async def test_r44_thousands_of_facts_of_one_tenant_delay_anothers_by_one_window(
    store: Store, kind: str
) -> None:
    """And each tenant's go out in their order."""
    wire = Wire()
    await put(store, *facts("mallory", FLOOD))
    await put(store, *facts("acme", 20), *facts("bolt", 20))
    outbox = sender(kind, store, wire)

    assert await windows_until(outbox, wire, 20, "acme") == 1
    assert await windows_until(outbox, wire, 20, "bolt") <= 1
    while await outbox.flush():
        pass
    assert len(wire.sent) == FLOOD + 40
    for tenant in ("mallory", "acme", "bolt"):
        mine = [each for each in wire.sent if each.startswith(tenant)]
        assert mine == sorted(mine)


async def test_r44_replays_that_are_due_leave_half_of_a_window_to_facts(store: Store) -> None:
    """An operator may ask for any rate."""
    wire = Wire()
    await put(store, *facts("mallory", 1000), due=-0.5)
    await put(store, *facts("acme", OUTBOX_ROWS_AT_ONCE // 2))
    assert await windows_until(sender("leased", store, wire), wire, OUTBOX_ROWS_AT_ONCE // 2, "acme") == 1


async def test_r44_a_step_of_a_run_is_its_integrations_tenants(store: Store) -> None:
    """It names no tenant; of what nobody can tell, nobody's turn it is."""
    await stored_integration(store, MINE, tenant="acme")
    data = RunData(run_id=MINE, integration_id=MINE, step=1)
    step = RunRequested.of(data, id="step", time=START)
    odd = Outgoing(exchange=FACTS_EXCHANGE, routing_key="task.created", body=b"no json", message_id="odd")
    named = Outgoing(
        exchange=FACTS_EXCHANGE, routing_key="task.created", body=encode(step), message_id="step"
    )
    await put(store, named, odd, *facts("bolt", 1))
    async with store.read() as connection:
        told = (await connection.scalars(select(table.c.tenant_id).order_by(table.c.id))).all()
    assert told == ["acme", "", "bolt"]


async def test_r44_more_tenants_than_turns_all_come_by_age(store: Store) -> None:
    """Nobody is passed over, however their name is spelt."""
    wire = Wire()
    for number in range(60):
        await put(store, *facts(f"t{number:02}", 20))
    await put(store, *facts("zz", 1))
    outbox = sender("leased", store, wire)
    while await outbox.flush():
        pass
    assert len(set(wire.sent)) == len(wire.sent) == 60 * 20 + 1

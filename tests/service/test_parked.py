"""Messages that the broker gave up become dead letters, whatever they are (R30)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from contracts.errors import Unavailable
from contracts.messages import DEAD_EXCHANGE, QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PARKED, REPLAY_EXCHANGE
from contracts.ports import REPLAY_HEADER, Delivery, Outgoing
from service.broker.memory import MemoryBroker
from service.broker.topology import DELIVERY_LIMIT
from service.consumers.parked import (
    PARKED_A_TRANSACTION,
    PARKED_AT_HAND,
    PARKED_PAUSE_SECONDS,
    ParkedMessages,
)
from service.store.engine.store import Store
from service.store.messages import dead_letters
from service.store.messages.dead_letters import LetterFilter
from service.store.messages.inbox import known, record
from tests.support.brokers import RecordingSink, item
from tests.support.clock import ManualClock
from tests.support.counted_steps import CountedSteps, counting
from tests.support.owners import stored_integration
from tests.support.waiting import until

BODY = b'{"id":"m-1","source":"/vorex/acme","data":{"tenant_id":"acme"}}'
NOTICE = b'{"id":"n-1","source":"/calendar-sync","type":"com.cronofy.notice.received.v1"}'


class Fragile(Store):
    """A store that can be taken away."""

    gone = False

    def begin(self) -> Any:
        if self.gone:
            raise Unavailable("the database cannot be reached")
        return super().begin()


class Ground:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.broker = MemoryBroker(clock=self.clock)
        self.parked = ParkedMessages(store=store, broker=self.broker, clock=self.clock)

    async def letters(self) -> list[dict[str, Any]]:
        async with self.store.read() as connection:
            page = await dead_letters.page(connection, LetterFilter())
        return [dict(row) for row in page.rows]

    async def imported(self, count: int) -> list[dict[str, Any]]:
        async def there() -> bool:
            return len(await self.letters()) == count and await self.broker.depth(QUEUE_PARKED) == 0

        await until(there, what=f"{count} letters")
        await self.broker.drain()
        return await self.letters()


@asynccontextmanager
async def importing(store: Store) -> AsyncIterator[Ground]:
    ground = Ground(store)
    await ground.broker.open()
    await ground.broker.declare()
    await ground.parked.start()
    task = asyncio.create_task(ground.parked.run())
    try:
        yield ground
    finally:
        await ground.parked.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(task, 5)
        await ground.broker.close()


async def test_a_message_returned_too_often_is_a_letter_of_its_queue(store: Store) -> None:
    """T17, the broker's verdict: bytes, id, routing key and the queue that gave it up."""
    async with importing(store) as ground:
        await ground.broker.publish(item("m-1", body=BODY))
        for _ in range(DELIVERY_LIMIT + 1):
            returning = await ground.broker.subscribe(QUEUE_OUTBOUND, prefetch=1, sink=RecordingSink())
            await ground.broker.drain()
            await returning.close()
        (letter,) = await ground.imported(1)

    assert (letter["code"], letter["queue"], letter["state"]) == ("delivery_limit", QUEUE_OUTBOUND, "open")
    assert (letter["message_id"], letter["source"], letter["tenant_id"]) == ("m-1", "/vorex/acme", "acme")
    assert (letter["body"], letter["routing_key"]) == (BODY, "task.created")


@pytest.mark.parametrize(
    ("body", "queue"), [(NOTICE, QUEUE_INBOUND), (b"\xff", QUEUE_OUTBOUND), (b"[]", QUEUE_OUTBOUND)]
)
async def test_where_nobody_says_who_gave_it_up_its_kind_does(store: Store, body: bytes, queue: str) -> None:
    """So that a replay finds a queue, whatever was parked by hand."""
    async with importing(store) as ground:
        await ground.broker.publish(item(exchange=DEAD_EXCHANGE, body=body))
        (letter,) = await ground.imported(1)

    assert (letter["queue"], letter["body"]) == (queue, body)


@pytest.mark.parametrize(
    ("expired", "said"), [(False, "returned unsettled too often"), (True, "published to expire")]
)
async def test_what_its_publisher_let_expire_is_not_said_to_have_been_returned(
    store: Store, expired: bool, said: str
) -> None:
    """Whoever reads the letter is to look at the publisher, and not at this service."""
    async with importing(store) as ground:
        ground.parked.deliver(
            Delivery(
                queue=QUEUE_PARKED,
                body=BODY,
                message_id="m-1",
                routing_key="task.created",
                headers={},
                attempt=1,
                returns=0,
                generation=-1,
                handle=1,
                origin=QUEUE_OUTBOUND,
                expired=expired,
            )
        )
        (letter,) = await ground.imported(1)

    assert letter["code"] == "delivery_limit"
    assert said in letter["reason"]


async def test_a_message_that_was_done_with_is_only_acknowledged(store: Store) -> None:
    """Its record is there; only the acknowledgement was lost each time."""
    async with store.begin() as connection:
        await record(connection, QUEUE_OUTBOUND, [(("/vorex/acme", "m-1"), "done")], now=0.0)

    async with importing(store) as ground:
        await ground.broker.publish(item("m-1", exchange=DEAD_EXCHANGE, body=BODY))
        await ground.broker.publish(item("n-1", exchange=DEAD_EXCHANGE, body=NOTICE))
        (letter,) = await ground.imported(1)

    assert letter["message_id"] == "n-1"


async def test_a_replay_that_is_given_up_opens_its_letter_again(store: Store) -> None:
    """The story of one message is one row."""
    async with importing(store) as ground:
        await ground.broker.publish(item("m-1", exchange=DEAD_EXCHANGE, body=BODY))
        (letter,) = await ground.imported(1)
        async with store.begin() as connection:
            now = await store.moment(connection)
            await dead_letters.replay(
                connection, [letter["id"]], exchange=REPLAY_EXCHANGE, who="olga", now=now
            )
        headers = {REPLAY_HEADER: letter["id"]}
        await ground.broker.publish(item("m-1", exchange=DEAD_EXCHANGE, body=BODY, headers=headers))

        async def open_again() -> bool:
            return bool((await ground.letters())[0]["state"] == "open")

        await until(open_again)
        assert len(await ground.letters()) == 1


async def test_nothing_is_acknowledged_while_the_database_is_gone(database_url: str) -> None:
    """T11: it waits, and goes on where it was."""
    store = Fragile(database_url)
    await store.upgrade()
    store.gone = True
    async with importing(store) as ground:
        await ground.broker.publish(item("m-1", exchange=DEAD_EXCHANGE, body=BODY))
        await until(lambda: ground.clock._sleepers, what="a pause")
        store.gone = False
        await ground.clock.pass_time(PARKED_PAUSE_SECONDS)
        (letter,) = await ground.imported(1)
        async with store.read() as connection:
            key = ("/vorex/acme", "m-1")
            assert await known(connection, QUEUE_OUTBOUND, [key]) == {key: "dead"}
    await store.close()

    assert letter["message_id"] == "m-1"


FLOOD = 10_000
MOST = 2.0
"""Times the work that the same takes without the flood."""


def a_parked(number: int, tenant: str) -> Outgoing:
    name = f"{tenant}-{number}"
    body = f'{{"id":"{name}","source":"/vorex/{tenant}","data":{{"tenant_id":"{tenant}"}}}}'
    return item(name, exchange=DEAD_EXCHANGE, body=body.encode())


class Told(ParkedMessages):
    """Whose turn each was, and what the database did until then."""

    def __init__(self, store: Store, counted: CountedSteps) -> None:
        clock = ManualClock()
        super().__init__(store=store, broker=MemoryBroker(clock=clock), clock=clock)
        self.counted = counted
        self.turns: list[tuple[str, int, tuple[int, int]]] = []

    async def _keep(self, deliveries: Sequence[Delivery]) -> None:
        before = self.counted.work, self.counted.statements
        await super()._keep(deliveries)
        after = self.counted.work, self.counted.statements
        (tenant,) = {str(each.message_id).partition("-")[0] for each in deliveries}
        self.turns.append((tenant, len(deliveries), (after[0] - before[0], after[1] - before[1])))


async def turns_of(store: Store, *parked: Outgoing) -> Sequence[tuple[str, int, tuple[int, int]]]:
    """Whose transactions there were, of how many, and what each cost; everything waits beforehand."""
    with counting(store) as counted:
        told = Told(store, counted)
        broker = told._broker
        await broker.open()
        await broker.declare()
        for each in parked:
            await broker.publish(each)
        await told.start()
        task = asyncio.create_task(told.run())

        def kept() -> bool:
            return sum(number for _, number, _ in told.turns) == len(parked)

        await until(kept, what="an empty net", seconds=120)
        await told.stop()
        await task
        await broker.close()
    return told.turns


async def test_r44_ten_thousand_parked_of_one_tenant_cost_another_nothing(store: Store) -> None:
    """The other's turn comes next and costs what it costs alone; the flood's last cost as its first."""
    for number, tenant in enumerate(("acme", "mallory")):
        await stored_integration(store, f"0192e4c1-0000-7000-8000-00000000000{number}", tenant=tenant)
    await turns_of(store, *(a_parked(number, "acme") for number in range(10)))
    ((_, _, alone),) = await turns_of(store, *(a_parked(number, "acme") for number in range(10, 20)))
    flood = [a_parked(number, "mallory") for number in range(FLOOD)]
    place = PARKED_AT_HAND - 10
    theirs = [a_parked(number, "acme") for number in range(20, 30)]

    turns = await turns_of(store, *flood[:place], *theirs, *flood[place:])

    assert [tenant for tenant, _, _ in turns[:3]].count("acme") == 1
    (beside,) = [cost for tenant, number, cost in turns if tenant == "acme" and number == 10]
    assert beside[0] < MOST * max(alone[0], 10)
    assert beside[1] < MOST * alone[1]
    rest = [cost for tenant, number, cost in turns if (tenant, number) == ("mallory", PARKED_A_TRANSACTION)]
    assert len(rest) >= FLOOD // PARKED_A_TRANSACTION - 1
    assert max(cost[0] for cost in rest[-5:]) < MOST * max(10, *(cost[0] for cost in rest[:5]))
    assert {cost[1] for cost in rest} == {rest[0][1]}

"""The slots and the window of notices and of runs are fair to tenants (R44)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.envelope import RunRequested, encode
from contracts.messages import RunData
from contracts.ports import Clock
from service.consumers.failures import ReceivedMessage
from service.consumers.loop import WAITING_A_SLOT
from service.consumers.turns import PATIENCE_SECONDS, TENANT_MEMORY_SECONDS, TenantTurns
from service.store.engine.store import Store
from tests.support.clock import START, ManualClock
from tests.support.message_loop import LoopUnderTest, ScriptedHandler
from tests.support.owners import stored_integration
from tests.support.waiting import until

EVIL, GOOD = (f"0192e4c1-0000-7000-8000-00000000000{number}" for number in (1, 2))
SLOTS = 4


class Stuck(ScriptedHandler):
    """One tenant's work does not end; all other's does."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.done: list[str] = []
        self.over = asyncio.Event()
        self.evil = 0

    async def __call__(self, received: ReceivedMessage) -> None:
        message = received.message
        assert isinstance(message, RunRequested)
        if message.data.integration_id == EVIL:
            self.evil += 1
            await self.over.wait()
        else:
            self.done.append(message.id)
        await super().__call__(received)


def a_step_of(integration_id: str, message_id: str) -> bytes:
    data = RunData(run_id="r-1", integration_id=integration_id, step=0)
    return encode(RunRequested.of(data, id=message_id, time=START))


async def publish(ground: LoopUnderTest, integration_id: str, *names: str) -> None:
    for name in names:
        await ground.publish(name, a_step_of(integration_id, name))


@pytest.fixture
async def ground(store: Store) -> AsyncIterator[LoopUnderTest]:
    await stored_integration(store, EVIL, tenant="evil")
    await stored_integration(store, GOOD, tenant="acme")
    work = Stuck(store)
    made = LoopUnderTest(store, work, concurrency=SLOTS)
    await made.broker.open()
    await made.broker.declare()
    await made.consumer.start()
    yield made
    work.over.set()
    await made.consumer.stop(grace=10)
    await made.broker.close()


def work_of(ground: LoopUnderTest) -> Stuck:
    assert isinstance(ground.work, Stuck)
    return ground.work


async def test_r44_one_tenants_slow_work_leaves_a_slot_to_others(ground: LoopUnderTest) -> None:
    """Once somebody else is there, they never hold all of them."""
    await publish(ground, GOOD, "first")
    await ground.settle("first")
    await publish(ground, EVIL, *(f"m-{number}" for number in range(20)))
    await until(lambda: work_of(ground).evil == SLOTS - 1, what="the flood in hand")
    await publish(ground, GOOD, "a", "b", "c")
    await until(lambda: set(work_of(ground).done) == {"first", "a", "b", "c"}, what="the other tenant's work")
    assert work_of(ground).evil == SLOTS - 1


async def test_r44_a_window_full_of_one_tenants_messages_is_opened_to_others(ground: LoopUnderTest) -> None:
    """What is beyond half of it goes round by a retry queue and comes again, as the attempt that it was."""
    await publish(ground, GOOD, "first")
    await ground.settle("first")
    flood = [f"m-{number}" for number in range(3 * WAITING_A_SLOT * SLOTS)]
    await publish(ground, EVIL, *flood)
    await until(lambda: work_of(ground).evil == SLOTS - 1, what="the flood in hand")
    await publish(ground, GOOD, "a")
    began = ground.clock.monotonic()

    async def done() -> bool:
        if "a" not in work_of(ground).done and ground.clock.monotonic() - began < 2 * PATIENCE_SECONDS:
            await ground.clock.pass_time(PATIENCE_SECONDS / 2)
        return "a" in work_of(ground).done

    await until(done, what="the other tenant's work")

    work_of(ground).over.set()

    async def all_of_it() -> bool:
        await ground.clock.pass_time(10)
        return len(work_of(ground).seen) == len(flood) + 2

    await until(all_of_it, what="the flood itself")
    assert {received.attempt for received in work_of(ground).seen} == {1}


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 1), (4, 3), (16, 12)])
async def test_r44_where_nobody_else_is_there_one_tenant_has_all_slots(slots: int, most: int) -> None:
    """And has them again when the others have been away for long."""
    clock = ManualClock()
    turns = TenantTurns(slots, clock)
    turns.meet(["evil"])
    assert turns.most == slots
    turns.meet(["acme"])
    assert turns.most == most
    await clock.pass_time(TENANT_MEMORY_SECONDS)
    turns.meet(["evil"])
    assert turns.most == slots


def test_r44_who_has_the_fewest_slots_is_next_and_within_a_tenant_the_oldest() -> None:
    """Nobody passes anybody of their own."""
    clock: Clock = ManualClock()
    turns = TenantTurns(4, clock)
    waits = ["m", "m", "m", "a"]
    turns.meet(waits)
    taken = []
    while (place := turns.next(waits)) is not None:
        turns.take(waits[place])
        taken.append(waits.pop(place))
    assert taken == ["m", "a", "m", "m"]
    turns.take("m")
    assert turns.next(["m"]) is None
    turns.give_back("m")
    turns.give_back("m")
    assert turns.next(["m"]) == 0

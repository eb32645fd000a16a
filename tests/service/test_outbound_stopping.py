"""A consumer that stops keeps no claim of what it has not sent (R31)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from contracts.errors import Throttled
from contracts.ports import Permit, Turn
from service.consumers.outbound.scheduler import SCHEDULER_BEAT_SECONDS
from service.store.engine.store import AsyncConnection, Store
from service.store.tables import links as links_table
from tests.support.calendars import FreeBudget, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.waiting import until


class Lingering(Store):
    """Stays a while before a writing transaction, or where one has just been committed, when asked to."""

    hesitates: asyncio.Event | None = None
    lingers: asyncio.Event | None = None
    """What it waits for."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        if self.hesitates is not None:
            await self.hesitates.wait()
        async with super().begin() as connection:
            yield connection
        if self.lingers is not None:
            await self.lingers.wait()


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Lingering(sqlite_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as made:
        yield made
    await store.close()


async def claimants(world: Outbound) -> list[str | None]:
    return [row["claimed_by"] for row in await world.rows(links_table)]


async def test_r31_links_claimed_in_the_moment_of_stopping_are_given_back(world: Outbound) -> None:
    """Claimed in the store, not yet in a lane: nobody has to wait until such a claim expires."""
    store = world.store
    assert isinstance(store, Lingering)
    await world.integration()
    first = await world.start(shutdown_grace=0.1)
    world.calendars.faults.append(Throttled("slow", retry_after=100))
    await world.publish(changed())
    await until(lambda: world.calendars.requests)
    await first.stop()
    await world.ended()
    async with store.begin() as connection:
        await connection.execute(update(links_table).values(claimed_by=None, claimed_until=None))
    (link,) = await world.links()

    stopping = world.consumer()
    store.lingers = asyncio.Event()
    taking = asyncio.create_task(stopping._claims.take([link.id]))

    async def claimed() -> bool:
        return await claimants(world) == [stopping._state.me]

    await until(claimed, what="the claim")
    store.lingers = None
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await stopping._claims.release()

    assert await claimants(world) == [None]


class GatedBudget(FreeBudget):
    """Lets nothing pass until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.opened = asyncio.Event(), asyncio.Event()

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        self.asked.set()
        await self.opened.wait()
        return await super().take(turn, cost)


async def test_r31_links_that_left_their_lane_for_a_newer_wish_are_given_back(world: Outbound) -> None:
    """Another process stored a newer state of what we hold; it need not wait for our claim to expire."""
    await world.integration()
    world.budget = budget = GatedBudget()
    leaving = await world.start(prefetch=1)
    await world.publish(changed(id="m-1"))
    await budget.asked.wait()
    await world.start(budget=FreeBudget(), prefetch=1)
    await world.publish(changed(version=2, id="m-2"))

    async def wished() -> bool:
        return [link.desired_revision for link in await world.links()] == [2]

    await until(wished, what="the newer wish")
    budget.opened.set()
    await until(lambda: leaving._state.elsewhere, what="a link that left its lane")
    await leaving.stop()
    await until(lambda: world.calendars.titles == ["5512 v2"], what="the newest version")


async def test_r31_nothing_is_sent_once_the_time_to_stop_is_over(world: Outbound) -> None:
    """Its claim would be given back while the write is in the air, and another process would write, too."""
    store = world.store
    assert isinstance(store, Lingering)
    for user in ("u-17", "u-18"):
        await world.integration(user)
    leaving = await world.start(shutdown_grace=0.05)
    world.calendars.faults.append(Throttled("slow", retry_after=5))
    await world.publish(changed("1", assignees=["u-18"]))
    await until(lambda: world.calendars.requests and not leaving._scheduler.sends, what="one that waits")
    world.calendars.gate.clear()
    await world.publish(changed("2"))
    await until(lambda: len(world.calendars.requests) == 2, what="one in the air")

    store.hesitates = asyncio.Event()
    await leaving.stop()
    await until(lambda: not leaving._scheduler.sends, what="an end of all sendings")
    await world.clock.pass_time(5)
    leaving._scheduler.decide()  # as whatever lands then has it do
    await asyncio.sleep(4 * SCHEDULER_BEAT_SECONDS)
    begun = len(world.calendars.requests)
    store.hesitates.set()
    world.calendars.gate.set()
    await world.ended()

    assert begun == 2
    assert (await claimants(world)).count(None) == 1

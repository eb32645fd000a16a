"""A consumer that stops keeps no claim of what it has not sent (R31)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from contracts.errors import Throttled
from contracts.ports import Permit, Turn
from service.store.engine.store import AsyncConnection, Store
from service.store.tables import links as links_table
from tests.support.calendars import FreeBudget, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.waiting import until


class Lingering(Store):
    """Stays a while where a writing transaction has just been committed, when asked to."""

    lingers = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with super().begin() as connection:
            yield connection
        if self.lingers:
            await asyncio.Event().wait()


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
    store.lingers = True
    taking = asyncio.create_task(stopping._claims.take([link.id]))

    async def claimed() -> bool:
        return await claimants(world) == [stopping._state.me]

    await until(claimed, what="the claim")
    store.lingers = False
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

"""A consumer that stops keeps no claim of what it has not sent (R31, DESIGN 3)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from contracts.errors import Throttled
from service.store import AsyncConnection, Store
from service.store.tables import links as links_table
from tests.support.calendars import Outbound, changed, outbound
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
        return await claimants(world) == [stopping._hand.me]

    await until(claimed, what="the claim")
    store.lingers = False
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await stopping._claims.release()

    assert await claimants(world) == [None]

"""The last look before sending: few queries for many lanes, none from before it was asked for (R31)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from contracts.calendar import LinkId
from contracts.errors import Unavailable
from service.consumers.outbound.link_checks import LinkChecks
from service.store.engine.store import AsyncConnection, Store
from service.store.tables import links
from tests.support.calendars import Outbound, changed
from tests.support.counted_steps import asked

LANES = 30


async def linked(world: Outbound, count: int) -> list[LinkId]:
    """So many links, each written once."""
    await world.integration()
    await world.start()
    for number in range(count):
        await world.publish(changed(f"i-{number}", id=f"m-{number}"))
    await world.at_rest()
    return [LinkId(link.id) for link in await world.links()]


async def test_lanes_that_ask_together_are_answered_together(world: Outbound) -> None:
    """One query for the first, one for all that came meanwhile; each finds its own link."""
    ids = await linked(world, LANES)
    checks = LinkChecks(world.store, "me")

    with asked(world.store) as said:
        found = await asyncio.gather(*(checks.check([one]) for one in ids))

    assert [answer[one].revision for one, answer in zip(ids, found, strict=True)] == [1] * LANES
    assert 1 <= len([each for each in said if each.startswith("SELECT")]) <= 2


async def test_nobody_is_answered_by_a_look_from_before_they_asked(world: Outbound) -> None:
    """What was taken over between two askings is seen by the second, whatever the first one still does."""
    (one,) = await linked(world, 1)
    checks = LinkChecks(world.store, "me")

    first = asyncio.create_task(checks.check([one]))
    await asyncio.sleep(0)
    async with world.store.begin() as connection:
        await connection.execute(update(links).values(claim_epoch=99))
    second = await checks.check([one])

    assert second[one].epoch == 99
    assert (await first)[one].epoch in {1, 99}


async def test_a_link_that_cannot_be_read_stops_no_other(world: Outbound) -> None:
    """Each lane is looked at alone where one of them fails (R44)."""
    sound, broken, also = await linked(world, 3)
    async with world.store.begin() as connection:
        await connection.execute(update(links).where(links.c.id == broken).values(state="nonsense"))
    checks = LinkChecks(world.store, "me")

    found = await asyncio.gather(
        *(checks.check([one]) for one in (sound, broken, also)), return_exceptions=True
    )

    assert [type(each).__name__ for each in found] == ["dict", "ValueError", "dict"]


async def test_every_lane_hears_that_the_store_is_gone(world: Outbound) -> None:
    """By an error of its own, for each is raised in another place."""
    checks = LinkChecks(Store("sqlite+aiosqlite:////nowhere/at/all.db"), "me")

    found = await asyncio.gather(*(checks.check([LinkId("a")]) for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in found] == [Unavailable] * 3
    assert len({id(each) for each in found}) == 3


async def test_a_lane_that_gives_up_leaves_the_others_their_answers(world: Outbound) -> None:
    """A process that ends cancels its senders at any moment."""
    one, other = await linked(world, 2)
    checks = LinkChecks(world.store, "me")
    asking = [asyncio.create_task(checks.check([each])) for each in (one, other)]
    await asyncio.sleep(0)

    asking[0].cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking[0]
    assert other in await asking[1]


async def test_a_look_that_is_ended_leaves_nobody_waiting(world: Outbound) -> None:
    """A consumer that stops ends it with its lanes, and the store can be closed behind it."""
    (one,) = await linked(world, 1)
    checks = LinkChecks(world.store, "me")
    asking = [asyncio.create_task(checks.check([one])) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await checks.close()

    async with asyncio.timeout(5):
        ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 2
    assert one in await checks.check([one])


class SilentStore(Store):
    """Its server has gone without a word, and its connections have not noticed."""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        await asyncio.Event().wait()
        async with super().read() as connection:
            yield connection


async def test_a_silent_database_holds_no_lane_for_long() -> None:
    """One connection that says nothing must not stop every lane for as long as a statement may take."""
    checks = LinkChecks(SilentStore("sqlite+aiosqlite://"), "me", longest=0.05)

    found = await asyncio.gather(*(checks.check([LinkId("a")]) for _ in range(2)), return_exceptions=True)

    assert [type(each) for each in found] == [Unavailable] * 2

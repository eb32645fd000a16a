"""What reaches the linked calendar: every item once, its newest version, for the right people."""

from collections.abc import AsyncIterator

import pytest

from contracts.calendar import event_id
from service.store import Store
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock

OURS = event_id("acme", "u-17", "appointment", "5512")


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Store(database_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as made:
        yield made
    await store.close()


async def test_g3_an_item_added_to_my_calendar_is_added_to_the_linked_calendar(world: Outbound) -> None:
    """One message, one event under our own id, one inbox row, one log entry."""
    await world.integration()
    await world.start()
    await world.send(changed(id="m-1"))

    assert world.calendars.titles == ["5512 v1"]
    assert [write.key for write in world.calendars.writes] == [("cal_1", OURS)]
    assert await world.finished() == {"m-1": "done"}
    assert await world.logged() == [("create", "done", "ok")]

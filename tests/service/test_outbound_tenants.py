"""Window, lanes and slots are fair to tenants: one's flood of any kind of trouble stays theirs (R44)."""

import asyncio
from collections.abc import Sequence

import pytest

from contracts.calendar import IntegrationId
from contracts.errors import Throttled, Transient
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from contracts.writes import EventWrite, Upsert
from service.consumers.outbound.lanes import Lane, LanePressure, Lanes
from service.consumers.turns import PATIENCE_SECONDS
from tests.support.calendars import Outbound, changed
from tests.support.lane_tasks import lane_task
from tests.support.waiting import until

PREFETCH = 200
CONCURRENCY = 4
RUSH = LanePressure(quiet=False)


def lanes_of(**integrations: int) -> Lanes:
    """So many lanes of each tenant, each with one link to send."""
    lanes = Lanes()
    for tenant, number in integrations.items():
        for place in range(number):
            lanes[IntegrationId(f"{tenant}-{place}")].put(
                lane_task(f"{tenant}-{place}", f"{tenant}-{place}", tenant_id=tenant)
            )
    return lanes


def tenants(ready: Sequence[Lane]) -> str:
    return "".join(lane.tenant_id for lane in ready)


def test_r44_lanes_of_all_tenants_take_turns() -> None:
    """However many lanes one of them has before the others."""
    assert tenants(lanes_of(m=50, a=2, b=1).ready(0.0, RUSH))[:6] == "mabmam"


def test_r44_who_has_requests_in_the_air_comes_after_who_has_none() -> None:
    """Turns go on from one decision to the next."""
    lanes = lanes_of(m=5, a=2)
    for lane in lanes.ready(0.0, RUSH)[:3]:
        lane.busy = True
    assert lanes.in_the_air() == {"m": 2, "a": 1}
    assert tenants(lanes.ready(0.0, RUSH)) == "ammm"


def test_r44_where_one_tenant_makes_the_crowd_the_others_wait_for_no_company() -> None:
    """A crowd that is nobody's alone makes all of them wait, for then company is certain."""
    lanes = lanes_of(m=3, a=1)
    alone = LanePressure(coming=50, crowd_of="m", quiet=False)
    mixed = LanePressure(coming=50, quiet=False)
    assert (tenants(lanes.ready(0.0, alone)), tenants(lanes.ready(0.0, mixed))) == ("a", "")


class Trouble:
    """What Cronofy does with one tenant's writes: nothing for long, or refuse them."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self.asked = 0
        self.over = asyncio.Event()

    async def __call__(self, writes: Sequence[EventWrite]) -> None:
        if any(isinstance(write, Upsert) and write.fields.summary.startswith("m-") for write in writes):
            self.asked += 1
            if self._error is not None:
                raise self._error
            await self.over.wait()


@pytest.fixture
async def flooded(world: Outbound) -> Outbound:
    """A town in which mallory's tenant has thirty people, and acme one."""
    for number in range(30):
        await world.integration(user=f"m-{number}", tenant_id="evil")
    await world.integration(user="u-17", tenant_id="acme")
    return world


def written(world: Outbound) -> bool:
    return "a v1" in world.calendars.titles


def flood(number: int) -> list[Outgoing]:
    return [
        changed(f"m-{each}", tenant_id="evil", assignees=[f"m-{each % 30}"], source="/vorex/evil")
        for each in range(number)
    ]


@pytest.mark.parametrize(
    "error", [None, Throttled("slow down", retry_after=50.0), Transient("try again")], ids=str
)
async def test_r44_a_flood_in_trouble_keeps_another_tenants_item_out_of_nothing(
    flooded: Outbound, error: Exception | None
) -> None:
    """Five windows full of one tenant's messages that are slow, throttled or failing, and one item behind."""
    trouble = Trouble(error)
    flooded.calendars.before = trouble
    try:
        consumer = await flooded.start(prefetch=PREFETCH, concurrency=CONCURRENCY, intake_size=50)
        await flooded.publish(changed("first"))
        await until(lambda: "first v1" in flooded.calendars.titles, what="acme is there")
        await flooded.publish(*flood(5 * PREFETCH))
        await until(lambda: trouble.asked > 0, what="the flood")
        await flooded.publish(changed("a"))
        await until(lambda: written(flooded) or not consumer.has_room, what="a full window")
        await flooded.clock.pass_time(PATIENCE_SECONDS)
        await until(lambda: written(flooded), what="the other tenant's item, with no more time passing")
    finally:
        trouble.over.set()
        flooded.calendars.before = None


async def test_r44_what_was_left_to_the_store_is_written_all_the_same(flooded: Outbound) -> None:
    """Room in the window costs nobody a change."""
    trouble = Trouble(None)
    flooded.calendars.before = trouble
    consumer = await flooded.start(prefetch=PREFETCH, concurrency=CONCURRENCY, intake_size=50)
    await flooded.publish(*flood(3 * PREFETCH))

    async def taken_in() -> bool:
        await flooded.clock.pass_time(1)
        return await flooded.broker.depth(QUEUE_OUTBOUND) == 0

    await until(taken_in, what="all of the flood in the store or the window")
    assert consumer.unsettled <= PREFETCH
    flooded.calendars.before = None
    trouble.over.set()
    await flooded.settled(seconds=90)
    assert len(flooded.calendars.events) == 3 * PREFETCH

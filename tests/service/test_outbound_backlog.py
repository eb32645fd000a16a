"""How long a lane waits to fill while more and more comes (DESIGN 6.3, 15)."""

import asyncio
from dataclasses import dataclass, field

import pytest

from contracts.calendar import IntegrationId
from service.outbound.dispatch import Dispatch
from service.outbound.hand import InHand
from service.outbound.lanes import Lane
from service.outbound.sender import Sender
from service.store import Store
from tests.service.test_outbound_lanes import task
from tests.support.clock import ManualClock
from tests.support.waiting import until


@dataclass
class Intake:
    """A consumer with room, in whose intake something may be going on."""

    taking_in: bool = False
    has_room: bool = True
    crowded: bool = False
    writing_down: bool = False
    stopping: bool = False


@dataclass
class Posted(Sender):
    """Every request succeeds as soon as there are answers; how many links each carried."""

    clock: ManualClock
    sizes: list[int] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, lane: Lane) -> None:
        taken = lane.take(50, self.clock.monotonic())
        self.sizes.append(len(taken))
        await self.answering.wait()
        for each in taken:
            lane.land(each.link_id)


@dataclass
class Floor:
    """One process's lanes without anything around them."""

    clock: ManualClock
    intake: Intake
    posted: Posted
    hand: InHand
    dispatch: Dispatch
    made: int = 0

    def take_in(self, links: int = 1) -> None:
        """A message is delivered whose links, so many, are of one lane."""
        self.dispatch.note_delivery()
        self.put(links)

    def put(self, links: int) -> None:
        for _ in range(links):
            self.made += 1
            self.hand.lanes[IntegrationId("i")].put(task(f"t{self.made}", "i", since=self.clock.monotonic()))
        self.hand.moved()

    async def pass_time(self, seconds: float) -> None:
        await self.clock.pass_time(seconds)
        self.hand.moved()
        await self.clock.pass_time(0)


@pytest.fixture
async def floor(sqlite_url: str) -> Floor:
    clock, intake = ManualClock(), Intake()
    hand = InHand(store=Store(sqlite_url), clock=clock, me="me")
    posted = Posted(clock=clock)
    posted.answering.set()
    dispatch = Dispatch(hand, posted, concurrency=1, pressure=intake)
    hand.on_move(dispatch.decide)
    return Floor(clock=clock, intake=intake, posted=posted, hand=hand, dispatch=dispatch)


async def test_a_lane_that_missed_a_rest_sends_after_a_second(floor: Floor) -> None:
    """Its request was in the air just then, and now the intake is busy."""
    floor.posted.answering.clear()
    floor.take_in()
    await until(lambda: floor.posted.sizes == [1], what="a request in the air")
    floor.put(3)
    await floor.pass_time(0.5)
    floor.intake.taking_in = True
    floor.posted.answering.set()
    await floor.pass_time(0.4)
    early = list(floor.posted.sizes)
    await floor.pass_time(0.2)

    assert (early, floor.posted.sizes) == ([1], [1, 3])


async def test_without_any_rest_a_lane_has_five_seconds_to_fill(floor: Floor) -> None:
    """A backlog, though the window is far from full: a half-empty request costs as much as a full one."""
    floor.intake.taking_in = True
    floor.take_in(10)
    await floor.pass_time(1.1)
    floor.take_in(10)
    await floor.pass_time(3.8)
    early = list(floor.posted.sizes)
    await floor.pass_time(0.2)

    assert (early, floor.posted.sizes) == ([], [20])


async def test_a_pause_before_the_first_delivery_is_no_backlog(floor: Floor) -> None:
    """Whoever has had nothing to do for an hour is not crowded by the next message."""
    await floor.pass_time(3600)
    floor.intake.taking_in = True
    floor.take_in()
    await floor.pass_time(0.5)
    early = list(floor.posted.sizes)
    floor.intake.taking_in = False
    await floor.pass_time(0.1)
    await until(lambda: floor.posted.sizes == [1], what="a rest")

    assert early == []

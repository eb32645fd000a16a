"""When consumers pause, and that nothing is burnt meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from contracts.envelope import RunRequested
from contracts.errors import Permanent, Unavailable
from contracts.messages import COMMANDS_EXCHANGE, QUEUE_OUTBOUND, QUEUE_RUNS
from contracts.ports import Outgoing
from handlers.settlement import BUG_CODE, LinkFailure, Settlement, settle
from service.broker.memory import MemoryBroker
from service.broker.topology import RETRY_DELAYS
from service.consumers.brake import BRAKE_SECONDS, BUGS_IN_A_ROW, GIVE_BACK_SECONDS, Brake, Gate
from service.consumers.failures import ReceivedMessage
from service.consumers.loop import MessageLoop
from service.store.engine.store import Store
from service.store.messages import dead_letters
from service.store.messages.dead_letters import LetterFilter
from service.store.messages.inbox import record
from tests.support.calendars import Outbound, changed
from tests.support.clock import ManualClock
from tests.support.message_loop import a_step
from tests.support.waiting import until


async def one_tenant() -> frozenset[str]:
    """An installation of one tenant: their bugs are all there can be."""
    return frozenset({"acme"})


class Switch:
    """A breaker that the test opens and closes."""

    open = False


class Buggy:
    """A handler with a bug until it is mended."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.broken = True
        self.seen: list[str] = []
        self.error: Exception = ZeroDivisionError()

    async def __call__(self, received: ReceivedMessage) -> None:
        self.seen.append(received.key[1])
        if self.broken:
            raise self.error
        async with self.store.begin() as connection:
            await record(connection, QUEUE_RUNS, [(received.key, "done")], now=0.0)


class Ground:
    """A consumer of runs behind a gate; the first attempt is the last one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.breaker = Switch()
        self.gate = Gate(queue=QUEUE_RUNS, clock=self.clock, census=one_tenant, breaker=self.breaker)
        self.work = Buggy(store)
        self.settled: list[str] = []
        self.broker = MemoryBroker(clock=self.clock, settled=self.settled.append)
        self.consumer = MessageLoop(
            queue=QUEUE_RUNS,
            expected=RunRequested,
            handler=self.work,
            broker=self.broker,
            store=store,
            clock=self.clock,
            delays=(),
            concurrency=4,
            gate=self.gate,
        )

    async def publish(self, *message_ids: str, body: bytes | None = None) -> None:
        for message_id in message_ids:
            await self.broker.publish(
                Outgoing(
                    exchange=COMMANDS_EXCHANGE,
                    routing_key="run.requested",
                    body=body or a_step(message_id),
                    message_id=message_id,
                )
            )

    async def letters(self) -> int:
        async with self.store.read() as connection:
            return await dead_letters.count(connection, LetterFilter())

    async def pass_time(self, seconds: float) -> None:
        """In small steps, as time does."""
        for _ in range(int(seconds / 10) + 1):
            await self.clock.pass_time(10)
            await asyncio.sleep(0)
        await self.broker.drain()


@asynccontextmanager
async def running(store: Store) -> AsyncIterator[Ground]:
    ground = Ground(store)
    await ground.broker.open()
    await ground.broker.declare()
    await ground.consumer.start()
    try:
        yield ground
    finally:
        ground.breaker.open = False
        ground.gate.brake.went_well("acme")
        stopping = asyncio.create_task(ground.consumer.stop(grace=5))
        await asyncio.sleep(0)
        await ground.clock.pass_time(1)
        await stopping
        await ground.broker.close()


async def as_time_passes(clock: ManualClock, condition: Callable[[], Any], what: str) -> None:
    """In steps that every sleeper notices."""

    async def later() -> bool:
        await clock.pass_time(1)
        return bool(condition())

    await until(later, what=what)


async def bugs(ground: Ground) -> None:
    """Twenty dead letters with code bug, and ten messages behind them."""
    names = [f"m-{number}" for number in range(BUGS_IN_A_ROW + 10)]
    await ground.publish(*names)
    await until(lambda: ground.gate.brake.on, what="the brake")
    await until(lambda: not ground.consumer._in_hand, what="an end of what was in hand")


async def test_twenty_bugs_in_a_row_pause_the_consumer_and_one_message_is_tried(store: Store) -> None:
    """Not every message becomes a dead letter of our own mistake."""
    async with running(store) as ground:
        await bugs(ground)
        buried = await ground.letters()
        assert BUGS_IN_A_ROW <= buried < BUGS_IN_A_ROW + 10
        assert ground.gate.brake.paused

        await ground.pass_time(BRAKE_SECONDS)
        await until(lambda: len(ground.work.seen) > buried, what="a trial")
        await until(lambda: not ground.consumer._in_hand)
        assert len(ground.work.seen) == buried + 1
        assert ground.gate.brake.paused

        ground.work.broken = False
        everything = BUGS_IN_A_ROW + 10
        await as_time_passes(ground.clock, lambda: len(ground.settled) == everything, "the rest")
        assert not ground.gate.brake.on
        assert await ground.letters() == buried + 1


async def test_malformed_and_refused_messages_never_pause_anything(store: Store) -> None:
    """However many of them come."""
    async with running(store) as ground:
        ground.work.error = Permanent("the run is unknown")
        odd = [f"odd-{number}" for number in range(2 * BUGS_IN_A_ROW)]
        await ground.publish(*odd, body=b"no json")
        await ground.publish(*(f"m-{number}" for number in range(2 * BUGS_IN_A_ROW)))
        await until(lambda: len(ground.settled) == 4 * BUGS_IN_A_ROW)
        assert not ground.gate.brake.on


async def test_a_pause_that_lasts_gives_the_window_back_once(store: Store) -> None:
    """Over a minute: the channel is closed; then it goes on where it was, nothing burnt."""
    async with running(store) as ground:
        ground.work.broken = False
        ground.breaker.open = True
        await ground.publish("m-1", "m-2")
        await as_time_passes(ground.clock, lambda: ground.gate.given_back, "a rest")
        await until(lambda: ground.consumer._subscription is None, what="a closed channel")
        assert ground.consumer.alive
        assert await ground.broker.depth(QUEUE_RUNS) == 2
        await ground.pass_time(10 * GIVE_BACK_SECONDS)
        assert ground.work.seen == []

        ground.breaker.open = False
        await as_time_passes(ground.clock, lambda: sorted(ground.settled) == ["m-1", "m-2"], "the rest")
        assert await ground.letters() == 0


def ended(code: str | None, tenant: str = "acme", *, buried: bool = True) -> tuple[str, Settlement]:
    """How a message of theirs ended: well, or by such a failure."""
    if code is None:
        return tenant, settle([], attempt=1, delays=())
    failure = LinkFailure(transient=code == BUG_CODE, reason="it failed", code=code)
    return tenant, settle([failure], attempt=1, delays=() if buried else (10,))


async def test_a_message_that_teaches_nothing_leaves_the_next_one_to_try() -> None:
    """A refused message in the trial neither frees nor prolongs."""
    brake = Brake(QUEUE_RUNS, ManualClock(), one_tenant)
    await brake.learn([ended(BUG_CODE)] * BUGS_IN_A_ROW)
    assert (brake.on, brake.paused, brake.try_one()) == (True, True, True)
    await brake.learn([ended("refused")])
    assert (brake.on, brake.paused) == (True, False)
    await brake.learn([ended(None)])
    assert (brake.on, brake.try_one()) == (False, False)


async def test_bugs_that_are_tried_again_do_not_count_until_they_are_letters() -> None:
    """And one message that goes well begins the count anew, where there is one tenant."""
    brake = Brake(QUEUE_RUNS, ManualClock(), one_tenant)
    await brake.learn([ended(BUG_CODE, buried=False)] * 3 * BUGS_IN_A_ROW)
    await brake.learn([ended(BUG_CODE)] * (BUGS_IN_A_ROW - 1))
    await brake.learn([ended(None)])
    await brake.learn([ended(BUG_CODE)] * (BUGS_IN_A_ROW - 1))
    assert not brake.on


async def test_t13_changes_wait_unburnt_while_cronofy_is_down(world: Outbound) -> None:
    """No attempt, no dead letter, no request; on its return everything crosses once."""
    breaker = Switch()
    gate = Gate(queue=QUEUE_OUTBOUND, clock=world.clock, census=one_tenant, breaker=breaker)
    await world.integration()
    consumer = await world.start(gate=gate)
    await world.send(changed("a"))

    breaker.open = True
    world.calendars.faults.extend([Unavailable("Cronofy has a fault of its own (500)", status=500)])
    await world.publish(changed("b"), changed("c"))
    await as_time_passes(world.clock, lambda: gate.given_back, "a rest")
    await until(lambda: consumer._subscription is None, what="a closed channel")
    assert world.calendars.titles == ["a v1"]
    assert await world.broker.depth(QUEUE_OUTBOUND) == 2
    assert consumer.ready
    assert [await world.broker.depth(f"calendar-sync.retry.{each}") for each in RETRY_DELAYS] == [0] * 5

    world.calendars.faults.clear()
    breaker.open = False
    await as_time_passes(world.clock, lambda: len(world.calendars.events) == 3, "the others")
    await world.at_rest()
    assert world.calendars.titles == ["a v1", "b v1", "c v1"]
    assert await world.letters() == []


async def test_t13_a_write_that_met_the_outage_goes_back_into_its_lane(world: Outbound) -> None:
    """It is Cronofy, not the message: its attempt does not count."""
    breaker = Switch()
    gate = Gate(queue=QUEUE_OUTBOUND, clock=world.clock, census=one_tenant, breaker=breaker)
    await world.integration()

    async def fall(_writes: object) -> None:
        breaker.open = True

    world.calendars.before = fall
    world.calendars.faults.append(Unavailable("no answer from Cronofy"))
    await world.start(gate=gate)
    await world.publish(changed("a"))
    await until(lambda: breaker.open and not world.calendars.faults, what="the outage")
    world.calendars.before = None
    breaker.open = False
    await world.at_rest()

    assert world.calendars.titles == ["a v1"]
    assert await world.logged() == [("create", "done", "ok")]


async def test_bug_after_bug_outbound_makes_readiness_red(world: Outbound) -> None:
    """The brake holds the outbound consumer too; malformed ones among them change nothing."""
    gate = Gate(queue=QUEUE_OUTBOUND, clock=world.clock, census=one_tenant)
    await world.integration()
    world.calendars.faults.extend([ZeroDivisionError()] * 200)
    await world.start(gate=gate, retry_delays=(), prefetch=5)
    await world.publish(*(changed(f"i-{number}") for number in range(BUGS_IN_A_ROW + 10)))
    await until(lambda: gate.brake.on, what="the brake")
    assert {letter["code"] for letter in await world.letters()} == {"bug"}

    world.calendars.faults.clear()
    await as_time_passes(world.clock, lambda: not gate.brake.on, "the trial")
    await as_time_passes(world.clock, lambda: len(world.calendars.events) > 1, "the others")


async def test_nothing_is_coming_while_the_brake_keeps_the_intake_from_it(world: Outbound) -> None:
    """What is tried must be sent, though others wait behind it, and nothing else would release the brake."""
    gate = Gate(queue=QUEUE_OUTBOUND, clock=world.clock, census=one_tenant)
    await world.integration()
    world.calendars.faults.extend([ZeroDivisionError()] * 200)
    await world.start(gate=gate, retry_delays=(), prefetch=200)
    await world.publish(*(changed(f"i-{number}") for number in range(BUGS_IN_A_ROW)))
    await until(lambda: gate.brake.on, what="the brake")
    await world.publish(*(changed(f"later-{number}") for number in range(30)))
    world.calendars.faults.clear()

    await as_time_passes(world.clock, lambda: not gate.brake.on, "the trial")
    await as_time_passes(world.clock, lambda: len(world.calendars.events) == 30, "the others")

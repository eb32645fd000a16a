"""The outbound consumer: takes messages in, lets lanes send, stores answers, settles."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import structlog

from contracts.errors import Transient
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import AccountCheck, BatchWriter, Broker, Budget, Clock, Delivery, HandOver, Subscription
from service.back_off import back_off
from service.broker.topology import RETRY_DELAYS
from service.consumers.brake import Gate
from service.consumers.failures import SUSPICIOUS_RETURNS, failure_of
from service.consumers.outbound.arrived import ArrivedDeliveries
from service.consumers.outbound.claims import Claims
from service.consumers.outbound.faults import say_fault
from service.consumers.outbound.intake import Intake
from service.consumers.outbound.relief import end_long_waits, make_room
from service.consumers.outbound.scheduler import Scheduler
from service.consumers.outbound.sender import Sender
from service.consumers.outbound.state import OutboundState, TaskResult
from service.consumers.outbound.transaction_b import TransactionB
from service.consumers.outbound.window import WindowEntry
from service.consumers.owners import MessageOwners, tenants_here
from service.crashpoints import crash_point
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.telemetry.logs import MESSAGE_WAITING

log = structlog.get_logger(__name__)

VISIT_SECONDS, CLAIM_RENEWAL_SECONDS, SWEEP_SECONDS = 0.2, 10.0, 1.0
BUSY_SWEEP_SECONDS = 10.0
"""Seconds after the last find for which every visit sweeps: a run hands over its links bit by bit."""
FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 0.1, 5.0


async def _nobody(_rows: Sequence[str]) -> None:
    """Whatever is in the outbox, the keeper sends."""


class OutboundConsumer:
    """One process's outbound engine and the sink of its deliveries.

    Without ``takes_messages`` it only writes links that nobody looks after (the keeper's use).
    """

    def __init__(
        self,
        *,
        store: Store,
        broker: Broker,
        cronofy: BatchWriter,
        budget: Budget,
        looker: AccountCheck,
        clock: Clock,
        instance_id: str | None = None,
        prefetch: int = 2000,
        intake_size: int = 500,
        concurrency: int = 16,
        retry_delays: Sequence[int] = RETRY_DELAYS,
        shutdown_grace: float = 20.0,
        hand_over: HandOver = _nobody,
        takes_messages: bool = True,
        gate: Gate | None = None,
    ) -> None:
        self._broker, self._clock = broker, clock
        self._intake_size, self._grace = intake_size, shutdown_grace
        self._takes_messages = takes_messages
        self._state = OutboundState(store=store, clock=clock, me=instance_id or new_id())
        self._owners = MessageOwners(store)
        self._gate = gate or Gate(queue=QUEUE_OUTBOUND, clock=clock, census=partial(tenants_here, store))
        self._state.paused_by_outage = lambda: self._gate.outage
        self._transaction_b = TransactionB(self._state, publisher=broker, delays=retry_delays)
        self._transaction_b.brake = self._gate.brake
        self._intake = Intake(self._state, self._transaction_b, hand_over)
        self._claims = Claims(self._state)
        sender = Sender(self._state, cronofy=cronofy, budget=budget, looker=looker)
        self._scheduler = Scheduler(self._state, sender, concurrency=concurrency, pressure=self)
        self._arrived = ArrivedDeliveries(
            prefetch=prefetch,
            held=lambda: len(self._state.window),
            waiting_links=lambda: self._state.lanes.waiting,
        )
        self._taken: list[Delivery] = []
        self._storing = False
        self._lost = 0
        self._reachable = True
        self._stopping = False
        self._come = asyncio.Event()
        self._moved = asyncio.Event()
        self._over = asyncio.Event()
        self._subscription: Subscription | None = None
        self._state.on_move(self._scheduler.decide)
        self._state.on_move(self._moved.set)

    # -- the sink -------------------------------------------------------------------------------

    def deliver(self, delivery: Delivery) -> None:
        if self._stopping:
            return
        self._arrived.add(delivery)
        self._come.set()

    def lost(self, generation: int) -> None:
        self._lost = max(self._lost, generation)
        self._arrived.lose(generation)
        self._state.window.lose(generation)
        self._arrived.note_room()
        self._state.moved()

    # -- its life -------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether messages can arrive and be stored."""
        arriving = self._subscription is not None and self._subscription.alive
        alive = arriving or not self._takes_messages or self._gate.given_back
        return alive and self._reachable and not self._stopping

    async def run(self) -> None:
        """Work until ``stop``; a stop that came before counts."""
        if self._stopping:
            return
        if self._takes_messages and not self._gate.shut_at_start():
            await self._subscribe()
        loops = [
            asyncio.create_task(self._forever(step), name=f"outbound {step.__name__}")
            for step in (self._take_in, self._settle, self._look_after)
        ]
        if self._takes_messages:
            minding = self._gate.mind(give_back=self._give_back, take_again=self._subscribe)
            loops.append(asyncio.create_task(minding, name="outbound gate"))
        try:
            await self._over.wait()
        finally:
            await self._end(loops)

    async def _subscribe(self) -> None:
        self._subscription = await self._broker.subscribe(QUEUE_OUTBOUND, prefetch=self.prefetch, sink=self)
        self._transaction_b.subscription = self._subscription

    async def _give_back(self) -> None:
        """Leave the window to the broker while nothing can be done; the links stay in their lanes."""
        subscription, self._subscription = self._subscription, None
        self._transaction_b.subscription = None
        if subscription is not None:
            await subscription.close()
        held = (*self._arrived, *(entry.delivery for entry in self._state.window.entries.values()))
        for generation in {delivery.generation for delivery in held}:
            self.lost(generation)

    async def stop(self) -> None:
        """Take nothing more, finish what is in hand within the grace, give the rest back."""
        self._stopping = True
        self._arrived.clear()
        self._state.moved()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                await self._until(lambda: self._drained)
        self._over.set()

    async def idle(self) -> None:
        """Return when nothing is in the window, in a lane or in flight (for tests)."""
        await self._until(lambda: self.quiet)

    @property
    def quiet(self) -> bool:
        """Whether nothing at all is in hand."""
        return self._drained and not (self._arrived or self._state.elsewhere or len(self._state.window))

    async def sweep(self) -> int:
        """Write again what nobody looks after; how many links were taken up."""
        found = await self._claims.sweep()
        self._state.moved()
        return found

    async def _end(self, loops: Sequence[asyncio.Task[None]]) -> None:
        self._stopping = True
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, self._scheduler.close(), return_exceptions=True)
        try:
            await self._claims.release()
        except Transient:
            log.warning(MESSAGE_WAITING, reason="claims could not be given back; they expire")
        if self._subscription is not None:
            await self._subscription.close()

    @property
    def _drained(self) -> bool:
        state = self._state
        busy = self._arrived.being_taken_in or self._storing or state.replies or state.window.through
        return not busy and not self._transaction_b.unpublished and self._scheduler.at_a_stop

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._moved.clear()
            await self._moved.wait()

    # -- what decides when lanes send -----------------------------------------------------------

    @property
    def taking_in(self) -> bool:
        """Whether something decoded waits or a transaction A runs."""
        return bool(self._arrived.not_taken_in)

    @property
    def unsettled(self) -> int:
        return self._arrived.unsettled

    @property
    def prefetch(self) -> int:
        return self._arrived.prefetch

    @property
    def has_room(self) -> bool:
        return self._arrived.has_room

    @property
    def coming(self) -> int:
        """How many messages are about to be taken in: none while something keeps the intake from it."""
        held_up = self._gate.brake.on or self._gate.paused_by is not None or not self._reachable
        return 0 if held_up else self._arrived.coming

    @property
    def taken_in(self) -> int:
        return self._state.taken_in

    @property
    def crowd_of(self) -> str | None:
        return self._state.window.crowd_of

    @property
    def writing_down(self) -> bool:
        """Whether answers wait for transaction B, or it runs."""
        return self._storing or bool(self._state.replies or self._state.window.through)

    @property
    def working(self) -> bool:
        """Whether a transaction runs, or something waits for one."""
        return self.taking_in or self.writing_down

    @property
    def stopping(self) -> bool:
        return self._stopping

    # -- its loops ------------------------------------------------------------------------------

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """Go on whatever happens: an error that nobody foresaw costs a pause, not the consumer."""
        failures = 0
        while True:
            try:
                await step()
                failures = 0
                self._reachable = True
            except Transient as error:
                self._reachable = False
                log.warning(MESSAGE_WAITING, reason=str(error))
            except Exception as error:  # noqa: BLE001 -- see above
                self._say_fault(error, step.__name__.removeprefix("_"))
            else:
                continue
            await asyncio.sleep(
                back_off(failures, first=FIRST_BACK_OFF_SECONDS, longest=LONGEST_BACK_OFF_SECONDS)
            )
            failures += 1

    def _say_fault(self, error: Exception, step: str) -> None:
        """With what it was about: what was taken last, or else what still waits for this step."""
        if step == "take_in":
            say_fault(error, step=step, deliveries=self._taken or self._arrived)
            return
        tasks, unfilled = (one.task for one in self._state.replies), self._claims.unfilled
        say_fault(error, step=step, tasks=tasks, entries=self._state.window.through, integrations=unfilled)

    async def _take_in(self) -> None:
        self._taken = []
        while not self._arrived:
            self._come.clear()
            await self._come.wait()
        await self._gate.passed(lambda: self._stopping)
        if not self._arrived:
            return
        crash_point("outbound.1")
        trial = self._gate.brake.try_one()
        if trial and not await self._choose():
            return
        first = self._arrived.first
        dangerous = first.returns >= SUSPICIOUS_RETURNS
        taken = self._taken = self._arrived.take(self._intake_size, alone=trial)
        try:
            await (self._intake.watched(taken) if dangerous else self._intake.together(taken))
            self._state.taken_in += len(taken)
            if trial and not self._state.window.holds(first):
                self._gate.brake.learned_nothing(await self._owners.one(first))
        except BaseException:
            left = (each for each in reversed(taken) if id(each) not in self._intake.handled)
            self._arrived.give_back(each for each in left if each.generation > self._lost)
            raise
        finally:
            self._intake.handled.clear()
            self._arrived.taken()
            self._arrived.note_room()
            self._state.moved()

    async def _choose(self) -> bool:
        """Bring the message to the front that is tried while the brake is on; whether there is one still."""
        waiting = list(self._arrived)
        return self._arrived.choose(waiting[self._gate.brake.choose(await self._owners.of(waiting))])

    async def _settle(self) -> None:
        state = self._state
        if not (state.replies or state.window.through):
            state.arrived.clear()
            await state.arrived.wait()
        replies, through = state.take_answers()
        self._storing = True
        try:
            await self._round(replies, through)
        finally:
            self._storing = False
            self._arrived.note_room()
            state.moved()
        await self._refill()

    async def _round(self, replies: list[TaskResult], through: list[WindowEntry]) -> None:
        try:
            await self._transaction_b.round(replies, through)
        except (Transient, asyncio.CancelledError):
            self._state.replies[:0] = replies
            raise
        except Exception as error:  # noqa: BLE001 -- one of them: found by taking each alone
            say_fault(error, step="settle", tasks=[reply.task for reply in replies], entries=through)
            await self._apart(replies, through)

    async def _apart(self, replies: Sequence[TaskResult], through: Sequence[WindowEntry]) -> None:
        for place, reply in enumerate(replies):
            try:
                await self._transaction_b.round([reply], [])
            except Transient:
                self._state.replies[:0] = replies[place:]
                raise
            except Exception as error:  # noqa: BLE001 -- given up by this process; its claim expires
                self._give_up(reply, error)
        for entry in through:
            try:
                await self._transaction_b.round([], [entry])
            except Transient:
                raise
            except Exception as error:  # noqa: BLE001 -- it cannot be stored, so it is not acknowledged
                say_fault(error, step="settle alone", entries=[entry])
                self._state.window.set_aside(entry)

    def _give_up(self, reply: TaskResult, error: Exception) -> None:
        say_fault(error, step="settle alone", tasks=[reply.task])
        failure = replace(failure_of(error), transient=True)
        lane = self._state.lanes[reply.task.integration_id]
        lane.land(reply.task.link_id)
        for entry in list(self._state.window.waiters(reply.task.link_id)):
            self._state.window.answer(entry, reply.task.link_id, failure)

    async def _refill(self) -> None:
        for lane in self._state.lanes:
            if self._claims.wants_refill(lane):
                await self._claims.refill(lane)
                self._state.moved()

    async def _look_after(self) -> None:
        """Renew, visit and sweep, each in its time."""
        renewed = swept = found_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(VISIT_SECONDS)
            now = self._clock.monotonic()
            if now - renewed >= CLAIM_RENEWAL_SECONDS:
                renewed = now
                end_long_waits(self._state)
                await self._claims.renew()
            if not self.has_room:
                make_room(self._state)
            if self._state.elsewhere:
                await self._claims.visit()
            pause = SWEEP_SECONDS if now - found_at > BUSY_SWEEP_SECONDS else VISIT_SECONDS
            if now - swept >= pause and not self._stopping:
                swept = now
                found_at = now if await self._claims.sweep() else found_at
                if not (self.taking_in or self.writing_down):
                    self._reachable = (
                        True  # nobody else finds out; where something waits, writing must succeed
                    )
            if self._transaction_b.unpublished:
                await self._transaction_b.publish()
            await self._refill()
            self._state.moved()

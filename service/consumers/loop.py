"""A message loop for notices and runs: receive, decode, handle, settle."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog

from contracts.envelope import Message
from contracts.errors import SyncError, Transient, Unavailable
from contracts.ports import Broker, Clock, Delivery, Subscription
from handlers.settlement import LinkFailure, Settlement, settle
from service.back_off import back_off_pauses
from service.consumers.brake import Gate
from service.consumers.failures import (
    CRASH_FAILURE,
    MOST_CRASHES,
    SUSPICIOUS_RETURNS,
    MessageHandler,
    ReceivedMessage,
    failure_of,
    identity_of,
    letter_of,
    note_age,
    read_message,
    replayed_by,
    retry_of,
)
from service.consumers.outcomes import begin_message, log_ended
from service.consumers.owners import MessageOwners, tenants_here
from service.consumers.turns import PATIENCE_SECONDS, TenantTurns
from service.integrations.facts import tell_failed_runs
from service.store.engine.store import Store
from service.store.messages import suspects
from service.store.messages.burying import bury, note_attempts, resolve
from service.store.messages.inbox import MessageKey, known
from service.store.messages.ownership import trace_of
from service.telemetry.current import concerning
from service.telemetry.spans import Span, SpanOrigin, doing, within

log = structlog.get_logger(__name__)

HANDLER_SECONDS = 600.0
"""Far below the half hour after which RabbitMQ takes a message away."""
LOOP_BACK_OFF_SECONDS = 5.0
WAITING_A_SLOT = 16
"""Messages in the window for each that may be in hand: among them tenants take turns."""
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryAttempt:
    """One delivery in hand."""

    delivery: Delivery
    key: MessageKey
    trace_id: str
    span: Span
    suspicious: bool
    """Whether it may be what killed its consumer before."""
    taken_at: float = field(default_factory=time.monotonic)
    outcome: str = "done"

    @property
    def letter_id(self) -> str | None:
        """The dead letter that this message replays."""
        return replayed_by(self.delivery)

    @property
    def trace(self) -> str:
        return self.trace_id

    @property
    def about(self) -> Mapping[str, str | None]:
        return {"trace_id": self.trace_id}


class MessageLoop:
    """Handles the messages of one queue side by side; each is acknowledged once its fate is stored."""

    def __init__(
        self,
        *,
        queue: str,
        expected: type[Message],
        handler: MessageHandler,
        broker: Broker,
        store: Store,
        clock: Clock,
        delays: Sequence[int],
        concurrency: int,
        gate: Gate | None = None,
    ) -> None:
        self.queue = queue
        self._expected: type[Message] = expected
        self._handler = handler
        self._broker = broker
        self._store = store
        self._clock = clock
        self._delays = delays
        self._room = asyncio.Semaphore(concurrency)
        self._turns = TenantTurns(concurrency, clock)
        self._prefetch = WAITING_A_SLOT * concurrency
        self._full_since: float | None = None
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._in_hand: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[MessageKey, asyncio.Lock] = WeakValueDictionary()
        self._subscription: Subscription | None = None
        self._loop: asyncio.Task[None] | None = None
        self._owners = MessageOwners(store)
        self._gate = gate or Gate(queue=queue, clock=clock, census=partial(tenants_here, store))
        self._minding: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether messages arrive and are handled."""
        turning = self._loop is not None and not self._loop.done()
        arriving = self._subscription is not None and self._subscription.alive
        return turning and (arriving or self._gate.given_back)

    async def start(self) -> None:
        if not self._gate.shut_at_start():
            await self._subscribe()
        self._loop = asyncio.create_task(self._run(), name=f"consume {self.queue}")
        minding = self._gate.mind(give_back=self._give_back, take_again=self._subscribe)
        self._minding = asyncio.create_task(minding, name=f"gate of {self.queue}")

    async def _subscribe(self) -> None:
        self._subscription = await self._broker.subscribe(self.queue, prefetch=self._prefetch, sink=self)

    async def _give_back(self) -> None:
        """Return what nobody has in hand; what is in hand is finished first."""
        self._waiting.clear()
        if self._in_hand:
            await asyncio.wait(self._in_hand)
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()
        self._waiting.clear()

    async def stop(self, *, grace: float) -> None:
        """Take nothing more, finish what is in hand within the grace time, give back the rest."""
        self._stopping = True
        self._arrived.set()
        if self._minding:
            self._minding.cancel()
        if self._loop:
            await asyncio.wait([self._loop], timeout=grace)
            self._loop.cancel()
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._subscription:
            await self._subscription.close()

    def deliver(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self._arrived.set()

    def lost(self, generation: int) -> None:
        """What nobody has in hand yet will come again; what is in hand is finished and not acknowledged."""
        self._waiting = deque(each for each in self._waiting if each.generation != generation)

    async def _run(self) -> None:
        while not self._stopping:
            self._arrived.clear()
            while self._waiting and not self._stopping:
                await self._take()
            if not self._stopping:
                await self._arrived.wait()

    async def _take(self) -> None:
        await self._room.acquire()
        await self._gate.passed(lambda: self._stopping)
        if self._stopping or not self._waiting:
            self._room.release()
            return
        trial = self._gate.brake.try_one()
        chosen = await self._chosen(trial=trial)
        if chosen is None:
            self._room.release()
            return
        delivery, tenant = chosen
        suspicious = delivery.returns >= SUSPICIOUS_RETURNS
        alone = trial or (suspicious and await self._insist(lambda: self._accused(delivery)))
        if not alone:
            self._begin(delivery, tenant, suspicious=suspicious)
            return
        if self._in_hand:
            await asyncio.wait(self._in_hand)
        await asyncio.wait([self._begin(delivery, tenant, suspicious=suspicious)])

    async def _chosen(self, *, trial: bool) -> tuple[Delivery, str] | None:
        """The message whose turn it is, and whose it is; None: nobody's whose part is not used up (R44)."""
        waiting = list(self._waiting)
        tenants = await self._owners.of(waiting)
        self._turns.meet(tenants)
        await self._make_room(waiting, tenants)
        place = self._gate.brake.choose(tenants) if trial else self._turns.next(tenants)
        if place is None and waiting == [*self._waiting]:
            await self._something_changes()
        if place is None or waiting[place] not in self._waiting:
            return None
        self._waiting.remove(waiting[place])
        return waiting[place], tenants[place]

    async def _make_room(self, waiting: Sequence[Delivery], tenants: Sequence[str]) -> None:
        """Send what one tenant has beyond half of a window that stays full round by the shortest delay."""
        now = self._clock.monotonic()
        tenant, number = Counter(tenants).most_common(1)[0]
        half = self._prefetch // 2
        if len(waiting) + len(self._in_hand) < self._prefetch or number <= half or not self._delays:
            self._full_since = None
            return
        self._full_since = now if self._full_since is None else self._full_since
        if now - self._full_since < PATIENCE_SECONDS or await self._alone():
            return
        theirs = [each for each, whose in zip(waiting, tenants, strict=True) if whose == tenant]
        for delivery in theirs[half:]:
            await self._send_round(delivery)

    async def _alone(self) -> bool:
        """Whether there is no other tenant at all, whom they could keep waiting."""
        with suppress(Transient):
            return len(await tenants_here(self._store)) < 2  # noqa: PLR2004 -- somebody, and somebody else
        return True

    async def _send_round(self, delivery: Delivery) -> None:
        later = Settlement(retry_in=min(self._delays), next_attempt=delivery.attempt)
        with suppress(SyncError):  # it stays where it is
            await self._broker.publish(retry_of(delivery, identity_of(delivery), later))
            if delivery in self._waiting:
                self._waiting.remove(delivery)
            await self._acknowledge(delivery)

    async def _something_changes(self) -> None:
        """Return when one in hand ends, when somebody else has come, or to look at a full window again."""
        self._arrived.clear()
        arrived = asyncio.create_task(self._arrived.wait())
        patience = asyncio.ensure_future(self._clock.sleep(PATIENCE_SECONDS))
        try:
            events = {arrived, patience, *self._in_hand}
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrived.cancel()
            patience.cancel()

    async def _teach(self, delivery: Delivery, settlement: Settlement) -> None:
        brake = self._gate.brake
        if brake.attentive or settlement.failure is not None:
            await brake.learn([(await self._owners.one(delivery), settlement)])

    def _begin(self, delivery: Delivery, tenant: str, *, suspicious: bool = False) -> "asyncio.Task[None]":
        self._turns.take(tenant)
        task = asyncio.create_task(self._attend(delivery, suspicious=suspicious))
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)
        task.add_done_callback(lambda _: self._turns.give_back(tenant))
        task.add_done_callback(lambda _: self._room.release())
        return task

    async def _attend(self, delivery: Delivery, *, suspicious: bool) -> None:
        doomed = suspicious and await self._insist(lambda: self._crashes(delivery)) >= MOST_CRASHES
        message = CRASH_FAILURE if doomed else read_message(delivery, expected=self._expected)
        key = identity_of(delivery) if isinstance(message, LinkFailure) else (message.source, message.id)
        trace_id = trace_of(delivery.body, key) if isinstance(message, LinkFailure) else message.trace_id
        parent = None if isinstance(message, LinkFailure) else message.traceparent
        span = begin_message(self.queue, key[1], delivery, SpanOrigin(trace_id=trace_id, traceparent=parent))
        attempt = DeliveryAttempt(
            delivery=delivery, key=key, trace_id=trace_id, suspicious=suspicious, span=span
        )
        with concerning(message_id=key[1], trace_id=trace_id), within([span]):
            await self._settle(attempt, message)

    async def _settle(self, attempt: DeliveryAttempt, message: Message | LinkFailure) -> None:
        delivery = attempt.delivery
        async with self._locks.setdefault(attempt.key, asyncio.Lock()):
            failure = message if isinstance(message, LinkFailure) else await self._failure(attempt, message)
            failures = [failure] if failure else []
            settlement = settle(failures, attempt=delivery.attempt, delays=self._delays)
            await self._teach(delivery, settlement)
            with doing("settle"):
                await self._insist(lambda: self._carry_out(attempt, settlement))
                await self._acknowledge(delivery)
        log_ended(self.queue, [(attempt, settlement)])

    async def _failure(self, attempt: DeliveryAttempt, message: Message) -> LinkFailure | None:
        """Have the message handled; why it was not done, if it was not."""
        delivery = attempt.delivery
        note_age(self._clock.now(), message.time, delivery)
        received = ReceivedMessage(
            message=message,
            attempt=delivery.attempt,
        )
        error = await self._insist(lambda: self._outcome(received))
        return None if error is None else failure_of(error)

    async def _outcome(self, received: ReceivedMessage) -> Exception | None:
        """What the handler raised. Raises Unavailable while it is the database that is gone."""
        with doing("inbox"):
            if await self._finished(received.key):
                return None
        try:
            with doing("handle"):
                async with asyncio.timeout(HANDLER_SECONDS):
                    await self._handler(received)
        except Unavailable as error:
            await self._finished(received.key)
            return error
        except TimeoutError:
            return Transient(f"The work was not done within {HANDLER_SECONDS:.0f} seconds.")
        except Exception as error:  # noqa: BLE001 -- unforeseen errors are judged like foreseen ones
            return error
        return None

    async def _finished(self, key: MessageKey) -> bool:
        async with self._store.read() as connection:
            return bool(await known(connection, self.queue, [key]))

    async def _accused(self, delivery: Delivery) -> bool:
        """Whether a process died while it was in hand: then it is taken alone, to see whether it was that."""
        async with self._store.read() as connection:
            name = suspects.name_of(delivery.body)
            return bool(await suspects.crashes_over(connection, self.queue, [name]))

    async def _crashes(self, delivery: Delivery) -> int:
        """How often a process died over it, counted before anything of it is read."""
        name = suspects.name_of(delivery.body)
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            return (await suspects.suspect(connection, self.queue, [name], now=now))[name]

    async def _carry_out(self, attempt: DeliveryAttempt, settlement: Settlement) -> None:
        if settlement.failure is not None or attempt.letter_id or attempt.suspicious:
            await self._store_end(attempt, settlement)
        if settlement.retry_in is not None:
            await self._broker.publish(retry_of(attempt.delivery, attempt.key, settlement))

    async def _store_end(self, attempt: DeliveryAttempt, settlement: Settlement) -> None:
        delivery, key, failure = attempt.delivery, attempt.key, settlement.failure
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            if settlement.buried is not None:
                whose = await bury(connection, [await letter_of(delivery, key, settlement.buried)], now=now)
                await tell_failed_runs(connection, whose, now=now)
            elif failure is not None and failure.counts:
                tried = [(key, delivery.attempt, failure.reason)]
                await note_attempts(connection, self.queue, tried, now=now)
            elif failure is None and attempt.letter_id:
                await resolve(connection, [attempt.letter_id], now=now)
            if attempt.suspicious:
                await suspects.clear(connection, self.queue, [suspects.name_of(delivery.body)])

    async def _acknowledge(self, delivery: Delivery) -> None:
        if self._subscription is not None:
            await self._subscription.ack([delivery])

    async def _insist(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat a step until database and broker let it happen; meanwhile nothing is acknowledged."""
        for pause in back_off_pauses(longest=LOOP_BACK_OFF_SECONDS):
            try:
                return await step()
            except Exception as error:  # noqa: BLE001 -- whatever hinders it, the message must not be lost
                reason = str(error) if isinstance(error, SyncError) else type(error).__name__
                log.warning("message.waiting", queue=self.queue, reason=reason, seconds=round(pause, 1))
            await self._clock.sleep(pause)
        raise AssertionError("pauses never end")

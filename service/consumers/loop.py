"""A message loop for notices and runs: receive, decode, handle, settle (DESIGN 7, 8, 9)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from random import SystemRandom
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog

from contracts.envelope import Message, decode
from contracts.errors import SyncError, Transient, Unavailable
from contracts.ports import Broker, Clock, Delivery, Subscription
from service.consumers.brake import Gate
from service.consumers.failures import (
    MOST_CRASHES,
    SUSPICIOUS_RETURNS,
    Bury,
    Decision,
    Done,
    Handler,
    Received,
    Retry,
    crashed,
    decide,
    identity_of,
    letter_of,
    note_age,
    replayed_by,
    retry_of,
)
from service.store.engine.store import Store
from service.store.messages import suspects
from service.store.messages.burying import bury, note_attempt, resolve
from service.store.messages.inbox import MessageKey, known
from service.telemetry.metrics import ATTEMPTS, DEAD_LETTERS, MESSAGES_SETTLED, RETRIES

log = structlog.get_logger(__name__)

HANDLER_SECONDS = 600.0
"""Far below the half hour after which RabbitMQ takes a message away."""
LONGEST_PAUSE = 5.0
_random = SystemRandom()
_T = TypeVar("_T")


class Consumer:
    """Handles the messages of one queue side by side; each is acknowledged once its fate is stored."""

    def __init__(
        self,
        *,
        queue: str,
        expected: type[Message],
        handler: Handler,
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
        self._prefetch = 2 * concurrency
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._in_hand: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[MessageKey, asyncio.Lock] = WeakValueDictionary()
        self._subscription: Subscription | None = None
        self._loop: asyncio.Task[None] | None = None
        self._gate = gate or Gate(queue=queue, clock=clock)
        self._minding: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether messages arrive and are handled."""
        turning = self._loop is not None and not self._loop.done()
        arriving = self._subscription is not None and self._subscription.alive
        return turning and (arriving or self._gate.resting)

    async def start(self) -> None:
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
        delivery = self._waiting.popleft()
        suspicious = delivery.returns >= SUSPICIOUS_RETURNS
        if not self._gate.brake.try_one() and not suspicious:
            self._begin(delivery)
            return
        if self._in_hand:
            await asyncio.wait(self._in_hand)
        await asyncio.wait([self._begin(delivery, suspicious=suspicious)])

    def _begin(self, delivery: Delivery, *, suspicious: bool = False) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._attend(delivery, suspicious=suspicious))
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)
        task.add_done_callback(lambda _: self._room.release())
        return task

    async def _attend(self, delivery: Delivery, *, suspicious: bool) -> None:
        began = self._clock.monotonic()
        message = self._read(delivery)
        key = identity_of(delivery) if isinstance(message, Exception) else (message.source, message.id)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if isinstance(message, Exception):
                decision = decide(message, delivery.attempt, delays=self._delays)
                self._gate.brake.learned_nothing()
            else:
                note_age(self._clock.now(), message.time, delivery)
                decision = await self._decided(delivery, message, key, suspicious=suspicious)
            await self._insist(lambda: self._carry_out(delivery, key, decision, suspicious=suspicious))
            await self._acknowledge(delivery)
        self._say(delivery, key, decision, seconds=self._clock.monotonic() - began)

    def _read(self, delivery: Delivery) -> Message | Exception:
        try:
            return decode(delivery.body, expected=self._expected)
        except Exception as error:  # noqa: BLE001 -- no bytes, however strange, may stop the loop
            return error

    async def _decided(
        self, delivery: Delivery, message: Message, key: MessageKey, *, suspicious: bool
    ) -> Decision:
        if suspicious and await self._insist(lambda: self._crashes(key)) >= MOST_CRASHES:
            return crashed()
        received = Received(
            message=message,
            key=key,
            queue=self.queue,
            attempt=delivery.attempt,
            replay_of=replayed_by(delivery),
        )
        error = await self._insist(lambda: self._outcome(received))
        decision = decide(error, delivery.attempt, delays=self._delays)
        self._tell_brake(error, decision)
        return decision

    def _tell_brake(self, error: Exception | None, decision: Decision) -> None:
        if error is None:
            self._gate.brake.went_well()
        elif isinstance(error, SyncError):
            self._gate.brake.learned_nothing()
        else:
            self._gate.brake.bug(buried=isinstance(decision, Bury))

    async def _outcome(self, received: Received) -> Exception | None:
        """What the handler raised. Raises Unavailable while it is the database that is gone."""
        if await self._finished(received.key):
            return None
        try:
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

    async def _crashes(self, key: MessageKey) -> int:
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            return await suspects.suspect(connection, self.queue, key[1], now=now)

    async def _carry_out(
        self, delivery: Delivery, key: MessageKey, decision: Decision, *, suspicious: bool
    ) -> None:
        letter = replayed_by(delivery)
        if not isinstance(decision, Done) or letter or suspicious:
            async with self._store.begin() as connection:
                now = await self._store.moment(connection)
                match decision:
                    case Bury():
                        await bury(connection, [letter_of(delivery, key, decision)], now=now)
                    case Retry(error=reason) if decision.attempt > delivery.attempt:
                        await note_attempt(connection, self.queue, *key, delivery.attempt, reason, now=now)
                    case Done() if letter:
                        await resolve(connection, [letter], now=now)
                if suspicious:
                    await suspects.clear(connection, self.queue, [key[1]])
        if isinstance(decision, Retry):
            await self._broker.publish(retry_of(delivery, key[1], decision))

    async def _acknowledge(self, delivery: Delivery) -> None:
        if self._subscription is not None:
            await self._subscription.ack([delivery])

    async def _insist(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat a step until database and broker let it happen; meanwhile nothing is acknowledged."""
        for pause in _pauses():
            try:
                return await step()
            except Exception as error:  # noqa: BLE001 -- whatever hinders it, the message must not be lost
                reason = str(error) if isinstance(error, SyncError) else type(error).__name__
                log.warning("message.waiting", queue=self.queue, reason=reason, seconds=round(pause, 1))
            await self._clock.sleep(pause)
        raise AssertionError("pauses never end")

    def _say(self, delivery: Delivery, key: MessageKey, decision: Decision, *, seconds: float) -> None:
        outcome = _count(self.queue, decision, delivery.attempt)
        log.info(
            "message.settled",
            queue=self.queue,
            source=key[0],
            message_id=key[1],
            attempt=delivery.attempt,
            outcome=outcome,
            **_details(decision),
            seconds=round(seconds, 3),
        )


def _count(queue: str, decision: Decision, attempt: int) -> str:
    """The outcome's word."""
    match decision:
        case Bury():
            outcome = "dead"
            DEAD_LETTERS.labels(queue, decision.code).inc()
        case Retry():
            outcome = "retry"
            throttled = decision.attempt == attempt
            RETRIES.labels(queue, "throttled" if throttled else "transient").inc()
        case Done():
            outcome = "done"
    if outcome != "retry":
        ATTEMPTS.labels(queue).observe(attempt)
    MESSAGES_SETTLED.labels(queue, outcome).inc()
    return outcome


def _details(decision: Decision) -> dict[str, object]:
    match decision:
        case Bury():
            return {"code": decision.code, "reason": decision.reason}
        case Retry():
            return {"delay": decision.delay, "reason": decision.error}
        case Done():
            return {}


def _pauses() -> Iterator[float]:
    return (min(LONGEST_PAUSE, 0.1 * 2 ** min(step, 10)) * _random.uniform(0.5, 1.0) for step in count())

"""The broker port inside one process, for ``up``, demos and fast tests."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count

from contracts.errors import Permanent, Unavailable, Unroutable
from contracts.messages import DEAD_EXCHANGE, QUEUE_PARKED
from contracts.ports import Clock, Delivery, Outgoing, Sink
from service.broker.headers import attempt_of, own_headers
from service.broker.routing import destinations
from service.broker.topology import RETRY_DELAYS, Queue, Topology, topology

_generations = count(1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Stored:
    """A copy of a message in one queue."""

    body: bytes
    message_id: str
    routing_key: str
    headers: Mapping[str, str | int]
    returns: int = 0
    due: float = 0.0
    origin: str | None = None


class MemoryBroker:
    """Passes the conformance suite of the broker port without any server.

    ``settled`` is told a message's id once no copy of it is left anywhere; the outbox of a
    one-process installation counts its row as sent only then.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        retry_delays: Iterable[int] = RETRY_DELAYS,
        settled: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._whole = topology(retry_delays)
        self._declared = Topology(exchanges=(), queues=(), bindings=())
        self._queues: dict[str, _MemoryQueue] = {}
        self._subscriptions: list[MemorySubscription] = []
        self._copies: Counter[str] = Counter()
        self._settled = settled
        self._open = False
        self._pump_due = False
        self._pumped = asyncio.Event()
        self._timers: dict[str, asyncio.Task[None]] = {}

    @property
    def ready(self) -> bool:
        return self._open

    async def open(self) -> None:
        self._open = True
        for queue in self._queues.values():
            self._time(queue)

    async def close(self) -> None:
        """Everything unsettled goes back to its queue and waits there for the next ``open``."""
        self._open = False
        for subscription in list(self._subscriptions):
            await subscription.close()
        timers = list(self._timers.values())
        self._timers.clear()
        for timer in timers:
            timer.cancel()
            with suppress(asyncio.CancelledError):
                await timer

    async def declare(self) -> None:
        self._declared = self._whole
        for queue in self._whole.queues:
            self._queues.setdefault(queue.name, _MemoryQueue(queue))
        self._wake()

    async def missing(self) -> list[str]:
        there = set(self._declared.parts())
        return [part for part in self._whole.parts() if part not in there]

    async def publish(self, message: Outgoing) -> None:
        if not self._open:
            raise Unavailable("The broker is closed.")
        queues = destinations(self._declared, message.exchange, message.routing_key)
        if queues is None or (message.mandatory and not queues):
            raise Unroutable(f"{message.exchange}: no queue takes {message.routing_key}")
        self._store(queues, message)
        await asyncio.sleep(0)

    def _store(self, queues: Sequence[str], message: Outgoing) -> None:
        if not queues:
            if message.message_id not in self._copies:
                self._settled(message.message_id)
            return
        self._copies[message.message_id] += len(queues)
        for name in queues:
            self._put(
                self._queues[name],
                _Stored(
                    body=message.body,
                    message_id=message.message_id,
                    routing_key=message.routing_key,
                    headers=own_headers(message.headers),
                ),
            )

    async def subscribe(self, queue: str, *, prefetch: int, sink: Sink) -> "MemorySubscription":
        subscription = MemorySubscription(self, queue, prefetch=prefetch, sink=sink)
        self._subscriptions.append(subscription)
        self._wake()
        await asyncio.sleep(0)
        return subscription

    async def depth(self, queue: str) -> int:
        if queue not in self._queues:
            raise Permanent(f"There is no queue {queue}.")
        return len(self._queues[queue].ready)

    async def drain(self) -> None:
        """Return when every message that can be delivered now has been."""
        self._move_due()
        self._wake()
        while self._pump_due:
            await self._pumped.wait()

    def interrupt(self) -> None:
        """Do what a lost connection does: every channel dies and a new one takes its place."""
        for subscription in self._subscriptions:
            subscription.lose()
        self._wake()

    @property
    def copies(self) -> Mapping[str, int]:
        """How many copies of each message there are that nobody has settled."""
        return self._copies

    def has(self, queue: str) -> bool:
        return queue in self._queues

    def settle(self, stored: _Stored) -> None:
        """Note that one copy has been acknowledged."""
        self._copies[stored.message_id] -= 1
        self._note_end(stored.message_id)

    def _note_end(self, message_id: str) -> None:
        """A message of which no copy is left is told once, and not counted any more."""
        if not self._copies[message_id]:
            del self._copies[message_id]
            self._settled(message_id)

    def give_back(self, queue: str, unsettled: Sequence[_Stored]) -> None:
        """Put these at the head again, in their old order, or where they go after too many returns."""
        home = self._queues[queue]
        for stored in reversed(unsettled):
            again = replace(stored, returns=stored.returns + 1)
            if again.returns > home.limit and home.dead_letters:
                self._bury(queue, again)
            else:
                home.ready.appendleft(again)
        self._wake()

    def forget(self, subscription: "MemorySubscription") -> None:
        self._subscriptions.remove(subscription)

    def wake(self) -> None:
        """Room was made: deliver what waits."""
        self._wake()

    def _bury(self, queue: str, stored: _Stored) -> None:
        self._copies[stored.message_id] -= 1
        for name in destinations(self._declared, DEAD_EXCHANGE, stored.routing_key) or ():
            self._copies[stored.message_id] += 1
            self._put(self._queues[name], replace(stored, returns=0, origin=queue))
        self._note_end(stored.message_id)

    def _put(self, queue: "_MemoryQueue", stored: _Stored) -> None:
        due = self._clock.monotonic() + queue.delay
        queue.ready.append(replace(stored, due=due))
        self._time(queue)
        self._wake()

    def _time(self, queue: "_MemoryQueue") -> None:
        if self._open and queue.delay and queue.ready and queue.name not in self._timers:
            self._timers[queue.name] = asyncio.create_task(self._wait(queue), name=queue.name)

    async def _wait(self, queue: "_MemoryQueue") -> None:
        while queue.ready:
            await self._clock.sleep(max(0.0, queue.ready[0].due - self._clock.monotonic()))
            self._move_due()
        del self._timers[queue.name]

    def _move_due(self) -> None:
        now = self._clock.monotonic()
        for queue in self._queues.values():
            while queue.delay and queue.ready and queue.ready[0].due <= now:
                self._bring_home(queue.ready.popleft())

    def _bring_home(self, stored: _Stored) -> None:
        """The way of the default exchange: to the queue that the routing key names.

        A key that names none leads into the last net, so that nothing is ever dropped.
        """
        self._put(self._queues.get(stored.routing_key) or self._queues[QUEUE_PARKED], stored)

    def _wake(self) -> None:
        if not self._pump_due:
            self._pump_due = True
            self._pumped.clear()
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        self._pumped.set()
        for name, queue in self._queues.items():
            takers = [each for each in self._subscriptions if each.queue == name]
            while queue.ready and (taker := _next_with_room(takers)):
                taker.take(queue.ready.popleft())


class MemorySubscription:
    """A consumer of one queue with a window of its own."""

    def __init__(self, broker: MemoryBroker, queue: str, *, prefetch: int, sink: Sink) -> None:
        self.queue = queue
        self._broker = broker
        self._prefetch = prefetch
        self._sink = sink
        self._generation = next(_generations)
        self._tags = count(1)
        self._unsettled: dict[int, _Stored] = {}
        self._closed = False

    @property
    def alive(self) -> bool:
        return not self._closed and self._broker.ready and self._broker.has(self.queue)

    @property
    def room(self) -> int:
        return self._prefetch - len(self._unsettled) if self.alive else 0

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.generation == self._generation and delivery.handle in self._unsettled:
                self._broker.settle(self._unsettled.pop(delivery.handle))
        self._broker.wake()
        await asyncio.sleep(0)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._broker.forget(self)
            self._give_back()

    def take(self, stored: _Stored) -> None:
        """Hand the message to the sink and remember it until it is settled."""
        tag = next(self._tags)
        self._unsettled[tag] = stored
        self._sink.deliver(
            Delivery(
                queue=self.queue,
                body=stored.body,
                message_id=stored.message_id,
                routing_key=stored.routing_key,
                headers=stored.headers,
                attempt=attempt_of(stored.headers),
                returns=stored.returns,
                generation=self._generation,
                handle=tag,
                origin=stored.origin,
            ),
        )

    def lose(self) -> None:
        """The channel dies: its deliveries go back and the sink hears of it once."""
        lost, self._generation = self._generation, next(_generations)
        self._give_back()
        self._sink.lost(lost)

    def _give_back(self) -> None:
        unsettled = list(self._unsettled.values())
        self._unsettled.clear()
        if unsettled:
            self._broker.give_back(self.queue, unsettled)


class _MemoryQueue:
    """What waits in one queue, and the arguments of its declaration that matter here."""

    def __init__(self, declared: Queue) -> None:
        self.name = declared.name
        self.ready: deque[_Stored] = deque()
        self.limit = int(declared.arguments["x-delivery-limit"])
        self.delay = int(declared.arguments.get("x-message-ttl", 0)) / 1000
        self.dead_letters = bool(declared.arguments.get("x-dead-letter-exchange"))


def _next_with_room(takers: Sequence[MemorySubscription]) -> MemorySubscription | None:
    """The consumer with the most room, the first of equals: fair and always the same choice."""
    return max((each for each in takers if each.room > 0), key=lambda each: each.room, default=None)

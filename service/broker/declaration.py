"""Bringing the topology into being, and naming what is missing or differs; never deleting anything."""

import re
from collections.abc import Awaitable, Callable, Sequence

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity, ChannelPreconditionFailed

from contracts.errors import Permanent, SyncError, Unavailable
from service.broker.connection import SupervisedConnection, within_seconds
from service.broker.topology import Binding, Exchange, Queue, Topology

ChannelStep = Callable[[AbstractChannel], Awaitable[object]]

_DIFFERENCE = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<kind>queue|exchange) '(?P<name>[^']+)'"
    r".*?received (?P<wanted>.*?) but current is (?P<present>.*?)$",
)
_VALUE = re.compile(r"the value '([^']*)'|'([^']*)'")


class TopologyDeclaration:
    """The topology on one broker, asked and told over channels that may die of the answer."""

    def __init__(self, connection: SupervisedConnection, wanted: Topology, *, timeout: float) -> None:
        self._connection = connection
        self._wanted = wanted
        self._timeout = timeout

    async def declare(self) -> None:
        """Declare everything. Raises Permanent naming every queue and argument that differs."""
        steps = [
            *map(_declare_exchange, self._wanted.exchanges),
            *map(_declare_queue, self._wanted.queues),
            *map(_bind, self._wanted.bindings),
        ]
        refused = await self._all(steps)
        if refused:
            raise Permanent("; ".join(dict.fromkeys(map(_in_words, refused))))

    async def missing(self) -> list[str]:
        """The parts that are not there; one that this user may not even look at is taken to be there."""
        steps = [
            *(_look_for_exchange(exchange.name) for exchange in self._wanted.exchanges),
            *(_look_for_queue(queue.name) for queue in self._wanted.queues),
        ]
        parts = zip(self._wanted.parts(), steps, strict=True)
        return [part for part, step in parts if isinstance(await self._try(step), ChannelNotFoundEntity)]

    async def in_use(self) -> list[str]:
        """Each queue that somebody consumes or in which messages wait, in words; one not shown counts too."""
        found: list[str] = []
        for queue in self._wanted.queues:
            refusal = await self._try(_look_who_uses(queue.name, found))
            if refusal and not isinstance(refusal, ChannelNotFoundEntity):
                found.append(f"queue {queue.name} may not be looked at")
        return found

    async def depth(self, queue: str) -> int:
        """Messages ready in the queue. Raises Permanent when there is no such queue."""
        counted: list[int] = []

        async def count(channel: AbstractChannel) -> None:
            declared = await channel.declare_queue(queue, passive=True)
            counted.append(declared.declaration_result.message_count or 0)

        if await self._try(count):
            raise Permanent(f"There is no queue {queue}.")
        return counted[0]

    async def _all(self, steps: Sequence[ChannelStep]) -> list[ChannelClosed]:
        answers = [await self._try(step) for step in steps]
        return [answer for answer in answers if answer]

    async def _try(self, step: ChannelStep) -> ChannelClosed | None:
        """Do one thing on a channel of its own; return the broker's refusal, if it refuses."""
        try:
            await within_seconds(self._timeout, self._step(step))
        except ChannelClosed as refusal:
            return refusal
        except SyncError:
            raise
        except Exception as exc:
            raise Unavailable(f"RabbitMQ did not answer ({type(exc).__name__}).") from exc
        return None

    async def _step(self, step: ChannelStep) -> None:
        async with self._connection.channel() as channel:
            await step(channel)


def _declare_exchange(exchange: Exchange) -> ChannelStep:
    return lambda channel: channel.declare_exchange(exchange.name, exchange.kind, durable=True)


def _declare_queue(queue: Queue) -> ChannelStep:
    return lambda channel: channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))


def _bind(binding: Binding) -> ChannelStep:
    async def bind(channel: AbstractChannel) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.queue_bind(binding.queue, binding.exchange, routing_key=binding.key)

    return bind


def _look_for_exchange(name: str) -> ChannelStep:
    return lambda channel: channel.declare_exchange(name, passive=True)


def _look_for_queue(name: str) -> ChannelStep:
    return lambda channel: channel.declare_queue(name, passive=True)


def _look_who_uses(name: str, found: list[str]) -> ChannelStep:
    async def look(channel: AbstractChannel) -> None:
        told = (await channel.declare_queue(name, passive=True)).declaration_result
        counts = {"consumers": told.consumer_count or 0, "messages": told.message_count or 0}
        found.extend(f"{number} {what} on queue {name}" for what, number in counts.items() if number)

    return look


def _in_words(refusal: ChannelClosed) -> str:
    text = str(refusal)
    found = _DIFFERENCE.search(text)
    if isinstance(refusal, ChannelPreconditionFailed) and found:
        present, wanted = _value(found["present"]), _value(found["wanted"])
        return f"{found['kind']} {found['name']}: {found['argument']} is {present}, it must be {wanted}"
    return text


def _value(text: str) -> str:
    named = _VALUE.search(text)
    return (named[1] or named[2]) if named else text

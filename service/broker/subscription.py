"""A RabbitMQ consumer that survives lost channels, deleted queues and silent brokers."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from contracts.ports import Delivery, Sink
from service.back_off import back_off_pauses
from service.broker.connection import SupervisedConnection, close_quietly, within_seconds
from service.broker.headers import attempt_of, has_expired, origin_of, own_headers, returns_of

log = structlog.get_logger(__name__)

LARGEST_PREFETCH = 65_535
"""The prefetch travels in two bytes."""
generations = count(1)


class RabbitSubscription:
    """One consumer on one queue; every channel it lives on has a generation of its own."""

    def __init__(
        self,
        connection: SupervisedConnection,
        queue: str,
        *,
        prefetch: int,
        sink: Sink,
        watch_seconds: float,
        timeout: float,
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._prefetch = prefetch
        self._sink = sink
        self._watch_seconds = watch_seconds
        self._timeout = timeout
        self._window: UnsettledDeliveries | None = None
        self._closed = False
        self._first_attempt = asyncio.Event()
        self._task = asyncio.create_task(self._supervise(), name=f"consume {queue}")

    @property
    def alive(self) -> bool:
        return self._window is not None and self._window.sound and self._connection.up

    @property
    def closed(self) -> bool:
        return self._task.done()

    async def started(self) -> None:
        """Return when the first attempt to consume has succeeded or failed."""
        await self._first_attempt.wait()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        window = self._window
        if window is None:
            return
        current = [each.handle for each in deliveries if each.generation == window.generation]
        with suppress(*CONNECTION_EXCEPTIONS):  # the channel is dying: these will come again
            await window.while_sound(window.settle(current))

    async def close(self) -> None:
        self._closed = True
        window, self._window = self._window, None
        if window:
            window.shut()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _supervise(self) -> None:
        waits = back_off_pauses(longest=2.0)
        # The library may turn a cancellation into an error of its channel: the mark outlives that.
        while not self._closed:
            try:
                await self._live()
                waits = back_off_pauses(longest=2.0)
            except Exception as exc:  # noqa: BLE001 – whatever hinders it, a supervisor goes on trying
                log.warning("consumer.refused", queue=self._queue, error=type(exc).__name__)
            self._first_attempt.set()
            await asyncio.sleep(next(waits))

    async def _live(self) -> None:
        """Consume on a channel of its own until that channel is of no more use."""
        connection = await self._connection.current()
        channel = connection.channel(publisher_confirms=False)
        window = UnsettledDeliveries(channel, self._queue, prefetch=self._prefetch, sink=self._sink)
        try:
            await within_seconds(self._timeout, window.consume())
            self._window = window
            self._first_attempt.set()
            log.info("consumer.started", queue=self._queue, generation=window.generation)
            await self._until_useless(window)
        finally:
            await self._part_with(window, channel)

    async def _until_useless(self, window: "UnsettledDeliveries") -> None:
        while window.sound:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._watch_seconds):
                    await window.over.wait()
            if window.sound and window.idle_for(self._watch_seconds) and await self._stuck(window):
                return

    async def _stuck(self, window: "UnsettledDeliveries") -> bool:
        """Whether messages are ready that the broker fails to deliver."""
        seen = window.received
        try:
            ready = await within_seconds(self._timeout, self._ready_messages())
        except TimeoutError:
            log.warning("consumer.stuck", queue=self._queue, generation=window.generation)
            await self._connection.rebuild()
            return True
        except CONNECTION_EXCEPTIONS:
            return True
        stuck = bool(ready) and window.received == seen and window.room > 0
        if stuck:
            log.warning("consumer.stuck", queue=self._queue, generation=window.generation)
        return stuck

    async def _ready_messages(self) -> int:
        async with self._connection.channel() as channel:
            declared = await channel.declare_queue(self._queue, passive=True)
            return declared.declaration_result.message_count or 0

    async def _part_with(self, window: "UnsettledDeliveries", channel: AbstractChannel) -> None:
        known, self._window = self._window, None
        window.shut()
        if known is window:
            log.warning("consumer.lost", queue=self._queue, generation=window.generation)
            self._sink.lost(window.generation)
        if channel.is_initialized:
            await close_quietly(channel.close())


class UnsettledDeliveries:
    """The unsettled deliveries of one channel, from the first tag to the last."""

    def __init__(self, channel: AbstractChannel, queue: str, *, prefetch: int, sink: Sink) -> None:
        self.generation = next(generations)
        self.received = 0
        self.over = asyncio.Event()
        self._channel = channel
        self._underlay: Any = None
        self._queue = queue
        self._prefetch = min(prefetch, LARGEST_PREFETCH)
        self._sink = sink
        self._unsettled: dict[int, None] = {}
        self._gapless = True
        self._settling = asyncio.Lock()
        self._open = True
        self._last_heard = asyncio.get_running_loop().time()

    @property
    def sound(self) -> bool:
        return self._open and not self.over.is_set()

    @property
    def room(self) -> int:
        return self._prefetch - len(self._unsettled)

    def idle_for(self, seconds: float) -> bool:
        """Whether nothing arrived for so long although there was room."""
        return self.room > 0 and asyncio.get_running_loop().time() - self._last_heard >= seconds

    def shut(self) -> None:
        """Deliver and settle nothing more."""
        self._open = False
        self.over.set()

    async def while_sound(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, or leave it when the channel is over.

        A few frames that nobody sends any more fill the library's queue, and whoever adds one to it then
        would wait for ever: a consumer whose node is gone would never take in or settle anything again.
        """
        tasks: set[asyncio.Task[Any]] = {
            asyncio.create_task(work),
            asyncio.create_task(self.over.wait()),
        }
        for task in tasks:
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def consume(self) -> None:
        await self._channel.initialize()
        self._channel.close_callbacks.add(self._end)
        self._underlay = await self._channel.get_underlay_channel()
        self._underlay.on_consumer_cancel_callbacks.add(self._end)
        await self._underlay.basic_qos(prefetch_count=self._prefetch)
        await self._underlay.basic_consume(self._queue, self._receive)

    async def settle(self, tags: Sequence[int]) -> None:
        """Acknowledge these in as few frames as are provably right, one caller after the other."""
        async with self._settling:
            chosen = {tag for tag in tags if tag in self._unsettled} if self._open else set()
            upto = self._prefix(chosen)
            for tag in chosen:
                del self._unsettled[tag]
            if upto:
                await self._underlay.basic_ack(upto, multiple=True, wait=False)
            for tag in sorted(tag for tag in chosen if tag > upto):
                await self._underlay.basic_ack(tag, wait=False)

    def _prefix(self, chosen: set[int]) -> int:
        """The tag up to which every unsettled delivery is among the chosen; 0 where there is none.

        Tags count up by one on a channel, so without a gap among those received there is no
        delivery below that tag which an acknowledgement of all of them would settle by mistake.
        """
        upto = 0
        for tag in self._unsettled if self._gapless else ():
            if tag not in chosen:
                break
            upto = tag
        return upto

    def _end(self, *_: Any) -> None:
        self.over.set()

    async def _receive(self, message: Any) -> None:
        if not self._open:
            return
        tag: int = message.delivery.delivery_tag
        self.received += 1
        self._gapless &= tag == self.received
        self._unsettled[tag] = None
        self._last_heard = asyncio.get_running_loop().time()
        self._sink.deliver(self._delivery(message, tag))

    def _delivery(self, message: Any, tag: int) -> Delivery:
        properties = message.header.properties
        headers = properties.headers or {}
        return Delivery(
            queue=self._queue,
            body=message.body,
            message_id=properties.message_id,
            routing_key=message.delivery.routing_key or "",
            headers=own_headers(headers),
            attempt=attempt_of(headers),
            returns=returns_of(headers, redelivered=bool(message.delivery.redelivered)),
            generation=self.generation,
            handle=tag,
            origin=origin_of(headers),
            expired=has_expired(headers),
        )

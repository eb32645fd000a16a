"""One supervised connection to RabbitMQ: it comes back by itself, and says when it is held back."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from contracts.errors import Unavailable
from service.addresses import each_address
from service.back_off import back_off_pauses
from service.broker.troubles import trouble_of
from service.broker.wire import read_leniently

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 5.0
FAREWELL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15
_Result = TypeVar("_Result")


class SupervisedConnection:
    """Opens, watches and reopens one connection until it is closed."""

    def __init__(self, url: str, *, name: str, timeout: float) -> None:
        read_leniently()
        self._addresses = deque(each_address(url))
        self._name = name
        self._timeout = timeout
        self._connection: AbstractConnection | None = None
        self._up = asyncio.Event()
        self._blocked = False
        self._task: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._up.is_set()

    @property
    def blocked(self) -> bool:
        """Whether the broker holds publishers back on this connection (memory or disk alarm)."""
        return self._blocked

    async def open(self) -> None:
        """Connect once, then keep connected. Raises Unavailable when the first attempt fails."""
        if self._task is None:
            first = await self._first()
            self._task = asyncio.create_task(self._supervise(first), name=f"broker {self._name}")
            await self._up.wait()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def current(self) -> AbstractConnection:
        """The open connection; waits while it is being rebuilt. Raises Unavailable once closed."""
        while self._connection is None:
            if self._task is None:
                raise Unavailable("The connection to RabbitMQ is closed.")
            await self._up.wait()
        return self._connection

    async def unblocked(self) -> AbstractConnection:
        """The open connection as soon as the broker takes messages on it."""
        connection = await self.current()
        if connection.transport:
            await connection.transport.ready()
        return connection

    async def rebuild(self) -> None:
        """Drop a connection that is open but answers no more; another takes its place."""
        if self._connection:
            await _close(self._connection)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel to throw away, for questions whose answer may be that it is closed."""
        connection = await self.current()
        channel = connection.channel(publisher_confirms=False)
        await within_seconds(self._timeout, channel.initialize())
        try:
            yield channel
        finally:
            if not channel.is_closed:
                await close_quietly(channel.close())

    async def _first(self) -> AbstractConnection:
        try:
            return await self._connect()
        except Exception as exc:  # noqa: BLE001 – sockets, TLS and the handshake each raise errors of their own
            said, remedy = trouble_of(exc)
            raise Unavailable(said, remedy=remedy) from None

    async def _connect(self) -> AbstractConnection:
        """One host after the other, beginning with the last that worked. Raises what the last one raised."""
        for _ in range(len(self._addresses) - 1):
            try:
                return await self._connect_to(self._addresses[0])
            except Exception as exc:  # noqa: BLE001 – another host may be well
                log.warning("broker.unreachable", connection=self._name, error=type(exc).__name__)
                self._addresses.rotate(-1)
        try:
            return await self._connect_to(self._addresses[0])
        except Exception:
            self._addresses.rotate(-1)
            raise

    async def _connect_to(self, address: str) -> AbstractConnection:
        # a dead peer is noticed in well under a minute, unless the address asks for something else
        own: dict[str, Any] = {} if "heartbeat=" in address else {"heartbeat": HEARTBEAT_SECONDS}
        connecting = aio_pika.connect(
            address, timeout=self._timeout, client_properties={"connection_name": self._name}, **own
        )
        return await within_seconds(self._timeout, connecting)

    async def _supervise(self, first: AbstractConnection) -> None:
        await self._serve(first)
        waits = back_off_pauses(longest=5.0)
        while self._task is not None:  # a cancellation may be lost in the library; being closed is not
            await asyncio.sleep(next(waits))
            try:
                connection = await self._connect()
            except Exception as exc:  # noqa: BLE001 – whatever hinders it, a supervisor goes on trying
                log.warning("broker.unreachable", connection=self._name, error=type(exc).__name__)
                continue
            waits = back_off_pauses(longest=5.0)
            await self._serve(connection)

    async def _serve(self, connection: AbstractConnection) -> None:
        gone = asyncio.Event()
        connection.close_callbacks.add(lambda *_: gone.set())
        self._connection = connection
        self._up.set()
        log.info("broker.connected", connection=self._name)
        try:
            await self._watch(connection, gone)
        finally:
            self._connection, self._blocked = None, False
            self._up.clear()
            if self._task:
                log.warning("broker.disconnected", connection=self._name)
            await _close(connection)

    async def _watch(self, connection: AbstractConnection, gone: asyncio.Event) -> None:
        while not gone.is_set() and not connection.is_closed:
            self._note_blocked(not await _takes_messages(connection))
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await gone.wait()

    def _note_blocked(self, blocked: bool) -> None:
        if blocked != self._blocked:
            self._blocked = blocked
            log.warning("broker.blocked" if blocked else "broker.unblocked", connection=self._name)


async def within_seconds(seconds: float, work: Awaitable[_Result]) -> _Result:
    """What the work returns or raises; TimeoutError when the time is over, whatever the library does.

    ``asyncio.timeout`` cancels once, and aiormq answers a cancelled request by queueing a farewell: on a
    wire that takes nothing more that would wait for ever. So the work is a task that can be left behind.
    aiormq also cancels what waits for a connection that dies: that is a ConnectionError here, because as a
    cancellation it would end whoever supervises the work.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=FAREWELL_SECONDS)
            raise TimeoutError
        if task.cancelled():
            raise ConnectionError("The connection to RabbitMQ ended while this was waited for.")
        return task.result()
    finally:
        task.cancel()


async def close_quietly(closing: Awaitable[Any]) -> None:
    """Finish a farewell; what goes wrong in it has no consequence, for the other side is leaving anyway."""
    with suppress(Exception):
        await within_seconds(CLOSE_SECONDS, closing)


async def _close(connection: AbstractConnection) -> None:
    await close_quietly(connection.close())


async def _takes_messages(connection: AbstractConnection) -> bool:
    if connection.transport is None:
        return False
    try:
        async with asyncio.timeout(0.25):
            await connection.transport.ready()
    except TimeoutError:
        return False
    return True

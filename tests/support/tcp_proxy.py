"""A wire between a client and a server that a test can stop, cut or half cut."""

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Self


@dataclass(kw_only=True, eq=False)
class Pair:
    """One connection: the client's end and the server's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    deaf: bool = False
    """Whether the client hears nothing any more, not even that the server is gone."""


class TcpProxy:
    """Forwards bytes both ways until frozen; a frozen wire is open and silent.

    The server is at a port, or at the path of a socket; of several ports each client is led to the next
    at which somebody answers.
    """

    def __init__(self, host: str, *ports: int) -> None:
        self._host, self._ports = host, deque(ports)
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pairs: set[Pair] = set()
        self._coming: set[asyncio.StreamWriter] = set()
        """Clients that are let in and not yet led to the server."""
        self._server: asyncio.Server | None = None
        self.port = 0
        self._held: dict[asyncio.StreamReader, bytes] = {}
        self.thaw()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self) -> None:
        """Let clients in, at the port where they were let in before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Let nobody in any more, as where no server runs; who is in stays."""
        if self._server:
            self._server.close()
        self._server = None

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._pairs)

    def freeze(self) -> None:
        """Nothing passes in either direction."""
        self._up.clear()
        self._down.clear()

    def freeze_answers(self) -> None:
        """What the client says arrives; what the server answers does not."""
        self._down.clear()

    def thaw(self) -> None:
        self._up.set()
        self._down.set()

    def holds(self, words: bytes) -> bool:
        """Whether this was said and has not passed."""
        return any(words in data + bytes(source._buffer) for source, data in self._held.items())  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Break every connection with a RST at both ends, and one that is just being made."""
        for client in self._coming:
            _reset(client)
        for pair in self._pairs:
            for end in (pair.client, pair.server):
                _reset(end)

    def half_open(self) -> None:
        """Take the server away from every connection; its client is never told."""
        for pair in self._pairs:
            pair.deaf = True
            _reset(pair.server)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
        pair = None
        self._coming.add(writer)
        try:
            there, back = await self._reach()
            pair = Pair(client=writer, server=back)
            self._pairs.add(pair)
            self._coming.discard(writer)
            await asyncio.gather(
                self._forward(reader, back, self._up, pair), self._forward(there, writer, self._down, pair)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._coming.discard(writer)
            await self._close(writer, pair)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self._ports:
            return await asyncio.open_unix_connection(self._host)
        for _ in range(len(self._ports) - 1):
            self._ports.rotate(-1)
            with suppress(OSError):
                return await asyncio.open_connection(self._host, self._ports[0])
        self._ports.rotate(-1)
        return await asyncio.open_connection(self._host, self._ports[0])

    async def _close(self, writer: asyncio.StreamWriter, pair: Pair | None) -> None:
        if pair:
            self._pairs.discard(pair)
        for end in (writer, pair.server) if pair else (writer,):
            end.close()
            with suppress(OSError, asyncio.CancelledError):
                await end.wait_closed()

    async def _forward(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event, pair: Pair
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                self._held[source] = data
                await flowing.wait()
                del self._held[source]
                if not pair.deaf:
                    sink.write(data)
                    await sink.drain()
        if not (pair.deaf and sink is pair.client):
            sink.close()


def _reset(end: asyncio.StreamWriter) -> None:
    """Close without a farewell."""
    raw: socket.socket | None = end.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()

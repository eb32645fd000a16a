"""A wire between a client and a server that a test can stop without either end being told."""

import asyncio
from contextlib import suppress
from typing import Self


class TcpProxy:
    """Forwards bytes both ways until frozen; a frozen wire is open and silent."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
        there, back = await asyncio.open_connection(*self._target)
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(self._forward(reader, back), self._forward(there, writer))
        for end in (writer, back):
            end.close()
            with suppress(OSError, asyncio.CancelledError):
                await end.wait_closed()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        sink.close()

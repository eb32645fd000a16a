"""Servers of HTTP that behave as a test says, byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SERVERS: dict[int, asyncio.Server] = {}
"""By port, as long as they are there."""
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Heard:
    """What a server was sent."""

    connections: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """The line, the headers in small letters, the body."""


@asynccontextmanager
async def serving(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of this behaviour; its port."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    port: int = server.sockets[0].getsockname()[1]
    SERVERS[port] = server
    try:
        yield port
    finally:
        del SERVERS[port]
        server.close()
        for each in talks:
            each.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def answering(*answers: bytes, heard: Heard | None = None, ends: bool = False) -> Serve:
    """Reads requests and gives these answers, the last of them again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if heard is not None:
            heard.connections += 1
        left = list(answers)
        while True:
            await read_request(reader, heard or Heard())
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()
            if ends:
                return

    return serve


async def read_request(reader: asyncio.StreamReader, heard: Heard) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    heard.requests.append((head[0], headers, body))

"""No client keeps a port for itself: what does not come whole in time is closed, slow ones are few (R43)."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from contracts.ports import Outgoing
from service.app.bounded_http import HttpLimits, customer_of
from service.app.server import serve_in_background
from service.relay import relay_app
from tests.support.clock import ManualClock
from tests.support.office import open_office

SHORT = HttpLimits(
    head_within=0.6, body_within=0.9, answer_within=0.6, unfinished_a_client=20, connections=60
)
HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
PATHS = {
    "web": b"/api/v1/my-calendar/items",
    "relay": b"/cronofy/notices/0192e4c1-7a00-7000-8000-0000000000aa",
}
MINUTE = 60.0


class _Nobody:
    async def publish(self, message: Outgoing) -> None: ...


async def _answer(request: Request) -> Response:
    return PlainTextResponse(f"took {len(await request.body())}")


async def _much(_: Request) -> Response:
    return PlainTextResponse("x" * 30_000_000)


def _plain() -> ASGIApp:
    return Starlette(routes=[Route("/{path}", _answer, methods=["GET", "POST"]), Route("/much/it", _much)])


@dataclass(kw_only=True)
class _Port:
    number: int

    async def connect(self) -> "_Client":
        return _Client(*await asyncio.open_connection("127.0.0.1", self.number))


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(pause)

    async def trickle(self, piece: bytes, pause: float = 0.05) -> None:
        with contextlib.suppress(ConnectionError):
            while not self.ended:
                await self.send(piece, pause=pause)

    async def answer(self) -> bytes:
        """All that comes until the connection is closed."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while more := await self._reader.read(65536):
                found += more
        return found

    async def head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def body(self) -> bytes:
        return await self._reader.read(100)

    @property
    def ended(self) -> bool:
        return self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()


@contextlib.asynccontextmanager
async def _served(app: ASGIApp, limits: HttpLimits = SHORT) -> AsyncIterator[_Port]:
    listener = socket.create_server(("127.0.0.1", 0))
    number = int(listener.getsockname()[1])
    async with serve_in_background(app, listener, limits=limits):
        yield _Port(number=number)


@contextlib.asynccontextmanager
async def _every_app(name: str, sqlite_url: str) -> AsyncIterator[ASGIApp]:
    if name == "relay":
        yield relay_app(_Nobody(), ["secret"], clock=ManualClock())
    else:
        async with open_office(sqlite_url) as office:
            yield office.app


@pytest.mark.parametrize("name", ["web", "relay"])
@pytest.mark.parametrize(
    ("begun", "trickled"),
    [
        (b"", b""),
        (HEAD, b""),
        (HEAD, b"X-More: 1\r\n"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b""),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
async def test_r43_a_request_that_does_not_come_whole_in_time_is_closed_with_408(
    name: str, begun: bytes, trickled: bytes, sqlite_url: str
) -> None:
    """Whether it stands still or trickles; at every port that strangers reach."""
    async with _every_app(name, sqlite_url) as app, _served(app) as port:
        client, began = await port.connect(), time.monotonic()
        await client.send(begun.replace(b"/x", PATHS[name]))
        trickling = asyncio.create_task(client.trickle(trickled) if trickled else asyncio.sleep(0))
        async with asyncio.timeout(MINUTE):
            answer = await client.answer()
        trickling.cancel()
        client.close()
    assert time.monotonic() - began >= SHORT.head_within - 0.1
    assert answer.startswith(b"HTTP/1.1 408 ") if begun else answer == b""


async def test_r43_an_honest_slow_request_is_answered() -> None:
    """Byte by byte, and again on the same connection after a rest."""
    patient = HttpLimits(head_within=20.0, body_within=20.0)
    async with _served(_plain(), patient) as port:
        client = await port.connect()
        for _ in range(2):
            whole = HEAD + b"Content-Length: 5\r\n\r\nhello"
            await client.send(*(bytes([byte]) for byte in whole), pause=0.01)
            assert (await client.head()).startswith(b"HTTP/1.1 200")
            await client.send(pause=0.2)
            await client.body()
        client.close()


async def test_r43_the_time_counts_anew_for_each_request() -> None:
    """One connection may serve for longer than a request may take."""
    async with _served(_plain()) as port:
        client = await port.connect()
        for _ in range(6):
            await client.send(HEAD + b"Content-Length: 0\r\n\r\n", pause=0.2)
            assert (await client.head()).startswith(b"HTTP/1.1 200")
            await client.body()
        client.close()


async def test_r43_four_hundred_half_requests_hinder_nobody() -> None:
    """One address has so many unfinished requests and no more: the slowest make room."""
    long = HttpLimits(head_within=MINUTE, body_within=MINUTE, unfinished_a_client=20, connections=60)
    async with _served(_plain(), long) as port:
        slow = [await port.connect() for _ in range(400)]
        for one in slow:
            with contextlib.suppress(ConnectionError):
                await one.send(HEAD)
        async with asyncio.timeout(MINUTE):
            closed = await asyncio.gather(*(one.answer() for one in slow[:-20]))
            honest = await port.connect()
            await honest.send(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await honest.answer()).startswith(b"HTTP/1.1 200")
            honest.close()
        assert sum(answer == b"" or b" 408 " in answer for answer in closed) == len(closed)
        assert all(not one.ended for one in slow[-19:])
        for one in slow:
            one.close()


async def test_r43_all_clients_together_have_so_many_connections() -> None:
    long = HttpLimits(head_within=MINUTE, unfinished_a_client=500, connections=30)
    async with _served(_plain(), long) as port:
        slow = [await port.connect() for _ in range(50)]
        async with asyncio.timeout(MINUTE):
            await asyncio.gather(*(one.answer() for one in slow[:20]))
        assert all(not one.ended for one in slow[-29:])
        for one in slow:
            one.close()


async def test_r43_who_does_not_take_the_answer_is_cut_off() -> None:
    """What is ready lies in memory until then."""
    async with _served(_plain()) as port:
        loop, raw = asyncio.get_running_loop(), socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, ("127.0.0.1", port.number))
        await loop.sock_sendall(raw, b"GET /much/it HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.5)
        taken = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(MINUTE):
                while more := await loop.sock_recv(raw, 1_000_000):
                    taken += len(more)
        raw.close()
    assert taken < 30_000_000


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (lambda: HEAD + b"Cookie: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (lambda: HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n", 431),
        (lambda: b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (lambda: b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (lambda: b"GET / HTTP/1.1\r\n\r\n", 400),
        (lambda: b"hello\r\n\r\n", 400),
        (lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (lambda: HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (lambda: HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (lambda: HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (lambda: HEAD + b"Bad Header : 1\r\n\r\n", 400),
    ],
)
async def test_r43_what_is_no_http_or_too_much_of_it_is_refused_clearly(
    request_of: Callable[[], bytes], status: int
) -> None:
    async with _served(_plain()) as port:
        client = await port.connect()
        with contextlib.suppress(ConnectionError):
            await client.send(request_of())
        answer = await client.answer()
        client.close()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("hosts", "customers"),
    [
        (["192.0.2.1", "192.0.2.2"], 2),
        (["2001:db8::1", "2001:db8::ffff:1"], 1),
        (["2001:db8::1", "2001:db8:0:1::1"], 2),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2"], 2),
        (["", ""], 1),
    ],
)
def test_r43_an_ipv6_customer_is_the_first_half_of_the_address(hosts: Sequence[str], customers: int) -> None:
    assert len({customer_of(host) for host in hosts}) == customers


SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS = {
    "both": b"Content-Length: 46\r\nTransfer-Encoding: chunked\r\n",
    "both, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 46\r\n",
    "both, in odd letters": b"content-LENGTH: 46\r\ntransfer-ENCODING: Chunked\r\n",
    "both, after a bare line feed": b"Content-Length: 46\nTransfer-Encoding: chunked\r\n",
    "two lengths that differ": b"Content-Length: 5\r\nContent-Length: 46\r\n",
    "one length twice": b"Content-Length: 46\r\nContent-Length: 46\r\n",
    "one length twice in a line": b"Content-Length: 46, 46\r\n",
    "one length twice, far apart": b"Content-Length: 46\r\nX: y\r\ncontent-length: 46\r\n",
    "a signed length": b"Content-Length: +46\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a length in hex": b"Content-Length: 0x2e\r\n",
    "an empty length": b"Content-Length: \r\n",
    "a length behind a blank": b"Content-Length : 46\r\n",
    "an encoding behind a blank": b"Transfer-Encoding : chunked\r\n",
    "an encoding in a folded line": b"X: y\r\n Transfer-Encoding: chunked\r\n",
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_r43_a_request_whose_end_two_readers_may_see_elsewhere_is_refused(lines: bytes) -> None:
    """What is behind it is nobody's request: the connection ends there."""
    async with _served(_plain()) as port:
        client = await port.connect()
        await client.send(b"POST /x HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n" + SMUGGLED)
        answer = await client.answer()
        client.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_r43_an_encoding_that_http_1_0_does_not_know_is_refused() -> None:
    """Whoever is in front may go by the connection's end."""
    async with _served(_plain()) as port:
        client = await port.connect()
        await client.send(b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED)
        assert (await client.answer()).startswith(b"HTTP/1.1 400 ")
        client.close()


@pytest.mark.parametrize(
    ("lines", "body"),
    [(b"Content-Length: 4\r\n", b"four"), (b"Transfer-Encoding: chunked\r\n", b"4\r\nfour\r\n0\r\n\r\n")],
)
async def test_r43_either_way_to_tell_a_bodys_end_is_taken(lines: bytes, body: bytes) -> None:
    """One after the other on one connection, with what is behind it in the same packet."""
    one = b"POST /x HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n" + body
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close", 1)
    async with _served(_plain()) as port:
        client = await port.connect()
        await client.send(one + last)
        assert (await client.answer()).count(b"took 4") == 2
        client.close()

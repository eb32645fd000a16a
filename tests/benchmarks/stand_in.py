"""A stand-in for Cronofy that only accepts writes and remembers them, so that it is never what is measured.

It speaks as much HTTP as our own client does: requests with a length, one after the other on a connection.
"""

import asyncio
import json
import sys
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

END_OF_HEAD = b"\r\n\r\n"
ACCEPTED = {"status": 202}

Json = dict[str, Any]


@dataclass
class Book:
    """What has arrived since it was last opened, and how the stand-in behaves until then."""

    requests: list[float] = field(default_factory=list)
    """When each came, by the machine's clock."""
    writes: Counter[str] = field(default_factory=Counter)
    """By event id."""
    arrived: dict[str, float] = field(default_factory=dict)
    """When each event came first."""
    refused: int = 0
    latency: float = 0.0
    limits: tuple[tuple[float, int], ...] = ()
    """So many requests in any such number of seconds; more are answered with 429."""

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Json | None]:
        """Status and body, as Cronofy's for what the product sends; what has no version is ours."""
        path, _, query = target.partition("?")
        own = {"/seen": self._seen, "/count": self._count, "/arrived": self.arrived.copy}
        if path in own:
            return 200, own[path]()
        if path == "/forget":
            self._forget(dict(parse_qsl(query)))
            return 200, {}
        now = time.time()
        if any(self._within(seconds, now) >= most for seconds, most in self.limits):
            self.refused += 1
            return 429, {}
        self.requests.append(now)
        return self._write(method, path, body, now)

    def _write(self, method: str, path: str, body: bytes, now: float) -> tuple[int, Json | None]:
        if path == "/v1/batch":
            entries = json.loads(body)["batch"]
            self._note([entry["data"]["event_id"] for entry in entries], now)
            return 207, {"batch": [ACCEPTED] * len(entries)}
        if method in {"POST", "DELETE"} and unquote(path).endswith("/events"):
            self._note([json.loads(body)["event_id"]], now)
            return 202, None
        return 404, None

    def _note(self, event_ids: list[str], now: float) -> None:
        self.writes.update(event_ids)
        for event_id in event_ids:
            self.arrived.setdefault(event_id, now)

    def _within(self, seconds: float, now: float) -> int:
        return len(self.requests) - bisect_right(self.requests, now - seconds)

    def _seen(self) -> Json:
        return {"requests": self.requests, "writes": self.writes, "refused": self.refused}

    def _count(self) -> Json:
        return {
            "writes": self.writes.total(),
            "events": len(self.writes),
            "requests": len(self.requests),
            "refused": self.refused,
        }

    def _forget(self, wanted: dict[str, str]) -> None:
        self.requests, self.writes, self.arrived, self.refused = [], Counter(), {}, 0
        self.latency = float(wanted.get("latency", 0))
        limits = ((1.0, int(wanted.get("per_second", 0))), (60.0, int(wanted.get("per_minute", 0))))
        self.limits = tuple(limit for limit in limits if limit[1])


class Connection(asyncio.Protocol):
    def __init__(self, book: Book) -> None:
        self._book = book
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._one_request():
            pass

    def _one_request(self) -> bool:
        """Answer the first request, once it is there whole."""
        end = self._received.find(END_OF_HEAD)
        if end < 0:
            return False
        head = self._received[:end].decode("latin-1").split("\r\n")
        begin = end + len(END_OF_HEAD)
        beyond = begin + _length(head)
        if len(self._received) < beyond:
            return False
        body = bytes(self._received[begin:beyond])
        del self._received[:beyond]
        method, path, _ = head[0].split(" ")
        status, told = self._book.answer(method, path, body)
        if self._book.latency and path.startswith("/v1"):
            asyncio.get_running_loop().call_later(self._book.latency, self._send, status, told)
        else:
            self._send(status, told)
        return True

    def _send(self, status: int, told: Json | None) -> None:
        body = b"" if told is None else json.dumps(told, separators=(",", ":")).encode()
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        if self._transport is not None:
            self._transport.write(head.encode() + body)


def _length(head: list[str]) -> int:
    named = (line.partition(":") for line in head[1:])
    return next((int(value) for name, _, value in named if name.lower() == "content-length"), 0)


async def main(port: int) -> None:
    """Serve until killed."""
    book = Book()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(book), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""A stand-in for Cronofy that only accepts writes and remembers them, so that it is never what is measured.

It speaks as much HTTP as our own client does: requests with a length, one after the other on a connection.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

END_OF_HEAD = b"\r\n\r\n"
ACCEPTED = {"status": 202}

Json = dict[str, Any]


@dataclass
class Book:
    """What has arrived since it was last opened."""

    requests: int = 0
    writes: Counter[str] = field(default_factory=Counter)
    """By event id."""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Json | None]:
        """Status and body, as Cronofy's for what the product sends; ``/seen`` and ``/forget`` are ours."""
        if path == "/seen":
            return 200, {"requests": self.requests, "writes": self.writes}
        if path == "/count":
            return 200, {"writes": self.writes.total()}
        if path == "/forget":
            self.requests, self.writes = 0, Counter()
            return 200, {}
        self.requests += 1
        if path == "/v1/batch":
            entries = json.loads(body)["batch"]
            self.writes.update(entry["data"]["event_id"] for entry in entries)
            return 207, {"batch": [ACCEPTED] * len(entries)}
        if method in {"POST", "DELETE"} and unquote(path).endswith("/events"):
            self.writes[json.loads(body)["event_id"]] += 1
            return 202, None
        return 404, None


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
        self._send(*self._book.answer(method, path, body))
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

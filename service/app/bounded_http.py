"""HTTP/1.1 with a time for everything that a client may be slow at, and a number of slow ones (R43).

uvicorn waits for ever for headers that never end, for a body that trickles, and for a client that does not
take its answer; each such connection costs a file descriptor, of which a process has about a thousand.
"""

import asyncio
import ipaddress
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar, Literal

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

LARGEST_HEAD_BYTES = 16 * 1024
"""Of the request line and all headers; what comes in one piece may be as much again."""
IPV6_CUSTOMER_BITS = 64
"""The first half of an IPv6 address is one customer's, who may use all of the other half."""
_LENGTHS = re.compile(rb"^content-length[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_FOLDED = re.compile(rb"^[ \t]+\S", re.MULTILINE)
ClientPhase = Literal["head", "body", "answered"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpLimits:
    """How long a client may take, in seconds, and how many may be slow at the same time."""

    head_within: float = 10.0
    """From connecting, or the first byte of a further request, to the end of its headers."""
    body_within: float = 20.0
    """From there to the end of the body, of which 256 KiB are the most."""
    answer_within: float = 30.0
    """For taking an answer that is ready."""
    unfinished_a_client: int = 100
    """Requests that have begun and not come whole, of one address; a proxy in front counts as one."""
    connections: int = 800
    """Of all clients together."""


HTTP_LIMITS = HttpLimits()


@dataclass(kw_only=True, slots=True)
class HttpClients:
    """Who keeps a server waiting, the longest first."""

    unfinished: dict["BoundedHttp", None] = field(default_factory=dict)
    of_client: dict[str, dict["BoundedHttp", None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, one: "BoundedHttp") -> None:
        self.unfinished[one] = self.of_client[one.address][one] = None

    def drop(self, one: "BoundedHttp") -> None:
        self.unfinished.pop(one, None)
        others = self.of_client.get(one.address, {})
        others.pop(one, None)
        if not others:
            self.of_client.pop(one.address, None)

    def one_too_many(self, newest: "BoundedHttp") -> "BoundedHttp | None":
        """Who has to go for the newest: whoever of the crowd has taken the longest."""
        own = self.of_client[newest.address]
        if len(own) > newest.limits.unfinished_a_client:
            return next(iter(own))
        if len(newest.connections) > newest.limits.connections:
            return next(iter(self.unfinished))
        return None


class PlainFraming(h11.Connection):
    """HTTP/1.1 of which every reader sees the same end of a request: what tells it twice is refused (R43).

    A proxy that goes by the other of the two would take what follows for somebody else's request.
    """

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        before = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            head = before[: len(before) - len(self.trailing_data[0])]
            if _is_ambiguous(head, event):
                raise h11.RemoteProtocolError("the end of the request is told twice", error_status_hint=400)
        return event


def _is_ambiguous(head: bytes, request: h11.Request) -> bool:
    """h11 makes one of what was said twice alike, so that the bytes themselves are asked."""
    encoded = any(name == b"transfer-encoding" for name, _ in request.headers)
    lengths = _LENGTHS.findall(head)
    told_twice = len(lengths) > 1 or any(b"," in length for length in lengths)
    unknown = encoded and (bool(lengths) or request.http_version == b"1.0")
    return told_twice or unknown or _FOLDED.search(head) is not None


class BoundedHttp(H11Protocol):
    """One connection; a request that does not come whole in time is answered 408, and that is its end."""

    limits: ClassVar[HttpLimits]
    clients: ClassVar[HttpClients]
    address: str = ""
    _phase: ClientPhase = "answered"
    _deadline: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = PlainFraming(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = customer_of(self.client[0] if self.client else "")
        self._enter("head")
        if (slowest := self.clients.one_too_many(self)) is not None:
            slowest.give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._enter("answered")
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """In pieces, so that headers of any length are noticed before they are read."""
        for at in range(0, len(data), LARGEST_HEAD_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + LARGEST_HEAD_BYTES])
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()
        self._wait_until_taken()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_until_taken()

    def resume_writing(self) -> None:
        self._stop_waiting()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or too much of it, with the status that says so."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(HTTPStatus(status), msg)

    def give_up(self) -> None:
        """Close the connection: the request in it takes too long."""
        if self._phase == "body" and self.flow.read_paused:  # it is we who do not read on
            self._phase = "answered"
            self._enter("body")
            return
        self._enter("answered")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.close()  # nothing was asked, so that nobody waits for an answer
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not come whole in time.")

    # -- how far the client is ------------------------------------------------------------------

    def _look(self) -> None:
        """Take notice of where the request in hand has come to."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._enter("body")
        elif state is h11.IDLE and self.conn.trailing_data[0]:
            self._enter("head")
        elif state is not h11.IDLE or self.cycle is not None:
            self._enter("answered")

    def _enter(self, phase: ClientPhase) -> None:
        if phase == self._phase:
            return
        self._phase = phase
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.clients.drop(self)
        if phase != "answered":
            within = self.limits.head_within if phase == "head" else self.limits.body_within
            self._deadline = self.loop.call_later(within, self.give_up)
            self.clients.add(self)

    def _wait_until_taken(self) -> None:
        self._stop_waiting()
        self._untaken = self.loop.call_later(self.limits.answer_within, self._abort_untaken)

    def _stop_waiting(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _abort_untaken(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Say why, where nothing was said yet, and close."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            problem = {
                "type": "about:blank",
                "title": status.phrase,
                "status": status.value,
                "detail": detail,
            }
            headers = [("content-type", "application/problem+json"), ("connection", "close")]
            answer = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
            for event in (answer, h11.Data(data=orjson.dumps(problem)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def customer_of(host: str) -> str:
    """Whose connection it is, as far as an address tells."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped is not None:
        return host
    return str(ipaddress.ip_network((int(address), IPV6_CUSTOMER_BITS), strict=False))


def bounded_http(limits: HttpLimits = HTTP_LIMITS) -> type[asyncio.Protocol]:
    """The protocol for one server, within these limits."""
    return type("ServersHttp", (BoundedHttp,), {"limits": limits, "clients": HttpClients()})

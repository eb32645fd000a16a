"""The way to Cronofy over the network: httpx's client keeps its face, aiohttp moves the bytes.

httpx's own way takes four to six times the processor time for a request: it looks at each idle connection
twice for each, and reads answers in Python.
"""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

from contracts.errors import SyncError

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

MOST_CONNECTIONS = 100
IDLE_SECONDS = 30.0
LONGEST_ANSWER_HEADER = 16 * 1024
"""Bytes of one line of an answer's head."""
PROXY_SCHEMES = ("http", "https")
ODD_IN_NAMES = frozenset(" %\t\r\n")

_Meanings = tuple[tuple[type[Exception], type[httpx.TransportError]], ...]
_AFTERWARDS: _Meanings = (
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
)
"""Of these the request may have arrived; the first that fits counts."""
_BEFORE: _Meanings = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (ValueError, httpx.LocalProtocolError),
)
"""Of these no byte of it left this machine."""
_ALL = (*_BEFORE, *_AFTERWARDS)


class UnusableWire(SyncError):
    """The environment names a proxy, or certificates to trust, with which nothing can be sent."""


class NetworkWire(httpx.AsyncBaseTransport):
    """Carries requests over connections that are kept; raises what httpx's own would, or is as careful.

    Each request is sent once: whoever repeats it knows that it may have arrived, and pays for it (R32).
    Raises UnusableWire.
    """

    def __init__(self, url: str) -> None:
        self._proxy = proxy_of(url)
        self._trusted = _trusted()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._opened()
        timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
        within = timeouts.get("read")
        with _as_httpx(_ALL):
            answer = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                timeout=aiohttp.ClientTimeout(sock_connect=timeouts.get("connect"), sock_read=within),
                proxy=self._proxy,
                allow_redirects=False,
            )
        stream = _Answer(answer, within)
        return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=stream, request=request)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made with the first request, for it belongs to the loop that makes it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_SilentConnections(
                    limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=self._trusted
                ),
                middlewares=(_once,),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Content-Type",),
                max_line_size=LONGEST_ANSWER_HEADER,
                max_field_size=LONGEST_ANSWER_HEADER,
            )
        return self._session


class _SilentConnections(aiohttp.TCPConnector):
    """Uses no kept connection on which anything has come in a later reading than its last answer.

    It was closed by the other side, which a busy loop has not heard yet, or the other side said something
    unasked: aiohttp would take that for the answer to the next request, which may be of another account.
    """

    def _release(
        self, key: "ConnectionKey", protocol: "ResponseHandler", *, should_close: bool = False
    ) -> None:
        super()._release(key, protocol, should_close=should_close)
        # a kept one's parser swallows the first half of whatever comes; without it that lies there to be seen
        protocol._parser = None  # noqa: SLF001 -- as the connection itself has it before its first request

    async def _get(self, key: "ConnectionKey", traces: "list[Trace]") -> "Connection | None":
        while (kept := await super()._get(key, traces)) is not None:
            if _is_silent(kept):
                return kept
            kept.close()
        return None


def _is_silent(kept: "Connection") -> bool:
    if kept.protocol is None or kept.protocol.should_close or kept.transport is None:
        return False
    looking = select.poll()
    looking.register(kept.transport.get_extra_info("socket"), select.POLLIN)
    return not looking.poll(0)


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Errors leave as httpx's from here: aiohttp repeats a GET or DELETE that ended in one of its own."""
    with _as_httpx(_ALL):
        return await send(request)


class _Answer(httpx.AsyncByteStream):
    """The body as it comes, packed as it is, each piece within so many seconds."""

    def __init__(self, answer: aiohttp.ClientResponse, within: float | None) -> None:
        self._answer = answer
        self._within = within

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._next():
            yield piece

    async def _next(self) -> bytes:
        # its own limit, because aiohttp's ends where it cannot read on, and tells nobody
        with _as_httpx(_AFTERWARDS):
            async with asyncio.timeout(self._within):
                return await self._answer.content.readany()

    async def aclose(self) -> None:
        """The connection is kept where all was read, and closed where something is left."""
        self._answer.close()


def _trusted() -> ssl.SSLContext:
    try:
        context = httpx.create_ssl_context()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnusableWire(f"SSL_CERT_FILE names no certificates: {why}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for this address (``HTTPS_PROXY``, ``NO_PROXY``), if any."""
    parts = urlsplit(url)
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or not parts.hostname or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = named if "://" in named else f"http://{named}"
    if not _is_http_proxy(proxy):
        variable = f"{parts.scheme if parts.scheme in proxies else 'all'}_proxy".upper()
        raise UnusableWire(f"{variable} must be the address of an HTTP proxy, as http://proxy:3128")
    return proxy


def _is_http_proxy(address: str) -> bool:
    """Whether whoever connects to it can look it up and tell it who asks, as the sockets want it."""
    try:
        known = URL(address)
        host = known.raw_host or ""
        host.encode("idna")
        f"{known.user}{known.password}".encode("latin-1")
    except ValueError:
        return False
    return known.scheme in PROXY_SCHEMES and bool(known.port) and _is_host(host)


def _is_host(host: str) -> bool:
    """A name, or an address, which alone may have a zone behind a per cent sign."""
    return ":" in host or bool(host and not set(host) & ODD_IN_NAMES)


@contextmanager
def _as_httpx(meanings: _Meanings) -> Iterator[None]:
    try:
        yield
    except tuple(kind for kind, _ in meanings) as error:
        meaning = next(theirs for kind, theirs in meanings if isinstance(error, kind))
        raise meaning(type(error).__name__) from error

"""The way to Cronofy over the network: httpx's client keeps its face, aiohttp moves the bytes.

httpx's own way takes four to six times the processor time for a request: it looks at each idle connection
twice for each, and reads answers in Python.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

MOST_CONNECTIONS = 100
IDLE_SECONDS = 30.0
LONGEST_ANSWER_HEADER = 16 * 1024
"""Bytes of one line of an answer's head."""

_BEFORE_SENDING: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (ValueError, httpx.LocalProtocolError),
)
"""Of these no byte of the request left this machine; the first that fits counts."""
_AFTERWARDS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
)
"""Of all others it may have arrived."""


class NetworkWire(httpx.AsyncBaseTransport):
    """Carries requests over connections that are kept; raises what httpx's own way would raise.

    A GET or DELETE whose kept connection turns out to be closed is sent once more, as HTTP allows.
    """

    def __init__(self, url: str) -> None:
        self._proxy = proxy_of(url)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx(request, (*_BEFORE_SENDING, *_AFTERWARDS)):
            answer = await self._opened().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                timeout=_timeouts(request.extensions.get("timeout", {})),
                proxy=self._proxy,
                allow_redirects=False,
            )
        return httpx.Response(
            answer.status, headers=list(answer.raw_headers), stream=_Answer(request, answer), request=request
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made with the first request, for it belongs to the loop that makes it."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=httpx.create_ssl_context()
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Content-Type",),
                max_line_size=LONGEST_ANSWER_HEADER,
                max_field_size=LONGEST_ANSWER_HEADER,
            )
        return self._session


class _Answer(httpx.AsyncByteStream):
    """The body as it comes, packed as it is."""

    def __init__(self, request: httpx.Request, answer: aiohttp.ClientResponse) -> None:
        self._request = request
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request, _AFTERWARDS):
            async for piece in self._answer.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        """The connection is kept where all was read, and closed where something is left."""
        self._answer.close()


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for this address (``HTTPS_PROXY``, ``NO_PROXY``), if any."""
    parts = urlsplit(url)
    proxies = getproxies()
    if not parts.hostname or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxies.get(parts.scheme, proxies.get("all"))


def _timeouts(asked: Mapping[str, float | None]) -> aiohttp.ClientTimeout:
    """For each step, as httpx means them; who waits for one of the connections waits as long as the call."""
    return aiohttp.ClientTimeout(sock_connect=asked.get("connect"), sock_read=asked.get("read"))


@contextmanager
def _as_httpx(
    request: httpx.Request, meanings: tuple[tuple[type[Exception], type[httpx.TransportError]], ...]
) -> Iterator[None]:
    try:
        yield
    except tuple(kind for kind, _ in meanings) as error:
        meaning = next(ours for kind, ours in meanings if isinstance(error, kind))
        raise meaning(type(error).__name__, request=request) from error

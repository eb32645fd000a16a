"""One way out to Cronofy: budget, token, time limit and status table, the same for every call."""

import asyncio
import json
from collections.abc import Awaitable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx
import orjson

from contracts.errors import SyncError, Throttled, Transient, Unanswered, Unavailable
from contracts.ports import LIVE, Budget, Clock, TokenSource, Turn
from service.cronofy.breaker import Breaker
from service.cronofy.statuses import exception_error, retry_after, status_error
from service.telemetry.metrics import CRONOFY_REQUESTS

TIME_LIMIT = 10.0
"""Seconds for one call in all, a renewed token and the repeat included (DESIGN 6)."""

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnicodeError)
"""What a request may raise that is not ours."""

DISTRIBUTION = "vorex-calendar-sync"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request to Cronofy; its body is never shown."""

    method: str
    path: str
    """Or the absolute address of a further page."""
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    cost: int = 1
    answers: Container[int] = ()
    """Statuses that are an answer to this request rather than a failure of it."""


def open_client(api_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The client that all calls of a process share."""
    return httpx.AsyncClient(
        base_url=api_url,
        transport=transport,
        timeout=TIME_LIMIT,
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=40, keepalive_expiry=30),
        headers={"User-Agent": _user_agent(), "Accept": "application/json", "Accept-Encoding": "gzip"},
    )


def _user_agent() -> str:
    try:
        return f"{DISTRIBUTION}/{version(DISTRIBUTION)}"
    except PackageNotFoundError:
        return DISTRIBUTION


class Transport:
    """Sends requests; whatever goes wrong leaves here as an error of ours."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        budget: Budget,
        clock: Clock,
        *,
        time_limit: float = TIME_LIMIT,
        breaker: Breaker | None = None,
    ) -> None:
        self._time_limit = time_limit
        self.breaker = breaker or Breaker(clock, self._probe)
        self._http = http
        self._budget = budget
        self._clock = clock

    @property
    def most(self) -> int | None:
        """The largest cost of one request."""
        return self._budget.most

    async def plain(self, request: Request, *, owner: str = "", turn: Turn = LIVE) -> httpx.Response:
        """Send without a token; any status is returned (the token endpoints)."""
        turn = await self._paid(request, owner, turn)
        try:
            async with asyncio.timeout(self._time_limit):
                response = await self._once(request, owner, turn, token=None)
        except FOREIGN as error:
            raise self._foreign(error, turn.integration_id or owner) from error
        self._heard(response, turn.integration_id or owner)
        return response

    async def authorised(
        self, tokens: TokenSource, sub: str, request: Request, turn: Turn = LIVE
    ) -> httpx.Response:
        """Send as that account. A refused token is renewed once and the request repeated once (DESIGN 9)."""
        if self._lapsed(turn):
            await tokens.current(sub)  # so that nothing slow stands between the permit and the sending
            turn = await self._paid(request, sub, replace(turn, permit=None))
        try:
            async with asyncio.timeout(self._time_limit):
                response = await self._renewing(tokens, sub, request, turn)
        except FOREIGN as error:
            raise self._foreign(error, turn.integration_id or sub) from error
        self._heard(response, turn.integration_id or sub)
        await self._judge(response, request, sub, turn)
        return response

    async def refused(self, owner: str, turn: Turn) -> None:
        """Let the budget know of a 429; failing to do so must not hide the 429 itself."""
        with suppress(SyncError):
            await self._budget.penalise(turn.integration_id or owner)

    def wait(self, response: httpx.Response) -> float | None:
        """The seconds that the answer asks us to wait."""
        return retry_after(response.headers.get("Retry-After"), self._clock.now())

    def _foreign(self, error: Exception, owner: str) -> SyncError:
        ours = exception_error(error)
        if isinstance(ours, Unavailable | Unanswered):
            self.breaker.failed(owner, unreachable=True)
        return ours

    def _heard(self, response: httpx.Response, owner: str) -> None:
        CRONOFY_REQUESTS.labels(str(response.status_code)).inc()
        if response.is_server_error:
            self.breaker.failed(owner, unreachable=False)
        else:
            self.breaker.answered()

    async def _probe(self) -> None:
        """Ask for something without a token: to be refused is an answer too."""
        await self.plain(Request(method="GET", path="/v1/userinfo"), owner="breaker")

    async def _renewing(self, tokens: TokenSource, sub: str, request: Request, turn: Turn) -> httpx.Response:
        token = await self._token(tokens.current(sub))
        response = await self._once(request, sub, turn, token=token)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._token(tokens.renew(sub, token))
            again = await self._paid_again(request, sub, turn)
            response = await self._once(request, sub, again, token=token)
        return response

    async def _token(self, asked: Awaitable[str]) -> str:
        """The token; Throttled where its renewal takes another process too long: nothing is in the air."""
        try:
            async with asyncio.timeout(self._time_limit / 2):
                return await asked
        except TimeoutError:
            raise Throttled("the access token is being renewed") from None

    def _lapsed(self, turn: Turn) -> bool:
        return turn.permit is None or turn.permit.until < self._clock.monotonic()

    async def _paid_again(self, request: Request, owner: str, turn: Turn) -> Turn:
        """Another permit within the time limit; Throttled where none is to be had: nothing is in the air."""
        try:
            async with asyncio.timeout(self._time_limit / 2):
                return await self._paid(request, owner, replace(turn, permit=None))
        except TimeoutError:
            raise Throttled("the budget of requests to Cronofy is spent") from None

    async def _paid(self, request: Request, owner: str, turn: Turn) -> Turn:
        if turn.permit is not None:
            return turn
        name = turn.integration_id or owner
        permit = await self._budget.take(name, cost=request.cost, run=turn.run)
        return replace(turn, permit=permit)

    async def _once(self, request: Request, owner: str, turn: Turn, *, token: str | None) -> httpx.Response:
        if self._lapsed(turn):
            await self._paid_again(request, owner, turn)
        return await self._http.request(
            request.method,
            request.path,
            params=list(request.query) or None,
            content=None if request.body is None else _encoded(request.body),
            headers=_headers(request, token),
        )

    async def _judge(self, response: httpx.Response, request: Request, sub: str, turn: Turn) -> None:
        status = response.status_code
        if response.is_success or status in request.answers:
            return
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            await self.refused(sub, turn)
        raise status_error(status, wait=self.wait(response))


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, ensure_ascii=False).encode()  # where UTF-8 is what fails, this says so


def _headers(request: Request, token: str | None) -> dict[str, str]:
    headers = {} if request.body is None else {"Content-Type": "application/json"}
    return headers if token is None else {**headers, "Authorization": f"Bearer {token}"}


def content(response: httpx.Response) -> Any:
    """The answer's JSON; Transient where it is none."""
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise Transient("Cronofy's answer cannot be read", status=response.status_code) from error

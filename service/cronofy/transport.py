"""One way out to Cronofy: budget, token, time limit and status table, the same for every call."""

import asyncio
import json
import re
from collections.abc import Awaitable, Container, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

import httpx
import orjson

from contracts.errors import SyncError, Throttled, Transient, Unanswered, Unavailable
from contracts.ports import LIVE_TURN, Budget, Clock, Permit, TokenSource, Turn
from service.cronofy.answers import ACCEPTED_ENCODING, bound_answer
from service.cronofy.breaker import CronofyBreaker
from service.cronofy.statuses import exception_error, retry_after, status_error
from service.cronofy.wire import NetworkWire
from service.telemetry.metrics import CRONOFY_REQUESTS
from service.telemetry.spans import Span, SpanKind, doing, note, tracing
from service.version import DISTRIBUTION, VERSION

REQUEST_SECONDS = 10.0
"""Seconds for one call in all, a renewed token and the repeat included."""

HTTP_EXCEPTIONS = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnicodeError)
"""What a request may raise that is not ours."""

_ALL_READ = httpx.ByteStream(b"")

USER_AGENT = f"{DISTRIBUTION}/{VERSION}"
PROBE = "breaker"
PROBE_TURN = Turn(integration_id=PROBE, tenant_id=PROBE)
"""Nobody's trouble: where the probe fails, too, it is not one tenant's alone."""

OTHER_ROUTE = "/…"
_FIXED = (
    "/oauth/token", "/oauth/token/revoke", "/v1/application_calendars", "/v1/batch", "/v1/calendars",
    "/v1/channels", "/v1/events", "/v1/permissions", "/v1/service_account_authorizations", "/v1/userinfo",
)  # fmt: skip
ROUTES = {
    **{re.compile(re.escape(route)): route for route in _FIXED},
    re.compile(r"/v1/calendars/[^/?]+/events"): "/v1/calendars/{calendar_id}/events",
    re.compile(r"/v1/channels/[^/?]+"): "/v1/channels/{channel_id}",
    re.compile(r"/v1/events/pages/.+"): "/v1/events/pages/{page}",
    re.compile(r"/v1/profiles/[^/?]+/revoke"): "/v1/profiles/{profile_id}/revoke",
}
"""What is asked of Cronofy, as spans name it."""

HttpClient = httpx.AsyncClient
HttpWire = httpx.AsyncBaseTransport
"""What carries a client's requests: the network, or a server of the same process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CronofyRequest:
    """One HTTP request to Cronofy, for which account and at whose expense; its body is never shown."""

    method: str
    path: str
    """Or the absolute address of a further page."""
    account: str
    """Whose token it carries; where it carries none, a name for whom it is made."""
    turn: Turn = LIVE_TURN
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    cost: int = 1
    answers: Container[int] = ()
    """Statuses that are an answer to this request rather than a failure of it."""

    @property
    def payer(self) -> Turn:
        """Who stands in the budget's queue: the integration, or where none is named the account."""
        return replace(self.turn, integration_id=self.turn.integration_id or self.account)

    def with_permit(self, permit: Permit) -> Self:
        """The same request with its budget taken."""
        return replace(self, turn=replace(self.turn, permit=permit))


def open_client(api_url: str, *, wire: HttpWire | None = None) -> HttpClient:
    """The client that all calls of a process share."""
    return httpx.AsyncClient(
        base_url=api_url,
        transport=wire or NetworkWire(api_url),
        timeout=REQUEST_SECONDS,
        headers={
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_ENCODING,
        },
        event_hooks={"response": [bound_answer]},
    )


class CronofyTransport:
    """Sends requests; whatever goes wrong leaves here as an error of ours."""

    def __init__(
        self,
        http: HttpClient,
        budget: Budget,
        clock: Clock,
        *,
        breaker: CronofyBreaker,
        time_limit: float = REQUEST_SECONDS,
    ) -> None:
        self._http = http
        self._budget = budget
        self._clock = clock
        self._breaker = breaker
        self._time_limit = time_limit

    @property
    def most(self) -> int | None:
        """The largest cost of one request."""
        return self._budget.most

    async def plain(self, request: CronofyRequest) -> httpx.Response:
        """Send without a token; any status is returned (the token endpoints)."""
        request = await self._paid(request)
        try:
            async with asyncio.timeout(self._time_limit):
                with _asking(request) as span:
                    response = await self._once(request, token=None)
                    _note(span, response, request)
        except HTTP_EXCEPTIONS as error:
            raise self._foreign(error, request) from error
        self._heard(response, request)
        return response

    async def probe(self) -> None:
        """Ask for something without a token: to be refused is an answer too."""
        await self.plain(CronofyRequest(method="GET", path="/v1/userinfo", account=PROBE, turn=PROBE_TURN))

    async def authorised(self, tokens: TokenSource, request: CronofyRequest) -> httpx.Response:
        """Send as its account. A refused token is renewed once and the request repeated once."""
        if self._lapsed(request):
            # so that nothing slow stands between the permit and the sending
            await tokens.current(request.account)
            request = await self._paid(request)
        try:
            async with asyncio.timeout(self._time_limit):
                with _asking(request) as span:
                    response = await self._renewing(tokens, request)
                    _note(span, response, request)
        except HTTP_EXCEPTIONS as error:
            raise self._foreign(error, request) from error
        self._heard(response, request)
        await self._judge(response, request)
        return response

    async def refused(self, request: CronofyRequest) -> None:
        """Let the budget know of a 429; failing to do so must not hide the 429 itself."""
        with suppress(SyncError):
            await self._budget.penalise(request.payer)

    def wait(self, response: httpx.Response) -> float | None:
        """The seconds that the answer asks us to wait."""
        return retry_after(response.headers.get("Retry-After"), self._clock.now())

    def _foreign(self, error: Exception, request: CronofyRequest) -> SyncError:
        ours = exception_error(error)
        if isinstance(ours, Unavailable | Unanswered):
            self._breaker.failed(request.turn.tenant_id, unreachable=isinstance(ours, Unavailable))
        return ours

    def _heard(self, response: httpx.Response, request: CronofyRequest) -> None:
        CRONOFY_REQUESTS.labels(str(response.status_code)).inc()
        if response.is_server_error:
            self._breaker.failed(request.turn.tenant_id, unreachable=False)
        else:
            self._breaker.answered()

    async def _renewing(self, tokens: TokenSource, request: CronofyRequest) -> httpx.Response:
        token = await self._token(tokens.current(request.account))
        response = await self._once(request, token=token)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._token(tokens.renew(request.account, token))
            note(resends=1)
            response = await self._once(await self._paid_again(request), token=token)
        return response

    async def _token(self, asked: Awaitable[str]) -> str:
        """The token; Throttled where its renewal takes another process too long: nothing is in the air."""
        try:
            async with asyncio.timeout(self._time_limit / 2):
                return await asked
        except TimeoutError:
            raise Throttled("the access token is being renewed") from None

    def _lapsed(self, request: CronofyRequest) -> bool:
        permit = request.turn.permit
        return permit is None or permit.until < self._clock.monotonic()

    async def _paid_again(self, request: CronofyRequest) -> CronofyRequest:
        """Another permit within the time limit; Throttled where none is to be had: nothing is in the air."""
        try:
            async with asyncio.timeout(self._time_limit / 2):
                return await self._paid(request)
        except TimeoutError:
            raise Throttled("the budget of requests to Cronofy is spent") from None

    async def _paid(self, request: CronofyRequest) -> CronofyRequest:
        permit = await self._budget.take(request.payer, cost=request.cost)
        return request.with_permit(permit)

    async def _once(self, request: CronofyRequest, *, token: str | None) -> httpx.Response:
        if self._lapsed(request):
            await self._paid_again(request)
        response = await self._http.request(
            request.method,
            request.path,
            params=list(request.query) or None,
            content=None if request.body is None else _encoded(request.body),
            headers=_headers(request, token),
        )
        # httpx's stream holds its response, and so all that was sent and read until garbage is looked for
        response.stream = _ALL_READ
        return response

    async def _judge(self, response: httpx.Response, request: CronofyRequest) -> None:
        status = response.status_code
        if response.is_success or status in request.answers:
            return
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            await self.refused(request)
        raise status_error(status, wait=self.wait(response))


def _asking(request: CronofyRequest) -> AbstractContextManager[Span]:
    route = route_of(request.path) if tracing() else ""
    return doing(
        f"{request.method} {route}",
        SpanKind.ASK,
        method=request.method,
        route=route,
        integration_id=request.turn.integration_id,
        tenant_id=request.turn.tenant_id,
        urgency=request.turn.urgency.value,
        cost=request.cost,
    )


def _note(span: Span, response: httpx.Response, request: CronofyRequest) -> None:
    status = response.status_code
    span.note(status=status)
    if not (response.is_success or status in request.answers):
        span.fail(str(status))


def route_of(path: str) -> str:
    """The path or address without what it names: no id, no cursor, no token."""
    known = path[path.find("/", path.find("://") + 3) :] if "://" in path else path
    return next((route for pattern, route in ROUTES.items() if pattern.fullmatch(known)), OTHER_ROUTE)


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, ensure_ascii=False).encode()  # where UTF-8 is what fails, this says so


def _headers(request: CronofyRequest, token: str | None) -> dict[str, str]:
    headers = {} if request.body is None else {"Content-Type": "application/json"}
    return headers if token is None else {**headers, "Authorization": f"Bearer {token}"}


def json_content(response: httpx.Response) -> Any:
    """The answer's JSON; Transient where it is none."""
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise Transient("Cronofy's answer cannot be read", status=response.status_code) from error

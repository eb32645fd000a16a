"""A gateway to a scripted Cronofy, with budget, tokens and time in the test's hand."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx

from contracts.cronofy import EventsPage, EventsQuery
from contracts.errors import GrantRefused
from contracts.event_fields import EventFields
from contracts.ports import Budget, Clock, Permit, Turn, Urgency
from contracts.writes import Upsert
from service.cronofy.breaker import CronofyBreaker
from service.cronofy.gateway import CronofyGateway
from service.cronofy.oauth import CronofyAccess, OAuth
from service.cronofy.sightings import ProviderWatch
from service.cronofy.transport import REQUEST_SECONDS, CronofyTransport, HttpClient, HttpWire, open_client
from tests.support.clock import ManualClock

ACCESS = CronofyAccess(
    api_url="https://api.cronofy.test",
    app_url="https://app.cronofy.test",
    client_id="client",
    client_secrets=["newest", "older"],
)
Reply = httpx.Response | Exception | Callable[[], httpx.Response]


class ScriptedCronofy(httpx.AsyncBaseTransport):
    """Answers in turn and keeps what was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply()

    def body(self, number: int = -1) -> Any:
        return json.loads(self.requests[number].content)


class CountingBudget:
    """A budget that grants everything and keeps the book."""

    def __init__(self, clock: ManualClock, most: int | None = None) -> None:
        self._clock = clock
        self.most = most
        self.taken: list[tuple[str, int, bool]] = []
        self.penalised: list[str] = []
        self.spent = False
        self.wait = 0.0

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        self.taken.append((turn.integration_id, cost, turn.urgency is Urgency.RUN))
        if self.spent:
            await asyncio.Event().wait()
        await asyncio.sleep(self.wait)
        return Permit(until=self._clock.monotonic() + 0.2)

    async def penalise(self, turn: Turn) -> None:
        self.penalised.append(turn.integration_id)


class NumberedTokens:
    """Hands out token-1, token-2 and so on; a renewal is the next one."""

    def __init__(self, *, revoked: bool = False) -> None:
        self.number = 1
        self.revoked = revoked

    async def current(self, sub: str) -> str:
        return f"token-{self.number}"

    async def refresh_token(self, sub: str) -> str | None:
        return f"refresh-{sub}"

    async def renew(self, sub: str, stale: str) -> str:
        if self.revoked:
            raise GrantRefused
        assert stale == f"token-{self.number}"
        self.number += 1
        return f"token-{self.number}"


class GatewayUnderTest:
    """A gateway with everything around it in the test's hand."""

    def __init__(
        self, *replies: Reply, by_entry: bool = False, most: int | None = None, time_limit: float = 10.0
    ) -> None:
        self.clock = ManualClock()
        self.script = ScriptedCronofy(*replies)
        self.budget = CountingBudget(self.clock, most)
        self.tokens = NumberedTokens()
        self.watch = ProviderWatch(self.clock)
        self.gateway = self.gateway_over(self.script, by_entry=by_entry, time_limit=time_limit)

    def gateway_over(self, wire: HttpWire, *, by_entry: bool = False, time_limit: float) -> CronofyGateway:
        """A gateway that sends by that wire."""
        http = open_client(ACCESS.api_url, wire=wire)
        transport, _ = transport_over(http, self.budget, self.clock, time_limit=time_limit)
        return CronofyGateway(
            transport=transport,
            oauth=OAuth(ACCESS, transport),
            tokens=self.tokens,
            api_url=ACCESS.api_url,
            watch=self.watch,
            batch_cost="entry" if by_entry else "request",
        )


def transport_over(
    http: HttpClient, budget: Budget, clock: Clock, *, time_limit: float = REQUEST_SECONDS
) -> tuple[CronofyTransport, CronofyBreaker]:
    """A transport, and the breaker that watches it."""
    breaker = CronofyBreaker(clock, lambda: transport.probe())  # noqa: PLW0108 -- made in the next line
    transport = CronofyTransport(http, budget, clock, breaker=breaker, time_limit=time_limit)
    return transport, breaker


def an_upsert(event_id: str = "vcs-1") -> Upsert:
    return Upsert(
        calendar_id="cal_1",
        event_id=event_id,
        fields=EventFields(
            summary="Title",
            description="",
            start=date(2026, 12, 3),
            end=date(2026, 12, 4),
            tzid="Etc/UTC",
            location="",
            transparency="opaque",
            event_private=False,
        ),
    )


def answered(status: int, content: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=content, headers=headers)


def accepted(count: int) -> httpx.Response:
    return answered(207, {"batch": [{"status": 202}] * count})


async def all_pages(gateway: CronofyGateway, sub: str, query: EventsQuery) -> list[EventsPage]:
    """All pages in order, followed as the reader does."""
    pages = [await gateway.first_page(sub, query)]
    while pages[-1].next_page is not None:
        pages.append(await gateway.next_page(sub, pages[-1].next_page))
    return pages

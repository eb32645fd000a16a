"""Cronofy behind one door: the gateway, the accounts' tokens and the shared budget (DESIGN 9)."""

from dataclasses import dataclass, field
from typing import Literal

import httpx

from contracts.ports import LIVE, Budget, Clock, Turn
from service.cronofy.breaker import Breaker
from service.cronofy.credentials import CredentialStore, StoredTokens
from service.cronofy.gateway import CronofyGateway, EventsQuery
from service.cronofy.oauth import Access, OAuth
from service.cronofy.transport import TIME_LIMIT, Transport, open_client

__all__ = [
    "LIVE",
    "Access",
    "Cronofy",
    "CronofyGateway",
    "EventsQuery",
    "StoredTokens",
    "Turn",
    "open_cronofy",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cronofy:
    """What a process needs of Cronofy; ``close`` waits for a renewal of tokens that is under way."""

    gateway: CronofyGateway
    tokens: StoredTokens
    budget: Budget
    breaker: Breaker
    http: httpx.AsyncClient = field(repr=False)

    async def close(self) -> None:
        await self.breaker.close()
        await self.tokens.close()
        await self.http.aclose()


def open_cronofy(
    access: Access,
    *,
    credentials: CredentialStore,
    budget: Budget,
    clock: Clock,
    batch_cost: Literal["request", "entry"] = "request",
    transport: httpx.AsyncBaseTransport | None = None,
    time_limit: float = TIME_LIMIT,
) -> Cronofy:
    """One client, one gateway, one cache of tokens for the whole process."""
    http = open_client(access.api_url, transport=transport)
    way = Transport(http, budget, clock, time_limit=time_limit)
    tokens = StoredTokens(credentials, OAuth(access, way).refresh, clock)
    gateway = CronofyGateway(
        access=access,
        http=http,
        budget=budget,
        tokens=tokens,
        clock=clock,
        batch_cost=batch_cost,
        time_limit=time_limit,
        breaker=way.breaker,
    )
    return Cronofy(gateway=gateway, tokens=tokens, budget=budget, breaker=way.breaker, http=http)

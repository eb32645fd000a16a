"""Puts together what a process needs to speak with Cronofy: one of each, whoever uses it."""

from dataclasses import dataclass, field

from contracts.ports import Budget, BudgetLedger, Clock, CredentialStore
from service.cronofy.allowance import limits_of
from service.cronofy.breaker import CronofyBreaker
from service.cronofy.budget import NoBudget, SharedBudget
from service.cronofy.credentials import StoredTokens
from service.cronofy.gateway import BatchCost, CronofyGateway
from service.cronofy.key_watch import KeyWatch
from service.cronofy.oauth import CronofyAccess, OAuth
from service.cronofy.sightings import ProviderWatch
from service.cronofy.transport import REQUEST_SECONDS, CronofyTransport, HttpClient, HttpWire, open_client


@dataclass(frozen=True, kw_only=True, slots=True)
class CronofyParts:
    """What a process needs of Cronofy; ``close`` waits for a renewal of tokens that is under way."""

    gateway: CronofyGateway
    tokens: StoredTokens
    budget: Budget
    breaker: CronofyBreaker
    keys: KeyWatch
    watch: ProviderWatch
    oauth: OAuth = field(repr=False)
    transport: CronofyTransport = field(repr=False)
    http: HttpClient = field(repr=False)

    async def close(self) -> None:
        await self.breaker.close()
        await self.tokens.close()
        await self.http.aclose()


def open_cronofy(
    access: CronofyAccess,
    *,
    credentials: CredentialStore,
    budget: Budget,
    clock: Clock,
    batch_cost: BatchCost = "request",
    wire: HttpWire | None = None,
    time_limit: float = REQUEST_SECONDS,
) -> CronofyParts:
    """One client, one transport, one cache of tokens for the whole process.

    ``wire``: another way than the network. ``time_limit``: seconds for one call in all.
    """
    http = open_client(access.api_url, wire=wire)
    # the breaker asks by the very way that it watches, so one of the two must know the other's name only
    breaker = CronofyBreaker(clock, lambda: transport.probe())  # noqa: PLW0108 -- made in the next line
    transport = CronofyTransport(http, budget, clock, breaker=breaker, time_limit=time_limit)
    oauth = OAuth(access, transport)
    keys = KeyWatch(credentials.readable, clock)
    tokens = StoredTokens(credentials, oauth.refresh, clock, on_wrong_keys=keys.missed)
    watch = ProviderWatch(clock)
    gateway = CronofyGateway(
        transport=transport,
        oauth=oauth,
        tokens=tokens,
        api_url=access.api_url,
        watch=watch,
        batch_cost=batch_cost,
    )
    return CronofyParts(
        gateway=gateway,
        tokens=tokens,
        budget=budget,
        breaker=breaker,
        keys=keys,
        watch=watch,
        oauth=oauth,
        transport=transport,
        http=http,
    )


def open_budget(ledger: BudgetLedger, clock: Clock, *, per_second: int, per_minute: int) -> Budget:
    """The budget for Cronofy's limits; 0 is no limit, and with no limit at all nothing is counted (R32)."""
    limits = limits_of(per_second, per_minute)
    return SharedBudget(ledger, clock, limits) if limits else NoBudget()

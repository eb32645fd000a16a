"""Whether a consumer is paused, and by what.

By its *brake*, when bug after bug would make dead letters of everything; by the *breaker*, while
Cronofy is down; by the *keys*, while none of them opens a stored token; and, when any of these lasts,
because what was in hand is *given back* to the broker.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from math import ceil
from typing import Literal

import structlog

from contracts.errors import Transient
from contracts.ports import Clock, OutageWatch
from handlers.settlement import BUG_CODE, Settlement
from service.consumers.owners import NOBODY
from service.telemetry.logs import EventName
from service.telemetry.metrics import BRAKE_ON, show_from_zero

log = structlog.get_logger(__name__)

PauseReason = Literal["brake", "breaker", "keys", "given back"]
CONSUMER_PAUSED: EventName = "consumer.paused"
CONSUMER_RESUMED: EventName = "consumer.resumed"
BUGS_IN_A_ROW = 20
"""So many dead letters in a row with code ``bug`` are a fault of ours, not of the messages."""
TENANTS_OF_A_FAULT = 3
"""From so many tenants they must come, or from all of the installation: one alone pauses nobody (R44)."""
BRAKE_SECONDS = 60.0
"""Seconds after which one message is tried."""
CALM_SECONDS = BUGS_IN_A_ROW * BRAKE_SECONDS
"""Seconds without a bug after which the brake ends whoever's messages went well: in so many it would itself
have made as many dead letters by trials as it takes to put it on, so that nobody gains by waiting for it."""
CENSUS_SECONDS = 60.0
"""Seconds for which a count of tenants is believed."""
GIVE_BACK_SECONDS = 60.0
"""Seconds of a pause after which what is in hand is given back to the broker, once."""
PAUSE_POLL_SECONDS = 0.2
"""Seconds between two looks at whether the pause is over."""


TenantCensus = Callable[[], Awaitable[Collection[str]]]
"""The tenants that have integrations here. Raises Transient."""
_WELL, _NOTHING, _BUG = 1, 2, 3


class Brake:
    """Stops one consumer that would make dead letters of everything; lets one message try after a minute.

    It counts causes over distinct tenants (R44). A tenant's bugs count until a message of theirs goes well,
    each tenant's at most as their part of a fault; what went well for enough tenants ends the count, and
    the brake. So no tenant alone puts it on, and no tenant alone takes it off where it is on for others.
    Tenants that have nothing here count as one: any word in a message would else be one more.
    While it is on, the tenants whose messages have not been tried come first, then those whose go well: a
    fault that is one tenant's keeps them back, and nobody else.
    """

    def __init__(self, queue: str, clock: Clock, census: TenantCensus) -> None:
        self._queue = queue
        self._clock = clock
        self._census = census
        self._counted_at: float | None = None
        self._needed = TENANTS_OF_A_FAULT
        self._here: Collection[str] | None = None
        self._bugs: Counter[str] = Counter()
        self._well: set[str] = set()
        self._tried: dict[str, int] = {}
        """While it is on: what the last trial of each tenant showed, the latest last."""
        self._trying = False
        self._last_bug = 0.0
        self._until: float | None = None

    @property
    def on(self) -> bool:
        """Whether the consumer has not been found well since the brake was put on."""
        return self._until is not None

    @property
    def attentive(self) -> bool:
        """Whether it matters whose messages go well."""
        return self.on or bool(self._bugs)

    @property
    def paused(self) -> bool:
        """Whether not even the one message that is tried may be taken now."""
        return self._until is not None and self._clock.monotonic() < self._until

    def try_one(self) -> bool:
        """Called when a message is taken: whether it is the only one, to be tried on its own."""
        if self._until is None:
            return False
        self._until = self._clock.monotonic() + BRAKE_SECONDS
        self._trying = True
        return True

    def choose(self, tenants: Sequence[str]) -> int:
        """Which of the waiting messages is tried, by whose they are."""
        ranks = {tenant: (found, place) for place, (tenant, found) in enumerate(self._tried.items())}
        rank = [ranks.get(self._known(tenant), (0, 0)) for tenant in tenants]
        return min(range(len(tenants)), key=lambda place: (rank[place], place))

    async def learn(self, ended: Iterable[tuple[str, Settlement]]) -> None:
        """What became of these tenants' messages, all taken in hand before any of it was known."""
        known = list(ended)
        if not self.attentive and not any(_is_bug(settlement) for _, settlement in known):
            return
        await self._count_tenants()
        for tenant, settlement in known:
            if settlement.failure is None:
                self.went_well(tenant)
        for tenant, settlement in known:
            if _is_bug(settlement):
                self.bug(tenant, buried=settlement.buried is not None)
            elif settlement.failure is not None:
                self.learned_nothing(tenant)

    async def _count_tenants(self) -> None:
        now = self._clock.monotonic()
        if self._counted_at is not None and now - self._counted_at < CENSUS_SECONDS:
            return
        with suppress(Transient):
            self._here = await self._census()
            self._needed = min(TENANTS_OF_A_FAULT, max(1, len(self._here)))
            self._counted_at = now

    def _known(self, tenant: str) -> str:
        return tenant if self._here is None or tenant in self._here else NOBODY

    def went_well(self, tenant: str) -> None:
        """A message of theirs was done."""
        tenant = self._known(tenant)
        self._bugs.pop(tenant, None)
        self._well.add(tenant)
        self._note(tenant, _WELL)
        if len(self._well) >= self._needed or self._calm:
            self._release()
        elif self.on:
            self._until = self._clock.monotonic()

    def bug(self, tenant: str, *, buried: bool) -> None:
        """A message of theirs met an error that nobody foresaw; ``buried``: for the last time."""
        tenant = self._known(tenant)
        if not self.attentive:
            self._well.clear()
        self._well.discard(tenant)
        if buried:
            self._bugs[tenant] += 1
        self._last_bug = self._clock.monotonic()
        if self.on:
            again = self._trying and self._needed > 1 and [*self._tried.items()][-1:] == [(tenant, _BUG)]
            self._note(tenant, _BUG)
            self._pause(0.0 if again else BRAKE_SECONDS)  # nobody else waits: it is buried as it comes
        elif self._enough:
            self._pause(BRAKE_SECONDS)

    def learned_nothing(self, tenant: str) -> None:
        """A message was malformed, refused, or could not be done now: another one may try at once."""
        self._note(self._known(tenant), _NOTHING)
        if self._until is not None:
            self._until = self._clock.monotonic()

    def _note(self, tenant: str, found: int) -> None:
        if self.on:
            self._tried.pop(tenant, None)
            self._tried[tenant] = found

    @property
    def _enough(self) -> bool:
        """Whether bugs in a row came from enough tenants, none of whom counts for more than their part."""
        part = ceil(BUGS_IN_A_ROW / self._needed)
        bugs = [min(number, part) for number in self._bugs.values()]
        return len(bugs) >= self._needed and sum(bugs) >= BUGS_IN_A_ROW

    @property
    def _calm(self) -> bool:
        return self.on and self._clock.monotonic() - self._last_bug >= CALM_SECONDS

    def _pause(self, seconds: float) -> None:
        self._trying = False
        self._until = self._clock.monotonic() + seconds
        BRAKE_ON.labels(self._queue).set(1)
        if seconds:
            log.error(CONSUMER_PAUSED, queue=self._queue, reason="bug after bug", seconds=seconds)

    def _release(self) -> None:
        self._bugs.clear()
        self._well.clear()
        self._tried.clear()
        self._trying = False
        if self.on:
            self._until = None
            BRAKE_ON.labels(self._queue).set(0)
            log.info(CONSUMER_RESUMED, queue=self._queue, reason="messages went well")


def _is_bug(settlement: Settlement) -> bool:
    return settlement.failure is not None and settlement.failure.code == BUG_CODE


class Gate:
    """What pauses one consumer; every pause ends by itself."""

    def __init__(
        self,
        *,
        queue: str,
        clock: Clock,
        census: TenantCensus,
        breaker: OutageWatch | None = None,
        keys: OutageWatch | None = None,
    ) -> None:
        self.brake = Brake(queue, clock, census)
        self._queue = queue
        self._clock = clock
        self._breaker = breaker
        self._keys = keys
        self.given_back = False
        """Whether what was in hand has been given back, and is to be taken again when the pause is over."""

    @property
    def paused_by(self) -> PauseReason | None:
        """Why no message may be taken; in an outage, nothing is sent to Cronofy either."""
        if self._keys is not None and self._keys.open:
            return "keys"
        if self._breaker is not None and self._breaker.open:
            return "breaker"
        if self.brake.paused:
            return "brake"
        return "given back" if self.given_back else None

    @property
    def outage(self) -> bool:
        """Whether something is down that every message needs."""
        return self.paused_by in {"breaker", "keys"}

    def shut_at_start(self) -> bool:
        """Whether a consumer that begins now leaves its queue alone; ``mind`` takes it after the outage."""
        self.given_back = self.outage
        if self.given_back:
            log.warning(CONSUMER_PAUSED, queue=self._queue, reason=self.paused_by)
        return self.given_back

    async def passed(self, stopping: Callable[[], bool]) -> None:
        """Return when messages may be taken, or when the consumer stops."""
        while self.paused_by and not stopping():
            await self._clock.sleep(PAUSE_POLL_SECONDS)

    async def mind(
        self, *, give_back: Callable[[], Awaitable[None]], take_again: Callable[[], Awaitable[None]]
    ) -> None:
        """Give the window back once in a pause that lasts, and take it again when the pause is over."""
        since: float | None = None
        show_from_zero(self._queue)
        while True:
            await self._clock.sleep(PAUSE_POLL_SECONDS)
            if self.paused_by not in {"brake", "breaker", "keys"}:
                since = None
                await self._resume(take_again)
            elif since is None:
                since = self._clock.monotonic()
            elif not self.given_back and self._clock.monotonic() - since > GIVE_BACK_SECONDS:
                log.warning(CONSUMER_PAUSED, queue=self._queue, reason="what was in hand is given back")
                self.given_back = True
                await give_back()

    async def _resume(self, take_again: Callable[[], Awaitable[None]]) -> None:
        if self.given_back:
            await take_again()
            self.given_back = False
            log.info(CONSUMER_RESUMED, queue=self._queue, reason="the pause is over")

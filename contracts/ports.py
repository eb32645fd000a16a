"""What the service needs of the outside world, as narrow Protocols documented by their obligations."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

from contracts.cronofy import EventsPage, EventsQuery
from contracts.cronofy_accounts import Profile, TokenGrant, UserInfo
from contracts.writes import Answer, EventWrite

_Result = TypeVar("_Result")

HandOver = Callable[[Sequence[str]], Awaitable[None]]
"""Sends these rows of the outbox now. Never raises: what is not sent now, the keeper sends."""

ATTEMPT_HEADER = "calendar-sync-attempt"
REPLAY_HEADER = "calendar-sync-replay"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A message to publish: persistent, ``application/cloudevents+json``."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    headers: Mapping[str, str | int] = field(default_factory=dict)
    mandatory: bool = True
    """An error is raised when no queue takes it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Delivery:
    """A message received and not yet settled; identity is the object itself."""

    queue: str
    body: bytes
    message_id: str | None
    routing_key: str
    headers: Mapping[str, str | int]
    """Application headers only; everything that begins with ``x-`` is left out."""
    attempt: int
    """From 1; our own counter (header ``calendar-sync-attempt``), never the broker's."""
    returns: int
    """How often the broker has handed this message out before without it being settled."""
    generation: int
    """Of the channel it came by; settling a delivery of an older generation does nothing."""
    handle: Any
    """The broker's own token for settling."""
    origin: str | None = None
    """The queue that the broker itself gave this message up in, on deliveries of the parked queue."""
    expired: bool = False
    """Whether it was given up there because its own time to live, which its publisher gave it, was over."""


class Sink(Protocol):
    """Who receives deliveries. Both methods are called on the event loop and must not block."""

    def deliver(self, delivery: Delivery) -> None: ...

    def lost(self, generation: int) -> None:
        """The channel of that generation is gone: all its unsettled deliveries will come again."""


class Subscription(Protocol):
    """A consumer on one queue that survives reconnects."""

    @property
    def alive(self) -> bool:
        """Whether deliveries can arrive now (connected, consuming, not found stuck by the watchdog)."""

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle these; deliveries of an older generation are passed over in silence."""

    async def close(self) -> None:
        """Give back everything unsettled by closing the channel; nothing is delivered afterwards."""


class Publisher(Protocol):
    async def publish(self, message: Outgoing) -> None:
        """Return once the broker has confirmed the message.

        Raises Unroutable where it is mandatory and no queue takes it, Unavailable where it was
        not confirmed in time: it may have arrived, so publish the same id again.
        """


class QueueDepths(Protocol):
    """Whoever can count the messages of a queue."""

    async def depth(self, queue: str) -> int:
        """Messages ready in the queue."""


class Broker(Publisher, QueueDepths, Protocol):
    """The message broker; RabbitMQ and memory pass one conformance suite."""

    @property
    def ready(self) -> bool:
        """Whether both connections are open and not blocked."""

    async def open(self) -> None:
        """Connect. Raises Unavailable."""

    async def close(self) -> None: ...

    async def declare(self) -> None:
        """Bring the topology into being; harmless when it exists.

        Raises Permanent naming what differs.
        """

    async def missing(self) -> list[str]:
        """Names what of the topology is missing; empty when complete. Changes nothing."""

    async def subscribe(self, queue: str, *, prefetch: int, sink: Sink) -> Subscription: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit:
    """The right to send one request to Cronofy, at once: a late one must be taken again (R32)."""

    until: float
    """By the process's monotonic clock."""


class Urgency(StrEnum):
    """The classes of the budget, the first served first (R32, R44)."""

    LIVE = "live"
    """A change that crosses."""
    PERSON = "person"
    """What somebody asks through a page or the API and looks at."""
    RUN = "run"
    """What nobody waits for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """For whom a call is made and how urgently; a permit says that its budget was taken already."""

    integration_id: str = ""
    """Empty: the account itself stands in the budget's queue."""
    tenant_id: str = ""
    """Empty: nobody's; all of those share one tenant's part (R44)."""
    urgency: Urgency = Urgency.LIVE
    permit: Permit | None = None


class Budget(Protocol):
    """The application-wide allowance of Cronofy requests, shared by all processes (R32)."""

    @property
    def most(self) -> int | None:
        """The largest cost that one request may ever have; None without a limit."""

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        """Return when a request of that cost may be sent: the most urgent first, tenants in turn."""

    async def penalise(self, turn: Turn) -> None:
        """Tell that Cronofy answered 429; where it is not one tenant's trouble, the budget halves."""


class BudgetLedger(Protocol):
    """One text that all processes share."""

    async def change(self, judge: Callable[[str, float], tuple[str, _Result]]) -> _Result:
        """Replace the text by what ``judge`` makes of it and the shared clock's time, alone."""


class TokenSource(Protocol):
    """The access tokens of Cronofy accounts. Raises GrantRefused where the grant is gone."""

    async def current(self, sub: str) -> str:
        """A token that is not about to expire."""

    async def renew(self, sub: str, stale: str) -> str:
        """Another token than ``stale``, which Cronofy has just refused."""

    async def refresh_token(self, sub: str) -> str | None:
        """What the whole grant can be ended with; None where nothing is kept of the account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """The tokens of one Cronofy account, in the clear; they are never shown or logged."""

    sub: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    """Seconds since 1970."""
    saved_at: float
    scope: str = ""
    epoch: int = 0
    """Grows with every right to renew and every new authorisation."""


class CredentialStore(Protocol):
    """Where tokens are kept. ``lease`` lets one process renew at a time. Without a key: WrongKeys."""

    async def load(self, sub: str) -> Credentials | None: ...

    async def save(self, new: Credentials) -> bool:
        """Replace what is known; False where that allows more and is in use."""

    def seal(self, text: str) -> str: ...

    def unseal(self, sealed: str) -> str: ...

    async def lease(self, sub: str, *, epoch: int, holder: str, seconds: float) -> int | None: ...

    async def keep(self, renewed: Credentials) -> bool: ...

    async def give_back(self, sub: str, epoch: int) -> None: ...

    async def forget(self, sub: str) -> None: ...

    async def readable(self) -> bool:
        """Whether there is a key for every token that is kept."""


class GrantKeeper(Protocol):
    """Who keeps the grants that people give."""

    async def adopt(self, sub: str, grant: TokenGrant) -> bool:
        """Keep the grant; False where another one allows more and is in use."""

    def seal_text(self, text: str) -> str:
        """A code that is exchanged later, encrypted."""

    def unseal_text(self, sealed: str) -> str: ...

    def seal(self, grant: TokenGrant) -> str:
        """The grant's tokens, encrypted, for the time until its person has answered."""

    def unseal(self, sealed: str, *, sub: str, profile: Profile) -> TokenGrant: ...

    async def forget(self, sub: str) -> None:
        """Erase the account's tokens."""


class OutageWatch(Protocol):
    """Who knows whether something is down that every message needs: Cronofy, or the key to the tokens."""

    @property
    def open(self) -> bool: ...


LIVE_TURN = Turn()


class EventReader(Protocol):
    """Where events are read."""

    async def first_page(self, sub: str, query: EventsQuery, *, turn: Turn) -> EventsPage: ...

    async def next_page(self, sub: str, url: str, *, turn: Turn) -> EventsPage: ...

    async def userinfo(self, sub: str, *, turn: Turn) -> UserInfo: ...


class EventWriter(Protocol):
    """Where events are written."""

    @property
    def largest_batch(self) -> int:
        """The most writes that one request may carry."""

    async def write(self, sub: str, writes: Sequence[EventWrite], *, turn: Turn) -> Sequence[Answer]:
        """Carry out these writes; an answer for each, in order. Raises Transient and Permanent only."""


class BatchWriter(EventWriter, Protocol):
    """Where events are written, and what it costs."""

    def cost(self, writes: int) -> int:
        """What the budget asks for a request of so many writes."""


class Revoker(Protocol):
    """Who ends what was granted or asked for at Cronofy; what has ended already is no error."""

    async def close_channel(self, sub: str, channel_id: str, *, turn: Turn) -> None: ...

    async def revoke_profile(self, sub: str, profile_id: str, *, turn: Turn) -> None: ...

    async def revoke_account(self, sub: str, *, erase: bool = False, turn: Turn) -> bool:
        """End all that the account allows; ``erase``: what is kept of the person there goes with it.

        False where nothing was asked: no token of it is kept.
        """


class LinkedCalendars(EventReader, EventWriter, Revoker, Protocol):
    """All that the steps of a run ask of Cronofy."""


class AccountCheck(Protocol):
    """Who finds out whether an account and its calendar still serve an integration (R22, R23)."""

    async def look(self, integration_id: str, *, at_once: bool = False) -> Literal["not_connected", "fine"]:
        """Look once a minute, or at once, and keep the integration's status true. Raises Transient."""


class NoticeReader(Protocol):
    """Who reads linked calendars for notices that were left."""

    async def pending(self) -> Sequence[tuple[str, str]]:
        """Integrations with a notice that nobody is reading for, each with its tenant, who take turns."""

    async def catch_up(self, integration_id: str) -> None:
        """Read for the notices that were left, if any."""

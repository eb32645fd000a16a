"""All that the simulator remembers, in plain dictionaries."""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from service.demo.simulator.clock import ComputerClock, SimulatorClock
from service.demo.simulator.faults import Faults
from service.demo.simulator.limits import Traffic
from service.demo.simulator.model import (
    AcceptedWrite,
    Account,
    Application,
    AuthorizationCode,
    CachedEvent,
    CalendarBinding,
    Mailbox,
    ProviderCalendar,
    PushChannel,
    TokenScope,
)
from service.demo.simulator.schedule import ActSchedule

Json = dict[str, Any]
ApiAnswer = tuple[int, Json | None]
"""A status, and the body of the answer where it has one."""
Poster = Callable[[str, bytes, dict[str, str]], Awaitable[int]]
"""Posts a callback: address, body, headers → status. Any exception is a failed delivery."""


@dataclass(slots=True, kw_only=True, eq=False)
class QueuedNotice:
    """A callback on its way to a channel."""

    channel: PushChannel
    kind: str
    body: bytes
    attempt: int = 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RemainingPages:
    """The rest of a read: what its page tokens stand for."""

    account: Account
    name: str
    chunks: list[list[Any]]
    tokens: list[str]
    render: Callable[[Any], Json]
    expires: float


@dataclass(slots=True, kw_only=True, eq=False)
class PermissionRequest:
    """Elevated permission that was asked for and not yet granted."""

    bindings: list[tuple[CalendarBinding, str]]
    redirect_uri: str


@dataclass(slots=True, kw_only=True, eq=False)
class TrafficLog:
    """What arrived, was accepted and was sent; bounded, the oldest is forgotten first."""

    requests: deque[Json] = field(default_factory=lambda: deque(maxlen=100_000))
    writes: deque[AcceptedWrite] = field(default_factory=lambda: deque(maxlen=50_000))
    notices: deque[Json] = field(default_factory=lambda: deque(maxlen=10_000))
    statuses: dict[int, int] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)

    def clear(self) -> None:
        self.requests.clear()
        self.writes.clear()
        self.notices.clear()
        self.statuses.clear()
        self.traffic = Traffic()


class SimulatorState:
    """Shared by all parts; only the event loop touches it."""

    def __init__(
        self, *, clock: SimulatorClock | None = None, post: Poster | None = None, seed: int = 0
    ) -> None:
        self.clock: SimulatorClock = clock or ComputerClock()
        self.post = post
        self.public_url = ""
        """Where the simulator is reached from outside; without it, where each request came to."""
        self.faults = Faults()
        self.schedule = ActSchedule()
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing here is secret
        self.log = TrafficLog()
        self.applications: dict[str, Application] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.calendars: dict[str, ProviderCalendar] = {}
        self.accounts: dict[str, Account] = {}
        self.bindings: dict[str, CalendarBinding] = {}
        self.linked: dict[tuple[str, str], Account] = {}
        self.access_tokens: dict[str, TokenScope] = {}
        self.refresh_tokens: dict[str, TokenScope] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.link_tokens: dict[str, Account] = {}
        self.permission_requests: dict[str, PermissionRequest] = {}
        self.pages: dict[str, tuple[RemainingPages, int]] = {}
        self.outbox: deque[QueuedNotice] = deque()

    def hex(self, digits: int) -> str:
        return f"{self.chance.getrandbits(digits * 4):0{digits}x}"

    def soon(self, delay: float, act: Callable[[], None]) -> None:
        """Do it after so many seconds; at once where that is none."""
        if delay <= 0:
            act()
        else:
            self.schedule.enter(self.clock.now() + delay, act)

    def catch_up(self) -> None:
        """Everything due by now has happened, except that notices still wait to be posted."""
        self.schedule.run(self.clock.now())


def is_managed(state: SimulatorState, binding: CalendarBinding, row: CachedEvent) -> bool:
    """Whether the event is the reading application's own (CRONOFY.md C32)."""
    owner = row.event.owner
    account = binding.profile.account
    if owner is None or owner.client_id != account.application.client_id:
        return False
    return owner.account_id == account.account_id or not state.faults.managed_per_account

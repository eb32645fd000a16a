"""Whether a consumer is paused, and by what.

By its *brake*, when bug after bug would make dead letters of everything; by the *breaker*, while
Cronofy is down; and, when either lasts, because what was in hand is *given back* to the broker.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

import structlog

from contracts.ports import Clock, OutageWatch
from handlers.settlement import BUG_CODE, Settlement
from service.telemetry.logs import EventName
from service.telemetry.metrics import BRAKE_ON

log = structlog.get_logger(__name__)

PauseReason = Literal["brake", "breaker", "given back"]
CONSUMER_PAUSED: EventName = "consumer.paused"
CONSUMER_RESUMED: EventName = "consumer.resumed"
BUGS_IN_A_ROW = 20
"""So many dead letters in a row with code ``bug`` are a fault of ours, not of the messages."""
BRAKE_SECONDS = 60.0
"""Seconds after which one message is tried."""
GIVE_BACK_SECONDS = 60.0
"""Seconds of a pause after which what is in hand is given back to the broker, once."""
PAUSE_POLL_SECONDS = 0.2
"""Seconds between two looks at whether the pause is over."""


class Brake:
    """Stops one consumer that would make dead letters of everything; lets one message try after a minute."""

    def __init__(self, queue: str, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._bugs = 0
        self._until: float | None = None

    @property
    def on(self) -> bool:
        """Whether no message has gone well since the brake was put on."""
        return self._until is not None

    @property
    def paused(self) -> bool:
        """Whether not even the one message that is tried may be taken now."""
        return self._until is not None and self._clock.monotonic() < self._until

    def try_one(self) -> bool:
        """Called when a message is taken: whether it is the only one, to be tried on its own."""
        if self._until is None:
            return False
        self._until = self._clock.monotonic() + BRAKE_SECONDS
        return True

    def learn(self, settlements: Iterable[Settlement]) -> None:
        """What became of these messages, all taken in hand before any of it was known."""
        ended = [(each.failure, each.buried is not None) for each in settlements]
        if any(failure is None for failure, _ in ended):
            self.went_well()
        for failure, buried in ended:
            if failure is None:
                continue
            if failure.code == BUG_CODE:
                self.bug(buried=buried)
            else:
                self.learned_nothing()

    def went_well(self) -> None:
        """A message was done."""
        self._bugs = 0
        if self.on:
            self._until = None
            BRAKE_ON.labels(self._queue).set(0)
            log.info(CONSUMER_RESUMED, queue=self._queue, reason="a message went well")

    def bug(self, *, buried: bool) -> None:
        """A message met an error that nobody foresaw; ``buried``: for the last time."""
        self._bugs += buried
        if self._bugs >= BUGS_IN_A_ROW or self.on:
            self._until = self._clock.monotonic() + BRAKE_SECONDS
            self._bugs = 0
            BRAKE_ON.labels(self._queue).set(1)
            log.error(CONSUMER_PAUSED, queue=self._queue, reason="bug after bug", seconds=BRAKE_SECONDS)

    def learned_nothing(self) -> None:
        """A message was malformed, refused, or could not be done now: another one may try at once."""
        if self._until is not None:
            self._until = self._clock.monotonic()


class Gate:
    """What pauses one consumer; every pause ends by itself."""

    def __init__(self, *, queue: str, clock: Clock, breaker: OutageWatch | None = None) -> None:
        self.brake = Brake(queue, clock)
        self._queue = queue
        self._clock = clock
        self._breaker = breaker
        self.given_back = False
        """Whether what was in hand has been given back, and is to be taken again when the pause is over."""

    @property
    def paused_by(self) -> PauseReason | None:
        """Why no message may be taken; while it is the breaker, nothing is sent to Cronofy either."""
        if self._breaker is not None and self._breaker.open:
            return "breaker"
        if self.brake.paused:
            return "brake"
        return "given back" if self.given_back else None

    async def passed(self, stopping: Callable[[], bool]) -> None:
        """Return when messages may be taken, or when the consumer stops."""
        while self.paused_by and not stopping():
            await self._clock.sleep(PAUSE_POLL_SECONDS)

    async def mind(
        self, *, give_back: Callable[[], Awaitable[None]], take_again: Callable[[], Awaitable[None]]
    ) -> None:
        """Give the window back once in a pause that lasts, and take it again when the pause is over."""
        since: float | None = None
        while True:
            await self._clock.sleep(PAUSE_POLL_SECONDS)
            if self.paused_by not in {"brake", "breaker"}:
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

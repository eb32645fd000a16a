"""What a failure means for a message: done, again after a delay, or a dead letter (R30).

One decision for all consumers. A message with one link to write and one with ten are settled alike:
each link, or the message as a whole, either came about or left a Failure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

BUG_CODE = "bug"
"""The code of what nobody foresaw: a fault of ours, not of the message."""
EXHAUSTED_CODE = "exhausted"
"""The code of what could not be done in all its attempts."""
MessageEnding = Literal["done", "retry", "dead"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkFailure:
    """Why a message, or one link of it, did not come about."""

    transient: bool
    reason: str
    code: str = "refused"
    """A dead letter's code, should it come to that."""
    field: str | None = None
    """The field of a malformed message that is wrong."""
    integration_id: str | None = None
    exception: str | None = None
    """The error and where it arose, for an operator."""
    retry_after: float | None = None
    """Seconds that the other side asked to wait."""
    counts: bool = True
    """Whether it uses up an attempt; being asked to slow down does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """How a message ends for now."""

    failure: LinkFailure | None = None
    """Why it is not done."""
    retry_in: int | None = None
    """Seconds until the next attempt, one of the delays; None: there is none."""
    next_attempt: int | None = None
    """Its number; that of the attempt just made where that one does not count."""

    @property
    def ending(self) -> MessageEnding:
        if self.failure is None:
            return "done"
        return "dead" if self.retry_in is None else "retry"

    @property
    def buried(self) -> LinkFailure | None:
        """What makes a dead letter of the message."""
        return self.failure if self.retry_in is None else None


SETTLED_WELL = Settlement()


def settle(failures: Sequence[LinkFailure], *, attempt: int, delays: Sequence[int]) -> Settlement:
    """What follows from this attempt, the first being 1, at a message with these failures (R30).

    Transient beats permanent: as long as something may yet succeed, the message comes again. When
    nothing may any more, one permanent failure makes the dead letter, else the first transient one.
    """
    if not failures:
        return SETTLED_WELL
    passing = [failure for failure in failures if failure.transient]
    counts = any(failure.counts for failure in passing)
    if passing and delays and (attempt <= len(delays) or not counts):
        wait = max(_wait(failure, attempt, delays) for failure in passing)
        return Settlement(failure=passing[0], retry_in=wait, next_attempt=attempt + counts)
    lasting = [failure for failure in failures if not failure.transient]
    return Settlement(failure=(lasting or passing)[0])


def _wait(failure: LinkFailure, attempt: int, delays: Sequence[int]) -> int:
    if failure.retry_after is not None:
        return retry_delay(failure.retry_after, delays)
    return delays[attempt - 1] if failure.counts else min(delays)


def retry_delay(seconds: float, delays: Sequence[int]) -> int:
    """The shortest delay that is long enough, else the longest there is."""
    ordered = sorted(delays)
    return next((delay for delay in ordered if delay >= seconds), ordered[-1])

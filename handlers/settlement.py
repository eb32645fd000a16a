"""None"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a link did not come about for a message."""

    transient: bool
    reason: str
    code: str = "refused"
    field: str | None = None
    integration_id: str | None = None
    exception: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """How a message ends: done, again after a delay, or as a dead letter."""

    retry_in: int | None = None
    buried: Failure | None = None


def settle(failures: Sequence[Failure], *, attempt: int, delays: Sequence[int]) -> Settlement:
    """Transient beats permanent; when nothing is transient any more, one permanent buries (DESIGN 6.5)."""
    if not failures:
        return DONE
    passing = [failure for failure in failures if failure.transient]
    if passing and attempt <= len(delays):
        return Settlement(retry_in=delays[attempt - 1])
    lasting = [failure for failure in failures if not failure.transient]
    return Settlement(buried=(lasting or passing)[0])


DONE = Settlement()

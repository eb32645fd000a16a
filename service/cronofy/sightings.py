"""How each integration fares with its provider, as far as this process sees it anyway (R53)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus

from contracts.errors import SyncError, Transient, Unanswered
from contracts.ports import Clock, Turn

WELL_KEPT_SECONDS = 600.0
"""Seconds for which it is of interest that an integration was well."""
FAILING_KEPT_SECONDS = 10_800.0
"""Seconds for which a trouble is remembered: the longest wait before another try, and some."""
MOST_WATCHED = 2_000
"""Integrations that a process tells of; where there are more, the same ones in every process."""
FAILED_STATUSES = frozenset({408, 423, 425})
"""Beside those of a server's fault; being refused is the account's own trouble, or ours."""


@dataclass(slots=True, kw_only=True)
class SeenIntegration:
    """By the process's monotonic clock."""

    seen_at: float
    failures: int = 0
    failing_since: float | None = None
    lag: float | None = None
    lagged_at: float | None = None


class ProviderWatch:
    """Remembers what answers and reads told of each integration; nothing is asked for it, or written."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, SeenIntegration] = {}
        self.changes = 0
        """Grows with whatever is seen."""

    def answered(self, turn: Turn) -> None:
        """A request for that integration was carried out."""
        if (seen := self._of(turn)) is not None:
            seen.failures, seen.failing_since = 0, None

    def failed(self, turn: Turn) -> None:
        """A request for it failed for a reason that may be its provider's."""
        if (seen := self._of(turn)) is not None:
            seen.failures += 1
            seen.failing_since = seen.seen_at if seen.failing_since is None else seen.failing_since

    def raised(self, turn: Turn, error: SyncError) -> None:
        """An error tells of the provider only where Cronofy was reached and not busy with us."""
        if is_providers(error):
            self.failed(turn)

    def lagged(self, turn: Turn, seconds: float) -> None:
        """We were told of the newest change on its calendar so long after it was made."""
        if (seen := self._of(turn)) is not None:
            seen.lag, seen.lagged_at = max(0.0, seconds), seen.seen_at

    def told(self) -> Mapping[str, SeenIntegration]:
        """What is of interest now, of a bounded number of integrations; the rest is forgotten."""
        now = self._clock.monotonic()
        self._seen = {key: one for key, one in self._seen.items() if not _is_old(one, now)}
        if len(self._seen) <= MOST_WATCHED:
            return dict(self._seen)
        chosen = sorted(self._seen, key=_place)[:MOST_WATCHED]
        return {key: self._seen[key] for key in chosen}

    def _of(self, turn: Turn) -> SeenIntegration | None:
        """None for what nobody's integration asked for."""
        if not turn.integration_id:
            return None
        self.changes += 1
        now = self._clock.monotonic()
        seen = self._seen.setdefault(turn.integration_id, SeenIntegration(seen_at=now))
        seen.seen_at = now
        return seen


def is_providers(error: SyncError) -> bool:
    """Whether the error may be the provider's: not a lack of connection, of budget, or of permission."""
    if isinstance(error, Unanswered):
        return True
    return isinstance(error, Transient) and error.status is not None and is_providers_status(error.status)


def is_providers_status(status: int) -> bool:
    """The same of the answer to one request or write."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in FAILED_STATUSES


def _is_old(seen: SeenIntegration, now: float) -> bool:
    kept = FAILING_KEPT_SECONDS if seen.failures else WELL_KEPT_SECONDS
    return now - seen.seen_at > kept


def _place(integration_id: str) -> bytes:
    """An order without any meaning, which every process finds alike."""
    return blake2b(integration_id.encode(), digest_size=8).digest()

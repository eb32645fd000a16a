"""Whose turn it is among the messages that wait in a consumer with few slots (R44)."""

from collections import Counter
from collections.abc import Sequence

from contracts.ports import Clock

KEPT_PART = 4
"""Of the slots a fourth, and one at least, is left to other tenants, as long as there are any."""
PATIENCE_SECONDS = 2.0
"""Seconds for which one tenant's messages may keep a full window full, by the oldest of them."""
TENANT_MEMORY_SECONDS = 600.0
"""Seconds for which a tenant counts as there."""


class TenantTurns:
    """Hands out slots: to whoever has the fewest, and never all of them to one while others are there."""

    def __init__(self, slots: int, clock: Clock) -> None:
        self._slots = slots
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._seen: dict[str, float] = {}

    def meet(self, tenants: Sequence[str]) -> None:
        """These are there."""
        now = self._clock.monotonic()
        self._seen |= dict.fromkeys(tenants, now)
        self._seen = {each: at for each, at in self._seen.items() if now - at < TENANT_MEMORY_SECONDS}

    @property
    def most(self) -> int:
        """The slots that one tenant may hold."""
        if len(self._seen) < 2:  # noqa: PLR2004 -- somebody, and somebody else
            return self._slots
        return max(1, self._slots - max(1, self._slots // KEPT_PART))

    def next(self, tenants: Sequence[str]) -> int | None:
        """Which of those that wait, in order, is next; None: nobody whose part is not used up."""
        able = [place for place, tenant in enumerate(tenants) if self._held[tenant] < self.most]
        return min(able, key=lambda place: self._held[tenants[place]], default=None)

    def take(self, tenant: str) -> None:
        self._held[tenant] += 1

    def give_back(self, tenant: str) -> None:
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]

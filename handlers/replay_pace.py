"""When each of many replays goes out: evenly at its rate, and no integration flooded (R30)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

USUAL_RATE = 5.0
"""Replays a second that all operators together make, unless one asks for more."""
INTEGRATION_SHARE = 5.0
"""Of the rate one integration gets a fifth, and one a second at least."""


@dataclass(kw_only=True, slots=True)
class ReplayPace:
    """Gives out moments, one message after the other, in the gaps that other replays leave."""

    rate: float
    """Messages a second."""
    start: float = 0.0
    _given: int = 0
    _seconds: Counter[int] = field(default_factory=Counter)
    """How many go out within each second, other replays' messages counted."""
    _last: dict[str, float] = field(default_factory=dict)
    _full: int = 0

    def begin(self, now: float, waiting: Iterable[tuple[float, str | None]]) -> None:
        """Go on where it was, but not before now, and leave room for all that waits.

        That is told by moments and whose messages they are, what this pace gave out before among it.
        """
        self.start, self._given = max(now, self.reached), 0
        self._seconds, self._last, self._full = Counter(), {}, int(now)
        for moment, integration_id in waiting:
            self._seconds[max(self._full, _second(moment))] += 1
            if integration_id is not None:
                self._last[integration_id] = max(moment, self._last.get(integration_id, moment))

    def moment(self, integration_id: str | None = None) -> float:
        """When the next message goes out, which is for that integration."""
        wanted = self.reached
        if integration_id is not None and integration_id in self._last:
            wanted = max(wanted, self._last[integration_id] + 1 / max(1.0, self.rate / INTEGRATION_SHARE))
        second = self._with_room(_second(wanted))
        moment = wanted if second == _second(wanted) else second + self._seconds[second] / self._most
        self._given += 1
        self._seconds[second] += 1
        if integration_id is not None:
            self._last[integration_id] = moment
        return moment

    @property
    def reached(self) -> float:
        """When the next message would go out, were there no others."""
        return self.start + self._given / self.rate

    @property
    def _most(self) -> float:
        """How many go out within a second, whosever they are."""
        return max(USUAL_RATE, self.rate)

    def _with_room(self, second: int) -> int:
        """The first second from this one on that is not full."""
        while self._seconds[self._full] >= self._most:
            self._full += 1
        second = max(second, self._full)
        while self._seconds[second] >= self._most:
            second += 1
        return second


def _second(moment: float) -> int:
    return int(moment + 1e-6)

"""When each of many replays goes out: evenly at its rate, and no integration flooded (R30)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

USUAL_RATE = 5.0
"""Replays a second that all operators together make, unless one asks for more (DESIGN 11)."""
SHARE = 5.0
"""Of the rate one integration gets a fifth, and one a second at least."""


@dataclass(kw_only=True, slots=True)
class Pace:
    """Gives out moments, one message after the other, in the gaps that other replays leave."""

    rate: float
    """Messages a second."""
    start: float = 0.0
    _given: int = 0
    _seconds: Counter[int] = field(default_factory=Counter)
    """How many go out within each second, other replays' messages counted."""
    _last: dict[str, float] = field(default_factory=dict)
    _full: int = 0

    def takes(self, others: Iterable[tuple[float, str | None]]) -> None:
        """Leave room for what waits already: moments, and whose messages they are."""
        for moment, integration_id in others:
            self._seconds[self._second(moment)] += 1
            if integration_id is not None:
                self._last[integration_id] = max(moment, self._last.get(integration_id, moment))

    def moment(self, integration_id: str | None = None) -> float:
        """When the next message goes out, which is for that integration."""
        wanted = self.start + self._given / self.rate
        if integration_id is not None and integration_id in self._last:
            wanted = max(wanted, self._last[integration_id] + 1 / max(1.0, self.rate / SHARE))
        second = self._with_room(self._second(wanted))
        moment = max(wanted, self.start + second)
        self._given += 1
        self._seconds[second] += 1
        if integration_id is not None:
            self._last[integration_id] = moment
        return moment

    def _with_room(self, second: int) -> int:
        """The first second from this one on that is not full."""
        most = max(USUAL_RATE, self.rate)
        while self._seconds[self._full] >= most:
            self._full += 1
        second = max(second, self._full)
        while self._seconds[second] >= most:
            second += 1
        return second

    def _second(self, moment: float) -> int:
        return max(0, int(moment - self.start + 1e-6))

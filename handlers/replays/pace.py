"""When each of many replays goes out: evenly at its rate, and no integration flooded (R30)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

USUAL_RATE = 5.0
"""Replays a second that all operators of a tenant together make, unless one asks for more."""
INTEGRATION_SHARE = 5.0
"""Of the rate one integration gets a fifth, and one a second at least."""


ReplayBound = Literal["rate", "integration", "budget"]
"""What decides how long many replays take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayTime:
    """How long replays take at least, and what decides it."""

    seconds: float
    bound: ReplayBound


def time_to_replay(
    counts: Mapping[str | None, int],
    *,
    rate: float,
    waiting: Sequence[tuple[float, str | None]] = (),
    requests_a_minute: int,
) -> ReplayTime:
    """For so many messages of each integration, while others wait for their moments.

    Those are told by the seconds until each and whose it is; an integration's new ones follow its last.

    A message costs Cronofy's budget one request, or else its share of one: the sum is what all of them
    would take alone. No requests a minute mean that there is no such limit.
    """
    total, last = sum(counts.values()), dict[str | None, float]()
    for moment, integration_id in waiting:
        last[integration_id] = max(0.0, moment, last.get(integration_id, 0.0))
    longest = max(
        (last.get(known, 0.0) + n / _share(rate) for known, n in counts.items() if known is not None),
        default=0.0,
    )
    spent: list[tuple[float, ReplayBound]] = [
        (max(total / rate, (total + len(waiting)) / max(USUAL_RATE, rate)), "rate"),
        (longest, "integration"),
        (60 * total / requests_a_minute if requests_a_minute else 0.0, "budget"),
    ]
    seconds, bound = max(spent, key=lambda one: one[0])
    return ReplayTime(seconds=seconds, bound=bound)


def _share(rate: float) -> float:
    """Messages a second that one integration gets."""
    return max(1.0, rate / INTEGRATION_SHARE)


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
            wanted = max(wanted, self._last[integration_id] + 1 / _share(self.rate))
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

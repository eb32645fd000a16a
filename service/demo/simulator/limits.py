"""How many requests arrived in any second and any minute (CRONOFY.md C46)."""

from collections import deque


class SlidingWindow:
    """Counts what arrived within the last so many seconds and remembers the most there ever was."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._arrivals: deque[tuple[float, int]] = deque()
        self._total = 0
        self.most = 0

    def count(self, now: float) -> int:
        while self._arrivals and self._arrivals[0][0] <= now - self._seconds:
            self._total -= self._arrivals.popleft()[1]
        return self._total

    def add(self, now: float, cost: int) -> None:
        self._arrivals.append((now, cost))
        self._total += cost
        self.most = max(self.most, self.count(now))


class Traffic:
    """The two windows over which Cronofy limits an application."""

    def __init__(self) -> None:
        self.second = SlidingWindow(1)
        self.minute = SlidingWindow(60)

    def room(self, now: float, cost: int, per_second: int, per_minute: int) -> bool:
        """Whether that much more fits within both limits; 0 is no limit."""
        fits_second = not per_second or self.second.count(now) + cost <= per_second
        return fits_second and (not per_minute or self.minute.count(now) + cost <= per_minute)

    def add(self, now: float, cost: int) -> None:
        self.second.add(now, cost)
        self.minute.add(now, cost)

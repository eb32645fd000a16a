"""What is due later: accepted writes, rows that reach the cache, notices and their retries."""

import heapq
from collections.abc import Callable


class ActSchedule:
    """Acts in the order of their due times, equal times in the order in which they were entered."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._entered = 0
        self.wake: Callable[[], object] | None = None
        """Called when something becomes due earlier than all else that was waiting."""

    def __len__(self) -> int:
        return len(self._heap)

    def enter(self, due: float, act: Callable[[], None]) -> None:
        self._entered += 1
        heapq.heappush(self._heap, (due, self._entered, act))
        if self.wake is not None and self._heap[0][1] == self._entered:
            self.wake()

    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Do everything due by now, including what that makes due at once."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()

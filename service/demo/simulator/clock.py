"""The time by which the simulator lives: the computer's, or one that a test moves."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class SimulatorClock(Protocol):
    """Seconds since 1970, and a wait of its own kind."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class ComputerClock:
    """The computer's clock."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SteppedClock:
    """Stands still until it is moved, so that a test decides when delayed things happen."""

    def __init__(self, start: datetime = datetime(2026, 12, 1, 8, tzinfo=UTC)) -> None:
        self._now = start.timestamp()

    def now(self) -> float:
        return self._now

    def move_to(self, at: float) -> None:
        """Time never runs backwards."""
        self._now = max(self._now, at)

    async def sleep(self, seconds: float) -> None:
        """Waiting gives way to others but takes no time; only ``move_to`` makes time pass."""
        del seconds
        await asyncio.sleep(0)

"""A clock that only the test moves."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 12, 1, 8, tzinfo=UTC)


class ManualClock:
    """Time stands still until ``pass_time``; sleepers wake in the order of their alarms."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def begin_again(self) -> None:
        """Back to the start, and nobody sleeps."""
        self._elapsed = 0.0
        self._sleepers.clear()

    def monotonic(self) -> float:
        return self._elapsed

    @property
    def asleep(self) -> int:
        """How many wait for their alarm."""
        return sum(not alarm.done() for _, alarm in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        alarm = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed + seconds, alarm))
        if seconds <= 0:
            await self.pass_time(0)
        await alarm

    async def pass_time(self, seconds: float) -> None:
        """Let the time pass and everyone run whose alarm rings meanwhile."""
        self._elapsed += seconds
        for due, alarm in sorted(self._sleepers, key=lambda sleeper: sleeper[0]):
            if due <= self._elapsed and not alarm.done():
                alarm.set_result(None)
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].done()]
        for _ in range(10):
            await asyncio.sleep(0)

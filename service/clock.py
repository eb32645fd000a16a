"""The computer's clock, where tests put one of their own."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The clock port of a real process."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

"""Counts that set a pace and need not be exact."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

KNOWN_SECONDS = 3600.0


class HourlyCount:
    """How many there are, counted once an hour: counting reads all of them."""

    def __init__(self, count: Callable[[AsyncConnection], Awaitable[int]]) -> None:
        self._count = count
        self._known, self._until = 0, 0.0

    async def __call__(self, connection: AsyncConnection, *, now: float) -> int:
        """As many as there were within the last hour; ``now`` is by the store."""
        if now >= self._until:
            self._known, self._until = await self._count(connection), now + KNOWN_SECONDS
        return self._known

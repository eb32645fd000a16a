"""Whether the keys that were given open every stored token: without them nothing can be done for anybody."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from contracts.errors import SyncError
from contracts.ports import Clock
from service.telemetry.logs import EventName

log = structlog.get_logger(__name__)

KEYS_WRONG: EventName = "keys.wrong"
KEYS_RIGHT: EventName = "keys.right"
KEYS_LOOK_SECONDS = 5.0
"""Seconds between two looks while a token cannot be opened: another process may rotate or erase it."""


class KeyWatch:
    """Open, as a breaker is, from the first token that no key opens until every one can be opened."""

    def __init__(self, readable: Callable[[], Awaitable[bool]], clock: Clock) -> None:
        self._readable = readable
        self._clock = clock
        self._missing = asyncio.Event()

    @property
    def open(self) -> bool:
        return self._missing.is_set()

    def missed(self) -> None:
        """A token was met that no key opens."""
        if not self.open:
            self._missing.set()
            log.error(KEYS_WRONG, remedy="give ENCRYPTION_KEYS the key back; see: calendar-sync keys status")

    async def look(self) -> None:
        """Try every stored token. Raises Unavailable."""
        if not await self._readable():
            self.missed()
        elif self.open:
            self._missing.clear()
            log.info(KEYS_RIGHT)

    async def run(self) -> None:
        """Look again and again while a token cannot be opened, until cancelled."""
        while True:
            await self._missing.wait()
            await self._clock.sleep(KEYS_LOOK_SECONDS)
            try:
                await self.look()
            except SyncError:
                continue

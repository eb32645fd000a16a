"""Whether a process can do its work now, and what keeps it from it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from contracts.errors import SyncError
from service.store.engine.store import Store
from service.store.messages import outbox

READINESS_SECONDS = 2.0


class Readiness:
    """Names, in a word each, what stands in the way; asked by ``/readyz``."""

    def __init__(self) -> None:
        self._checks: list[tuple[str, Callable[[], Awaitable[bool]]]] = []
        self._phase: str | None = "starting"

    def needs(self, name: str, check: Callable[[], bool]) -> None:
        """Not ready while the check says no."""

        async def asked() -> bool:
            return check()

        self._checks.append((name, asked))

    def needs_database(self, store: Store) -> None:
        """Not ready while the database does not answer a small question in time."""

        async def asked() -> bool:
            try:
                async with asyncio.timeout(READINESS_SECONDS), store.read() as connection:
                    await outbox.unsent(connection, now=0.0, limit=1)
            except (SyncError, TimeoutError):
                return False
            return True

        self._checks.append(("database", asked))

    def started(self) -> None:
        """Everything is open."""
        self._phase = None

    def stopping(self) -> None:
        """Nothing new is taken any more."""
        self._phase = "stopping"

    async def __call__(self) -> Sequence[str]:
        if self._phase is not None:
            return (self._phase,)
        return [name for name, check in self._checks if not await check()]

"""One migrated SQLite file for many histories, empty at the start of each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from service.store.engine.store import AsyncConnection, Store
from service.store.tables import metadata
from tests.support.clock import ManualClock
from tests.support.in_step import without_threads


class WatchedStore(Store):
    """A store that knows whether anybody is in the midst of a transaction.

    Nothing of it depends on the computer: it works within the loop, and writers come one after the other.
    """

    def __init__(self, url: str, *, clock: ManualClock) -> None:
        super().__init__(url, clock=clock)
        without_threads(self.engine)
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._turn:
            with self._counted():
                async with super().begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        with self._counted():
            async with super().read() as connection:
                yield connection

    async def between_transactions(self) -> None:
        """Return in a moment when nobody holds a connection: who is cancelled with one may keep it locked."""
        while self._under_way:
            await self._nobody.wait()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._nobody.set()


class ReusedDatabase:
    """Migrating, and compiling every statement anew, would take longer than most histories."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.store = WatchedStore(f"sqlite+aiosqlite:///{path}", clock=self.clock)
        event.listen(self.store.engine.sync_engine, "connect", _without_waiting_for_the_disk)

    async def open(self) -> None:
        await self.store.upgrade()

    @asynccontextmanager
    async def emptied(self) -> AsyncIterator[None]:
        """Within, the store begins without a row, and the clock at its start."""
        self.clock.begin_again()
        async with self.store.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(table.delete())
        yield

    async def close(self) -> None:
        await self.store.close()


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()

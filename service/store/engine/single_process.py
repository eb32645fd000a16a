"""The right to be the one process of a database whose messages live in its memory."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress

from sqlalchemy import text
from sqlalchemy.engine import make_url

from contracts.errors import Permanent
from service.store.engine.store import SQLAlchemyError, Store, make_private

_KEY = 4771121
LOCK_FILE_SUFFIX = "-up"
"""What the lock's file beside an SQLite file is called."""


class DatabaseOccupied(Permanent):
    """Another `calendar-sync up` with the broker in memory has this database; stop that one first."""


@asynccontextmanager
async def be_the_only_process(store: Store) -> AsyncIterator[None]:
    """Be the only one until the block is left or the process dies, however. Raises DatabaseOccupied."""
    if store.sqlite:
        with _file(make_url(store.url).database):
            yield
        return
    async with store.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(text(f"SELECT pg_try_advisory_lock({_KEY})")):
            raise DatabaseOccupied
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # the lock went with a connection that is lost
                await connection.execute(text(f"SELECT pg_advisory_unlock({_KEY})"))


@contextmanager
def _file(path: str | None) -> Iterator[None]:
    """SQLite's own lock on a file of its own: the system gives it back when a process ends."""
    if path is None:
        yield
        return
    make_private(f"{path}{LOCK_FILE_SUFFIX}")
    with closing(sqlite3.connect(f"{path}{LOCK_FILE_SUFFIX}", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise DatabaseOccupied from None
        yield

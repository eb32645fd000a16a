"""The store: one engine, writing and reading transactions, and the schema's upgrade."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, event, literal, literal_column, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as PoolTimeoutError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from contracts.errors import Unavailable
from contracts.ports import Clock
from service.store.engine import schema

__all__ = ["AsyncConnection", "IntegrityError", "SQLAlchemyError", "Store"]

MESSAGES_ENQUEUED = "messages were put into the outbox"
"""The mark that ``outbox.enqueue`` leaves in its connection's ``info``."""
ANSWER_SECONDS = 40.0
"""Seconds after which a server that says nothing is given up; its own limit for a statement is 30."""
CONNECT_SECONDS = 10.0
DATABASE_CLOCK: ColumnElement[float] = literal_column("extract(epoch FROM clock_timestamp())::float8")
RESTS_SINCE = "rests since"
TRUSTED_SECONDS = 5.0
"""Seconds after its last use for which an open connection is taken to work."""
SERVER_SQLSTATES = ("08", "25", "28", "3D", "40", "42", "53", "55", "57", "58")
"""The classes of SQLSTATE that no message's values can bring about."""

SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000")
"""The first one writes into the file."""
DAMAGED_FILE = {
    "SQLITE_NOTADB": "the file is no SQLite database",
    "SQLITE_CORRUPT": "the file is damaged; bring back a copy of it",
}


class Store:
    """SQLite or PostgreSQL behind one door.

    ``begin()`` opens a writing transaction, ``read()`` a reading one. Every moment that processes
    compare with each other comes from ``now()``: the database's clock, or the given one in tests.
    ``on_enqueued`` is called after a commit that put messages into the outbox. Connection failures
    surface as Unavailable.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        on_enqueued: Callable[[], None] = lambda: None,
        pool_size: int = 10,
        answer_within: float = ANSWER_SECONDS,
    ) -> None:
        self.url = url
        self._clock = clock
        self._on_enqueued = on_enqueued
        self.sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = (
            _sqlite_engine(url) if self.sqlite else _postgresql_engine(url, pool_size, answer_within)
        )
        # PostgreSQL shows each statement what is committed by then, in a transaction or without one,
        # and without one a reading costs two round trips less
        options = {"reading": True} if self.sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._reading = self.engine.execution_options(**options)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; committed at the end, rolled back on any error."""
        with _translated():
            async with self.engine.begin() as connection:
                yield connection
                enqueued = connection.info.pop(MESSAGES_ENQUEUED, False)
        if enqueued:
            self._on_enqueued()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; it never waits for writers."""
        with _translated():
            async with self._reading.connect() as connection:
                yield connection

    async def now(self, connection: AsyncConnection) -> float:
        """Seconds since 1970 by the clock that all processes of this store share."""
        if self._clock is not None:
            return self._clock.now().timestamp()
        if self.sqlite:
            return time.time()  # all processes of an SQLite file share its machine's clock
        value = await connection.scalar(select(DATABASE_CLOCK))
        return float(value or 0.0)

    def clock(self) -> ColumnElement[float]:
        """``now`` as a column, for a query that would have to ask for it beside."""
        if self._clock is None and not self.sqlite:
            return DATABASE_CLOCK
        return literal(time.time() if self._clock is None else self._clock.now().timestamp())

    async def moment(self, connection: AsyncConnection) -> datetime:
        """As ``now``, as an aware UTC datetime."""
        return datetime.fromtimestamp(await self.now(connection), UTC)

    async def upgrade(self) -> None:
        """Bring the schema up to date; several processes may try at once."""
        with _translated():
            async with self.engine.begin() as connection:
                if not self.sqlite:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(4771120)"))
                await connection.run_sync(schema.upgrade)

    async def behind(self) -> str | None:
        """Says how the schema differs from what this program needs; None when it fits."""
        async with self.read() as connection:
            present = await connection.run_sync(schema.present)
        if present == schema.newest():
            return None
        return f"the database schema is at {present or 'nothing'}, this program needs {schema.newest()}"

    async def close(self) -> None:
        await self.engine.dispose()


class _translated:  # noqa: N801 -- reads as an adjective at its use
    """Turns what ails the database into Unavailable; leaves errors about the data as they are."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and _ails(error):
            cause = getattr(error, "orig", None) or error
            why = _damage(error) or type(cause).__name__
            raise Unavailable(f"the database cannot be used: {why}") from error
        if isinstance(error, OSError):
            raise Unavailable(f"the database cannot be reached: {type(error).__name__}") from error


def _ails(error: Exception) -> bool:
    """Whether it is the database's plight: lost, full, locked out, shutting down, or caught in a deadlock.

    PostgreSQL tells these from refused values by the SQLSTATE alone.
    """
    if isinstance(error, InterfaceError | OperationalError | PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if _damage(error):
        return True
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(state, str) and state.startswith(SERVER_SQLSTATES)


def _damage(error: BaseException) -> str | None:
    """What ails an SQLite file, if it does; the names of corruption go on with where it was found."""
    name: str = getattr(getattr(error, "orig", error), "sqlite_errorname", "")
    return next((words for beginning, words in DAMAGED_FILE.items() if name.startswith(beginning)), None)


def make_private(path: str) -> None:
    """Let the file be there before SQLite makes it, for nobody but its owner; others take its rights on.

    One that is there is not opened: closing it again would give up every lock that this process has on it.
    """
    with suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, which JSON can escape and UTF-8 cannot tell
        return json.dumps(value)


JSON_AS: Mapping[str, Any] = {"json_serializer": _json, "json_deserializer": orjson.loads}


def _sqlite_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": 30}, **JSON_AS)
    address = make_url(url)
    looks_only = address.query.get("mode") == "ro"
    pragmas = SQLITE_PRAGMAS[looks_only:]

    @event.listens_for(engine.sync_engine, "do_connect")
    def keep_private(*_: object) -> None:
        if address.database and not looks_only:
            make_private(address.database)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the transaction begins where "begin" below says so
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: str, pool_size: int, answer_within: float) -> AsyncEngine:
    settings = {"statement_timeout": "30000", "idle_in_transaction_session_timeout": "30000"}
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=5,
        hide_parameters=True,  # they are people's appointments, and errors are logged
        connect_args={
            "server_settings": settings,
            "timeout": min(CONNECT_SECONDS, answer_within),
            "command_timeout": answer_within,
        },
        **JSON_AS,
    )
    _try_before_use(engine)
    return engine


def _try_before_use(engine: AsyncEngine) -> None:
    """Hand out no connection that is closed, and ask one that has rested whether it still works."""

    @event.listens_for(engine.sync_engine, "checkin")
    def rest(_connection: object, record: Any) -> None:
        record.info[RESTS_SINCE] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def wake(connection: Any, record: Any, _proxy: object) -> None:
        rested = time.monotonic() - record.info.get(RESTS_SINCE, time.monotonic())
        if connection.driver_connection.is_closed():
            raise DisconnectionError
        if rested > TRUSTED_SECONDS:
            _try_out(engine, connection)


def _try_out(engine: AsyncEngine, connection: Any) -> None:
    try:
        engine.sync_engine.dialect.do_ping(connection)
    except Exception as error:
        raise DisconnectionError from error

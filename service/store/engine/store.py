"""The store: one engine, writing and reading transactions, and the schema's upgrade."""

import json
import os
import stat
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Float, bindparam, event, literal_column, select, text
from sqlalchemy.engine import ExceptionContext, make_url
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
from service.store.engine.schema import SchemaState
from service.store.engine.tls import with_authority
from service.store.engine.troubles import DatabaseTrouble, connection_trouble, database_trouble, missing_file

__all__ = ["AsyncConnection", "ClockColumn", "IntegrityError", "SQLAlchemyError", "Store"]

MESSAGES_ENQUEUED = "messages were put into the outbox"
"""The mark that ``outbox.enqueue`` leaves in its connection's ``info``."""
ANSWER_SECONDS = 40.0
"""Seconds after which a server that says nothing is given up; its own limit for a statement is 30."""
CONNECT_SECONDS = 10.0
DATABASE_CLOCK: ColumnElement[float] = literal_column("extract(epoch FROM clock_timestamp())::float8")
GIVEN_CLOCK: ColumnElement[float] = bindparam("clock", type_=Float)
_ASKED_CLOCK = select(DATABASE_CLOCK)
RESTS_SINCE = "rests since"
WRITE_TO_READ_ONLY = "25006"
TRUSTED_SECONDS = 5.0
"""Seconds after its last use for which an open connection is taken to work."""
SERVER_SQLSTATES = ("08", "25", "28", "3D", "40", "42", "53", "55", "57", "58")
"""The classes of SQLSTATE that no message's values can bring about."""

SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000")
"""The first one writes into the file."""
DAMAGED_FILE = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


class ClockColumn(NamedTuple):
    """The shared clock in a query, and what the query is to be given for it."""

    column: ColumnElement[float]
    given: Mapping[str, float]


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
        given = self._given_now()
        if given is not None:
            return given
        value = await connection.scalar(_ASKED_CLOCK)
        return float(value or 0.0)

    def clock(self) -> ClockColumn:
        """``now`` as a column, for a query that would have to ask for it beside."""
        given = self._given_now()
        return (
            ClockColumn(DATABASE_CLOCK, {}) if given is None else ClockColumn(GIVEN_CLOCK, {"clock": given})
        )

    def _given_now(self) -> float | None:
        """The time without asking the database: all processes of an SQLite file share its machine's clock."""
        if self._clock is not None:
            return self._clock.now().timestamp()
        return time.time() if self.sqlite else None

    async def moment(self, connection: AsyncConnection) -> datetime:
        """As ``now``, as an aware UTC datetime."""
        return datetime.fromtimestamp(await self.now(connection), UTC)

    async def upgrade(self) -> SchemaState:
        """Bring the schema up to date; several processes may try at once."""
        async with self._alone_on_schema() as connection:
            return await connection.run_sync(schema.upgrade)

    async def downgrade(self, revision: str) -> Sequence[str]:
        """Take back what came after that revision; what would lose something, and then nothing is done."""
        async with self._alone_on_schema() as connection:
            losing = await connection.run_sync(schema.losing, revision)
            if not losing:
                await connection.run_sync(schema.downgrade, revision)
        return losing

    @asynccontextmanager
    async def _alone_on_schema(self) -> AsyncIterator[AsyncConnection]:
        with _translated():
            async with self.engine.begin() as connection:
                if not self.sqlite:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(4771120)"))
                yield connection

    def missing_file(self) -> DatabaseTrouble | None:
        """What is wrong where SQLite's file is not there: to open it would make it."""
        return missing_file(make_url(self.url).database or "") if self.sqlite else None

    async def schema(self) -> SchemaState:
        """Where the schema stands, and whether this program can work on it."""
        async with self.read() as connection:
            return await connection.run_sync(schema.state)

    async def close(self) -> None:
        await self.engine.dispose()


class _translated:  # noqa: N801 -- reads as an adjective at its use
    """Turns what ails the database into Unavailable; leaves errors about the data as they are."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and _ails(error):
            cause = getattr(error, "orig", None) or error
            why, remedy = database_trouble(error) or (type(cause).__name__, None)
            raise Unavailable(f"the database cannot be used: {why}", remedy=remedy) from error
        if isinstance(error, OSError):
            why, remedy = connection_trouble(error)
            raise Unavailable(f"the database cannot be reached: {why}", remedy=remedy) from error


def _ails(error: Exception) -> bool:
    """Whether it is the database's plight: lost, full, locked out, shutting down, or caught in a deadlock.

    PostgreSQL tells these from refused values by the SQLSTATE alone.
    """
    if isinstance(error, InterfaceError | OperationalError | PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if _damaged(error):
        return True
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(state, str) and state.startswith(SERVER_SQLSTATES)


def _damaged(error: BaseException) -> bool:
    name: str = getattr(getattr(error, "orig", error), "sqlite_errorname", "")
    return name.startswith(DAMAGED_FILE)


BESIDE_SQLITE = ("-wal", "-shm", "-journal")
"""What SQLite puts beside its file."""


def make_private(path: str) -> None:
    """Let the file be there before SQLite makes it, for nobody but its owner; others take its rights on.

    One that is there is not opened: closing it again would give up every lock that this process has on it.
    What a former version left open to everybody is closed to them; a group that was let in stays so.
    """
    if path.startswith((":", "file:")):
        return
    with suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        return
    for name in (path, *(f"{path}{suffix}" for suffix in BESIDE_SQLITE)):
        with suppress(OSError):
            if (mode := stat.S_IMODE(os.stat(name).st_mode)) & stat.S_IRWXO:  # noqa: PTH116 -- as above
                os.chmod(name, mode & ~stat.S_IRWXO)  # noqa: PTH101


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
    address, tls = with_authority(url)
    engine = create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=5,
        hide_parameters=True,  # they are people's appointments, and errors are logged
        connect_args={
            "server_settings": settings,
            "timeout": min(CONNECT_SECONDS, answer_within),
            "command_timeout": answer_within,
            **tls,
        },
        **JSON_AS,
    )
    _try_before_use(engine)
    _leave_when_demoted(engine)
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
            _try_out(connection)


def _leave_when_demoted(engine: AsyncEngine) -> None:
    """A server that was demoted answers and takes no writes: nothing is opened to it, and nothing kept.

    Where one connection is refused a write, all of the pool are given up.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def greet(connection: Any, _record: object) -> None:
        if _is_read_only(connection):
            connection.close()
            raise ReadOnlyServer

    @event.listens_for(engine.sync_engine, "handle_error")
    def give_up(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == WRITE_TO_READ_ONLY:
            context.is_disconnect = True


class ReadOnlyServer(OSError):
    """The server answers, and takes no writes: it is a standby, or was demoted."""


def _is_read_only(connection: Any) -> bool:
    answer = connection.run_async(lambda driver: driver.fetchval("SHOW transaction_read_only"))
    return bool(answer == "on")


def _try_out(connection: Any) -> None:
    try:
        works = not _is_read_only(connection)
    except Exception as error:
        raise DisconnectionError from error
    if not works:
        raise DisconnectionError

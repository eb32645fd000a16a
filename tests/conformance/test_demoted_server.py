"""PostgreSQL was demoted under the pool: its connections answer, and take no writes (issue 15)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import make_url, text

from contracts.errors import Unavailable
from service.store.engine.store import RESTS_SINCE, Store
from tests.support.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql
DEMOTED = text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
PID = text("SELECT pg_backend_pid()")
POOL = 3


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[Store]:
    opened = Store(postgresql_url, pool_size=POOL)
    async with opened.begin() as connection:
        await connection.execute(text("CREATE TABLE things (id int PRIMARY KEY)"))
    yield opened
    await opened.close()


async def _demote_connections(store: Store) -> set[int]:
    """All that are open turn read-only, as those to a server that is demoted do; their processes there."""
    pids: set[int] = set()
    async with AsyncExitStack() as stack:
        for _ in range(POOL):
            connection = await stack.enter_async_context(store.engine.connect())
            await connection.execute(DEMOTED)
            pids.add(int(await connection.scalar(PID) or 0))
            await connection.commit()
    assert len(pids) == POOL
    return pids


async def _write(store: Store, number: int) -> int:
    """By which process of the server it was done."""
    async with store.begin() as connection:
        await connection.execute(text("INSERT INTO things VALUES (:id)"), {"id": number})
        return int(await connection.scalar(PID) or 0)


async def test_one_refused_write_gives_up_every_connection_of_the_pool(store: Store) -> None:
    """The next write goes by a new one, to whoever is the primary by then."""
    old = await _demote_connections(store)

    with pytest.raises(Unavailable):
        await _write(store, 1)

    used = {await _write(store, number) for number in range(1, 1 + POOL)}
    assert used.isdisjoint(old)
    async with AsyncExitStack() as stack:
        for _ in range(POOL):
            connection = await stack.enter_async_context(store.read())
            assert int(await connection.scalar(PID) or 0) not in old


async def test_a_connection_that_rested_is_asked_whether_it_takes_writes(store: Store) -> None:
    """So that nobody reads for long what a demoted server still has."""
    old = await _demote_connections(store)
    pool = store.engine.sync_engine.pool
    for record in list(pool._pool._queue._queue):  # type: ignore[attr-defined]
        record.info[RESTS_SINCE] = -1e9

    async with store.read() as connection:
        assert int(await connection.scalar(PID) or 0) not in old


async def test_a_server_that_takes_no_writes_is_not_connected_to(
    store: Store, postgresql: PostgreSQL
) -> None:
    """Unavailable, and tried again; as soon as it is promoted the same store works."""
    name = make_url(store.url).database
    await _demote_connections(store)
    await postgresql.run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with pytest.raises(Unavailable):
        await _write(store, 1)

    with pytest.raises(Unavailable, match="ReadOnlyServer"):
        await _write(store, 1)
    await postgresql.run(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')

    assert await _write(store, 1) > 0

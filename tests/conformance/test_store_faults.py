"""What the store says of its troubles: the database's plight is never a message's fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from contracts.errors import Unavailable
from service.store.engine.store import IntegrityError, SQLAlchemyError, Store
from service.store.integrations.integrations import synced
from service.store.tables import integration_state, integrations
from tests.support.locks import somebody_waits
from tests.support.waiting import until

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[Store]:
    opened = Store(postgresql_url, pool_size=2)
    async with opened.begin() as connection:
        await connection.execute(text("CREATE TABLE things (id int PRIMARY KEY, word text)"))
        await connection.execute(text("INSERT INTO things VALUES (1, 'a'), (2, 'b')"))
    yield opened
    await opened.close()


async def test_a_deadlock_is_the_databases_plight(store: Store) -> None:
    """One of the two is given up by PostgreSQL and may simply try again."""
    meeting = asyncio.Barrier(2)

    async def crossing(first: int, second: int) -> None:
        async with store.begin() as connection:
            touch = text("UPDATE things SET word = 'c' WHERE id = :id")
            await connection.execute(touch, {"id": first})
            await meeting.wait()
            await connection.execute(touch, {"id": second})

    ends = await asyncio.gather(crossing(1, 2), crossing(2, 1), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [Unavailable]


@pytest.mark.parametrize(
    "state",
    ["08006", "25006", "40001", "42501", "53100", "53300", "55P03", "57014", "57P01", "57P03", "58030"],
)
async def test_a_server_in_trouble_refuses_no_message(store: Store, state: str) -> None:
    """Disk full, a failover, a shutdown, a time limit: the same work succeeds another time."""
    raising = text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
    with pytest.raises(Unavailable):
        async with store.begin() as connection:
            await connection.execute(raising)


async def test_a_pool_without_a_free_connection_is_the_databases_plight(store: Store) -> None:
    """Whoever waited in vain for a connection has learnt nothing about its message."""
    pool = store.engine.pool
    pool._timeout = 0.05  # type: ignore[attr-defined]  # half a minute otherwise
    async with AsyncExitStack() as stack:
        for _ in range(7):
            connection = await stack.enter_async_context(store.engine.connect())
            await connection.execute(text("SELECT 1"))
        with pytest.raises(Unavailable):
            async with store.begin() as refused:
                await refused.execute(text("SELECT 1"))


async def test_refused_values_stay_refused_and_are_not_told(store: Store) -> None:
    """What PostgreSQL cannot hold is the message's fault; its texts are not in the error's parameters."""
    insertion = text("INSERT INTO things VALUES (:id, :word)")
    with pytest.raises(SQLAlchemyError) as refused:
        async with store.begin() as connection:
            await connection.execute(insertion, {"id": 3, "word": "dentist\0"})
    assert "dentist" not in str(refused.value)

    with pytest.raises(IntegrityError):
        async with store.begin() as connection:
            await connection.execute(insertion, {"id": 1, "word": "again"})


async def test_dates_of_several_calendars_are_locked_in_one_order(store: Store) -> None:
    """Two processes that settle the same calendars never meet crosswise, however the rows lie on disk."""
    await store.upgrade()
    async with store.begin() as connection:
        for key in ("b", "a"):
            await connection.execute(insert(integrations).values(_integration(key)))
            await connection.execute(insert(integration_state).values(integration_id=key))
    row = select(integration_state.c.integration_id).with_for_update(nowait=True)

    async def settle() -> None:
        async with store.begin() as connection:
            await synced(connection, ["a", "b"], NOW)

    async with store.begin() as holder:
        await holder.execute(row.where(integration_state.c.integration_id == "a"))
        settling = asyncio.create_task(settle())
        await until(lambda: somebody_waits(store), what="a process that waits for the first row")
        async with store.begin() as other:
            await other.execute(row.where(integration_state.c.integration_id == "b"))
    await settling


def _integration(key: str) -> dict[str, object]:
    words = ("tenant_id", "user_id", "sub", "profile_id", "profile_name", "provider_name")
    more = ("provider_service", "account_name")
    boxes: dict[str, dict[str, bool]] = {
        name: {} for name in ("event_types", "item_types", "retrieve", "send")
    }
    return {"id": key, **dict.fromkeys((*words, *more), key), **boxes, "created_at": NOW}


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    """A wrong address, or a file overwritten by something else: it is left as it is."""
    file = tmp_path / "notes.db"
    file.write_text("Whatever this is, nobody made it with SQLite. " * 100)
    store = Store(f"sqlite+aiosqlite:///{file}")
    for use in (store.upgrade, store.schema):
        with pytest.raises(Unavailable, match="the file is no SQLite database"):
            await use()
    await store.close()

    assert file.read_text().startswith("Whatever this is")

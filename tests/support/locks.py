"""Whether a transaction waits for another's lock, where the engine can tell (PostgreSQL)."""

import asyncio
from typing import Any

from sqlalchemy import text

from service.store.engine.store import Store
from tests.support.waiting import until


async def somebody_waits(store: Store) -> bool:
    """For a lock that another transaction on this database holds."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    async with store.read() as connection:
        return bool(await connection.scalar(query))


async def until_blocked(store: Store, work: "asyncio.Future[Any]") -> None:
    """Return once this work waits for a lock; fail when it ends without."""

    async def blocked() -> bool:
        assert not work.done()
        return await somebody_waits(store)

    await until(blocked, what="waiting for a lock")

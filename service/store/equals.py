"""The events of a run's range that equal an item, until it is known which of them are alone (R29)."""

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.twins import Twin
from service.store.sets import among
from service.store.tables import run_equals

table = run_equals.c


def _key(twin: Twin) -> str:
    return hashlib.sha256("\x1f".join(twin).encode()).hexdigest()


async def note(connection: AsyncConnection, run_id: str, left: Iterable[tuple[Twin, str]]) -> None:
    """Remember these events; once more is no harm."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [{"run_id": run_id, "event_uid": uid, "twin": _key(twin)} for twin, uid in left]
    await connection.execute(dialect.insert(run_equals).on_conflict_do_nothing(), rows)


async def noted(connection: AsyncConnection, run_id: str, uids: Sequence[str]) -> frozenset[str]:
    """Which of these events the first reading left."""
    rows = await connection.scalars(
        select(table.event_uid).where(table.run_id == run_id, among(connection, table.event_uid, uids))
    )
    return frozenset(rows)


async def alone(connection: AsyncConnection, run_id: str, twins: Iterable[Twin]) -> frozenset[Twin]:
    """Those of which the whole range holds one event."""
    keys = {_key(twin): twin for twin in twins}
    rows = await connection.scalars(
        select(table.twin)
        .where(table.run_id == run_id, among(connection, table.twin, keys))
        .group_by(table.twin)
        .having(func.count() == 1)
    )
    return frozenset(keys[key] for key in rows)


async def count(connection: AsyncConnection, run_id: str) -> int:
    return await connection.scalar(select(func.count()).where(table.run_id == run_id)) or 0


async def forget(connection: AsyncConnection, run_id: str) -> None:
    await connection.execute(delete(run_equals).where(table.run_id == run_id))

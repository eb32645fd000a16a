"""The events of a run's range that equal an item, until it is known which of them are alone (R29)."""

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from handlers.matching import MatchKey
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.tables import run_equals

table = run_equals.c


class RunEqualsTable:
    """Those of one run."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._ours = table.run_id == run_id

    async def note(self, connection: AsyncConnection, left: Iterable[tuple[MatchKey, str]]) -> None:
        """Remember these events; once more is no harm."""
        rows = [{"run_id": self._run_id, "event_uid": uid, "twin": _key(twin)} for twin, uid in left]
        await connection.execute(merging_insert(connection, run_equals).on_conflict_do_nothing(), rows)

    async def noted(self, connection: AsyncConnection, uids: Sequence[str]) -> frozenset[str]:
        """Which of these events the first reading left."""
        rows = await connection.scalars(
            select(table.event_uid).where(self._ours, among(connection, table.event_uid, uids))
        )
        return frozenset(rows)

    async def alone(self, connection: AsyncConnection, twins: Iterable[MatchKey]) -> frozenset[MatchKey]:
        """Those of which the whole range holds one event."""
        keys = {_key(twin): twin for twin in twins}
        rows = await connection.scalars(
            select(table.twin)
            .where(self._ours, among(connection, table.twin, keys))
            .group_by(table.twin)
            .having(func.count() == 1)
        )
        return frozenset(keys[key] for key in rows)

    async def count(self, connection: AsyncConnection) -> int:
        """How many events wait for the second reading."""
        return await connection.scalar(select(func.count()).where(self._ours)) or 0

    async def forget(self, connection: AsyncConnection) -> None:
        """All is decided."""
        await connection.execute(delete(run_equals).where(self._ours))


def _key(twin: MatchKey) -> str:
    return hashlib.sha256("\x1f".join(twin).encode()).hexdigest()

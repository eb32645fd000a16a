"""Runs: how far each has come, and when its next step is due (R24, R25)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import runs

ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run as its handler needs to know it."""

    id: str
    integration_id: str
    kind: str
    state: str
    requested_at: datetime

    @property
    def ended(self) -> bool:
        return self.state in ENDED


async def find(connection: AsyncConnection, run_id: str) -> Run | None:
    row = (await connection.execute(select(runs).where(runs.c.id == run_id))).one_or_none()
    if row is None:
        return None
    return Run(
        id=row.id,
        integration_id=row.integration_id,
        kind=row.kind,
        state=row.state,
        requested_at=row.requested_at,
    )


async def wait(connection: AsyncConnection, run_id: str, *, due_at: float, now_doing: str) -> None:
    """Leave the run for later: its next step is requested when it is due."""
    values = {"state": "waiting", "due_at": due_at, "now": now_doing}
    await connection.execute(update(runs).where(runs.c.id == run_id).values(values))


async def end(
    connection: AsyncConnection, run_id: str, *, state: str, reason: str | None, at: datetime
) -> None:
    values = {"state": state, "reason": reason, "ended_at": at, "due_at": None, "now": None}
    await connection.execute(update(runs).where(runs.c.id == run_id).values(values))


async def take_due(connection: AsyncConnection, *, now: float, limit: int = 100) -> Sequence[tuple[str, str]]:
    """Runs, with their integrations, whose next step is due; taken once."""
    query = select(runs.c.id, runs.c.integration_id).where(runs.c.due_at <= now).limit(limit)
    rows = (await connection.execute(query.with_for_update(skip_locked=True))).all()
    for row in rows:
        await connection.execute(update(runs).where(runs.c.id == row.id).values(due_at=None))
    return [(row.id, row.integration_id) for row in rows]

"""Runs: how far each has come, and when its next step is due (R24, R25)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import integrations, runs

ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What steps of a run have done."""

    done: int = 0
    found: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run and how far it has come."""

    id: str
    integration_id: str
    kind: str
    state: str
    requested_at: datetime
    step: str
    """The name of the part that is under way."""
    number: int
    """Of the next step; a message for an earlier one has been served."""
    cursor: Mapping[str, Any] = field(default_factory=dict)
    retrieve: Mapping[str, str] | None = None
    send: Mapping[str, str] | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def _run_of(row: Row[Any]) -> Run:
    cursor = dict(row.cursor or {})
    return Run(
        id=row.id,
        integration_id=row.integration_id,
        kind=row.kind,
        state=row.state,
        requested_at=row.requested_at,
        step=row.step,
        number=cursor.pop("number", 0),
        cursor=cursor,
        retrieve=row.retrieve,
        send=row.send,
    )


async def find(connection: AsyncConnection, run_id: str, *, lock: bool = False) -> Run | None:
    query = select(runs).where(runs.c.id == run_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _run_of(row) if row else None


async def wait(connection: AsyncConnection, run_id: str, *, due_at: float, now_doing: str) -> None:
    """Leave the run for later: its next step is requested when it is due."""
    values = {"state": "waiting", "due_at": due_at, "now": now_doing}
    await connection.execute(update(runs).where(runs.c.id == run_id).values(values))


async def advance(
    connection: AsyncConnection,
    run: Run,
    *,
    step: str,
    cursor: Mapping[str, Any],
    tally: Tally,
    now_doing: str,
    at: datetime,
    total: int | None = None,
) -> None:
    """Note what a step did and where the next one begins."""
    counted = {name: runs.c[name] + value for name, value in _counts(tally).items() if value}
    known = {} if total is None else {"total": total}
    await connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(
            step=step,
            cursor={**cursor, "number": run.number + 1},
            state="running",
            now=now_doing,
            due_at=None,
            started_at=select(runs.c.started_at).where(runs.c.id == run.id).scalar_subquery()
            if run.state == "running"
            else at,
            **counted,
            **known,
        )
    )


def _counts(tally: Tally) -> dict[str, int]:
    return {
        name: getattr(tally, name) for name in ("done", "found", "created", "updated", "skipped", "failed")
    }


async def end(
    connection: AsyncConnection, run_id: str, *, state: str, reason: str | None, at: datetime
) -> None:
    values = {"state": state, "reason": reason, "ended_at": at, "due_at": None, "now": None}
    await connection.execute(update(runs).where(runs.c.id == run_id).values(values))


async def disable_options(connection: AsyncConnection, integration_id: str) -> None:
    """After a good run from Finish both options are off again; their ranges are remembered (R25)."""
    query = select(integrations.c.retrieve, integrations.c.send).where(integrations.c.id == integration_id)
    row = (await connection.execute(query.with_for_update())).one()
    values = {"retrieve": {**row.retrieve, "enabled": False}, "send": {**row.send, "enabled": False}}
    await connection.execute(update(integrations).where(integrations.c.id == integration_id).values(values))


async def take_due(connection: AsyncConnection, *, now: float, limit: int = 100) -> Sequence[Run]:
    """Runs whose next step is due; each is taken once."""
    query = select(runs).where(runs.c.due_at <= now).limit(limit).with_for_update(skip_locked=True)
    due = [_run_of(row) for row in await connection.execute(query)]
    for run in due:
        await connection.execute(update(runs).where(runs.c.id == run.id).values(due_at=None))
    return due

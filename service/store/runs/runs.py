"""Runs: how far each has come, and when its next step is due (R24, R25)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, insert, or_, select, update
from sqlalchemy.engine import Row, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Status, Trigger
from service.store.engine.sets import in_turn
from service.store.integrations.listing import Owner
from service.store.runs.tally import TALLY_COUNTS, RunTally
from service.store.tables import (
    integration_state,
    integrations,
    log_entries,
    runs,
)

DELETION_RUN = "delete"
STANDSTILL = timedelta(hours=1)


UNDO_RUN, ANSWER_RUN = "undo", "answer"
UNDO_LIMIT = timedelta(days=30)
"""So long it is remembered what a run changed (R50)."""
PERSONS_RUNS = ("finish", "sync_now", UNDO_RUN, ANSWER_RUN)

ENDED_STATES = frozenset({"done", "failed", "cancelled"})
UNFINISHED_STATES = ("waiting", "running")
COMPARISON_RUNS = ("catch_up", "daily")
RunRow = Mapping[Any, Any]
"""A run as its page tells it, with the columns of its table."""


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
    undoes: str | None = None
    """The run that this one undoes (R50)."""

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES


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
        undoes=row.undoes,
    )


async def find(connection: AsyncConnection, run_id: str, *, lock: bool = False) -> Run | None:
    query = select(runs).where(runs.c.id == run_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _run_of(row) if row else None


async def wait(connection: AsyncConnection, run_id: str, *, due_at: float, now_doing: str) -> None:
    """Leave the run for later: its next step is requested when it is due."""
    values = {"state": "waiting", "due_at": due_at, "now": now_doing}
    await connection.execute(update(runs).where(_unfinished(run_id)).values(values))


async def note_progress(connection: AsyncConnection, run_id: str, now_doing: str) -> None:
    """Tell what a step that takes long is doing (R25)."""
    await connection.execute(update(runs).where(_unfinished(run_id)).values(now=now_doing))


def _unfinished(run_id: str) -> Any:
    return and_(runs.c.id == run_id, runs.c.state.in_(UNFINISHED_STATES))


async def stands(connection: AsyncConnection, run: Run) -> bool:
    """Whether the run still is where it was when its step began; nobody moves it until the commit."""
    current = await find(connection, run.id, lock=True)
    return current is not None and not current.ended and current.number == run.number


async def advance(
    connection: AsyncConnection,
    run: Run,
    *,
    step: str,
    cursor: Mapping[str, Any],
    tally: RunTally,
    now_doing: str,
    at: datetime,
    total: int | None = None,
) -> None:
    """Note what a step did and where the next one begins; ``total`` is what lay before that step."""
    counted = {name: runs.c[name] + value for name, value in _counts(tally).items() if value}
    known: dict[str, Any] = {} if total is None else {"total": runs.c.done + total}
    if tally.passed_over:
        before = await connection.scalar(select(runs.c.passed_over).where(runs.c.id == run.id))
        known["passed_over"] = dict(Counter(before or {}) + Counter(tally.passed_over))
    await connection.execute(
        update(runs)
        .where(runs.c.id == run.id)
        .values(
            step=step,
            cursor={**cursor, "number": run.number + 1},
            state="running",
            now=now_doing,
            due_at=None,
            moved_at=at,
            started_at=func.coalesce(runs.c.started_at, at),
            **counted,
            **known,
        )
    )


def _counts(tally: RunTally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in TALLY_COUNTS}


async def end(
    connection: AsyncConnection, run_id: str, *, state: str, reason: str | None, at: datetime
) -> bool:
    """End that run; whether it had not ended before."""
    values = {"state": state, "reason": reason, "ended_at": at, "due_at": None, "now": None}
    result = await connection.execute(update(runs).where(_unfinished(run_id)).values(values))
    return bool(result.rowcount)


async def not_begun(
    connection: AsyncConnection, integration_id: str, *, kinds: Collection[str], since: datetime
) -> str | None:
    """A run of one of these kinds, asked for after ``since``, that waits for its first step."""
    found: str | None = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.kind.in_(sorted(kinds)))
        .where(runs.c.state == "waiting", runs.c.started_at.is_(None), runs.c.requested_at > since)
        .limit(1)
    )
    return found


async def end_all(
    connection: AsyncConnection,
    integration_id: str,
    *,
    reason: str,
    at: datetime,
    kinds: Collection[str] | None = None,
) -> None:
    """Cancel what has not ended of an integration's runs, of these kinds or of all."""
    wanted = update(runs).where(runs.c.integration_id == integration_id, runs.c.state.in_(UNFINISHED_STATES))
    if kinds is not None:
        wanted = wanted.where(runs.c.kind.in_(sorted(kinds)))
    values = {"state": "cancelled", "reason": reason, "ended_at": at, "due_at": None, "now": None}
    await connection.execute(wanted.values(values))


async def page(
    connection: AsyncConnection,
    integration_id: str,
    *,
    before: str | None,
    limit: int,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[RunRow]:
    """The integration's runs as its log lists them, newest first, older than the run ``before``.

    Of one kind, and asked for between these moments, where that is given.
    """
    wanted = select(runs).where(runs.c.integration_id == integration_id, runs.c.listed)
    if kind is not None:
        wanted = wanted.where(runs.c.kind == kind)
    if since is not None:
        wanted = wanted.where(runs.c.requested_at >= since)
    if until is not None:
        wanted = wanted.where(runs.c.requested_at < until)
    if before is not None:
        wanted = wanted.where(runs.c.id < before)
    rows = await connection.execute(wanted.order_by(runs.c.id.desc()).limit(limit))
    return rows.mappings().all()


async def shown(connection: AsyncConnection, run_id: str, *, lock: bool = False) -> RunRow | None:
    """One listed run as its page tells it."""
    wanted = select(runs).where(runs.c.id == run_id, runs.c.listed)
    rows = await connection.execute(wanted.with_for_update() if lock else wanted)
    return rows.mappings().one_or_none()


async def disable_options(connection: AsyncConnection, integration_id: str) -> None:
    """After a good run from Finish both options are off again; their ranges are remembered (R25)."""
    query = select(integrations.c.retrieve, integrations.c.send).where(integrations.c.id == integration_id)
    row = (await connection.execute(query.with_for_update())).one()
    values = {"retrieve": {**row.retrieve, "enabled": False}, "send": {**row.send, "enabled": False}}
    await connection.execute(update(integrations).where(integrations.c.id == integration_id).values(values))


async def unread_for_long(
    connection: AsyncConnection, *, before: datetime, since: datetime, limit: int = 100
) -> Sequence[str]:
    """Syncing integrations last read whole before that moment, and not being compared since then.

    One whose comparison began after ``since`` is left alone for now, however it ended; so is one whose
    first reading a run is at. Where that failed, nothing would be sent before another one (R33). Tenants
    take turns (R44).
    """
    state = integration_state.c
    oldest = state.full_read_at.nulls_first(), integrations.c.id
    at_work = (
        exists()
        .where(runs.c.integration_id == integrations.c.id, runs.c.state.in_(UNFINISHED_STATES))
        .where(runs.c.ended_at.is_(None))
    )
    compared = (
        exists()
        .where(runs.c.integration_id == integrations.c.id, runs.c.kind.in_(COMPARISON_RUNS))
        .where(or_(runs.c.requested_at > since, runs.c.state.in_(UNFINISHED_STATES)))
        .where(runs.c.requested_at > before)
        # by its index: nothing ends before it was asked for, and all other runs are history
        .where(or_(runs.c.ended_at.is_(None), runs.c.ended_at > before))
    )
    rows = await connection.scalars(
        select(integrations.c.id)
        .join(integration_state, state.integration_id == integrations.c.id)
        .where(integrations.c.active, integrations.c.status == Status.CONNECTED.value)
        .where(integrations.c.deleted_at.is_(None), or_(integrations.c.baseline_at.is_not(None), ~at_work))
        .where(or_(state.full_read_at.is_(None), state.full_read_at < before), ~compared)
        .order_by(in_turn(integrations.c.tenant_id, *oldest), *oldest)
        .limit(limit)
    )
    return rows.all()


async def take_due(connection: AsyncConnection, *, now: float, limit: int = 100) -> Sequence[Run]:
    """Runs whose next step is due; each is taken once, and tenants take turns (R44)."""
    longest = runs.c.due_at, runs.c.id
    chosen = (
        select(runs.c.id)
        .join(integrations, integrations.c.id == runs.c.integration_id)
        .where(runs.c.due_at <= now)
        .order_by(in_turn(integrations.c.tenant_id, *longest), *longest)
        .limit(limit)
    )
    mine = runs.c.id.in_(list(await connection.scalars(chosen))), runs.c.due_at <= now
    query = select(runs).where(*mine).order_by(runs.c.id).with_for_update(skip_locked=True)
    due = [_run_of(row) for row in await connection.execute(query)]
    for run in due:
        moved = datetime.fromtimestamp(now, UTC)
        await connection.execute(update(runs).where(runs.c.id == run.id).values(due_at=None, moved_at=moved))
    return due


async def run_in_progress(connection: AsyncConnection, integration_id: str) -> bool:
    """Whether a run that a person started has not ended; the bare reading at Finish is none (R25)."""
    found = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.kind.in_(PERSONS_RUNS))
        .where(runs.c.state.in_(UNFINISHED_STATES), runs.c.listed)
        .limit(1)
    )
    return found is not None


async def add_run(connection: AsyncConnection, **values: Any) -> None:
    await connection.execute(insert(runs).values(**values))


async def end_readings(connection: AsyncConnection, integration_id: str, *, now: datetime) -> None:
    """A bare reading at Finish that has not ended is overtaken by a newer one."""
    await connection.execute(
        update(runs)
        .where(
            runs.c.integration_id == integration_id,
            runs.c.kind == "finish",
            runs.c.state.in_(UNFINISHED_STATES),
        )
        .values(state="cancelled", ended_at=now)
    )


async def reading_in_progress(connection: AsyncConnection, integration_id: str) -> bool:
    """Whether a run from Finish has not ended."""
    found = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.kind == "finish")
        .where(runs.c.state.in_(UNFINISHED_STATES))
        .limit(1)
    )
    return found is not None


async def newest_under_way(connection: AsyncConnection, owner: Owner) -> Mapping[str, RunRow]:
    """The newest listed run that has not ended of each of the owner's integrations, by their ids."""
    wanted = (
        select(runs)
        .join(integrations, integrations.c.id == runs.c.integration_id)
        .where(integrations.c.tenant_id == owner.tenant_id, integrations.c.deleted_at.is_(None))
        .where(runs.c.state.in_(UNFINISHED_STATES), runs.c.listed)
        .order_by(runs.c.id)
    )
    if owner.user_id is not None:
        wanted = wanted.where(integrations.c.user_id == owner.user_id)
    rows = await connection.execute(wanted)
    return {row["integration_id"]: row for row in rows.mappings()}


async def entries_of_run(
    connection: AsyncConnection, run: RunRow, *, after: str | None, limit: int
) -> Sequence[RowMapping]:
    """The run's log entries, oldest first, behind the entry ``after``: none is older than the run itself."""
    wanted = (
        select(log_entries)
        .where(
            log_entries.c.integration_id == run["integration_id"],
            log_entries.c.trigger == Trigger.RUN.value,
            log_entries.c.id > (after or run["id"]),
            log_entries.c.run_id == run["id"],
        )
        .order_by(log_entries.c.id)
        .limit(limit)
    )
    return (await connection.execute(wanted)).mappings().all()


async def rouse(connection: AsyncConnection, *, now: datetime, limit: int = 100) -> int:
    """Have the step asked for again of runs that have stood still for an hour; how many.

    Asked for twice does no harm: a step that was done is not repeated.
    """
    still = (
        runs.c.ended_at.is_(None),
        runs.c.due_at.is_(None),
        func.coalesce(runs.c.moved_at, runs.c.requested_at) < now - STANDSTILL,
    )
    found = select(runs.c.id).where(*still).order_by(runs.c.id).limit(limit)
    keys = list(await connection.scalars(found.with_for_update(skip_locked=True)))
    values = {"due_at": now.timestamp(), "moved_at": now}
    await connection.execute(update(runs).where(runs.c.id.in_(keys)).values(values))
    return len(keys)

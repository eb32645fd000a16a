"""Runs that no message moves any more: it became a dead letter, or was lost (R25)."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.runs import UNFINISHED
from service.store.tables import runs

QUEUE = "calendar-sync.runs"
DELETION = "delete"
GIVEN_UP = "The message of its next step was given up: {}"
AN_HOUR = timedelta(hours=1)


async def end_given_up(
    connection: AsyncConnection, bodies: Iterable[tuple[bytes, str]], *, at: datetime
) -> None:
    """End the runs whose step became a dead letter, each with its reason; a deletion waits for its replay."""
    for body, reason in bodies:
        run_id = _run_of(body)
        if run_id is not None:
            values = {"state": "failed", "reason": GIVEN_UP.format(reason), "ended_at": at, "due_at": None}
            await connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.state.in_(UNFINISHED), runs.c.kind != DELETION)
                .values(**values, now=None)
            )


def _run_of(body: bytes) -> str | None:
    try:
        form = json.loads(body)
    except (ValueError, RecursionError):
        return None
    data = form.get("data") if isinstance(form, dict) else None
    run_id = data.get("run_id") if isinstance(data, dict) else None
    # U+0000 and half a surrogate pair are no text to PostgreSQL, which would refuse the letter with it.
    return run_id if isinstance(run_id, str) and run_id.isprintable() else None


async def rouse(connection: AsyncConnection, *, now: datetime, limit: int = 100) -> int:
    """Have the step asked for again of runs that have stood still for an hour; how many.

    Asked for twice does no harm: a step that was done is not repeated.
    """
    still = (
        runs.c.ended_at.is_(None),
        runs.c.due_at.is_(None),
        func.coalesce(runs.c.moved_at, runs.c.requested_at) < now - AN_HOUR,
    )
    found = select(runs.c.id).where(*still).order_by(runs.c.id).limit(limit)
    keys = list(await connection.scalars(found.with_for_update(skip_locked=True)))
    values = {"due_at": now.timestamp(), "moved_at": now}
    await connection.execute(update(runs).where(runs.c.id.in_(keys)).values(values))
    return len(keys)

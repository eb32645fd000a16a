"""Runs that end without a step of theirs: with what they do, or with a buried message (R30, R50)."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.runs.runs import DELETION_RUN, UNFINISHED_STATES
from service.store.runs.tally import TALLY_COUNTS, RunTally
from service.store.tables import runs

STEP_GIVEN_UP = "The message of its next step was given up: {}"


async def count_more(connection: AsyncConnection, run_id: str, tally: RunTally) -> None:
    """Add these to the numbers of the run."""
    more = {name: runs.c[name] + value for name in TALLY_COUNTS if (value := getattr(tally, name))}
    if more:
        await connection.execute(update(runs).where(runs.c.id == run_id).values(**more))


async def end_given_up(
    connection: AsyncConnection, bodies: Iterable[tuple[bytes, str]], *, at: datetime
) -> Sequence[str]:
    """End the runs whose step became a dead letter, each with its reason; a deletion waits for its replay.

    The integrations whose runs those were, once for each.
    """
    whose: list[str] = []
    for body, reason in bodies:
        run_id = _run_named_in(body)
        if run_id is not None:
            values = {"state": "failed", "reason": STEP_GIVEN_UP.format(reason), "ended_at": at}
            ended = await connection.scalars(
                update(runs)
                .where(runs.c.id == run_id, runs.c.state.in_(UNFINISHED_STATES), runs.c.kind != DELETION_RUN)
                .values(**values, due_at=None, now=None)
                .returning(runs.c.integration_id)
            )
            whose += ended
    return whose


def _run_named_in(body: bytes) -> str | None:
    try:
        form = json.loads(body)
    except (ValueError, RecursionError):
        return None
    data = form.get("data") if isinstance(form, dict) else None
    run_id = data.get("run_id") if isinstance(data, dict) else None
    # U+0000 and half a surrogate pair are no text to PostgreSQL, which would refuse the letter with it.
    return run_id if isinstance(run_id, str) and run_id.isprintable() else None

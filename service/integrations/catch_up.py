"""Asks for the comparison of both sides by state (R20, R22, DESIGN 8)."""

from datetime import timedelta

from contracts.calendar import Integration
from service.integrations.facts import run_requested
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.messages.outbox import enqueue
from service.store.runs import runs
from service.store.runs.runs import COMPARISONS

CATCH_UP = "catch_up"
DAILY = "daily"
BY_ITSELF = "calendar-sync"
OVERTAKEN = "A newer comparison does this one's work."
FIRST_STEP = "baseline"
PATIENCE = timedelta(hours=1)
"""No comparison waits longer for Cronofy's first sync, or for a person's run to begin."""


async def want_catch_up(
    store: Store, connection: AsyncConnection, integration: Integration, *, kind: str = CATCH_UP
) -> str:
    """Have both sides compared; asked for in the caller's transaction. The id of the run that does it.

    One that has not begun serves, unless its request must have gone astray; one under way would miss
    what it has passed.
    """
    now = await store.moment(connection)
    waiting = await runs.not_begun(connection, integration.id, kinds=COMPARISONS, since=now - PATIENCE)
    if waiting is not None:
        return waiting
    await runs.end_all(connection, integration.id, reason=OVERTAKEN, at=now, kinds=COMPARISONS)
    run_id = new_id()
    await runs.add_run(
        connection,
        id=run_id,
        integration_id=integration.id,
        started_by=BY_ITSELF,
        kind=kind,
        state="waiting",
        step=FIRST_STEP,
        requested_at=now,
    )
    request = run_requested(run_id, integration.id, step=0, now=now)
    await enqueue(connection, [request], now=await store.now(connection))
    return run_id

"""Asks for the comparison of both sides by state (R20, R22, DESIGN 8)."""

from datetime import timedelta

from contracts.calendar import Integration
from service.integrations.run_requests import request_run
from service.store.engine.store import AsyncConnection, Store
from service.store.runs import runs
from service.store.runs.runs import COMPARISONS

CATCH_UP = "catch_up"
DAILY = "daily"
BY_ITSELF = "calendar-sync"
OVERTAKEN = "A newer comparison does this one's work."
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
    return await request_run(store, connection, integration.id, kind=kind, started_by=BY_ITSELF)

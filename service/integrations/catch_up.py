"""Asks for the comparison of both sides by state (R20, R22)."""

from datetime import timedelta

from contracts.calendar import Integration
from service.integrations.run_requests import request_run
from service.store.engine.store import AsyncConnection, Store
from service.store.runs import runs
from service.store.runs.runs import COMPARISON_RUNS

CATCH_UP_RUN = "catch_up"
DAILY_RUN = "daily"
STARTED_BY_SERVICE = "calendar-sync"
NEWER_COMPARISON = "A newer comparison does this one's work."
COMPARISON_WAIT = timedelta(hours=1)
"""No comparison waits longer for Cronofy's first sync, or for a person's run to begin."""


async def request_comparison(
    store: Store,
    connection: AsyncConnection,
    integration: Integration,
    *,
    kind: str = CATCH_UP_RUN,
    delay: float = 0.0,
) -> str:
    """Have both sides compared; asked for in the caller's transaction. The id of the run that does it.

    It begins after ``delay`` seconds.

    One that has not begun serves, unless its request must have gone astray; one under way would miss
    what it has passed.
    """
    now = await store.moment(connection)
    waiting = await runs.not_begun(
        connection, integration.id, kinds=COMPARISON_RUNS, since=now - COMPARISON_WAIT
    )
    if waiting is not None:
        return waiting
    await runs.end_all(connection, integration.id, reason=NEWER_COMPARISON, at=now, kinds=COMPARISON_RUNS)
    return await request_run(
        store, connection, integration.id, kind=kind, started_by=STARTED_BY_SERVICE, delay=delay
    )

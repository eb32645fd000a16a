"""Comparisons of both sides, by when they were asked for (R20)."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.runs.runs import COMPARISON_RUNS, UNFINISHED_STATES
from service.store.tables import runs


async def compared_since(connection: AsyncConnection, integration_id: str, *, since: datetime) -> bool:
    """Whether a comparison that was asked for after that moment goes on, or went well."""
    found = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.kind.in_(COMPARISON_RUNS))
        .where(runs.c.requested_at > since, runs.c.state.in_((*UNFINISHED_STATES, "done")))
        .limit(1)
    )
    return found is not None

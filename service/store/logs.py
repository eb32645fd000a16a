"""Reading an integration's log, page by page, newest first (G14, R27)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Trigger
from service.store.tables import log_entries


async def page(
    connection: AsyncConnection,
    integration_id: str,
    *,
    triggers: Sequence[Trigger],
    before: str | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """At most ``limit`` entries of these triggers, older than the entry ``before``."""
    wanted = select(log_entries).where(
        log_entries.c.integration_id == integration_id,
        log_entries.c.trigger.in_([trigger.value for trigger in triggers]),
    )
    if before is not None:
        wanted = wanted.where(log_entries.c.id < before)
    rows = await connection.execute(wanted.order_by(log_entries.c.id.desc()).limit(limit))
    return rows.mappings().all()

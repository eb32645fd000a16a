"""What happened to one item, across its owner's integrations (R27)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Trigger
from service.store.tables import log_entries

LOOKED_AT = 5000
"""The newest entries of an integration that are searched: an index by item would cost every write."""


async def entries(
    connection: AsyncConnection, integration_id: str, ref: str, *, limit: int
) -> Sequence[RowMapping]:
    """The item's newest entries in that integration's log, newest first."""
    found: list[RowMapping] = []
    for trigger in Trigger:
        newest = (
            select(log_entries)
            .where(log_entries.c.integration_id == integration_id, log_entries.c.trigger == trigger.value)
            .order_by(log_entries.c.id.desc())
            .limit(LOOKED_AT)
            .subquery()
        )
        of_item = select(newest).where(newest.c.item_ref == ref).order_by(newest.c.id.desc()).limit(limit)
        found.extend((await connection.execute(of_item)).mappings())
    return sorted(found, key=lambda row: row["id"], reverse=True)[:limit]

"""What happened to one item, across its owner's integrations (R27)."""

from collections.abc import Sequence

from sqlalchemy import Select, select, union_all
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Trigger
from service.store.tables import log_entries

LOOKED_AT = 5000
"""The newest entries of an integration that are searched: an index by item would cost every write."""


async def entries(
    connection: AsyncConnection, integration_ids: Sequence[str], ref: str, *, limit: int
) -> Sequence[RowMapping]:
    """The item's newest entries in the logs of these integrations, newest first."""
    if not integration_ids:
        return []
    stretches = [_of_item(one, trigger, ref) for one in integration_ids for trigger in Trigger]
    wanted = select(log_entries).where(log_entries.c.id.in_(union_all(*stretches)))
    rows = await connection.execute(wanted.order_by(log_entries.c.id.desc()).limit(limit))
    return rows.mappings().all()


def _of_item(integration_id: str, trigger: Trigger, ref: str) -> Select[tuple[str]]:
    """The ids of its entries among the newest of one stretch of the index."""
    newest = (
        select(log_entries.c.id, log_entries.c.item_ref)
        .where(log_entries.c.integration_id == integration_id, log_entries.c.trigger == trigger.value)
        .order_by(log_entries.c.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    return select(newest.c.id).where(newest.c.item_ref == ref)

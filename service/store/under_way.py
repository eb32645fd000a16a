"""What pages ask of runs beyond one integration's list: which are under way, and what one did (R25, R27)."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Trigger
from service.store.accounts import Owner
from service.store.runs import UNFINISHED, RunRow
from service.store.tables import integrations, log_entries, runs


async def newest(connection: AsyncConnection, owner: Owner) -> Mapping[str, RunRow]:
    """The newest listed run that has not ended of each of the owner's integrations, by their ids."""
    wanted = (
        select(runs)
        .join(integrations, integrations.c.id == runs.c.integration_id)
        .where(integrations.c.tenant_id == owner.tenant_id, integrations.c.deleted_at.is_(None))
        .where(runs.c.state.in_(UNFINISHED), runs.c.listed)
        .order_by(runs.c.id)
    )
    if owner.user_id is not None:
        wanted = wanted.where(integrations.c.user_id == owner.user_id)
    rows = await connection.execute(wanted)
    return {row["integration_id"]: row for row in rows.mappings()}


async def entries(
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

"""The channels of integrations: which have one, which want one."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, Status
from service.store.integrations.listing import IntegrationView, is_living, shown_of
from service.store.tables import integrations


async def without_channel(connection: AsyncConnection) -> Sequence[str]:
    """Finished, connected integrations that no notice can reach."""
    rows = await connection.scalars(
        select(integrations.c.id)
        .where(integrations.c.deleted_at.is_(None), integrations.c.channel_id.is_(None))
        .where(integrations.c.finished_at.is_not(None), integrations.c.status == Status.CONNECTED)
        .order_by(integrations.c.id)
    )
    return list(rows)


async def with_channel(connection: AsyncConnection) -> Sequence[IntegrationView]:
    """Finished, connected integrations that we believe notices can reach."""
    wanted = is_living().where(integrations.c.channel_id.is_not(None))
    wanted = wanted.where(integrations.c.finished_at.is_not(None), integrations.c.status == Status.CONNECTED)
    rows = await connection.execute(wanted.order_by(integrations.c.id))
    return [shown_of(row) for row in rows.mappings()]


async def keep_channel(connection: AsyncConnection, seen: Integration, channel_id: str) -> bool:
    """Note the channel that was made for this calendar; False where another is linked or known by now."""
    table = integrations.c
    result = await connection.execute(
        update(integrations)
        .where(table.id == seen.id, table.sub == seen.sub, table.calendar_id == seen.calendar_id)
        .where(table.channel_id.is_(None), table.deleted_at.is_(None))
        .values(channel_id=channel_id)
    )
    return bool(result.rowcount)


async def forget_channel(connection: AsyncConnection, integration_id: str, channel_id: str | None) -> None:
    """The channel is gone; one that was made meanwhile stays."""
    mine = integrations.c.id == integration_id, integrations.c.channel_id == channel_id
    await connection.execute(update(integrations).where(*mine).values(channel_id=None))

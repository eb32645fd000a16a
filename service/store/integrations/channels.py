"""The channels of integrations: which have one, which want one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, Status
from service.store.integrations.listing import IntegrationView, is_living, shown_of
from service.store.tables import integration_state, integrations

CHANNELS_A_ROUND = 100
JUST_READ, READ_NO_MORE = timedelta(minutes=30), timedelta(days=2)
"""Since the last complete read: its token serves yet; and no further one is to be waited for."""


async def without_channel(connection: AsyncConnection, *, limit: int = CHANNELS_A_ROUND) -> Sequence[str]:
    """Some finished, connected integrations that no notice can reach: any, so that none keeps others out."""
    rows = await connection.scalars(
        select(integrations.c.id)
        .where(integrations.c.deleted_at.is_(None), integrations.c.channel_id.is_(None))
        .where(integrations.c.finished_at.is_not(None), integrations.c.status == Status.CONNECTED)
        .order_by(func.random())
        .limit(limit)
    )
    return list(rows)


async def take_silent(
    connection: AsyncConnection, *, heard_before: float, audited_before: float, now: float, limit: int
) -> Sequence[IntegrationView]:
    """Integrations that we believe notices can reach, of accounts from which none has come for long.

    Of at most so many accounts, those first that were asked for their channels first; each is noted as asked,
    so that one that does not answer keeps no other waiting. One that is read whole every day is asked soon
    after such a read, whose token still serves.
    """
    moment = datetime.fromtimestamp(now, UTC)
    state = integration_state.c
    asked, heard = func.coalesce(state.audited_at, 0.0), func.coalesce(state.heard_at, 0.0)
    mine = (
        integrations.c.deleted_at.is_(None),
        integrations.c.channel_id.is_not(None),
        integrations.c.finished_at.is_not(None),
        integrations.c.status == Status.CONNECTED,
    )
    read = state.full_read_at
    in_turn = (
        select(integrations.c.sub)
        .join(integration_state, state.integration_id == integrations.c.id)
        .where(*mine, or_(read.is_(None), read > moment - JUST_READ, read < moment - READ_NO_MORE))
        .correlate(None)
    )
    accounts = (
        select(integrations.c.sub)
        .join(integration_state, state.integration_id == integrations.c.id)
        .where(*mine, integrations.c.sub.in_(in_turn))
        .group_by(integrations.c.sub)
        .having(func.max(heard) < heard_before, func.max(asked) < audited_before)
        .order_by(func.max(asked), integrations.c.sub)
        .limit(limit)
    )
    subs = list(await connection.scalars(accounts))
    rows = await connection.execute(
        is_living().where(*mine, integrations.c.sub.in_(subs)).order_by(integrations.c.id)
    )
    found = [shown_of(row) for row in rows.mappings()]
    these = state.integration_id.in_([one.integration.id for one in found])
    await connection.execute(update(integration_state).where(these).values(audited_at=now))
    return found


async def count_with_channel(connection: AsyncConnection) -> int:
    """How many integrations have a channel."""
    query = select(func.count()).select_from(integrations).where(integrations.c.deleted_at.is_(None))
    return await connection.scalar(query.where(integrations.c.channel_id.is_not(None))) or 0


async def keep_channel(
    connection: AsyncConnection, seen: Integration, channel_id: str, *, now: float
) -> bool:
    """Note the channel that was made for this calendar; False where another is linked or known by now."""
    table = integrations.c
    result = await connection.execute(
        update(integrations)
        .where(table.id == seen.id, table.sub == seen.sub, table.calendar_id == seen.calendar_id)
        .where(table.channel_id.is_(None), table.deleted_at.is_(None))
        .values(channel_id=channel_id)
    )
    mine = integration_state.c.integration_id == seen.id
    await connection.execute(update(integration_state).where(mine).values(heard_at=now))
    return bool(result.rowcount)


async def forget_channel(connection: AsyncConnection, integration_id: str, channel_id: str | None) -> None:
    """The channel is gone; one that was made meanwhile stays."""
    mine = integrations.c.id == integration_id, integrations.c.channel_id == channel_id
    await connection.execute(update(integrations).where(*mine).values(channel_id=None))

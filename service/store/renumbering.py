"""The linked calendar under another id of Cronofy's: everything that names it follows (R1, R22)."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration
from service.store.accounts import forget_reads
from service.store.integrations import change
from service.store.tables import links, prior_events


async def renumber(connection: AsyncConnection, integration: Integration, calendar_id: str) -> None:
    """Pairs stay pairs; a read under way writes nothing more, and a channel for the new id is wanted."""
    mine = (links.c.integration_id == integration.id, links.c.calendar_id == integration.calendar_id)
    await connection.execute(select(links.c.id).where(*mine).order_by(links.c.id).with_for_update())
    await connection.execute(update(links).where(*mine).values(calendar_id=calendar_id))
    prior = (
        prior_events.c.integration_id == integration.id,
        prior_events.c.calendar_id == integration.calendar_id,
    )
    await connection.execute(update(prior_events).where(*prior).values(calendar_id=calendar_id))
    await change(connection, integration.id, calendar_id=calendar_id, channel_id=None)
    await forget_reads(connection, integration.id)

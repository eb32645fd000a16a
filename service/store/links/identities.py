"""Which of our own event ids anybody knows (R36)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, ItemRef, LinkState, Origin
from service.store.engine.sets import among
from service.store.tables import integrations, items, links


async def known_event_ids(
    connection: AsyncConnection, integration: Integration, event_ids: Collection[str]
) -> frozenset[str]:
    """Those of which any integration of the account knows what they stand for, or stood for."""
    account = select(integrations.c.id).where(integrations.c.sub == integration.sub)
    rows = await connection.scalars(
        select(links.c.event_id)
        .where(links.c.integration_id.in_(account))
        .where(among(connection, links.c.event_id, event_ids))
    )
    return frozenset(event_id for event_id in rows if event_id is not None)


async def known_to_others(
    connection: AsyncConnection, integration: Integration, event_ids: Collection[str]
) -> frozenset[str]:
    """Those that another integration of the account wrote, one too that was deleted with its copies kept."""
    if not event_ids:
        return frozenset()
    others = select(integrations.c.id).where(
        integrations.c.sub == integration.sub, integrations.c.id != integration.id
    )
    rows = await connection.scalars(
        select(links.c.event_id)
        .where(links.c.integration_id.in_(others))
        .where(among(connection, links.c.event_id, event_ids))
    )
    return frozenset(event_id for event_id in rows if event_id is not None)


async def unseen_events(
    connection: AsyncConnection, integration: Integration, *, starts: Collection[datetime], since: float
) -> Sequence[ItemRef]:
    """Items that begin then, whose foreign events stand by all that is known and were not read since."""
    rows = await connection.scalars(
        select(links.c.item_ref)
        .join(items, items.c.ref == links.c.item_ref)
        .where(links.c.integration_id == integration.id, links.c.calendar_id == integration.calendar_id)
        .where(links.c.origin == Origin.EXTERNAL, links.c.state == LinkState.AGREED)
        .where(links.c.exists_there, links.c.ended_at.is_(None), items.c.deleted.is_(False))
        .where(items.c.starts_at.in_(sorted(starts)))
        .where(or_(links.c.read_at.is_(None), links.c.read_at < since))
        .where(or_(links.c.accepted_at.is_(None), links.c.accepted_at < since))
    )
    return [ItemRef(ref) for ref in rows]

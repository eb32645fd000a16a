"""Copies that follow their integration to another calendar: marked first, one mark less a copy (R16)."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, ItemRef, LinkId, LinkState
from service.store.sets import among
from service.store.tables import links
from service.store.tombstones import copies_there

AFTERGLOW = 30.0
"""Seconds after the end of a claim for which a write of a stopped process may still come through."""
LITERALLY_MOVING = text("links.moving")
"""As the index says it: SQLite would not choose it for a comparison with 1."""
ON_THEIR_WAY = (LinkState.BEHIND.value, LinkState.RETRYING.value, LinkState.HELD.value)


async def done(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """These have been moved, or stay where they are."""
    await connection.execute(update(links).where(among(connection, links.c.id, ids)).values(moving=False))


def _moving(integration_id: str) -> ColumnElement[bool]:
    return and_(links.c.integration_id == integration_id, LITERALLY_MOVING)


def followed() -> ColumnElement[bool]:
    """Whether the successor of a copy stands, or is on its way."""
    other = links.alias()
    successor = and_(
        other.c.integration_id == links.c.integration_id,
        other.c.item_ref == links.c.item_ref,
        other.c.calendar_id != links.c.calendar_id,
        or_(other.c.exists_there, other.c.state.in_(ON_THEIR_WAY)),
        other.c.ended_at.is_(None),
        ~other.c.moving,
    )
    return select(other.c.id).where(successor).exists()


async def count(connection: AsyncConnection, integration_id: str) -> int:
    """How many copies are still to follow."""
    which = (_moving(integration_id), links.c.ended_at.is_(None))
    return await connection.scalar(select(func.count()).select_from(links).where(*which)) or 0


async def following(
    connection: AsyncConnection, integration_id: str, *, after: str, limit: int
) -> Sequence[tuple[LinkId, str]]:
    """The next copies that are to follow, each with its item's ref."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .where(_moving(integration_id), links.c.ended_at.is_(None), links.c.id > after)
        .order_by(links.c.id)
        .limit(limit)
    )
    return [(LinkId(row.id), row.item_ref) for row in rows]


async def copies(connection: AsyncConnection, before: Integration, *, limit: int) -> Sequence[ItemRef]:
    """The items whose copies would follow, were another calendar chosen now."""
    which = (links.c.integration_id == before.id, copies_there(before), links.c.ended_at.is_(None))
    query = select(links.c.item_ref).where(*which).order_by(links.c.id).limit(limit)
    return [ItemRef(ref) for ref in await connection.scalars(query)]


async def still(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[tuple[LinkId, str]]:
    """Those of these that are still to follow, each with its item's ref."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .where(among(connection, links.c.id, ids), links.c.moving, links.c.ended_at.is_(None))
        .order_by(links.c.id)
    )
    return [(LinkId(row.id), row.item_ref) for row in rows]


async def in_flight(connection: AsyncConnection, ids: Sequence[str], *, now: float) -> bool:
    """Whether a write of one of these links may still be in the air."""
    found = await connection.scalar(
        select(links.c.id)
        .where(among(connection, links.c.id, ids), links.c.claimed_by.is_not(None))
        .where(links.c.claimed_until > now - AFTERGLOW)
        .limit(1)
    )
    return found is not None

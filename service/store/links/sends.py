"""What a Send run asks of the store: the person's items in order, and how their links stand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Integration, LinkId, LinkState
from handlers.runs import DaySpan
from service.store.engine.sets import among
from service.store.tables import item_assignees, items, links


async def next_items(
    connection: AsyncConnection, integration: Integration, span: DaySpan, *, after: str | None, limit: int
) -> Sequence[str]:
    """The refs of the person's next items of the checked types within the span, in the order of the refs.

    The index of a person's items has that order, so that no step goes through what earlier ones have done.
    """
    query = select(item_assignees.c.item_ref).where(_wanted(integration, span))
    if after is not None:
        # told of both tables, or PostgreSQL merges them from the beginning
        query = query.where(item_assignees.c.item_ref > after, items.c.ref > after)
    refs = await connection.scalars(_of_person(query).order_by(item_assignees.c.item_ref).limit(limit))
    return refs.all()


async def count_items(connection: AsyncConnection, integration: Integration, span: DaySpan) -> int:
    query = select(func.count()).select_from(item_assignees).where(_wanted(integration, span))
    return await connection.scalar(_of_person(query)) or 0


def _of_person(query: Any) -> Any:
    return query.join(items, items.c.ref == item_assignees.c.item_ref)


def _wanted(integration: Integration, span: DaySpan) -> ColumnElement[bool]:
    """All-day items are stored at midnight UTC, whatever the person's zone."""
    all_day = items.c.content["all_day"].as_boolean()
    first = datetime.combine(span.first, datetime.min.time(), tzinfo=span.starts_at.tzinfo)
    beyond = datetime.combine(span.beyond, datetime.min.time(), tzinfo=span.starts_at.tzinfo)
    timed = and_(~all_day, items.c.starts_at < span.ends_at, items.c.ends_at > span.starts_at)
    days = and_(all_day, items.c.starts_at < beyond, items.c.ends_at > first)
    return and_(
        item_assignees.c.tenant_id == integration.tenant_id,
        item_assignees.c.user_id == integration.user_id,
        items.c.deleted.is_(False),
        items.c.item_type.in_(sorted(integration.item_types)),
        or_(timed, days),
    )


async def unwritten(connection: AsyncConnection, ids: Sequence[str]) -> frozenset[str]:
    """Those of these links that still wait to be written."""
    query = (
        select(links.c.id)
        .where(among(connection, links.c.id, ids))
        .where(links.c.state.in_([LinkState.BEHIND, LinkState.RETRYING]))
    )
    return frozenset(await connection.scalars(query))


async def note_run(connection: AsyncConnection, ids: Sequence[str], run_id: str) -> None:
    """What is written for these links next is that run's doing (R27)."""
    await connection.execute(update(links).where(among(connection, links.c.id, ids)).values(run_id=run_id))


async def next_links(
    connection: AsyncConnection, integration: Integration, *, after: str | None, limit: int
) -> Sequence[tuple[LinkId, str]]:
    """The ids of the integration's living links on its calendar in their order, each with its item's ref."""
    query = select(links.c.id, links.c.item_ref).where(
        links.c.integration_id == integration.id,
        links.c.calendar_id == integration.calendar_id,
        links.c.ended_at.is_(None),
    )
    if after is not None:
        query = query.where(links.c.id > after)
    rows = await connection.execute(query.order_by(links.c.id).limit(limit))
    return [(LinkId(row.id), row.item_ref) for row in rows]


async def unsent(
    connection: AsyncConnection, integration: Integration, *, after: str | None, limit: int
) -> Sequence[tuple[LinkId, str]]:
    """Those of these links that were kept back while it was not active, before anything of them was sent."""
    query = select(links.c.id, links.c.item_ref).where(
        links.c.integration_id == integration.id,
        links.c.calendar_id == integration.calendar_id,
        links.c.ended_at.is_(None),
        links.c.state == LinkState.HELD,
        links.c.code == Code.INACTIVE,
        links.c.applied_revision == 0,
        links.c.exists_there.is_(False),
    )
    if after is not None:
        query = query.where(links.c.id > after)
    rows = await connection.execute(query.order_by(links.c.id).limit(limit))
    return [(row.id, row.item_ref) for row in rows]

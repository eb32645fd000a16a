"""What a Send run asks of the store: the person's items in order, and how their links stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, LinkId, LinkState
from handlers.runs import Span
from service.store.sets import among
from service.store.tables import item_assignees, items, links


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """How far a run has come through the items."""

    starts_at: datetime
    ref: str

    @classmethod
    def read(cls, cursor: Mapping[str, Any]) -> Self | None:
        if "ref" not in cursor:
            return None
        return cls(starts_at=datetime.fromisoformat(cursor["starts_at"]), ref=cursor["ref"])

    def as_json(self) -> dict[str, str]:
        return {"starts_at": self.starts_at.isoformat(), "ref": self.ref}


async def next_items(
    connection: AsyncConnection, integration: Integration, span: Span, *, after: Place | None, limit: int
) -> Sequence[tuple[str, datetime]]:
    """The refs and starts of the person's next items of the checked types within the span."""
    query = select(items.c.ref, items.c.starts_at).where(_wanted(integration, span))
    if after is not None:
        later = items.c.starts_at > after.starts_at
        query = query.where(or_(later, and_(items.c.starts_at == after.starts_at, items.c.ref > after.ref)))
    rows = await connection.execute(_of_person(query).order_by(items.c.starts_at, items.c.ref).limit(limit))
    return [(row.ref, row.starts_at) for row in rows]


async def count_items(connection: AsyncConnection, integration: Integration, span: Span) -> int:
    query = select(func.count()).select_from(items).where(_wanted(integration, span))
    return await connection.scalar(_of_person(query)) or 0


def _of_person(query: Any) -> Any:
    return query.join(item_assignees, item_assignees.c.item_ref == items.c.ref)


def _wanted(integration: Integration, span: Span) -> ColumnElement[bool]:
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

"""What is planned for people in the weeks around now, as much as a clock change can touch (R49)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.vorex import ItemType
from service.store.items.my_calendar import LONGEST_GLANCED_TITLE
from service.store.tables import integrations, item_assignees, items, links


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRow:
    """A timed item of one person that takes their time; ``series`` names the series of its event."""

    user_id: str
    item_type: str
    item_id: str
    title: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str | None
    series: str | None
    imported_by: str | None


async def planned(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, since: datetime, until: datetime, limit: int
) -> Sequence[PlannedRow]:
    """What this person has in that time, by start."""
    query = _planned(tenant_id, since, until).where(item_assignees.c.user_id == user_id)
    return await _read(connection, query.order_by(items.c.starts_at, items.c.ref).limit(limit))


async def planned_of_technicians(
    connection: AsyncConnection, tenant_id: str, *, since: datetime, until: datetime, people: int, limit: int
) -> Sequence[PlannedRow]:
    """The same of so many of the tenant's people who have a service call in that time."""
    technicians = (
        select(item_assignees.c.user_id)
        .join(items, items.c.ref == item_assignees.c.item_ref)
        .where(item_assignees.c.tenant_id == tenant_id, items.c.tenant_id == tenant_id)
        .where(items.c.item_type == ItemType.SERVICE_CALL.value, items.c.deleted.is_(False))
        .where(items.c.starts_at >= since, items.c.starts_at < until)
        .group_by(item_assignees.c.user_id)
        .order_by(item_assignees.c.user_id)
        .limit(people)
    )
    query = _planned(tenant_id, since, until).where(item_assignees.c.user_id.in_(technicians))
    return await _read(
        connection, query.order_by(item_assignees.c.user_id, items.c.starts_at, items.c.ref).limit(limit)
    )


async def zones_of(
    connection: AsyncConnection, tenant_id: str, user_id: str | None = None
) -> Sequence[tuple[str, str]]:
    """Person and zone of each linked calendar, the oldest first; of one person or of the whole tenant."""
    table = integrations.c
    query = select(table.user_id, table.time_zone).where(
        table.tenant_id == tenant_id, table.deleted_at.is_(None)
    )
    if user_id is not None:
        query = query.where(table.user_id == user_id)
    return [(row.user_id, row.time_zone) for row in await connection.execute(query.order_by(table.id))]


def _planned(tenant_id: str, since: datetime, until: datetime) -> Select[Any]:
    content = items.c.content
    series = (
        select(func.max(links.c.series_identifier))
        .where(links.c.item_ref == items.c.ref, links.c.ended_at.is_(None))
        .scalar_subquery()
    )
    return (
        select(
            item_assignees.c.user_id,
            items.c.item_type,
            items.c.item_id,
            func.substr(content["title"].as_string(), 1, LONGEST_GLANCED_TITLE).label("title"),
            items.c.starts_at,
            items.c.ends_at,
            content["time_zone"].as_string().label("time_zone"),
            series.label("series"),
            items.c.imported_by,
        )
        .join(item_assignees, item_assignees.c.item_ref == items.c.ref)
        .where(item_assignees.c.tenant_id == tenant_id, items.c.tenant_id == tenant_id)
        .where(items.c.deleted.is_(False), items.c.starts_at >= since, items.c.starts_at < until)
        .where(items.c.ends_at > items.c.starts_at)
        .where(func.coalesce(content["all_day"].as_boolean(), False).is_(False))
        .where(func.coalesce(content["completed"].as_boolean(), False).is_(False))
        .where(func.coalesce(content["show_as"].as_string(), "busy") != "free")
    )


async def _read(connection: AsyncConnection, query: Select[Any]) -> Sequence[PlannedRow]:
    return [PlannedRow(**row) for row in (await connection.execute(query)).mappings()]

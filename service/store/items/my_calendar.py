"""A person's My Calendar, as its pages and the API read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, not_, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Item, ItemRef
from contracts.times import InstantOrDay
from contracts.vorex import ItemType
from service.store.items.items import item_of
from service.store.tables import item_assignees, items


@dataclass(frozen=True, kw_only=True, slots=True)
class RangeBound:
    """One end of a range: an instant for timed items, a day for all-day ones."""

    instant: datetime
    day: date

    @property
    def midnight(self) -> datetime:
        """Days are kept as midnight UTC."""
        return datetime.combine(self.day, time(), UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class PagePosition:
    """Where a page begins: behind this item."""

    starts_at: datetime
    ref: ItemRef


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthItem:
    """As much of an item as a square of the month can show of it."""

    id: str
    type: ItemType
    title: str
    all_day: bool
    completed: bool
    start: InstantOrDay
    end: InstantOrDay | None
    read_only_reason: str | None


_SHOWN = [column for column in items.c if not column.name.startswith("message_")]
"""All but the message that brought the item, which is as large as all the rest."""


async def page(
    connection: AsyncConnection,
    tenant_id: str,
    user_id: str,
    *,
    since: RangeBound | None,
    until: RangeBound | None,
    after: PagePosition | None,
    limit: int,
) -> Sequence[tuple[Item, PagePosition]]:
    """The person's living items with a date that touch the range, by start."""
    wanted = _dated(select(*_SHOWN), tenant_id, user_id)
    if since is not None:
        wanted = wanted.where(_ends_after(since))
    if until is not None:
        wanted = wanted.where(_starts_before(until))
    if after is not None:
        behind = and_(items.c.starts_at == after.starts_at, items.c.ref > after.ref)
        wanted = wanted.where(or_(items.c.starts_at > after.starts_at, behind))
    rows = await connection.execute(wanted.order_by(items.c.starts_at, items.c.ref).limit(limit))
    return [
        (item_of(row), PagePosition(starts_at=row["starts_at"], ref=ItemRef(row["ref"])))
        for row in rows.mappings()
    ]


_GLANCED = (
    items.c.item_id,
    items.c.item_type,
    items.c.content,
    items.c.starts_at,
    items.c.ends_at,
    items.c.read_only_reason,
)


async def glances(
    connection: AsyncConnection,
    tenant_id: str,
    user_id: str,
    *,
    since: RangeBound,
    until: RangeBound,
    limit: int,
) -> Sequence[MonthItem]:
    """The person's items around the range, by start; such as lie just outside may be among them."""
    wanted = (
        _dated(select(*_GLANCED), tenant_id, user_id)
        .where(_ends_about(since), _starts_about(until))
        .order_by(items.c.starts_at, items.c.ref)
        .limit(limit)
    )
    return [_glance(row) for row in (await connection.execute(wanted)).mappings()]


def _dated(wanted: Select[Any], tenant_id: str, user_id: str) -> Select[Any]:
    return (
        wanted.join(item_assignees, item_assignees.c.item_ref == items.c.ref)
        .where(item_assignees.c.tenant_id == tenant_id, item_assignees.c.user_id == user_id)
        .where(items.c.deleted.is_(False), items.c.starts_at.is_not(None))
    )


def _glance(row: RowMapping) -> MonthItem:
    """From what was checked when it was stored; checking a month of it again would take most of the time."""
    content = row["content"]
    start, end = row["starts_at"], row["ends_at"] if content.get("end") else None
    if content.get("all_day"):
        start, end = start.date(), end.date() if end else None
    return MonthItem(
        id=row["item_id"],
        type=ItemType(row["item_type"]),
        title=content.get("title", ""),
        all_day=content.get("all_day", False),
        completed=content.get("completed", False),
        start=start,
        end=end,
        read_only_reason=row["read_only_reason"],
    )


def _all_day() -> ColumnElement[bool]:
    all_day: ColumnElement[bool] = items.c.content["all_day"].as_boolean().is_(True)
    return all_day


def _ends_about(since: RangeBound) -> ColumnElement[bool]:
    """What the column alone can tell, before a text of JSON is read for it."""
    return items.c.ends_at > min(since.midnight, since.instant)


def _starts_about(until: RangeBound) -> ColumnElement[bool]:
    return items.c.starts_at < max(until.midnight, until.instant)


def _ends_after(since: RangeBound) -> ColumnElement[bool]:
    whole = and_(_all_day(), items.c.ends_at > since.midnight)
    return and_(_ends_about(since), or_(whole, and_(not_(_all_day()), items.c.ends_at > since.instant)))


def _starts_before(until: RangeBound) -> ColumnElement[bool]:
    whole = and_(_all_day(), items.c.starts_at < until.midnight)
    return and_(_starts_about(until), or_(whole, and_(not_(_all_day()), items.c.starts_at < until.instant)))

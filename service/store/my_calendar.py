"""A person's My Calendar, as its pages and the API read it (DESIGN 11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, and_, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Item, ItemRef
from service.store.items import item_of
from service.store.tables import item_assignees, items


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """One end of a range: an instant for timed items, a day for all-day ones."""

    instant: datetime
    day: date

    @property
    def midnight(self) -> datetime:
        """Days are kept as midnight UTC."""
        return datetime.combine(self.day, time(), UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a page begins: behind this item."""

    starts_at: datetime
    ref: ItemRef


_SHOWN = [column for column in items.c if not column.name.startswith("message_")]
"""All but the message that brought the item, which is as large as all the rest."""


async def page(
    connection: AsyncConnection,
    tenant_id: str,
    user_id: str,
    *,
    since: Bound | None,
    until: Bound | None,
    after: Place | None,
    limit: int,
) -> Sequence[tuple[Item, Place]]:
    """The person's living items with a date that touch the range, by start."""
    wanted = (
        select(*_SHOWN)
        .join(item_assignees, item_assignees.c.item_ref == items.c.ref)
        .where(item_assignees.c.tenant_id == tenant_id, item_assignees.c.user_id == user_id)
        .where(items.c.deleted.is_(False), items.c.starts_at.is_not(None))
    )
    if since is not None:
        wanted = wanted.where(_ends_after(since))
    if until is not None:
        wanted = wanted.where(_starts_before(until))
    if after is not None:
        behind = and_(items.c.starts_at == after.starts_at, items.c.ref > after.ref)
        wanted = wanted.where(or_(items.c.starts_at > after.starts_at, behind))
    rows = await connection.execute(wanted.order_by(items.c.starts_at, items.c.ref).limit(limit))
    return [
        (item_of(row), Place(starts_at=row["starts_at"], ref=ItemRef(row["ref"]))) for row in rows.mappings()
    ]


def _all_day() -> ColumnElement[bool]:
    all_day: ColumnElement[bool] = items.c.content["all_day"].as_boolean().is_(True)
    return all_day


def _ends_after(since: Bound) -> ColumnElement[bool]:
    return or_(
        and_(_all_day(), items.c.ends_at > since.midnight),
        and_(not_(_all_day()), items.c.ends_at > since.instant),
    )


def _starts_before(until: Bound) -> ColumnElement[bool]:
    return or_(
        and_(_all_day(), items.c.starts_at < until.midnight),
        and_(not_(_all_day()), items.c.starts_at < until.instant),
    )

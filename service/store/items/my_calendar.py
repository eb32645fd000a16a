"""A person's My Calendar, as its pages and the API read it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Item, ItemRef
from contracts.times import InstantOrDay
from contracts.vorex import ItemType
from service.store.engine.sets import among
from service.store.items.items import item_of
from service.store.tables import integrations, item_assignees, items, links


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
    version: int = 0
    imported_by: str | None = None
    """The integration whose calendar brought it; None where Vorex made it."""
    private: bool = False
    free: bool = False

    @property
    def busy(self) -> bool:
        """Whether it takes the person's time."""
        return not (self.free or self.completed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """What is known of the meeting behind an imported appointment (R40)."""

    guests: int = 0
    join_url: str | None = None


NO_MEETING = Meeting()


@dataclass(frozen=True, kw_only=True, slots=True)
class DayItem:
    """As much of an item as an agenda shows."""

    glance: MonthItem
    account_name: str | None
    location: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFilter:
    """Which of a person's items are shown; what is None does not matter."""

    types: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    """Integrations by which items came, and VOREX for all that came by none of those in ``known``."""
    known: frozenset[str] = frozenset()
    """The integrations that can be chosen."""
    q: str = ""
    """A part of title, place or account, in letters of any size."""

    def clauses(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.types is not None:
            found.append(items.c.item_type.in_(self.types))
        if self.sources is not None:
            found.append(self._of_sources(self.sources))
        if self.q:
            texts = [items.c.content[name].as_string() for name in ("title", "location", "account_name")]
            found.append(or_(*(text.icontains(self.q, autoescape=True) for text in texts)))
        return found

    def _of_sources(self, sources: frozenset[str]) -> ColumnElement[bool]:
        came = items.c.imported_by.in_(sources - {VOREX})
        others = or_(items.c.imported_by.is_(None), items.c.imported_by.not_in(self.known))
        return or_(came, others) if VOREX in sources else came


VOREX = "vorex"
EVERY_ITEM = ItemFilter()
_Shown = TypeVar("_Shown")


@dataclass(frozen=True, slots=True)
class RowShape(Generic[_Shown]):
    """How much of each item a list asks for, and what becomes of its row."""

    columns: Sequence[ColumnElement[Any]]
    read: Callable[[RowMapping], _Shown]


async def page(
    connection: AsyncConnection,
    tenant_id: str,
    user_id: str,
    shape: RowShape[_Shown],
    *,
    since: RangeBound | None,
    until: RangeBound | None,
    after: PagePosition | None,
    limit: int,
    wanted: ItemFilter = EVERY_ITEM,
) -> Sequence[tuple[_Shown, PagePosition]]:
    """The person's living items with a date that touch the range, by start, each with the place behind it."""
    query = _dated(select(items.c.ref), tenant_id, user_id).where(*wanted.clauses())
    if since is not None:
        query = query.where(_ends_after(since))
    if until is not None:
        query = query.where(_starts_before(until))
    if after is not None:
        query = query.where(_behind(after))
    order = items.c.starts_at, items.c.ref
    # what is shown is taken out of the content of the page's alone, not of all before they are sorted
    chosen = query.order_by(*order).limit(limit).subquery()
    shown = select(items.c.ref, items.c.starts_at, *shape.columns).join(chosen, chosen.c.ref == items.c.ref)
    rows = await connection.execute(shown.order_by(*order))
    return [
        (shape.read(row), PagePosition(starts_at=row["starts_at"], ref=ItemRef(row["ref"])))
        for row in rows.mappings()
    ]


async def meetings(
    connection: AsyncConnection, tenant_id: str, user_id: str, refs: Collection[str]
) -> Mapping[ItemRef, Meeting]:
    """The meetings behind these items, on the calendars of this person."""
    if not refs:
        return {}
    rows = await connection.execute(
        select(links.c.item_ref, links.c.guests, links.c.join_url)
        .join(integrations, integrations.c.id == links.c.integration_id)
        .where(integrations.c.tenant_id == tenant_id, integrations.c.user_id == user_id)
        .where(among(connection, links.c.item_ref, refs))
        .where(links.c.exists_there, links.c.ended_at.is_(None))
        .where(or_(links.c.guests > 0, links.c.join_url.is_not(None)))
        .order_by(links.c.id)
    )
    return {ItemRef(row.item_ref): Meeting(guests=row.guests, join_url=row.join_url) for row in rows}


async def count_appointments(connection: AsyncConnection, tenant_id: str, user_id: str, *, most: int) -> int:
    """The person's living appointments, whoever made them; no more of them than ``most`` are looked at."""
    mine = (
        select(items.c.ref)
        .join(item_assignees, item_assignees.c.item_ref == items.c.ref)
        .where(item_assignees.c.tenant_id == tenant_id, item_assignees.c.user_id == user_id)
        .where(items.c.item_type == ItemType.APPOINTMENT.value, items.c.deleted.is_(False))
        .limit(most)
    )
    return int(await connection.scalar(select(func.count()).select_from(mine.subquery())) or 0)


async def deleted(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, since: datetime, skip: int, limit: int
) -> Sequence[Item]:
    """The person's appointments that were deleted since then, by no calendar, the last one first."""
    query = (
        select(*WHOLE_ITEMS.columns)
        .join(item_assignees, item_assignees.c.item_ref == items.c.ref)
        .where(item_assignees.c.tenant_id == tenant_id, item_assignees.c.user_id == user_id)
        .where(items.c.deleted, items.c.item_type == ItemType.APPOINTMENT.value)
        .where(items.c.content.is_not(None), items.c.read_only_reason.is_(None))
        .where(items.c.stored_at >= since, items.c.changed_by.is_(None))
        .order_by(items.c.changed_at.desc(), items.c.ref)
        .offset(skip)
        .limit(limit)
    )
    return [item_of(row) for row in (await connection.execute(query)).mappings()]


LONGEST_GLANCED_TITLE = 200
"""Characters of a title that a square of the month can show; a day's page shows the whole."""


async def glances(
    connection: AsyncConnection,
    tenant_id: str,
    user_id: str,
    *,
    since: RangeBound,
    until: RangeBound,
    limit: int,
    wanted: ItemFilter = EVERY_ITEM,
) -> Sequence[MonthItem]:
    """The person's items around the range, by start; such as lie just outside may be among them."""
    columns = _glanced(longest_title=LONGEST_GLANCED_TITLE)
    query = (
        _dated(select(items.c.starts_at, *columns), tenant_id, user_id)
        .where(_ends_about(since), _starts_about(until), *wanted.clauses())
        .order_by(items.c.starts_at, items.c.ref)
        .limit(limit)
    )
    return [_glance(row) for row in (await connection.execute(query)).mappings()]


def _glanced(*, longest_title: int | None = None) -> list[ColumnElement[Any]]:
    """What is seen of items at a glance, taken out by the database: descriptions may be long."""
    content = items.c.content
    title = content["title"].as_string()
    return [
        items.c.item_id,
        items.c.item_type,
        items.c.ends_at,
        items.c.version,
        items.c.imported_by,
        items.c.read_only_reason,
        (title if longest_title is None else func.substr(title, 1, longest_title)).label("title"),
        content["all_day"].as_boolean().label("all_day"),
        content["completed"].as_boolean().label("completed"),
        content["private"].as_boolean().label("private"),
        content["show_as"].as_string().label("show_as"),
        content["end"].as_string().label("end"),
    ]


def _day_item(row: RowMapping) -> DayItem:
    account, location = row["account_name"], row["location"]
    return DayItem(glance=_glance(row), account_name=account, location=location or "")


def _behind(after: PagePosition) -> ColumnElement[bool]:
    later = and_(items.c.starts_at == after.starts_at, items.c.ref > after.ref)
    return or_(items.c.starts_at > after.starts_at, later)


def _dated(wanted: Select[Any], tenant_id: str, user_id: str) -> Select[Any]:
    return (
        wanted.join(item_assignees, item_assignees.c.item_ref == items.c.ref)
        .where(item_assignees.c.tenant_id == tenant_id, item_assignees.c.user_id == user_id)
        .where(items.c.deleted.is_(False), items.c.starts_at.is_not(None))
    )


def _glance(row: RowMapping) -> MonthItem:
    """From what was checked when it was stored; checking a month of it again would take most of the time."""
    start, end = row["starts_at"], row["ends_at"] if row["end"] else None
    if row["all_day"]:
        start, end = start.date(), end.date() if end else None
    return MonthItem(
        id=row["item_id"],
        type=ItemType(row["item_type"]),
        title=row["title"] or "",
        all_day=bool(row["all_day"]),
        completed=bool(row["completed"]),
        start=start,
        end=end,
        read_only_reason=row["read_only_reason"],
        version=row["version"],
        imported_by=row["imported_by"],
        private=bool(row["private"]),
        free=row["show_as"] == "free",
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


WHOLE_ITEMS: RowShape[Item] = RowShape(
    [column for column in items.c if not column.name.startswith("message_")], item_of
)
"""All but the message that brought the item, which is as large as all the rest."""
DAY_ITEMS: RowShape[DayItem] = RowShape(
    [
        *_glanced(),
        *(items.c.content[name].as_string().label(name) for name in ("account_name", "location")),
    ],
    _day_item,
)

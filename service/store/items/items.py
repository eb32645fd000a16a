"""Items and their assignees: the rows behind My Calendar."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, IntegrationId, Item, ItemRef
from contracts.times import as_instant
from contracts.vorex import ItemContent, ItemType
from handlers.texts.compose import event_span
from service.store.engine.sets import among, among_given, given, put, put_over
from service.store.tables import item_assignees, items, links

MOST_BEGINNING = 1_000
MOST_AT_A_MOMENT = 20
"""So many of a person's items are held against the events of a page, or so many for each moment (R43)."""
_SHOWN = [column for column in items.c if not column.name.startswith("message_")]
"""All but the message that brought the item, which may be larger than all the rest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemCarrier:
    """The message that brought an item's newest version, kept whole for a dead letter."""

    source: str
    message_id: str
    body: bytes


def item_of(row: RowMapping) -> Item:
    """The item in a row of its table."""
    return Item(
        ref=ItemRef(row["ref"]),
        tenant_id=row["tenant_id"],
        type=ItemType(row["item_type"]),
        id=row["item_id"],
        version=row["version"],
        vorex_version=row["vorex_version"],
        sync_version=row["sync_version"],
        revision=row["revision"],
        deleted=row["deleted"],
        content=ItemContent.from_json_dict(row["content"]) if row["content"] else None,
        changed_at=row["changed_at"],
        changed_by=IntegrationId(row["changed_by"]) if row["changed_by"] else None,
        imported_by=IntegrationId(row["imported_by"]) if row["imported_by"] else None,
        read_only_reason=row["read_only_reason"],
    )


async def load(
    connection: AsyncConnection, refs: Iterable[str], *, lock: bool = False
) -> dict[ItemRef, Item]:
    """These items, tombstones included; locked in the order of their refs where asked."""
    rows = await connection.execute(_those(connection.dialect.name, lock), given(connection, refs=refs))
    return {row["ref"]: item_of(row) for row in rows.mappings()}


@cache
def _those(dialect: str, lock: bool) -> Select[Any]:
    wanted = select(*_SHOWN).where(among_given(dialect, items.c.ref, "refs")).order_by(items.c.ref)
    return wanted.with_for_update() if lock else wanted


async def known_among(connection: AsyncConnection, refs: Collection[ItemRef]) -> frozenset[ItemRef]:
    """Those of which there is an item, or was one."""
    rows = await connection.scalars(select(items.c.ref).where(among(connection, items.c.ref, refs)))
    return frozenset(ItemRef(ref) for ref in rows)


async def unlinked(
    connection: AsyncConnection, integration: Integration, starts: Iterable[datetime]
) -> Sequence[ItemRef]:
    """The person's living items that begin at one of these moments and have no link here (R29).

    Nothing is locked: whoever acts on them locks the items first and asks again. What begins then at the
    tenant is found first and who has it after, or a planner might go through all that the person has.
    """
    here = (
        exists()
        .where(links.c.item_ref == item_assignees.c.item_ref)
        .where(links.c.integration_id == integration.id, links.c.calendar_id == integration.calendar_id)
    )
    return await _beginning(connection, integration, starts, ~here)


async def of_person_at(
    connection: AsyncConnection, integration: Integration, starts: Iterable[datetime]
) -> Sequence[Item]:
    """The person's living items that begin at one of these moments, linked or not; nothing is locked."""
    refs = await _beginning(connection, integration, starts)
    return list((await load(connection, refs)).values()) if refs else []


async def _beginning(
    connection: AsyncConnection,
    integration: Integration,
    starts: Iterable[datetime],
    *which: ColumnElement[bool],
) -> Sequence[ItemRef]:
    """The first of the person's living items that begin then: more would only be loaded to no use."""
    moments = sorted(starts)
    beginning = await connection.scalars(
        select(items.c.ref)
        .where(items.c.tenant_id == integration.tenant_id)
        .where(items.c.starts_at.in_(moments), items.c.deleted.is_(False))
    )
    refs = beginning.all()
    if not refs:
        return []
    query = (
        select(item_assignees.c.item_ref)
        .where(among(connection, item_assignees.c.item_ref, refs))
        .where(item_assignees.c.user_id == integration.user_id, *which)
        .order_by(item_assignees.c.item_ref)
        .limit(max(MOST_BEGINNING, MOST_AT_A_MOMENT * len(moments)))
    )
    return [ItemRef(ref) for ref in await connection.scalars(query)]


async def save(
    connection: AsyncConnection,
    changed: Sequence[tuple[Item, ItemCarrier | None]],
    *,
    now: datetime,
) -> None:
    """Store these items as they now are, with their assignees; without a carrier the old one goes."""
    if not changed:
        return
    rows = [_row(item, carrier, now) for item, carrier in changed]
    await put_over(connection, items, "ref", rows)
    await _save_assignees(connection, [item for item, _ in changed])


async def add(
    connection: AsyncConnection, new: Sequence[tuple[Item, ItemCarrier | None]], *, now: datetime
) -> None:
    """Store items that were not there; raises IntegrityError where another process was first."""
    if not new:
        return
    ordered = sorted(new, key=lambda pair: pair[0].ref)
    await put(connection, items, [_row(item, carrier, now) for item, carrier in ordered])
    await _add_assignees(connection, [item for item, _ in ordered])


async def _save_assignees(connection: AsyncConnection, changed: Sequence[Item]) -> None:
    refs = [item.ref for item in changed]
    await connection.execute(delete(item_assignees).where(among(connection, item_assignees.c.item_ref, refs)))
    await _add_assignees(connection, changed)


async def _add_assignees(connection: AsyncConnection, changed: Sequence[Item]) -> None:
    """Of a deleted item those who had it: they may want it back (R50)."""
    rows = [
        {"item_ref": item.ref, "tenant_id": item.tenant_id, "user_id": user_id}
        for item in changed
        if item.content is not None
        for user_id in item.content.assignees
    ]
    await put(connection, item_assignees, rows)


def _row(item: Item, carrier: ItemCarrier | None, now: datetime) -> dict[str, Any]:
    times = event_span(item.content) if item.content else None
    return {
        "ref": item.ref,
        "tenant_id": item.tenant_id,
        "item_type": item.type.value,
        "item_id": item.id,
        "version": item.version,
        "vorex_version": item.vorex_version,
        "sync_version": item.sync_version,
        "revision": item.revision,
        "deleted": item.deleted,
        "content": item.content.to_json_dict() if item.content else None,
        "starts_at": as_instant(times[0]) if times else None,
        "ends_at": as_instant(times[1]) if times else None,
        "changed_at": item.changed_at,
        "changed_by": item.changed_by,
        "imported_by": item.imported_by,
        "read_only_reason": item.read_only_reason,
        "message_source": carrier.source if carrier else None,
        "message_id": carrier.message_id if carrier else None,
        "message_body": carrier.body if carrier else None,
        "stored_at": now,
    }

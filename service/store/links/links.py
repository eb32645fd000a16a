"""Links: the pairing of items and events."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import (
    Code,
    IntegrationId,
    ItemRef,
    Link,
    LinkId,
    LinkState,
    Origin,
    Written,
)
from contracts.event_fields import EventFields
from service.store.engine.sets import among
from service.store.tables import links


def link_of(row: RowMapping) -> Link:
    """The link in a row of its table."""
    return Link(
        id=LinkId(row["id"]),
        integration_id=IntegrationId(row["integration_id"]),
        item_ref=ItemRef(row["item_ref"]),
        calendar_id=row["calendar_id"],
        origin=Origin(row["origin"]),
        event_id=row["event_id"],
        event_uid=row["event_uid"],
        series_identifier=row["series_identifier"],
        state=LinkState(row["state"]),
        code=Code(row["code"]) if row["code"] else None,
        differs=row["differs"],
        desired_revision=row["desired_revision"],
        desired=EventFields.from_wire_dict(row["desired"]) if row["desired"] else None,
        applied_revision=row["applied_revision"],
        applied_hash=row["applied_hash"],
        exists_there=row["exists_there"],
        agreed=row["agreed"],
        last_read=row["last_read"],
        writes=_writes(row, overtaken=False),
        overtaken=_writes(row, overtaken=True),
        read_at=row["read_at"],
        accepted_at=row["accepted_at"],
        event_updated=row["event_updated"],
        may_update=row["may_update"],
        may_delete=row["may_delete"],
        let_go_print=row["let_go_print"],
        rewrites=tuple(row["rewrites"] or ()),
        claim_epoch=row["claim_epoch"],
        ended_at=row["ended_at"],
    )


def columns_of(link: Link) -> dict[str, Any]:
    """The columns that a link's value speaks of; claims and timers are not among them."""
    return {
        "calendar_id": link.calendar_id,
        "origin": link.origin.value,
        "event_id": link.event_id,
        "event_uid": link.event_uid,
        "series_identifier": link.series_identifier,
        "state": link.state.value,
        "code": link.code.value if link.code else None,
        "differs": link.differs,
        "desired_revision": link.desired_revision,
        "desired": link.desired.to_wire_dict() if link.desired else None,
        "applied_revision": link.applied_revision,
        "applied_hash": link.applied_hash,
        "exists_there": link.exists_there,
        "agreed": link.agreed,
        "last_read": link.last_read,
        "writes": stored_writes(link),
        "read_at": link.read_at,
        "accepted_at": link.accepted_at,
        "event_updated": link.event_updated,
        "may_update": link.may_update,
        "may_delete": link.may_delete,
        "let_go_print": link.let_go_print,
        "rewrites": list(link.rewrites),
        "ended_at": link.ended_at,
    }


def stored_writes(link: Link) -> list[dict[str, Any]]:
    """The writes of a link as they are stored, those that were overtaken first."""
    return [_entry(write) | {"overtaken": True} for write in link.overtaken] + [
        _entry(write) for write in link.writes
    ]


def _entry(write: Written) -> dict[str, Any]:
    entry = {"prints": write.prints, "sent_at": write.sent_at, "accepted_at": write.accepted_at}
    return entry if write.copies == 1 else entry | {"copies": write.copies}


def _writes(row: RowMapping, *, overtaken: bool) -> tuple[Written, ...]:
    return tuple(
        Written(
            prints=entry["prints"],
            sent_at=entry["sent_at"],
            accepted_at=entry["accepted_at"],
            copies=entry.get("copies", 1),
        )
        for entry in row["writes"] or ()
        if entry.get("overtaken", False) is overtaken
    )


async def of_items(connection: AsyncConnection, refs: Iterable[str], *, lock: bool = False) -> Sequence[Link]:
    """All links of these items, ended ones included; locked in the order of their ids where asked."""
    wanted = select(links).where(among(connection, links.c.item_ref, refs)).order_by(links.c.id)
    rows = await connection.execute(wanted.with_for_update() if lock else wanted)
    return [link_of(row) for row in rows.mappings()]


async def load(connection: AsyncConnection, ids: Iterable[str], *, lock: bool = False) -> dict[LinkId, Link]:
    """These links; locked in the order of their ids where asked."""
    wanted = select(links).where(among(connection, links.c.id, ids)).order_by(links.c.id)
    rows = await connection.execute(wanted.with_for_update() if lock else wanted)
    return {row["id"]: link_of(row) for row in rows.mappings()}


async def of_events(
    connection: AsyncConnection,
    integration_id: str,
    *,
    event_ids: Iterable[str],
    event_uids: Iterable[str],
) -> Sequence[Link]:
    """The links of one integration that speak of these events, by our event id or by event uid."""
    mine = select(links).where(links.c.integration_id == integration_id)
    rows: list[RowMapping] = []
    for column, values in ((links.c.event_id, [*event_ids]), (links.c.event_uid, [*event_uids])):
        if not values:
            continue
        result = await connection.execute(mine.where(among(connection, column, values)))
        rows.extend(result.mappings())
    found = {row["id"]: link_of(row) for row in rows}
    return list(found.values())


async def add(connection: AsyncConnection, new: Sequence[Link], *, now: datetime, touched_at: float) -> None:
    """Store new links."""
    if not new:
        return
    keys = ("id", "integration_id", "item_ref")
    rows = [
        {name: getattr(link, name) for name in keys}
        | columns_of(link)
        | {"created_at": now, "touched_at": touched_at}
        for link in new
    ]
    await connection.execute(insert(links), rows)


async def save(connection: AsyncConnection, changed: Sequence[Link], *, touched_at: float) -> None:
    """Store these links as they now are; their claims stay as they were."""
    if not changed:
        return
    rows = [
        {"key": link.id} | columns_of(link) | {"touched_at": touched_at}
        for link in sorted(changed, key=lambda link: link.id)
    ]
    names = [name for name in rows[0] if name != "key"]
    statement = (
        update(links).where(links.c.id == bindparam("key")).values({name: bindparam(name) for name in names})
    )
    await connection.execute(statement, rows)


async def release(connection: AsyncConnection, integration_id: str, *, limit: int | None = None) -> int:
    """What was held while nothing could be sent is behind from now on, and the first to be swept up (R20).

    Held deletions are not: they wait for a person's answer (R11). At most ``limit`` links; how many.
    """
    held = (
        links.c.integration_id == integration_id,
        links.c.state == LinkState.HELD,
        func.coalesce(links.c.code, "") != Code.HELD_DELETION,
    )
    some = select(links.c.id).where(*held).limit(limit)
    # said twice: PostgreSQL looks again at a row that it had to wait for, but not at what chose it
    query = select(links.c.id).where(links.c.id.in_(some), *held).order_by(links.c.id).with_for_update()
    chosen = list(await connection.scalars(query))
    if chosen:
        behind = update(links).where(among(connection, links.c.id, chosen))
        await connection.execute(behind.values(state=LinkState.BEHIND, touched_at=0.0))
    return len(chosen)

"""Links: the pairing of items and events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import (
    ASKING_CODES,
    NO_FORMS,
    CalendarForms,
    Code,
    Integration,
    IntegrationId,
    ItemRef,
    Link,
    LinkId,
    LinkState,
    Origin,
    ShownText,
    Written,
)
from contracts.event_fields import EventFields
from service.store.engine.sets import among
from service.store.tables import links


def link_of(row: Mapping[Any, Any]) -> Link:
    """The link in a row of its table, or in what ``columns_of`` made of one."""
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
        forms=_forms(row["forms"]),
        read_at=row["read_at"],
        accepted_at=row["accepted_at"],
        event_updated=row["event_updated"],
        may_update=row["may_update"],
        may_delete=row["may_delete"],
        guests=row["guests"],
        online=row["online"],
        join_url=row["join_url"],
        former_uid=row["former_uid"],
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
        "forms": _stored_forms(link.forms),
        "read_at": link.read_at,
        "accepted_at": link.accepted_at,
        "event_updated": link.event_updated,
        "may_update": link.may_update,
        "may_delete": link.may_delete,
        "guests": link.guests,
        "online": link.online,
        "join_url": link.join_url,
        "former_uid": link.former_uid,
        "let_go_print": link.let_go_print,
        "rewrites": list(link.rewrites),
        "ended_at": link.ended_at,
    }


def _stored_forms(forms: CalendarForms) -> dict[str, Any] | None:
    """What is otherwise than it is at first; None for nothing at all."""
    stored = {name: value for name, value in asdict(forms).items() if value != getattr(NO_FORMS, name)}
    return stored or None


def _forms(stored: Mapping[str, Any] | None) -> CalendarForms:
    if not stored:
        return NO_FORMS
    parts = dict(stored)
    texts = {name: ShownText(**shown) for name, shown in parts.pop("texts", {}).items()}
    accounts = tuple(parts.pop("accounts", ()))
    references = tuple((label, url) for label, url in parts.pop("references", ()))
    return CalendarForms(texts=texts, accounts=accounts, references=references, **parts)


def stored_writes(link: Link) -> list[dict[str, Any]]:
    """The writes of a link as they are stored, those that were overtaken first."""
    return [_entry(write) | {"overtaken": True} for write in link.overtaken] + [
        _entry(write) for write in link.writes
    ]


def _entry(write: Written) -> dict[str, Any]:
    entry = {"prints": write.prints, "sent_at": write.sent_at, "accepted_at": write.accepted_at}
    return entry if write.copies == 1 else entry | {"copies": write.copies}


def _writes(row: Mapping[Any, Any], *, overtaken: bool) -> tuple[Written, ...]:
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


async def former_among(
    connection: AsyncConnection, integration_id: str, uids: Iterable[str]
) -> dict[str, Link]:
    """By those of these events in whose place another one stands, the link that knows the other one."""
    wanted = {*uids}
    if not wanted:
        return {}
    result = await connection.execute(
        select(links)
        .where(links.c.integration_id == integration_id, links.c.former_uid.is_not(None))
        .where(among(connection, links.c.former_uid, wanted))
    )
    return {row["former_uid"]: link_of(row) for row in result.mappings()}


async def own_series_among(
    connection: AsyncConnection, integration_id: str, series: Iterable[str]
) -> frozenset[str]:
    """Which of these series a copy of ours was made into by its owner (R39)."""
    wanted = {*series}
    if not wanted:
        return frozenset()
    rows = await connection.scalars(
        select(links.c.series_identifier)
        .where(links.c.integration_id == integration_id, links.c.series_identifier.is_not(None))
        .where(links.c.origin == Origin.OURS)
        .where(among(connection, links.c.series_identifier, wanted))
    )
    return frozenset(each for each in rows if each is not None)


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

    What a person is asked about is not (R11, R52). At most ``limit`` links; how many.
    """
    held = (
        links.c.integration_id == integration_id,
        links.c.state == LinkState.HELD,
        func.coalesce(links.c.code, "").not_in(ASKING_CODES),
    )
    some = select(links.c.id).where(*held).limit(limit)
    # said twice: PostgreSQL looks again at a row that it had to wait for, but not at what chose it
    query = select(links.c.id).where(links.c.id.in_(some), *held).order_by(links.c.id).with_for_update()
    chosen = list(await connection.scalars(query))
    if chosen:
        behind = update(links).where(among(connection, links.c.id, chosen))
        await connection.execute(behind.values(state=LinkState.BEHIND, touched_at=0.0))
    return len(chosen)


async def reconsider(connection: AsyncConnection, integration: Integration) -> None:
    """What could not be changed on this calendar is *held* until the comparison that may change it (R34)."""
    frozen = (
        links.c.integration_id == integration.id,
        links.c.calendar_id == integration.calendar_id,
        links.c.ended_at.is_(None),
        links.c.state == LinkState.FROZEN,
        links.c.code == Code.NOT_POSSIBLE,
    )
    query = select(links.c.id).where(*frozen).order_by(links.c.id).with_for_update()
    chosen = list(await connection.scalars(query))
    if chosen:
        held = {"state": LinkState.HELD, "code": None}
        await connection.execute(update(links).where(among(connection, links.c.id, chosen)).values(held))

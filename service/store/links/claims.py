"""The outbound engine's rows: links with their claims, in sets and locked in order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import (
    Integration,
    IntegrationId,
    Item,
    Link,
    LinkId,
    LinkState,
    Status,
)
from service.store.engine.sets import among, among_given, change, given, in_turn, put
from service.store.integrations.integrations import integration_of
from service.store.items.items import ItemCarrier
from service.store.links.links import columns_of, link_of, stored_writes
from service.store.tables import integrations, items, links

CLAIM_SECONDS = 30.0
LEAST_CLAIM_SECONDS = 15.0
UNTOUCHED_SECONDS = 120.0
"""Seconds after which a link that is behind and that nobody holds is looked after again."""
_UNFINISHED = (LinkState.BEHIND.value, LinkState.RETRYING.value)
_LITERALLY_UNFINISHED = text("state IN ('behind', 'retrying')")
"""In the very words of the partial index, which a bound parameter would not match."""


@dataclass(kw_only=True, slots=True)
class StoredLink:
    """A link's row: its value, and the claim and timers beside it."""

    link: Link
    claimed_by: str | None = None
    claim_epoch: int = 0
    claimed_until: float | None = None
    retry_at: float | None = None
    verify_at: float | None = None
    attempts: int = 0
    writer: str | None = None
    run_id: str | None = None
    """The run that asked for the next write (R27)."""

    def held_by_other(self, me: str, now: float) -> bool:
        return self.claimed_by not in {None, me} and (self.claimed_until or 0.0) > now

    def claim(self, me: str, now: float) -> bool:
        """Take the claim; whether another's had to expire for it, whose request may still be in the air."""
        if self.claimed_by == me:
            self.claimed_until = now + CLAIM_SECONDS
            return False
        taken_over = self.claimed_by is not None
        self.claimed_by, self.claimed_until = me, now + CLAIM_SECONDS
        self.claim_epoch += 1
        return taken_over

    def release(self) -> None:
        self.claimed_by, self.claimed_until = None, None


def _stored(row: RowMapping) -> StoredLink:
    return StoredLink(
        link=link_of(row),
        claimed_by=row["claimed_by"],
        claim_epoch=row["claim_epoch"],
        claimed_until=row["claimed_until"],
        retry_at=row["retry_at"],
        verify_at=row["verify_at"],
        attempts=row["attempts"],
        writer=row["writer"],
        run_id=row["run_id"],
    )


async def targets(
    connection: AsyncConnection, wanted: Collection[Item], old: Iterable[str], *, lock: bool = True
) -> list[Integration]:
    """The integrations of these items' assignees and those with a link to one of the ``old`` items.

    Set-up and deleted ones are left out; where locked, the rows are kept from changing until the commit.
    """
    tenants = {item.tenant_id for item in wanted}
    users = {user for item in wanted for user in item.assignees}
    rows = await connection.execute(
        _targets(connection.dialect.name, lock), given(connection, tenants=tenants, users=users, old=old)
    )
    return [integration_of(row) for row in rows.mappings()]


@cache
def _targets(dialect: str, lock: bool) -> Select[Any]:
    owned = (
        select(integrations.c.id)
        .where(among_given(dialect, integrations.c.tenant_id, "tenants"))
        .where(among_given(dialect, integrations.c.user_id, "users"))
    )
    linked = select(links.c.integration_id).where(
        among_given(dialect, links.c.item_ref, "old"), links.c.ended_at.is_(None)
    )
    query = (
        select(integrations)
        .where(integrations.c.id.in_(union(owned, linked)))
        .where(integrations.c.deleted_at.is_(None), integrations.c.status != Status.SETUP.value)
        .order_by(integrations.c.id)
    )
    return query.with_for_update(read=True) if lock else query


async def of_items(connection: AsyncConnection, refs: Collection[str]) -> list[StoredLink]:
    """All links of these items, locked in the order of their ids."""
    return await _locked(connection, links.c.item_ref, refs)


async def of_ids(connection: AsyncConnection, ids: Collection[str]) -> dict[LinkId, StoredLink]:
    """These links, locked in the order of their ids."""
    return {stored.link.id: stored for stored in await _locked(connection, links.c.id, ids)}


async def _locked(
    connection: AsyncConnection, column: ColumnElement[str], values: Collection[str]
) -> list[StoredLink]:
    if not values:
        return []
    query = _locking(connection.dialect.name, column)
    rows = await connection.execute(query, given(connection, values=values))
    return [_stored(row) for row in rows.mappings()]


@cache
def _locking(dialect: str, column: ColumnElement[str]) -> Select[Any]:
    those = among_given(dialect, column, "values")
    return select(links).where(those).order_by(links.c.id).with_for_update()


async def add_links(
    connection: AsyncConnection, new: Sequence[StoredLink], *, now: datetime, touched_at: float
) -> None:
    if new:
        shared = {"created_at": now, "touched_at": touched_at}
        rows = [_identity(stored.link) | _columns(stored) | shared for stored in new]
        await put(connection, links, rows)


def _identity(link: Link) -> dict[str, Any]:
    return {"id": link.id, "integration_id": link.integration_id, "item_ref": link.item_ref}


def _columns(stored: StoredLink) -> dict[str, Any]:
    return columns_of(stored.link) | {
        "claimed_by": stored.claimed_by,
        "claim_epoch": stored.claim_epoch,
        "claimed_until": stored.claimed_until,
        "retry_at": stored.retry_at,
        "verify_at": stored.verify_at,
        "attempts": stored.attempts,
        "writer": stored.writer,
        "run_id": stored.run_id,
    }


async def save_links(
    connection: AsyncConnection, changed: Sequence[StoredLink], *, touched_at: float
) -> None:
    """Store these links with their claims and timers; their rows are locked by the caller."""
    await _set(connection, [(stored.link.id, _columns(stored)) for stored in changed], touched_at)


async def save_landed(
    connection: AsyncConnection, landed: Sequence[StoredLink], *, touched_at: float
) -> None:
    """Store what an answer changes of these links; what they should be is left alone."""
    rows = [(stored.link.id, _landed_columns(stored)) for stored in landed]
    await _set(connection, rows, touched_at)


def _landed_columns(stored: StoredLink) -> dict[str, Any]:
    link = stored.link
    return {
        "state": link.state.value,
        "code": link.code.value if link.code else None,
        "differs": link.differs,
        "applied_revision": link.applied_revision,
        "applied_hash": link.applied_hash,
        "exists_there": link.exists_there,
        "writes": stored_writes(link),
        "accepted_at": link.accepted_at,
        "claimed_by": stored.claimed_by,
        "claimed_until": stored.claimed_until,
        "retry_at": stored.retry_at,
        "verify_at": stored.verify_at,
        "attempts": stored.attempts,
        "writer": stored.writer,
        "run_id": stored.run_id if link.state.value in _UNFINISHED else None,
    }


async def _set(
    connection: AsyncConnection, rows: Sequence[tuple[LinkId, Mapping[str, Any]]], touched_at: float
) -> None:
    new = [{"id": key, **columns, "touched_at": touched_at} for key, columns in rows]
    await change(connection, links, "id", new)


async def renew(connection: AsyncConnection, ids: Collection[str], *, me: str, now: float) -> None:
    """Hold these claims for another while, those of them that are still ours."""
    await connection.execute(
        update(links)
        .where(links.c.id.in_(_in_order(connection, ids, me)))
        .values(claimed_until=now + CLAIM_SECONDS)
    )


async def release(connection: AsyncConnection, ids: Collection[str], *, me: str) -> None:
    """Give these links back, those of them that are still ours."""
    await connection.execute(
        update(links)
        .where(links.c.id.in_(_in_order(connection, ids, me)))
        .values(claimed_by=None, claimed_until=None)
    )


def _in_order(connection: AsyncConnection, ids: Collection[str], me: str) -> Any:
    """Locks rows in the order of their ids, as everybody does."""
    held = among(connection, links.c.id, ids), links.c.claimed_by == me
    return select(links.c.id).where(*held).order_by(links.c.id).with_for_update()


async def claim_states(
    connection: AsyncConnection, ids: Collection[str], *, me: str, now: float
) -> tuple[dict[LinkId, tuple[LinkState, int]], list[LinkId]]:
    """Of links that another process holds: how each stands, and which can be had now."""
    rows = await connection.execute(
        select(links.c.id, links.c.state, links.c.applied_revision, links.c.claimed_by, links.c.claimed_until)
        .where(among(connection, links.c.id, ids))
        .order_by(links.c.id)
    )
    known = rows.all()
    free = [
        LinkId(row.id)
        for row in known
        if row.state in _UNFINISHED and (row.claimed_by in {None, me} or (row.claimed_until or 0.0) <= now)
    ]
    return {LinkId(row.id): (LinkState(row.state), row.applied_revision) for row in known}, free


async def backlog(
    connection: AsyncConnection, integration_id: IntegrationId, *, now: float, limit: int
) -> list[LinkId]:
    """The links of one integration that are behind and that nobody holds, oldest first."""
    rows = await connection.scalars(
        select(links.c.id)
        .where(links.c.integration_id == integration_id, _LITERALLY_UNFINISHED)
        .where(or_(links.c.retry_at.is_(None), links.c.retry_at <= now), _free(now))
        .order_by(links.c.touched_at)
        .limit(limit)
    )
    return [LinkId(each) for each in rows]


async def neglected(connection: AsyncConnection, *, now: float, limit: int) -> list[LinkId]:
    """Links of sending integrations that nobody holds: behind and untouched, or due again.

    Where they are more than may be taken, tenants take turns, each with its oldest first (R44).
    """
    left = and_(links.c.retry_at.is_(None), links.c.touched_at < now - UNTOUCHED_SECONDS)
    overdue = or_(left, links.c.retry_at <= now)
    unfinished = await _due(connection, and_(_LITERALLY_UNFINISHED, overdue), now=now, limit=limit)
    # one that is in any other state is written, or not, for another reason
    agreed = links.c.state == LinkState.AGREED.value
    doubtful = and_(links.c.verify_at.is_not(None), links.c.verify_at <= now, agreed)
    verified = await _due(connection, doubtful, now=now, limit=limit)
    return [*dict.fromkeys([*unfinished, *verified])]


async def _due(
    connection: AsyncConnection, condition: ColumnElement[bool], *, now: float, limit: int
) -> list[LinkId]:
    oldest = links.c.touched_at, links.c.id
    rows = await connection.scalars(
        select(links.c.id)
        .join(integrations, integrations.c.id == links.c.integration_id)
        .where(condition, _free(now), links.c.ended_at.is_(None))
        .where(or_(integrations.c.removing, and_(integrations.c.active, integrations.c.deleted_at.is_(None))))
        .where(integrations.c.status == Status.CONNECTED.value, integrations.c.baseline_at.is_not(None))
        .order_by(in_turn(integrations.c.tenant_id, *oldest), *oldest)
        .limit(limit)
    )
    return [LinkId(each) for each in rows]


def _free(now: float) -> ColumnElement[bool]:
    return or_(links.c.claimed_by.is_(None), func.coalesce(links.c.claimed_until, 0.0) <= now)


async def carriers(connection: AsyncConnection, refs: Iterable[str]) -> dict[str, ItemCarrier]:
    """The messages that brought these items' newest versions."""
    rows = await connection.execute(
        select(items.c.ref, items.c.message_source, items.c.message_id, items.c.message_body).where(
            among(connection, items.c.ref, refs), items.c.message_id.is_not(None)
        )
    )
    return {
        row.ref: ItemCarrier(source=row.message_source, message_id=row.message_id, body=row.message_body)
        for row in rows
    }

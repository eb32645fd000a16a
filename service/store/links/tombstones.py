"""What is left of deleted integrations: the pairs they knew, for ninety days (R21)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, ItemRef, LinkId, LinkState, Origin
from handlers.relink import Tombstone
from service.store.engine.sets import among
from service.store.items.items import load as load_items
from service.store.links.links import load as load_links
from service.store.runs.runs import UNFINISHED_STATES
from service.store.tables import credentials, deletions, integrations, links, prior_events, runs

REMOVAL_ARRIVAL_SECONDS = 10.0
"""Seconds within which an accepted write usually stands on the calendar: 202 does not say so."""
WAITING_STATES = (LinkState.BEHIND.value, LinkState.RETRYING.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class TombstoneKey:
    """A tombstone's key, and whether it stood for the very calendar that is linked now."""

    link_id: LinkId
    item_ref: ItemRef
    same_calendar: bool


async def of_person(connection: AsyncConnection, integration: Integration) -> Sequence[TombstoneKey]:
    """The tombstones of this integration's owner, the newest first; of one deletion, those it linked last."""
    linked_last = links.c.calendar_id == integrations.c.calendar_id
    same = and_(_same_calendar(integration), linked_last)
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref, same.label("same"))
        .join(integrations, integrations.c.id == links.c.integration_id)
        .where(_of_owner(integration), links.c.ended_at.is_not(None))
        .order_by(links.c.ended_at.desc(), case((linked_last, 1), else_=0).desc(), links.c.id.desc())
    )
    return [
        TombstoneKey(link_id=LinkId(row.id), item_ref=ItemRef(row.item_ref), same_calendar=bool(row.same))
        for row in rows
    ]


def newest(traces: Sequence[TombstoneKey]) -> dict[ItemRef, TombstoneKey]:
    """The newest pair of each item."""
    found: dict[ItemRef, TombstoneKey] = {}
    for trace in traces:
        found.setdefault(trace.item_ref, trace)
    return found


async def known(connection: AsyncConnection, traces: Sequence[TombstoneKey]) -> list[Tombstone]:
    """The newest pair of each of these items that still has a content."""
    last = newest(traces)
    pairs = await load_links(connection, [trace.link_id for trace in last.values()])
    stored = await load_items(connection, last)
    return [
        Tombstone(link=pairs[trace.link_id], item=item, same_calendar=trace.same_calendar)
        for ref, trace in last.items()
        if trace.link_id in pairs and (item := stored.get(ref)) is not None and item.content is not None
    ]


async def leaving(connection: AsyncConnection, integration: Integration) -> bool:
    """Whether an integration of the same calendar, deleted by its owner, still has copies to be removed."""
    found = await connection.scalar(
        select(integrations.c.id)
        .where(_of_owner(integration), _same_calendar(integration), integrations.c.deleted_at.is_not(None))
        .where(integrations.c.erased_at.is_(None))
        .limit(1)
    )
    return found is not None


def _of_owner(integration: Integration) -> ColumnElement[bool]:
    return and_(
        integrations.c.tenant_id == integration.tenant_id,
        integrations.c.user_id == integration.user_id,
        integrations.c.id != integration.id,
    )


def _same_calendar(integration: Integration) -> ColumnElement[bool]:
    """By its name, as R1 tells calendars apart: Cronofy's ids change when an account is linked again."""
    return and_(
        integrations.c.provider_name == integration.provider_name,
        integrations.c.profile_name == integration.profile_name,
        integrations.c.calendar_name == integration.calendar_name,
    )


async def in_flight(
    connection: AsyncConnection, integration_id: str, *, now: float, arriving: bool = True
) -> bool:
    """Whether somebody may be writing a link, or, ``arriving``, what was accepted may not stand there yet."""
    held = and_(links.c.claimed_by.is_not(None), links.c.claimed_until > now)
    busy = or_(held, links.c.accepted_at > now - REMOVAL_ARRIVAL_SECONDS) if arriving else held
    found = await connection.scalar(
        select(links.c.id).where(links.c.integration_id == integration_id, busy).limit(1)
    )
    return found is not None


async def bury_links(
    connection: AsyncConnection,
    integration: Integration,
    *,
    but_copies: bool,
    now: datetime,
    limit: int = 1000,
) -> int:
    """Make tombstones of the next links of the integration, at most ``limit``; how many.

    ``but_copies`` leaves those that are to be removed.
    """
    which = [links.c.integration_id == integration.id, links.c.ended_at.is_(None)]
    if but_copies:
        which.append(~copies_there(integration))
    query = select(links.c.id).where(*which).order_by(links.c.id).limit(limit).with_for_update()
    chosen = list(await connection.scalars(query))
    still = case((links.c.state.in_(WAITING_STATES), LinkState.HELD.value), else_=links.c.state)
    values = {"ended_at": now, "state": still, "retry_at": None, "verify_at": None}
    await connection.execute(update(links).where(among(connection, links.c.id, chosen)).values(values))
    await connection.execute(delete(deletions).where(among(connection, deletions.c.link_id, chosen)))
    return len(chosen)


async def forget_prior(connection: AsyncConnection, integration_id: str, *, limit: int) -> int:
    """What was on the calendar before Finish matters no more; at most ``limit`` events, how many."""
    key = prior_events.c.calendar_id, prior_events.c.event_key
    mine = prior_events.c.integration_id == integration_id
    chosen = (await connection.execute(select(*key).where(mine).limit(limit))).all()
    await connection.execute(
        delete(prior_events).where(mine, tuple_(*key).in_([tuple(row) for row in chosen]))
    )
    return len(chosen)


def copies_there(integration: Integration) -> ColumnElement[bool]:
    """What this sync added to the linked calendar, or may have added with an answer that never came."""
    return copies_on(integration.calendar_id)


def copies_on(calendar_id: str | None) -> ColumnElement[bool]:
    """The same of any calendar."""
    unsure = (*WAITING_STATES, LinkState.FAILED.value)
    return and_(
        links.c.origin == Origin.OURS.value,
        links.c.calendar_id == calendar_id,
        or_(links.c.exists_there, links.c.state.in_(unsure)),
    )


async def want_removed(
    connection: AsyncConnection, integration_id: str, *, after: str, limit: int, now: float
) -> tuple[Sequence[str], Sequence[str]]:
    """Wish the next copies away; their ids, and those of them whose last write may yet arrive after this."""
    which = (links.c.integration_id == integration_id, links.c.ended_at.is_(None), links.c.id > after)
    query = select(links.c.id, links.c.accepted_at).where(*which).order_by(links.c.id).limit(limit)
    chosen = (await connection.execute(query.with_for_update())).all()
    ids = [row.id for row in chosen]
    await want_gone(connection, ids)
    arrived = now - REMOVAL_ARRIVAL_SECONDS
    return ids, [row.id for row in chosen if (row.accepted_at or 0.0) > arrived]


async def want_gone(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """Have these removed, once more if they were. A revision of its own tells it from writes on their way."""
    above = case(
        (links.c.desired_revision > links.c.applied_revision, links.c.desired_revision),
        else_=links.c.applied_revision,
    )
    values = {
        "desired": None,
        "desired_revision": above + 1,
        "state": LinkState.BEHIND.value,
        "code": None,
        "retry_at": None,
        "verify_at": None,
        "attempts": 0,
        "touched_at": 0.0,
    }
    await connection.execute(update(links).where(among(connection, links.c.id, ids)).values(values))


async def unremoved(connection: AsyncConnection, integration_id: str) -> bool:
    """Whether a copy still waits to be removed."""
    found = await connection.scalar(
        select(links.c.id)
        .where(links.c.integration_id == integration_id, links.c.ended_at.is_(None))
        .where(links.c.state.in_(WAITING_STATES))
        .limit(1)
    )
    return found is not None


async def count_copies(connection: AsyncConnection, integration: Integration) -> int:
    """How many copies *remove* would remove; shown before the question (R21)."""
    query = select(func.count()).where(
        links.c.integration_id == integration.id, links.c.ended_at.is_(None), copies_there(integration)
    )
    return await connection.scalar(query) or 0


async def count_left(connection: AsyncConnection, integration_id: str) -> int:
    """How many copies of a deleted integration are still there, or may be (R54)."""
    mine = links.c.integration_id == integration_id, links.c.origin == Origin.OURS.value
    return await connection.scalar(select(func.count()).where(*mine, links.c.exists_there)) or 0


async def lock_account(connection: AsyncConnection, sub: str) -> Sequence[Any]:
    """All integrations of a Cronofy account, kept from changing; who leaves last decides alone."""
    rows = await connection.execute(
        select(integrations).where(integrations.c.sub == sub).order_by(integrations.c.id).with_for_update()
    )
    return rows.all()


async def deleting(connection: AsyncConnection, sub: str) -> set[str]:
    """Integrations of that account whose deletion has not ended."""
    rows = await connection.scalars(
        select(runs.c.integration_id)
        .join(integrations, integrations.c.id == runs.c.integration_id)
        .where(integrations.c.sub == sub, runs.c.kind == "delete", runs.c.state.in_(UNFINISHED_STATES))
    )
    return set(rows)


async def erase_tokens(connection: AsyncConnection, sub: str) -> None:
    await connection.execute(delete(credentials).where(credentials.c.sub == sub))


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete tombstones older than that, at most ``limit`` of them; how many."""
    old = select(links.c.id).where(links.c.ended_at < before).order_by(links.c.ended_at).limit(limit)
    keys = list(await connection.scalars(old))
    await connection.execute(delete(deletions).where(deletions.c.link_id.in_(keys)))
    await connection.execute(delete(links).where(links.c.id.in_(keys)))
    return len(keys)

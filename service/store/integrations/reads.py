"""What the reader of linked calendars asks of the store: whose turn it is, and what is remembered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, ItemRef, LinkState, Origin, Status
from contracts.event_fields import EventFields
from contracts.times import ONE_DAY
from service.store.engine import leases
from service.store.engine.leases import LeaseColumns
from service.store.engine.sets import among, in_turn
from service.store.engine.upserts import merging_insert
from service.store.integrations.at_work import at_work
from service.store.tables import (
    deletions,
    integration_state,
    integrations,
    items,
    links,
    prior_events,
    runs,
)

READ_LEASE_SECONDS = 60.0
"""Seconds for which a reader that has stopped speaking keeps others out."""

state = integration_state
READ_LEASES = LeaseColumns(key=state.c.integration_id, epoch=state.c.read_epoch, until=state.c.read_until)
"""A read is leased in the row that says what it is for, and that each of its pages locks anyway."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTurn:
    """The right to read one calendar, as long as its epoch stands."""

    integration_id: str
    epoch: int
    since: datetime | None
    """The oldest change to read for; None: nothing was noticed."""
    began_at: float
    known_until: datetime | None = None
    """When the last complete reading ended (R36)."""


async def hold_turns(connection: AsyncConnection, integration_id: str) -> None:
    """Nobody begins to read this calendar before the commit: what is noticed now is for the next one."""
    mine = state.c.integration_id == integration_id
    await connection.execute(select(state.c.read_epoch).where(mine).with_for_update())


async def notice(
    connection: AsyncConnection, integration_id: str, since: datetime, *, now: float, heard: bool = False
) -> bool:
    """Remember that there may be changes since then; ``heard``: because a notice of Cronofy's said so.

    Whether something was remembered already that no read has begun for: the same read serves both.
    """
    row = (
        await connection.execute(
            select(state.c.noticed_since).where(state.c.integration_id == integration_id).with_for_update()
        )
    ).one_or_none()
    if row is None:
        return False
    oldest = since if row.noticed_since is None else min(since, row.noticed_since)
    await connection.execute(
        update(state)
        .where(state.c.integration_id == integration_id)
        .values(noticed_since=oldest, noticed_at=now, **({"heard_at": now} if heard else {}))
    )
    return row.noticed_since is not None


async def hear(connection: AsyncConnection, integration_id: str, *, now: float) -> None:
    """Remember that Cronofy sent a notice, whatever it said."""
    mine = state.c.integration_id == integration_id
    await connection.execute(update(state).where(mine).values(heard_at=now))


async def last_checked(connection: AsyncConnection, integration_id: str) -> datetime | None:
    """When a read of the calendar last ended well."""
    query = select(state.c.last_checked_at).where(state.c.integration_id == integration_id)
    return await connection.scalar(query)


async def last_began(connection: AsyncConnection, integration_id: str) -> float:
    """When the last read that ended well had begun; 0 before the first."""
    query = select(state.c.read_began_at).where(state.c.integration_id == integration_id)
    return await connection.scalar(query) or 0.0


async def covered(connection: AsyncConnection, integration_id: str, at: float) -> bool:
    """Whether a read that began at or after this moment has ended well."""
    return await last_began(connection, integration_id) >= at


async def take_turn(connection: AsyncConnection, integration_id: str, *, now: float) -> ReadTurn | None:
    """Begin a read under a new epoch; None while another reader is at it."""
    query = select(state).where(state.c.integration_id == integration_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    known = [since for since in (row.noticed_since, row.reading_since) if since is not None]
    since = min(known) if known else None
    epoch = await leases.take(
        connection,
        READ_LEASES,
        integration_id,
        epoch=row.read_epoch,
        seconds=READ_LEASE_SECONDS,
        now=now,
        reading_since=since,
        noticed_since=None,
        noticed_at=None,
    )
    if epoch is None:
        return None
    return ReadTurn(
        integration_id=integration_id, epoch=epoch, since=since, began_at=now, known_until=row.full_read_at
    )


async def keep_turn(connection: AsyncConnection, turn: ReadTurn, *, now: float) -> bool:
    """Whether the turn still stands; if so it is prolonged."""
    return await _set(connection, turn, read_until=now + READ_LEASE_SECONDS)


async def end_turn(connection: AsyncConnection, turn: ReadTurn, *, at: datetime) -> bool:
    """Note the read as ended well; whether the turn still stood."""
    return await _set(
        connection, turn, read_until=None, reading_since=None, read_began_at=turn.began_at, last_checked_at=at
    )


async def give_up_turn(connection: AsyncConnection, turn: ReadTurn) -> None:
    """Let others read; what was noticed stays noticed."""
    await _set(connection, turn, read_until=None)


async def _set(connection: AsyncConnection, turn: ReadTurn, **values: object) -> bool:
    return await leases.write(connection, READ_LEASES, turn.integration_id, epoch=turn.epoch, **values)


async def unread(connection: AsyncConnection, *, now: float, limit: int = 100) -> Mapping[str, str]:
    """Integrations that sync and have a notice nobody reads, with their tenants, who take turns (R44)."""
    oldest = state.c.noticed_at.nulls_first(), state.c.integration_id
    rows = await connection.execute(
        select(state.c.integration_id, integrations.c.tenant_id)
        .join(integrations, integrations.c.id == state.c.integration_id)
        .where(at_work(), integrations.c.status == Status.CONNECTED)
        .where(integrations.c.deleted_at.is_(None), integrations.c.baseline_at.is_not(None))
        .where(or_(state.c.noticed_since.is_not(None), state.c.reading_since.is_not(None)))
        .where(READ_LEASES.free(now))
        .order_by(in_turn(integrations.c.tenant_id, *oldest), *oldest)
        .limit(limit)
    )
    return {row.integration_id: row.tenant_id for row in rows}


async def prior_among(
    connection: AsyncConnection, integration: Integration, keys: Iterable[str]
) -> frozenset[str]:
    """Which of these events real-time sync does not bring (R33)."""
    rows = await connection.scalars(
        select(prior_events.c.event_key)
        .where(prior_events.c.integration_id == integration.id)
        .where(prior_events.c.calendar_id == integration.calendar_id)
        .where(among(connection, prior_events.c.event_key, keys))
    )
    return frozenset(rows)


async def has_prior(connection: AsyncConnection, integration: Integration) -> bool:
    """Whether there is any event on the calendar that real-time sync does not bring."""
    mine = (
        prior_events.c.integration_id == integration.id,
        prior_events.c.calendar_id == integration.calendar_id,
    )
    return await connection.scalar(select(prior_events.c.event_key).where(*mine).limit(1)) is not None


async def add_prior(connection: AsyncConnection, integration: Integration, keys: Iterable[str]) -> None:
    """Remember these events as not to be brought."""
    rows = [
        {"integration_id": integration.id, "calendar_id": integration.calendar_id, "event_key": key}
        for key in sorted(set(keys))
    ]
    if rows:
        await connection.execute(merging_insert(connection, prior_events).on_conflict_do_nothing(), rows)


async def forget_prior(connection: AsyncConnection, integration: Integration, keys: Iterable[str]) -> None:
    """These are events like any others again."""
    mine = (
        prior_events.c.integration_id == integration.id,
        prior_events.c.calendar_id == integration.calendar_id,
    )
    these = among(connection, prior_events.c.event_key, keys)
    await connection.execute(delete(prior_events).where(*mine, these))


async def copies_of_others(
    connection: AsyncConnection,
    integration: Integration,
    starts: Iterable[datetime],
    *,
    most: int,
) -> Sequence[EventFields]:
    """What other people's syncs keep at these moments on the very same calendar (R1).

    The oldest of so many at most: what is not compared is imported, as it is where nobody shares (R43).
    """
    others = await connection.scalars(
        select(integrations.c.id)
        .where(integrations.c.provider_name == integration.provider_name)
        .where(integrations.c.profile_name == integration.profile_name)
        .where(integrations.c.calendar_name == integration.calendar_name)
        .where(integrations.c.tenant_id == integration.tenant_id)
        .where(integrations.c.user_id != integration.user_id)
        .where(integrations.c.deleted_at.is_(None))
    )
    theirs = others.all()
    if not theirs:
        return []
    rows = await connection.scalars(
        select(links.c.desired)
        .join(items, items.c.ref == links.c.item_ref)
        .where(items.c.tenant_id == integration.tenant_id, items.c.starts_at.in_(sorted(starts)))
        .where(among(connection, links.c.integration_id, theirs))
        .where(links.c.origin == Origin.OURS, links.c.ended_at.is_(None))
        .order_by(links.c.id)
        .limit(most)
    )
    return [EventFields.from_wire_dict(row) for row in rows if row]


async def pairs(connection: AsyncConnection, integration_id: str) -> int:
    """How many events of the calendar that is linked are kept alike: none that was left behind on another."""
    here = select(integrations.c.calendar_id).where(integrations.c.id == integration_id).scalar_subquery()
    count = await connection.scalar(
        select(func.count())
        .select_from(links)
        .where(links.c.integration_id == integration_id, links.c.exists_there, links.c.ended_at.is_(None))
        .where(links.c.calendar_id == here, links.c.state != LinkState.LET_GO)
    )
    return count or 0


async def recent_deletions(connection: AsyncConnection, integration_id: str, *, now: datetime) -> int:
    """Deletions of the last 24 hours, carried out or held; a series is one (R11, R39)."""
    one = func.coalesce(links.c.series_identifier, deletions.c.link_id)
    count = await connection.scalar(
        select(func.count(one.distinct()))
        .select_from(deletions.join(links, links.c.id == deletions.c.link_id))
        .where(deletions.c.integration_id == integration_id, deletions.c.noticed_at > now - ONE_DAY)
    )
    return count or 0


async def note_deletions(
    connection: AsyncConnection, integration_id: str, link_ids: Sequence[str], *, held: bool, now: datetime
) -> None:
    """Count these deletions; held ones wait for an answer."""
    if not link_ids:
        return
    statement = merging_insert(connection, deletions)
    upsert = statement.on_conflict_do_update(
        index_elements=["link_id"],
        set_={"state": statement.excluded.state, "noticed_at": statement.excluded.noticed_at},
    )
    word = "held" if held else "done"
    rows = [
        {"link_id": key, "integration_id": integration_id, "state": word, "noticed_at": now}
        for key in link_ids
    ]
    await connection.execute(upsert, rows)


async def held_deletions(
    connection: AsyncConnection, integration_id: str, *, limit: int
) -> Sequence[tuple[str, str]]:
    """Deletions that wait for an answer: the ids of their links, each with its item's ref."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .join(deletions, deletions.c.link_id == links.c.id)
        .join(integrations, integrations.c.id == deletions.c.integration_id)
        .where(deletions.c.integration_id == integration_id, deletions.c.state == "held")
        .where(links.c.calendar_id == integrations.c.calendar_id)
        .order_by(links.c.id)
        .limit(limit)
    )
    return [(row.id, row.item_ref) for row in rows]


async def held_series(
    connection: AsyncConnection, integration_id: str, *, after: str, limit: int
) -> Mapping[str, Sequence[str]]:
    """The same as questions, a series as one (R39): the refs of the items of each, behind a key."""
    key = func.coalesce(links.c.series_identifier, links.c.id)
    waits = (
        links.c.id == deletions.c.link_id,
        deletions.c.integration_id == integration_id,
        deletions.c.state == "held",
        links.c.calendar_id == integrations.c.calendar_id,
        integrations.c.id == integration_id,
    )
    some = (
        select(key.label("key"))
        .where(*waits, key > after)
        .group_by(key)
        .order_by(key)
        .limit(limit)
        .correlate(None)
    )
    rows = await connection.execute(
        select(key.label("key"), links.c.item_ref).where(*waits, key.in_(some)).order_by(key, links.c.id)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row.item_ref)
    return found


async def let_go_of_series(
    connection: AsyncConnection, integration_id: str, *, since: float
) -> Sequence[tuple[str, ItemRef, str]]:
    """Occurrences of others that were read as deleted since then and let go: link, item, series."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref, links.c.series_identifier)
        .where(links.c.integration_id == integration_id, links.c.series_identifier.is_not(None))
        .where(links.c.state == LinkState.LET_GO, links.c.origin == Origin.EXTERNAL)
        .where(links.c.exists_there.is_(False), links.c.read_at >= since)
        .order_by(links.c.id)
    )
    return [(row.id, ItemRef(row.item_ref), row.series_identifier) for row in rows]


async def forget_deletions(connection: AsyncConnection, link_ids: Sequence[str]) -> None:
    """These were answered by a person, and count no more among the deletions of a day."""
    await connection.execute(delete(deletions).where(among(connection, deletions.c.link_id, link_ids)))


async def hasten_run(connection: AsyncConnection, integration_id: str, *, now: float) -> None:
    """A run that waits for Cronofy's first sync is due now."""
    await connection.execute(
        update(runs)
        .where(runs.c.integration_id == integration_id, runs.c.due_at.is_not(None))
        .values(due_at=now)
    )


async def unseen_copies(
    connection: AsyncConnection, integration_id: str, *, since: float, after: str, limit: int
) -> Sequence[tuple[str, str]]:
    """The next copies of ours that no read has shown and no write reached since then, with their items."""
    rows = await connection.execute(
        select(links.c.id, links.c.item_ref)
        .where(
            links.c.integration_id == integration_id,
            links.c.origin == Origin.OURS,
            links.c.state == LinkState.AGREED,
            links.c.exists_there,
            links.c.id > after,
        )
        .where(or_(links.c.read_at.is_(None), links.c.read_at < since))
        .where(or_(links.c.accepted_at.is_(None), links.c.accepted_at < since))
        .order_by(links.c.id)
        .limit(limit)
    )
    return [(row.id, row.item_ref) for row in rows]


async def forget_reads(connection: AsyncConnection, integration_id: str) -> None:
    """Whatever was read or noticed spoke of another calendar; a read under way writes nothing more."""
    state = integration_state.c
    await connection.execute(
        update(integration_state)
        .where(state.integration_id == integration_id)
        .values(
            read_epoch=state.read_epoch + 1,
            noticed_since=None,
            noticed_at=None,
            reading_since=None,
            read_until=None,
            full_read_at=None,
        )
    )

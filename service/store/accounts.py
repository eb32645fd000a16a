"""Integrations as their owners see them, and the rows that connecting and settings write (DESIGN 10, 11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Integration, LinkState, Reason, Status
from service.store.integrations import integration_of
from service.store.sets import among
from service.store.tables import credentials, integration_state, integrations, links, runs, used_tokens

PERSONS_RUNS = ("finish", "sync_now")
UNFINISHED = ("waiting", "running")
ONE_HOUR = 3600.0
"""No two clocks of ours differ by more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An integration with everything that its page tells (G10–G16, R28)."""

    integration: Integration
    account_name: str
    provider_service: str
    event_types: Mapping[str, bool]
    item_types: Mapping[str, bool]
    retrieve: Mapping[str, Any]
    send: Mapping[str, Any]
    channel_id: str | None
    last_sync_at: datetime | None
    last_checked_at: datetime | None
    delayed_since: datetime | None
    looked_at: float | None
    held_deletions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose integrations are meant; without a user all of the tenant's, without a tenant all there are."""

    tenant_id: str | None
    user_id: str | None


def living() -> Select[Any]:
    held = (
        select(func.count())
        .where(
            links.c.integration_id == integrations.c.id,
            links.c.calendar_id == integrations.c.calendar_id,
            links.c.state == LinkState.HELD,
            links.c.code == Code.HELD_DELETION,
            links.c.ended_at.is_(None),
        )
        .scalar_subquery()
    )
    state = integration_state.c
    return (
        select(
            integrations,
            state.last_sync_at,
            state.last_checked_at,
            state.delayed_since,
            state.looked_at,
            held.label("held_deletions"),
        )
        .join(integration_state, state.integration_id == integrations.c.id)
        .where(integrations.c.deleted_at.is_(None))
    )


def shown_of(row: RowMapping) -> Shown:
    return Shown(
        integration=integration_of(row),
        **{name: row[name] for name in Shown.__dataclass_fields__ if name != "integration"},
    )


async def listed(
    connection: AsyncConnection, owner: Owner, *, after: str | None = None, limit: int
) -> Sequence[Shown]:
    """The owner's integrations, oldest first, beginning behind the id ``after``."""
    wanted = living()
    if owner.tenant_id is not None:
        wanted = wanted.where(integrations.c.tenant_id == owner.tenant_id)
    if owner.user_id is not None:
        wanted = wanted.where(integrations.c.user_id == owner.user_id)
    if after is not None:
        wanted = wanted.where(integrations.c.id > after)
    rows = await connection.execute(wanted.order_by(integrations.c.id).limit(limit))
    return [shown_of(row) for row in rows.mappings()]


async def find(connection: AsyncConnection, integration_id: str) -> Shown | None:
    """The living integration of that id, whosever it is."""
    rows = await connection.execute(living().where(integrations.c.id == integration_id))
    row = rows.mappings().first()
    return shown_of(row) if row is not None else None


async def lock(connection: AsyncConnection, integration_id: str) -> None:
    """Whoever decides by the integration's row is alone with it until the end of the transaction."""
    await connection.execute(
        select(integrations.c.id).where(integrations.c.id == integration_id).with_for_update()
    )


async def add(connection: AsyncConnection, **values: Any) -> None:
    """A new integration and its state row."""
    await connection.execute(insert(integrations).values(**values))
    await connection.execute(insert(integration_state).values(integration_id=values["id"]))


async def to_reconnect(
    connection: AsyncConnection, owner: Owner, *, provider_name: str, profile_name: str
) -> Sequence[str]:
    """Those of that account that a new grant belongs to: all without connection, else an unfinished one."""
    rows = await connection.execute(
        select(integrations.c.id, integrations.c.status)
        .where(
            integrations.c.tenant_id == owner.tenant_id,
            integrations.c.user_id == owner.user_id,
            integrations.c.provider_name == provider_name,
            integrations.c.profile_name == profile_name,
            integrations.c.deleted_at.is_(None),
            integrations.c.status.in_((Status.NOT_CONNECTED, Status.SETUP)),
        )
        .order_by(integrations.c.id)
    )
    found = [(row.id, row.status) for row in rows]
    lost = [one for one, status in found if status == Status.NOT_CONNECTED]
    return lost or [one for one, _ in found][:1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """The grant that an integration lives on, and its channel."""

    integration_id: str
    sub: str
    profile_id: str
    channel_id: str | None


async def granted(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[Granted]:
    """The grants of these integrations as they stand."""
    table = integrations.c
    query = select(table.id, table.sub, table.profile_id, table.channel_id).where(table.id.in_(ids))
    rows = await connection.execute(query.order_by(table.id))
    return [
        Granted(integration_id=row.id, sub=row.sub, profile_id=row.profile_id, channel_id=row.channel_id)
        for row in rows
    ]


async def uses_profile(connection: AsyncConnection, sub: str, profile_id: str, *, but: Sequence[str]) -> bool:
    """Whether an integration other than these needs that profile, one that is being deleted included."""
    table = integrations.c
    found = await connection.scalar(
        select(table.id)
        .where(table.sub == sub, table.profile_id == profile_id)
        .where(table.erased_at.is_(None), table.id.not_in(but))
        .limit(1)
    )
    return found is not None


async def hand_over(connection: AsyncConnection, ids: Sequence[str], *, sub: str, profile_id: str) -> None:
    """Give these integrations a new grant; the tokens that it replaces are erased, unless others use them."""
    mine = integrations.c.id.in_(ids)
    query = select(integrations.c.sub).where(mine, integrations.c.sub != sub).order_by(integrations.c.id)
    before = set(await connection.scalars(query.with_for_update()))
    grant = {"sub": sub, "profile_id": profile_id, "channel_id": None}
    await connection.execute(update(integrations).where(mine).values(**grant))
    used = select(integrations.c.sub).where(integrations.c.erased_at.is_(None))
    await connection.execute(
        delete(credentials).where(credentials.c.sub.in_(before), credentials.c.sub.not_in(used))
    )


async def of_profile(connection: AsyncConnection, integration_id: str) -> Sequence[str]:
    """All living integrations of the same account and profile, this one included: one grant serves all."""
    mine = select(integrations.c.sub, integrations.c.profile_id).where(integrations.c.id == integration_id)
    sub, profile_id = (await connection.execute(mine)).one()
    rows = await connection.scalars(
        select(integrations.c.id)
        .where(integrations.c.sub == sub, integrations.c.profile_id == profile_id)
        .where(integrations.c.deleted_at.is_(None))
        .order_by(integrations.c.id)
    )
    return list(rows)


async def links_calendar(connection: AsyncConnection, integration: Integration, calendar_name: str) -> bool:
    """Whether another integration of the same person links that very calendar (R1)."""
    found = await connection.scalar(
        select(integrations.c.id)
        .where(
            integrations.c.tenant_id == integration.tenant_id,
            integrations.c.user_id == integration.user_id,
            integrations.c.provider_name == integration.provider_name,
            integrations.c.profile_name == integration.profile_name,
            integrations.c.calendar_name == calendar_name,
            integrations.c.deleted_at.is_(None),
            integrations.c.id != integration.id,
        )
        .limit(1)
    )
    return found is not None


async def take_lost(connection: AsyncConnection, *, before: float, now: float, limit: int) -> Sequence[str]:
    """Integrations whose calendar may come back by itself, looked at last before that moment (R22).

    Each is noted as looked at, so that one whose account does not answer keeps no other waiting.
    """
    state = integration_state.c
    rows = await connection.scalars(
        select(state.integration_id)
        .join(integrations, integrations.c.id == state.integration_id)
        .where(integrations.c.status == Status.NOT_CONNECTED, integrations.c.deleted_at.is_(None))
        .where(integrations.c.reason.in_((Reason.CALENDAR_MISSING, Reason.CALENDAR_READ_ONLY)))
        .where(func.coalesce(state.looked_at, 0.0) < before)
        .order_by(state.looked_at.nulls_first(), state.integration_id)
        .limit(limit)
    )
    found = list(rows)
    these = state.integration_id.in_(found)
    await connection.execute(update(integration_state).where(these).values(looked_at=now))
    return found


async def without_channel(connection: AsyncConnection) -> Sequence[str]:
    """Finished, connected integrations that no notice can reach."""
    rows = await connection.scalars(
        select(integrations.c.id)
        .where(integrations.c.deleted_at.is_(None), integrations.c.channel_id.is_(None))
        .where(integrations.c.finished_at.is_not(None), integrations.c.status == Status.CONNECTED)
        .order_by(integrations.c.id)
    )
    return list(rows)


async def with_channel(connection: AsyncConnection) -> Sequence[Shown]:
    """Finished, connected integrations that we believe notices can reach."""
    wanted = living().where(integrations.c.channel_id.is_not(None))
    wanted = wanted.where(integrations.c.finished_at.is_not(None), integrations.c.status == Status.CONNECTED)
    rows = await connection.execute(wanted.order_by(integrations.c.id))
    return [shown_of(row) for row in rows.mappings()]


async def keep_channel(connection: AsyncConnection, seen: Integration, channel_id: str) -> bool:
    """Note the channel that was made for this calendar; False where another is linked or known by now."""
    table = integrations.c
    result = await connection.execute(
        update(integrations)
        .where(table.id == seen.id, table.sub == seen.sub, table.calendar_id == seen.calendar_id)
        .where(table.channel_id.is_(None), table.deleted_at.is_(None))
        .values(channel_id=channel_id)
    )
    return bool(result.rowcount)


async def forget_channel(connection: AsyncConnection, integration_id: str, channel_id: str | None) -> None:
    """The channel is gone; one that was made meanwhile stays."""
    mine = integrations.c.id == integration_id, integrations.c.channel_id == channel_id
    await connection.execute(update(integrations).where(*mine).values(channel_id=None))


async def run_in_progress(connection: AsyncConnection, integration_id: str) -> bool:
    """Whether a run that a person started has not ended; the bare reading at Finish is none (R25)."""
    found = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.kind.in_(PERSONS_RUNS))
        .where(runs.c.state.in_(UNFINISHED), runs.c.listed)
        .limit(1)
    )
    return found is not None


async def add_run(connection: AsyncConnection, **values: Any) -> None:
    await connection.execute(insert(runs).values(**values))


async def end_readings(connection: AsyncConnection, integration_id: str, *, now: datetime) -> None:
    """A bare reading at Finish that has not ended is overtaken by a newer one."""
    await connection.execute(
        update(runs)
        .where(
            runs.c.integration_id == integration_id,
            runs.c.kind == "finish",
            runs.c.state.in_(UNFINISHED),
        )
        .values(state="cancelled", ended_at=now)
    )


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


async def reading_in_progress(connection: AsyncConnection, integration_id: str) -> bool:
    """Whether a run from Finish has not ended."""
    found = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.kind == "finish")
        .where(runs.c.state.in_(UNFINISHED))
        .limit(1)
    )
    return found is not None


async def use_token(connection: AsyncConnection, name: str, *, expires_at: float, now: float) -> bool:
    """Spend a token that is good once; False where it was spent before. Forgets what expired long ago."""
    await connection.execute(delete(used_tokens).where(used_tokens.c.expires_at < now - ONE_HOUR))
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    spent = dialect.insert(used_tokens).values(id=name, expires_at=expires_at).on_conflict_do_nothing()
    return bool((await connection.execute(spent)).rowcount)

"""Integrations, their state rows and what they mean to a message."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Update, bindparam, case, func, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import EventTypes, Integration, IntegrationId, Reason, Status
from contracts.vorex import ItemType
from service.store.engine.sets import among, among_given, given
from service.store.integrations.reads import forget_reads
from service.store.tables import held_imports, integration_state, integrations, links, prior_events


def integration_of(row: RowMapping) -> Integration:
    """The integration in a row of its table."""
    boxes: Mapping[str, bool] = row["event_types"]
    types: Mapping[str, bool] = row["item_types"]
    return Integration(
        id=IntegrationId(row["id"]),
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        sub=row["sub"],
        profile_id=row["profile_id"],
        profile_name=row["profile_name"],
        provider_name=row["provider_name"],
        calendar_id=row["calendar_id"],
        calendar_name=row["calendar_name"],
        time_zone=row["time_zone"],
        permission_level=row["permission_level"],
        active=row["active"],
        status=Status(row["status"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        event_types=EventTypes(**boxes),
        item_types=frozenset(ItemType(name) for name, on in types.items() if on),
        finished_at=row["finished_at"],
        baseline_at=row["baseline_at"],
        deleted_at=row["deleted_at"],
        known_since=row["known_since"],
        watching_since=row["watching_since"],
    )


async def load(
    connection: AsyncConnection, ids: Iterable[str], *, lock: bool = False
) -> dict[IntegrationId, Integration]:
    """These integrations, deleted ones included; locked in the order of their ids where asked."""
    wanted = select(integrations).where(among(connection, integrations.c.id, ids)).order_by(integrations.c.id)
    rows = await connection.execute(wanted.with_for_update() if lock else wanted)
    return {row["id"]: integration_of(row) for row in rows.mappings()}


async def of_person(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, until: datetime
) -> Sequence[str]:
    """A person's living integrations that were there at that moment."""
    table = integrations.c
    mine = (table.tenant_id == tenant_id, table.user_id == user_id, table.deleted_at.is_(None))
    rows = await connection.scalars(select(table.id).where(*mine, table.created_at <= until))
    return list(rows)


async def count_syncing(connection: AsyncConnection) -> int:
    """How many integrations are active and connected."""
    return (
        await connection.scalar(
            select(func.count())
            .select_from(integrations)
            .where(integrations.c.active, integrations.c.status == Status.CONNECTED.value)
            .where(integrations.c.deleted_at.is_(None))
        )
        or 0
    )


async def row_of(connection: AsyncConnection, integration_id: str) -> RowMapping | None:
    """The row of an integration, deleted ones included."""
    found = await connection.execute(select(integrations).where(integrations.c.id == integration_id))
    return found.mappings().first()


async def change(connection: AsyncConnection, integration_id: str, **values: Any) -> bool:
    """Set these columns of an integration; whether it exists."""
    result = await connection.execute(
        update(integrations).where(integrations.c.id == integration_id).values(**values)
    )
    return bool(result.rowcount)


def standing(status: Status, at: datetime) -> dict[str, Any]:
    """The columns of a status for ``change``; since when it stands stays where it is no other one."""
    table = integrations.c
    return {
        "status": status.value,
        "status_since": case((table.status == status.value, table.status_since), else_=at),
    }


async def change_state(connection: AsyncConnection, integration_id: str, **values: Any) -> None:
    """Set these columns of an integration's state row."""
    await connection.execute(
        update(integration_state).where(integration_state.c.integration_id == integration_id).values(**values)
    )


async def synced(connection: AsyncConnection, ids: Iterable[str], at: datetime) -> None:
    """Move *Last Sync Date* of these integrations: an item crossed (G15, R28)."""
    await connection.execute(_syncing(connection.dialect.name), {"at": at, **given(connection, synced=ids)})


@cache
def _syncing(dialect: str) -> Update:
    key = integration_state.c.integration_id
    # locked in order: two processes that settle the same calendars must not meet crosswise
    mine = select(key).where(among_given(dialect, key, "synced")).order_by(key).with_for_update()
    return update(integration_state).where(key.in_(mine)).values(last_sync_at=bindparam("at"))


async def learn_anew(connection: AsyncConnection, integration: Integration) -> None:
    """Events may have other ids by now: nothing is brought or sent before one complete reading (R36).

    Until when all of them were known is remembered from the last such reading; one that never was is due as
    it is.
    """
    if integration.baseline_at is None:
        return
    query = select(integration_state.c.full_read_at).where(
        integration_state.c.integration_id == integration.id
    )
    since = await connection.scalar(query) or integration.baseline_at
    await change(connection, integration.id, baseline_at=None, known_since=since)


async def renumber(connection: AsyncConnection, integration: Integration, calendar_id: str) -> None:
    """Pairs stay pairs; a read under way writes nothing more, and a channel for the new id is wanted."""
    mine = (links.c.integration_id == integration.id, links.c.calendar_id == integration.calendar_id)
    await connection.execute(select(links.c.id).where(*mine).order_by(links.c.id).with_for_update())
    await connection.execute(update(links).where(*mine).values(calendar_id=calendar_id))
    prior = (
        prior_events.c.integration_id == integration.id,
        prior_events.c.calendar_id == integration.calendar_id,
    )
    await connection.execute(update(prior_events).where(*prior).values(calendar_id=calendar_id))
    held = (
        held_imports.c.integration_id == integration.id,
        held_imports.c.calendar_id == integration.calendar_id,
    )
    await connection.execute(update(held_imports).where(*held).values(calendar_id=calendar_id))
    await change(connection, integration.id, calendar_id=calendar_id, channel_id=None)
    await forget_reads(connection, integration.id)


async def tenants(connection: AsyncConnection, *, of: Collection[str] | None = None) -> frozenset[str]:
    """Who, of these or at all, has an integration that is not deleted."""
    living = select(integrations.c.tenant_id).where(integrations.c.deleted_at.is_(None)).distinct()
    if of is not None:
        living = living.where(among(connection, integrations.c.tenant_id, of))
    return frozenset(await connection.scalars(living))

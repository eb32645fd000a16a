"""Integrations as their owners see them, and the rows that connecting and settings write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, or_, select, text, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, Reason
from service.store.engine.sets import among, in_turn
from service.store.integrations.integrations import integration_of
from service.store.integrations.waiting import (
    HELD_AS_ALIKE,
    held_deletions,
    held_imports,
    waiting_changes,
)
from service.store.tables import integration_state, integrations


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How many pairs of both sides agree, of how many, when the whole calendar was read last (R51)."""

    agree: int
    of: int
    checked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationView:
    """An integration with everything that its page tells (G10–G16, R28)."""

    integration: Integration
    account_name: str
    provider_service: str
    event_types: Mapping[str, bool]
    item_types: Mapping[str, bool]
    event_details: Mapping[str, bool] | None
    """What events are given beside their fields; None where that was never chosen."""
    retrieve: Mapping[str, Any]
    send: Mapping[str, Any]
    channel_id: str | None
    last_sync_at: datetime | None
    last_checked_at: datetime | None
    delayed_since: datetime | None
    looked_at: float | None
    listed_calendars: Sequence[str] | None
    """The ids of all calendars that the account had when it was last seen to work (R1)."""
    permission_answer: str | None
    """What came of asking for the permission to change events that the person made (R34)."""
    held_deletions: int
    held_imports: int
    held_alike: int
    """How many of those look like twenty others of the same minute (R1)."""
    status_since: datetime | None
    """Since when the integration stands as it does; None where that was never noted."""
    waiting_changes: int
    """Links whose newest state has not reached the calendar: late, or kept until it can (R20, R22, R23)."""
    own_name: str | None
    """What its owner calls it; None: by its calendar."""
    migration_url: str | None
    """Where the person leaves a protocol that the provider has given up (CRONOFY.md C58)."""
    pairs_agree: int | None
    pairs_of: int | None
    pairs_checked_at: datetime | None

    @property
    def agreement(self) -> Agreement | None:
        """None where the calendar was never compared whole (R51)."""
        agree, of, at = self.pairs_agree, self.pairs_of, self.pairs_checked_at
        if agree is None or of is None or at is None:
            return None
        return Agreement(agree=agree, of=of, checked_at=at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose integrations are meant; without a user all of the tenant's, without a tenant all there are."""

    tenant_id: str | None
    user_id: str | None


def is_living() -> Select[Any]:
    state = integration_state.c
    return (
        select(
            integrations,
            state.last_sync_at,
            state.last_checked_at,
            state.delayed_since,
            state.looked_at,
            state.pairs_agree,
            state.pairs_of,
            state.pairs_checked_at,
            held_deletions().label("held_deletions"),
            held_imports().label("held_imports"),
            held_imports(HELD_AS_ALIKE).label("held_alike"),
            waiting_changes().label("waiting_changes"),
        )
        .join(integration_state, state.integration_id == integrations.c.id)
        .where(integrations.c.deleted_at.is_(None))
    )


def shown_of(row: RowMapping) -> IntegrationView:
    return IntegrationView(
        integration=integration_of(row),
        **{name: row[name] for name in IntegrationView.__dataclass_fields__ if name != "integration"},
    )


async def listed(
    connection: AsyncConnection, owner: Owner, *, after: str | None = None, limit: int
) -> Sequence[IntegrationView]:
    """The owner's integrations, oldest first, beginning behind the id ``after``."""
    wanted = is_living()
    if owner.tenant_id is not None:
        wanted = wanted.where(integrations.c.tenant_id == owner.tenant_id)
    if owner.user_id is not None:
        wanted = wanted.where(integrations.c.user_id == owner.user_id)
    if after is not None:
        wanted = wanted.where(integrations.c.id > after)
    rows = await connection.execute(wanted.order_by(integrations.c.id).limit(limit))
    return [shown_of(row) for row in rows.mappings()]


async def find(connection: AsyncConnection, integration_id: str) -> IntegrationView | None:
    """The living integration of that id, whosever it is."""
    rows = await connection.execute(is_living().where(integrations.c.id == integration_id))
    row = rows.mappings().first()
    return shown_of(row) if row is not None else None


async def was_deleted(connection: AsyncConnection, owner: Owner, integration_id: str) -> bool:
    """Whether the owner had an integration of that id, and deleted it."""
    table = integrations.c
    mine = (table.tenant_id == owner.tenant_id, table.user_id == owner.user_id, table.id == integration_id)
    found = await connection.scalar(select(table.id).where(*mine, table.deleted_at.is_not(None)))
    return found is not None


async def lock(connection: AsyncConnection, integration_id: str) -> None:
    """Whoever decides by the integration's row is alone with it until the end of the transaction."""
    await connection.execute(
        select(integrations.c.id).where(integrations.c.id == integration_id).with_for_update()
    )


async def add(connection: AsyncConnection, **values: Any) -> None:
    """A new integration and its state row."""
    await connection.execute(insert(integrations).values(**values))
    await connection.execute(insert(integration_state).values(integration_id=values["id"]))


async def names_linked(connection: AsyncConnection, integration: Integration) -> frozenset[str]:
    """The account's calendars that other integrations of the same person link, by their names (R1)."""
    table = integrations.c
    found = await connection.scalars(
        select(table.calendar_name)
        .where(table.tenant_id == integration.tenant_id, table.user_id == integration.user_id)
        .where(table.provider_name == integration.provider_name)
        .where(table.profile_name == integration.profile_name)
        .where(table.calendar_name.is_not(None), table.deleted_at.is_(None), table.id != integration.id)
    )
    return frozenset(found)


async def count_old_protocol(connection: AsyncConnection) -> int:
    """How many accounts are reached by a protocol that their provider has given up (CRONOFY.md C58)."""
    table = integrations.c
    accounts = select(table.sub).where(table.migration_url.is_not(None), table.deleted_at.is_(None))
    return await connection.scalar(select(func.count()).select_from(accounts.distinct().subquery())) or 0


_NOT_CONNECTED = text("status = 'not_connected'")
"""In the very words of the partial index."""


async def take_lost(connection: AsyncConnection, *, before: float, now: float, limit: int) -> Sequence[str]:
    """Integrations whose calendar or account may come back by itself, looked at last before that moment.

    Their owners may never think of pressing a button (R22), or have mended it by Cronofy's own mail (R35).
    One of which a notice came since the last look is due as soon as that look is older than ``now``. Each
    is noted as looked at, so that one whose account does not answer keeps no other waiting; and tenants
    take turns (R44).
    """
    state = integration_state.c
    looked = func.coalesce(state.looked_at, 0.0)
    longest = state.looked_at.nulls_first(), state.integration_id
    hopeful = or_(integrations.c.reason != Reason.PERMISSION_WITHDRAWN, ~integrations.c.grant_refused)
    rows = await connection.scalars(
        select(state.integration_id)
        .join(integrations, integrations.c.id == state.integration_id)
        .where(_NOT_CONNECTED, integrations.c.deleted_at.is_(None))
        .where(integrations.c.reason != Reason.ERASED)
        .where(or_(and_(hopeful, looked < before), and_(state.heard_at >= state.looked_at, looked <= now)))
        .order_by(in_turn(integrations.c.tenant_id, *longest), *longest)
        .limit(limit)
    )
    found = list(rows)
    these = state.integration_id.in_(found)
    await connection.execute(update(integration_state).where(these).values(looked_at=now))
    return found


async def names_of(
    connection: AsyncConnection, ids: Iterable[str], *, tenant: str | None
) -> Mapping[str, str]:
    """Person, calendar and account of these integrations, of one tenant or of all, by their ids."""
    known = integrations.c
    wanted = select(known.id, known.user_id, known.calendar_name, known.account_name)
    wanted = wanted.where(among(connection, known.id, ids))
    rows = await connection.execute(wanted if tenant is None else wanted.where(known.tenant_id == tenant))
    return {
        row.id: " · ".join(filter(None, (row.user_id, row.calendar_name, row.account_name))) for row in rows
    }


async def speak(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, language: str, certain: bool
) -> None:
    """In which language the copies on a person's calendars tell of themselves from their next write on (R52).

    Where that is not ``certain``, what is known stays.
    """
    table = integrations.c
    mine = (table.tenant_id == tenant_id, table.user_id == user_id, table.deleted_at.is_(None))
    otherwise = table.language.is_distinct_from(language) if certain else table.language.is_(None)
    await connection.execute(update(integrations).where(*mine, otherwise).values(language=language))

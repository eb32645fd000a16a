"""Integrations as their owners see them, and the rows that connecting and settings write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Integration, LinkState, Reason, Status
from service.store.integrations.integrations import integration_of
from service.store.tables import integration_state, integrations, links, used_tokens

CLOCK_DIFFERENCE_SECONDS = 3600.0
"""No two clocks of ours differ by more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationView:
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


def is_living() -> Select[Any]:
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


async def lock(connection: AsyncConnection, integration_id: str) -> None:
    """Whoever decides by the integration's row is alone with it until the end of the transaction."""
    await connection.execute(
        select(integrations.c.id).where(integrations.c.id == integration_id).with_for_update()
    )


async def add(connection: AsyncConnection, **values: Any) -> None:
    """A new integration and its state row."""
    await connection.execute(insert(integrations).values(**values))
    await connection.execute(insert(integration_state).values(integration_id=values["id"]))


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


async def use_token(connection: AsyncConnection, name: str, *, expires_at: float, now: float) -> bool:
    """Spend a token that is good once; False where it was spent before. Forgets what expired long ago."""
    await connection.execute(
        delete(used_tokens).where(used_tokens.c.expires_at < now - CLOCK_DIFFERENCE_SECONDS)
    )
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    spent = dialect.insert(used_tokens).values(id=name, expires_at=expires_at).on_conflict_do_nothing()
    return bool((await connection.execute(spent)).rowcount)

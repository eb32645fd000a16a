"""A tenant's integrations as its administrators look for them, and what was done with many at once (R47)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, LinkState, Status
from service.store.engine.sets import among
from service.store.integrations.at_work import at_work
from service.store.integrations.held_imports import HELD_IMPORT
from service.store.integrations.listing import IntegrationView, is_living, shown_of
from service.store.tables import held_imports, integrations, links, runs, tenant_acts

PROVIDER_SERVICES: Mapping[str, Sequence[str]] = {
    "office365": ("office365",),
    "exchange": ("ews", "exchange"),
    "outlook_com": ("live_connect", "outlook_com"),
    "google": ("google", "gsuite"),
    "icloud": ("apple", "icloud"),
}
"""The five kinds of linked calendar, each with Cronofy's words for it (G2)."""
ACTS_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantQuery:
    """Which of a tenant's integrations; what is None does not matter."""

    person: str | None = None
    """A Vorex user's id."""
    status: str | None = None
    """*connected*, *not_connected*, *setup*; of those that are set up *paused*, *watching*; *held*: asks."""
    provider: str | None = None
    """One of the five kinds of linked calendar."""
    q: str | None = None
    """An integration's id, or a part of person, account or calendar, in letters of any size."""


EVERY_INTEGRATION = TenantQuery()


def _wanted(tenant_id: str | None, query: TenantQuery) -> list[ColumnElement[bool]]:
    """Without a tenant, of every one."""
    table = integrations.c
    found: list[ColumnElement[bool]] = [table.deleted_at.is_(None)]
    if tenant_id is not None:
        found.append(table.tenant_id == tenant_id)
    if query.person is not None:
        found.append(table.user_id == query.person)
    if query.status is not None:
        found.append(_stands(query.status))
    if query.provider is not None:
        found.append(table.provider_service.in_(PROVIDER_SERVICES[query.provider]))
    if query.q:
        named = (table.user_id, table.account_name, table.profile_name, table.calendar_name)
        parts = [column.icontains(query.q, autoescape=True) for column in named]
        found.append(or_(table.id == query.q, *parts))
    return found


def _stands(status: str) -> ColumnElement[bool]:
    table = integrations.c
    if status == "held":
        return _asks()
    if status == "paused":
        return and_(~table.active, table.status != Status.SETUP.value, table.watching_since.is_(None))
    if status == "watching":
        return and_(~table.active, table.watching_since.is_not(None))
    return table.status == status


def _asks() -> ColumnElement[bool]:
    """A question waits for the person's answer (R11, R36)."""
    deletion = exists().where(
        links.c.integration_id == integrations.c.id,
        links.c.calendar_id == integrations.c.calendar_id,
        links.c.state == LinkState.HELD,
        links.c.code == Code.HELD_DELETION,
        links.c.ended_at.is_(None),
    )
    appeared = exists().where(
        held_imports.c.integration_id == integrations.c.id,
        held_imports.c.calendar_id == integrations.c.calendar_id,
        held_imports.c.state == HELD_IMPORT,
    )
    return or_(deletion, appeared)


async def listed(
    connection: AsyncConnection,
    tenant_id: str | None,
    query: TenantQuery = EVERY_INTEGRATION,
    *,
    after: str | None = None,
    limit: int,
) -> Sequence[IntegrationView]:
    """Those that match of the tenant, or of all, oldest first, beginning behind the id ``after``."""
    wanted = is_living().where(*_wanted(tenant_id, query))
    if after is not None:
        wanted = wanted.where(integrations.c.id > after)
    rows = await connection.execute(wanted.order_by(integrations.c.id).limit(limit))
    return [shown_of(row) for row in rows.mappings()]


async def ids_due(
    connection: AsyncConnection, tenant_id: str, query: TenantQuery, verb: str, *, limit: int
) -> list[str]:
    """The ids of the first that match and that this verb would change."""
    table = integrations.c
    connected, watching = table.status == Status.CONNECTED.value, table.watching_since.is_not(None)
    due = {
        "pause": at_work(),
        "watch": and_(table.active, connected),
        "resume": and_(~table.active, connected, ~watching),
        "begin": and_(~table.active, connected, watching),
    }
    wanted = select(table.id).where(*_wanted(tenant_id, query))
    if verb in due:
        wanted = wanted.where(due[verb])
    return list(await connection.scalars(wanted.order_by(table.id).limit(limit)))


async def among_ids(
    connection: AsyncConnection, tenant_id: str, wanted: Sequence[str]
) -> Sequence[IntegrationView]:
    """Those of these that are the tenant's, oldest first."""
    mine = integrations.c.tenant_id == tenant_id, among(connection, integrations.c.id, wanted)
    rows = await connection.execute(is_living().where(*mine).order_by(integrations.c.id))
    return [shown_of(row) for row in rows.mappings()]


async def ids_of_person(connection: AsyncConnection, tenant_id: str, user_id: str) -> Sequence[str]:
    """Of all that this person has linked."""
    theirs = _wanted(tenant_id, TenantQuery(person=user_id))
    return list(await connection.scalars(select(integrations.c.id).where(*theirs)))


async def count(connection: AsyncConnection, tenant_id: str, query: TenantQuery = EVERY_INTEGRATION) -> int:
    """How many match."""
    wanted = select(func.count()).select_from(integrations).where(*_wanted(tenant_id, query))
    return int(await connection.scalar(wanted) or 0)


async def tally(connection: AsyncConnection, tenant_id: str) -> Mapping[str, int]:
    """How many stand in each way that can be asked for, and *all*."""
    words = (*(each.value for each in Status), "paused", "watching", "held")
    columns = [func.count().filter(_stands(word)).label(word) for word in words]
    wanted = select(func.count().label("all"), *columns).where(*_wanted(tenant_id, EVERY_INTEGRATION))
    return dict((await connection.execute(wanted)).mappings().one())


async def add_act(connection: AsyncConnection, **values: Any) -> None:
    """What was done with many integrations, by the names of the table's columns."""
    await connection.execute(insert(tenant_acts).values(**values))


async def reduce_act(
    connection: AsyncConnection, act_id: str, reached: Sequence[str], *, at: datetime
) -> None:
    """Note which of the intended integrations were changed by then; where none was, the act is forgotten."""
    mine = tenant_acts.c.id == act_id
    if reached:
        await connection.execute(update(tenant_acts).where(mine).values(integration_ids=list(reached), at=at))
    else:
        await connection.execute(delete(tenant_acts).where(mine))


async def find_act(connection: AsyncConnection, tenant_id: str, act_id: str) -> RowMapping | None:
    """That act on this tenant's integrations."""
    wanted = select(tenant_acts).where(tenant_acts.c.id == act_id, tenant_acts.c.tenant_id == tenant_id)
    return (await connection.execute(wanted)).mappings().one_or_none()


async def resumed_since(
    connection: AsyncConnection, ids: Sequence[str], *, kind: str, since: datetime
) -> frozenset[str]:
    """Which of these were switched on after that moment, however they stand by now.

    Each resumption asks for a run of this kind. Others do too, but none while an integration is paused.
    """
    asked = runs.c.kind == kind, runs.c.requested_at > since
    wanted = select(runs.c.integration_id).where(among(connection, runs.c.integration_id, ids), *asked)
    return frozenset(await connection.scalars(wanted.distinct()))


async def latest_acts(connection: AsyncConnection, tenant_id: str) -> Sequence[RowMapping]:
    """What was done last with many of the tenant's integrations, newest first."""
    wanted = select(tenant_acts).where(tenant_acts.c.tenant_id == tenant_id)
    rows = await connection.execute(wanted.order_by(tenant_acts.c.id.desc()).limit(ACTS_SHOWN))
    return rows.mappings().all()


async def undo_act(connection: AsyncConnection, act_id: str, *, at: datetime) -> None:
    """Note that it was taken back."""
    await connection.execute(update(tenant_acts).where(tenant_acts.c.id == act_id).values(undone_at=at))


async def forget_acts(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """What was done with many before that moment."""
    table = tenant_acts.c
    old = select(table.id).where(table.at < before).order_by(table.at).limit(limit)
    return (await connection.execute(delete(tenant_acts).where(table.id.in_(old)))).rowcount

"""What stands still and whom it concerns: the store's part of the operations page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Text, and_, case, cast, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import ASKING_CODES, Code, LinkState, Status
from service.store.engine.sets import among
from service.store.integrations.listing import IntegrationView, is_living, shown_of
from service.store.tables import dead_letters, integration_state, integrations, items, links

STUCK_STATES = (
    LinkState.BEHIND.value,
    LinkState.RETRYING.value,
    LinkState.FAILED.value,
    LinkState.HELD.value,
)
CONCERN_AFTER_SECONDS = 60.0
"""Seconds for which a change may be on its way before anybody needs to hear of it."""


_LITERALLY_STANDING = text("links.state IN ('held', 'failed')")
"""As the index says it: bound values would not let the engines choose it."""

ConcernKind = Literal["missing", "outdated", "left over"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemConcern:
    """An item of these days that the linked calendar does not show as it is."""

    integration_id: str
    item_type: str
    starts_at: datetime
    all_day: bool
    lack: ConcernKind


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkBacklog:
    """What of an integration waits to be written, whenever its items are."""

    waiting: int = 0
    failed: int = 0


async def concerns(
    connection: AsyncConnection,
    tenant_id: str,
    *,
    since: datetime,
    until: datetime,
    now: float,
    limit: int,
    integration_id: str | None = None,
) -> Sequence[ItemConcern]:
    """The tenant's items that start in that time and stand otherwise on a linked calendar, soonest first.

    Left out is what changed a moment ago, and what waits for a person's answer (R11, R52).
    """
    nothing = func.coalesce(cast(links.c.desired, Text), "null") == "null"
    lack = case((nothing, "left over"), (links.c.exists_there, "outdated"), else_="missing")
    wanted = (
        select(
            links.c.integration_id,
            items.c.item_type,
            items.c.starts_at,
            items.c.content["all_day"].as_boolean().label("all_day"),
            lack.label("lack"),
        )
        .select_from(items)
        .join(links, links.c.item_ref == items.c.ref)
        .join(integrations, integrations.c.id == links.c.integration_id)
        .where(items.c.tenant_id == tenant_id, items.c.starts_at >= since, items.c.starts_at < until)
        .where(links.c.state.in_(STUCK_STATES), links.c.ended_at.is_(None))
        .where(func.coalesce(links.c.code, "").not_in(ASKING_CODES))
        .where(or_(links.c.touched_at < now - CONCERN_AFTER_SECONDS, links.c.state == LinkState.FAILED.value))
        .where(or_(~nothing, links.c.exists_there))
        .where(integrations.c.deleted_at.is_(None), integrations.c.active)
        .order_by(items.c.starts_at, links.c.id)
        .limit(limit)
    )
    if integration_id is not None:
        wanted = wanted.where(links.c.integration_id == integration_id)
    rows = await connection.execute(wanted)
    return [
        ItemConcern(
            integration_id=row.integration_id,
            item_type=row.item_type,
            starts_at=row.starts_at,
            all_day=bool(row.all_day),
            lack=row.lack,
        )
        for row in rows
    ]


async def troubled(
    connection: AsyncConnection,
    tenant_id: str,
    *,
    among_these: Iterable[str],
    limit: int,
    only: str | None = None,
) -> Sequence[IntegrationView]:
    """The tenant's integrations that are not connected, delayed, or wait for an answer, and these others.

    ``only`` asks for one, however it stands.
    """
    held = (
        select(links.c.integration_id)
        .where(_LITERALLY_STANDING, links.c.state == LinkState.HELD.value)
        .where(links.c.code == Code.HELD_DELETION.value)
        .where(links.c.ended_at.is_(None))
    )
    state = integration_state.c
    in_trouble = or_(
        integrations.c.status == Status.NOT_CONNECTED.value,
        and_(integrations.c.active, state.delayed_since.is_not(None)),
        integrations.c.id.in_(held),
        among(connection, integrations.c.id, among_these),
    )
    which = in_trouble if only is None else integrations.c.id == only
    wanted = is_living().where(integrations.c.tenant_id == tenant_id, which)
    rows = await connection.execute(wanted.order_by(integrations.c.id).limit(limit))
    return [shown_of(row) for row in rows.mappings()]


async def backlogs(
    connection: AsyncConnection, ids: Iterable[str], *, now: float
) -> Mapping[str, LinkBacklog]:
    """What waits, by integration; those with nothing are left out."""
    failed = links.c.state == LinkState.FAILED.value
    rows = await connection.execute(
        select(
            links.c.integration_id,
            func.count().label("all"),
            func.sum(case((failed, 1), else_=0)).label("failed"),
        )
        .where(among(connection, links.c.integration_id, ids))
        .where(links.c.state.in_(STUCK_STATES), links.c.ended_at.is_(None))
        .where(func.coalesce(links.c.code, "").not_in(ASKING_CODES))
        .where(or_(links.c.touched_at < now - CONCERN_AFTER_SECONDS, failed))
        .group_by(links.c.integration_id)
    )
    return {row.integration_id: LinkBacklog(waiting=row.all - row.failed, failed=row.failed) for row in rows}


async def letters_of(connection: AsyncConnection, tenant_id: str, ids: Iterable[str]) -> Mapping[str, int]:
    """How many open dead letters name these integrations."""
    rows = await connection.execute(
        select(dead_letters.c.integration_id, func.count().label("letters"))
        .where(dead_letters.c.state == "open", dead_letters.c.tenant_id == tenant_id)
        .where(among(connection, dead_letters.c.integration_id, ids))
        .group_by(dead_letters.c.integration_id)
    )
    return {row.integration_id: row.letters for row in rows}

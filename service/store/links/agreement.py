"""How many pairs agreed when the whole calendar was read last, and which did not (R51)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import ItemRef, LinkId
from service.store.engine.sets import among, put_over
from service.store.tables import disagreements, integration_state, integrations, items, links

CHECKS_BEFORE_FINDING = 2
"""Checks in a row that found a pair to differ without a reason, before an operator is told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundDifference:
    """A pair that a check found to differ; ``times``: in how many checks in a row without a reason."""

    link_id: LinkId
    item_ref: ItemRef
    why: str
    times: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementSum:
    """Of many integrations: how many pairs agree, of how many, and the oldest check."""

    integrations: int
    agree: int
    of: int
    checked_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DisagreementFinding:
    """An integration with pairs that differed in several checks in a row without a reason."""

    integration_id: str
    count: int
    item_keys: Sequence[str]
    """Type and id of the first few."""


async def times_found(connection: AsyncConnection, ids: Iterable[str]) -> Mapping[str, int]:
    """In how many checks in a row these pairs were found to differ without a reason; others are left out."""
    table = disagreements.c
    rows = await connection.execute(
        select(table.link_id, table.times).where(among(connection, table.link_id, ids), table.times > 0)
    )
    return {row.link_id: row.times for row in rows}


async def note(
    connection: AsyncConnection, integration_id: str, run_id: str, found: Sequence[FoundDifference]
) -> None:
    """These pairs differ, as this run has found."""
    rows = [
        {
            "link_id": one.link_id,
            "integration_id": integration_id,
            "item_ref": one.item_ref,
            "run_id": run_id,
            "why": one.why,
            "times": one.times,
        }
        for one in found
    ]
    await put_over(connection, disagreements, "link_id", rows)


async def conclude(
    connection: AsyncConnection, integration_id: str, run_id: str, *, agree: int, of: int, at: datetime
) -> None:
    """The check is done; what earlier ones found counts no more."""
    state = integration_state.c
    told = {"pairs_agree": agree, "pairs_of": of, "pairs_checked_at": at}
    await connection.execute(
        update(integration_state).where(state.integration_id == integration_id).values(told)
    )
    mine = disagreements.c.integration_id == integration_id
    await connection.execute(delete(disagreements).where(mine, disagreements.c.run_id != run_id))


async def differing(
    connection: AsyncConnection, integration_id: str, *, after: str | None, limit: int
) -> Sequence[FoundDifference]:
    """What the newest check found, in the order of the pairs, behind that one; living pairs alone."""
    table = disagreements.c
    wanted = (
        select(table.link_id, table.item_ref, table.why, table.times)
        .join(links, links.c.id == table.link_id)
        .where(table.integration_id == integration_id, links.c.ended_at.is_(None))
    )
    if after is not None:
        wanted = wanted.where(table.link_id > after)
    rows = await connection.execute(wanted.order_by(table.link_id).limit(limit))
    return [
        FoundDifference(
            link_id=LinkId(row.link_id), item_ref=ItemRef(row.item_ref), why=row.why, times=row.times
        )
        for row in rows
    ]


async def of_item(connection: AsyncConnection, ids: Iterable[str]) -> Mapping[str, int]:
    """Of these pairs those that an operator was told of: in how many checks in a row they differed."""
    found = await times_found(connection, ids)
    return {link: times for link, times in found.items() if times >= CHECKS_BEFORE_FINDING}


async def forget(connection: AsyncConnection, integration_id: str) -> None:
    """Nothing of this integration is compared any more, or with another calendar."""
    mine = disagreements.c.integration_id == integration_id
    await connection.execute(delete(disagreements).where(mine))
    state = integration_state.c
    nothing = {"pairs_agree": None, "pairs_of": None, "pairs_checked_at": None}
    await connection.execute(
        update(integration_state).where(state.integration_id == integration_id).values(nothing)
    )


def _kept_alike(tenant_id: str | None) -> ColumnElement[bool]:
    table = integrations.c
    living = and_(table.deleted_at.is_(None), table.active)
    return living if tenant_id is None else and_(living, table.tenant_id == tenant_id)


async def summed(connection: AsyncConnection, *, tenant_id: str | None) -> AgreementSum:
    """Of one tenant's active integrations, or of all there are, as far as they were ever checked."""
    state = integration_state.c
    wanted = (
        select(
            func.count(state.pairs_checked_at).label("integrations"),
            func.coalesce(func.sum(state.pairs_agree), 0).label("agree"),
            func.coalesce(func.sum(state.pairs_of), 0).label("of"),
            func.min(state.pairs_checked_at).label("checked_at"),
        )
        .join(integrations, integrations.c.id == state.integration_id)
        .where(_kept_alike(tenant_id))
    )
    row = (await connection.execute(wanted)).one()
    return AgreementSum(
        integrations=row.integrations, agree=int(row.agree), of=int(row.of), checked_at=row.checked_at
    )


async def worst(connection: AsyncConnection, tenant_id: str, *, limit: int) -> Sequence[str]:
    """The tenant's active integrations with the most pairs that differ, those first."""
    state = integration_state.c
    lack = state.pairs_of - state.pairs_agree
    wanted = (
        select(state.integration_id)
        .join(integrations, integrations.c.id == state.integration_id)
        .where(_kept_alike(tenant_id), lack > 0)
        .order_by(lack.desc(), state.integration_id)
    )
    return list(await connection.scalars(wanted.limit(limit)))


async def findings(
    connection: AsyncConnection, tenant_id: str, *, limit: int, named: int
) -> Sequence[DisagreementFinding]:
    """The tenant's integrations with pairs that differed in several checks in a row without a reason."""
    table = disagreements.c
    told = table.times >= CHECKS_BEFORE_FINDING
    counted = (
        select(table.integration_id, func.count().label("number"))
        .join(integrations, integrations.c.id == table.integration_id)
        .where(_kept_alike(tenant_id), told)
        .group_by(table.integration_id)
        .order_by(func.count().desc(), table.integration_id)
    )
    found = (await connection.execute(counted.limit(limit))).all()
    return [
        DisagreementFinding(
            integration_id=row.integration_id,
            count=row.number,
            item_keys=await _first_items(connection, row.integration_id, limit=named),
        )
        for row in found
    ]


async def _first_items(connection: AsyncConnection, integration_id: str, *, limit: int) -> Sequence[str]:
    table = disagreements.c
    wanted = (
        select(items.c.item_type, items.c.item_id)
        .join(disagreements, table.item_ref == items.c.ref)
        .where(table.integration_id == integration_id, table.times >= CHECKS_BEFORE_FINDING)
        .order_by(table.link_id)
    )
    rows = await connection.execute(wanted.limit(limit))
    return [f"{row.item_type}:{row.item_id}" for row in rows]


async def count_unexplained(connection: AsyncConnection) -> int:
    """How many pairs of all tenants differed in several checks in a row without a reason."""
    table = disagreements.c
    wanted = (
        select(func.count())
        .select_from(disagreements)
        .join(integrations, integrations.c.id == table.integration_id)
        .where(_kept_alike(None), table.times >= CHECKS_BEFORE_FINDING)
    )
    return int(await connection.scalar(wanted) or 0)

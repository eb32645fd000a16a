"""What processes saw of integrations lately, and how each provider is by it (R53): a row each, never more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.integrations.at_work import at_work
from service.store.tables import integrations, weather, weather_reports

REPORTS_KEPT_SECONDS = 3600.0
"""Seconds for which it counts what a process saw that has ended."""

BELIEVED_SECONDS = 300.0
"""Seconds for which a judgement is told; while there is weather, it is made anew many times within them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeatherReport:
    """What a process saw, when it said so by the database's clock."""

    told_at: float
    said: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountOwner:
    """Whose an integration is, and at which service."""

    tenant_id: str
    user_id: str
    provider_service: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WeatherRow:
    """How a provider is in a data centre; ``since`` is None in fair weather."""

    provider: str
    since: float | None
    told: Mapping[str, Any]


async def report(
    connection: AsyncConnection, process_id: str, said: Mapping[str, Any], *, now: float
) -> None:
    """Replace what this process said before; what processes long gone said is forgotten."""
    table = weather_reports.c
    await connection.execute(delete(weather_reports).where(table.told_at < now - REPORTS_KEPT_SECONDS))
    values = {"told_at": now, "said": dict(said)}
    new = merging_insert(connection, weather_reports).values(process_id=process_id, **values)
    await connection.execute(new.on_conflict_do_update(index_elements=["process_id"], set_=values))


async def reports(connection: AsyncConnection, *, since: float) -> Sequence[WeatherReport]:
    """What was said at that moment or later."""
    table = weather_reports.c
    rows = await connection.execute(
        select(table.told_at, table.said).where(table.told_at >= since).order_by(table.process_id)
    )
    return [WeatherReport(told_at=row.told_at, said=row.said) for row in rows]


async def owners(connection: AsyncConnection, ids: Iterable[str]) -> Mapping[str, AccountOwner]:
    """Whose these integrations are; those that are gone are left out."""
    table = integrations.c
    rows = await connection.execute(
        select(table.id, table.tenant_id, table.user_id, table.provider_service)
        .where(among(connection, table.id, ids))
        .where(table.deleted_at.is_(None))
    )
    return {
        row.id: AccountOwner(
            tenant_id=row.tenant_id, user_id=row.user_id, provider_service=row.provider_service
        )
        for row in rows
    }


async def read(connection: AsyncConnection, data_centre: str) -> Sequence[WeatherRow]:
    """Every provider that was ever judged there."""
    table = weather.c
    rows = await connection.execute(
        select(table.provider, table.since, table.told)
        .where(table.data_centre == data_centre)
        .order_by(table.provider)
    )
    return [WeatherRow(provider=row.provider, since=row.since, told=row.told) for row in rows]


async def storms(connection: AsyncConnection, data_centre: str, *, now: float) -> Sequence[WeatherRow]:
    """The providers there of which there is something to be told now.

    What nobody has judged for ``BELIEVED_SECONDS`` is told no longer: whoever judged it may be gone.
    """
    table = weather.c
    rows = await connection.execute(
        select(table.provider, table.since, table.told)
        .where(table.data_centre == data_centre, table.since.is_not(None))
        .order_by(table.since, table.provider)
    )
    found = [WeatherRow(provider=row.provider, since=row.since, told=row.told) for row in rows]
    return [one for one in found if one.told["judged_at"] > now - BELIEVED_SECONDS]


async def put(connection: AsyncConnection, data_centre: str, row: WeatherRow) -> None:
    """Replace what was known of that provider."""
    values = {"since": row.since, "told": dict(row.told)}
    new = merging_insert(connection, weather).values(data_centre=data_centre, provider=row.provider, **values)
    await connection.execute(
        new.on_conflict_do_update(index_elements=["data_centre", "provider"], set_=values)
    )


async def used_by(connection: AsyncConnection, tenant_id: str, user_id: str) -> frozenset[str]:
    """The services at which this person has a finished calendar that is active or watches."""
    table = integrations.c
    mine = (table.tenant_id == tenant_id, table.user_id == user_id, table.deleted_at.is_(None))
    return frozenset(await connection.scalars(select(table.provider_service).where(*mine, at_work())))

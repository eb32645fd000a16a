"""A tenant's company calendar: the domain's consent, and what was connected by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among, put_new
from service.store.tables import company_calendars, company_people, integrations, runs
from service.store.tables.company_stages import STEPS_A_ROUND, CompanyStage, PersonStage


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyRow:
    """A tenant's company calendar."""

    tenant_id: str
    stage: str
    sub: str | None
    provider_name: str | None
    domain: str | None
    connected_by: str | None
    connected_at: datetime | None
    state_by: str | None
    state_session: str | None
    verifier: str | None
    event_types: Mapping[str, bool]
    item_types: Mapping[str, bool]
    locked: Sequence[str]
    copies: str | None
    ended_by: str | None

    @property
    def connected(self) -> bool:
        return self.stage == CompanyStage.CONNECTED


_COMPANY = [company_calendars.c[name] for name in CompanyRow.__dataclass_fields__]


async def company_of(connection: AsyncConnection, tenant_id: str, *, lock: bool = False) -> CompanyRow | None:
    """The tenant's, if there is any; locked, nobody else decides about it until the commit."""
    query = select(*_COMPANY).where(company_calendars.c.tenant_id == tenant_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().first()
    return CompanyRow(**row) if row is not None else None


async def company_of_state(connection: AsyncConnection, state_hash: str, *, now: float) -> CompanyRow | None:
    """The one whose state has this hash, unless it has expired; locked."""
    table = company_calendars.c
    query = select(*_COMPANY).where(table.state_hash == state_hash, table.state_until > now)
    row = (await connection.execute(query.with_for_update())).mappings().first()
    return CompanyRow(**row) if row is not None else None


async def add_company(connection: AsyncConnection, **values: Any) -> None:
    """A new one, by the names of the table's columns; one that is there already stays as it is."""
    await put_new(connection, company_calendars, [values])


async def change_company(connection: AsyncConnection, tenant_id: str, **values: Any) -> None:
    mine = company_calendars.c.tenant_id == tenant_id
    await connection.execute(update(company_calendars).where(mine).values(**values))


async def uses_sub(connection: AsyncConnection, sub: str, *, but: str = "") -> bool:
    """Whether a company calendar, of another tenant than that one, lives on that account."""
    table = company_calendars.c
    query = select(table.tenant_id).where(table.sub == sub, table.tenant_id != but).limit(1)
    return await connection.scalar(query) is not None


async def ending(connection: AsyncConnection, *, after: str = "") -> Sequence[CompanyRow]:
    """Those that are being ended, in the order of their tenants' ids, behind that one."""
    table = company_calendars.c
    query = select(*_COMPANY).where(table.stage == CompanyStage.ENDING, table.tenant_id > after)
    rows = await connection.execute(query.order_by(table.tenant_id).limit(STEPS_A_ROUND))
    return [CompanyRow(**row) for row in rows.mappings()]


async def still_leaving(connection: AsyncConnection, tenant_id: str) -> bool:
    """Whether an integration that the company connected is still there, or still being taken leave of."""
    mine = (company_people.c.tenant_id == tenant_id, integrations.c.erased_at.is_(None))
    joined = company_people.join(integrations, integrations.c.id == company_people.c.integration_id)
    running = (
        select(runs.c.id)
        .where(runs.c.integration_id == integrations.c.id, runs.c.ended_at.is_(None))
        .exists()
    )
    waits = or_(integrations.c.deleted_at.is_(None), running)
    query = select(company_people.c.id).select_from(joined).where(*mine, waits).limit(1)
    return await connection.scalar(query) is not None


async def forget_company(connection: AsyncConnection, tenant_id: str) -> None:
    """The company calendar and all that is kept of its people here."""
    await connection.execute(delete(company_people).where(company_people.c.tenant_id == tenant_id))
    await connection.execute(delete(company_calendars).where(company_calendars.c.tenant_id == tenant_id))


# -- what they connected ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectedBy:
    """Who connected an integration in its company's name, and what its owner may not change."""

    integration_id: str
    who: str
    locked: Sequence[str]
    event_types: Mapping[str, bool]
    item_types: Mapping[str, bool]
    told: bool


async def connected_by(
    connection: AsyncConnection, integration_ids: Sequence[str]
) -> Mapping[str, ConnectedBy]:
    """Of these integrations, those that a company connected."""
    table, company = company_people.c, company_calendars.c
    joined = company_people.join(company_calendars, company.tenant_id == table.tenant_id)
    query = (
        select(
            table.integration_id,
            func.coalesce(table.chosen_by, company.connected_by).label("who"),
            company.locked,
            company.event_types,
            company.item_types,
            table.told_at,
        )
        .select_from(joined)
        .where(table.integration_id.in_(integration_ids), table.stage == PersonStage.CONNECTED)
    )
    return {
        row.integration_id: ConnectedBy(
            integration_id=row.integration_id,
            who=row.who or "",
            locked=row.locked,
            event_types=row.event_types,
            item_types=row.item_types,
            told=row.told_at is not None,
        )
        for row in await connection.execute(query)
    }


async def note_told(connection: AsyncConnection, tenant_id: str, user_id: str, *, at: datetime) -> None:
    """The person has seen who connected them."""
    table = company_people.c
    mine = (table.tenant_id == tenant_id, table.user_id == user_id, table.told_at.is_(None))
    await connection.execute(update(company_people).where(*mine).values(told_at=at))


async def bring_into_line(
    connection: AsyncConnection,
    tenant_id: str,
    settings: Mapping[str, Mapping[str, bool]],
    *,
    only: str | None = None,
) -> int:
    """Give every living integration that the company connected, or ``only`` that one, these settings.

    How many cannot have them.

    Those stay as they are: *Finish* would allow no such settings either (G10, R5).
    """
    if not settings:
        return 0
    table = integrations.c
    theirs = select(company_people.c.integration_id).where(
        company_people.c.tenant_id == tenant_id, company_people.c.stage == PersonStage.CONNECTED
    )
    query = select(table.id, table.event_types, table.item_types)
    query = query.where(table.id.in_(theirs), table.deleted_at.is_(None)).order_by(table.id)
    query = query if only is None else query.where(table.id == only)
    rows = (await connection.execute(query.with_for_update())).mappings().all()
    able = [row["id"] for row in rows if _is_able(row, settings)]
    values = {name: dict(boxes) for name, boxes in settings.items()}
    mine = among(connection, table.id, able)
    await connection.execute(update(integrations).where(mine).values(**values))
    return len(rows) - len(able)


def _is_able(row: Mapping[Any, Any], settings: Mapping[str, Mapping[str, bool]]) -> bool:
    """Whether something is left to sync, on a calendar of which is known that it can be written to.

    Of one to which nothing has been sent yet nobody has asked that: it may be read-only.
    """
    events = settings.get("event_types", row["event_types"])
    items = settings.get("item_types", row["item_types"])
    begins_to_send = any(items.values()) and not any(row["item_types"].values())
    return not begins_to_send and (any(events.values()) or any(items.values()))

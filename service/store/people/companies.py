"""A tenant's company calendar, and how far each of its people has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration
from service.store.tables import (
    company_calendars,
    company_people,
    integrations,
    item_assignees,
    runs,
    sessions,
)

STEPS_A_ROUND = 50
"""People of whom one round takes the next step: as many as one request to Cronofy names."""


class CompanyStage(StrEnum):
    """Where a company's consent stands."""

    BEGUN = "begun"
    CONNECTED = "connected"
    ENDING = "ending"


class PersonStage(StrEnum):
    """How far a person has come; *already* were connected by themselves, and are left alone."""

    CHOSEN = "chosen"
    ASKED = "asked"
    ANSWERED = "answered"
    GRANTED = "granted"
    CONNECTED = "connected"
    ALREADY = "already"
    FAILED = "failed"


ASKED_FOR = (PersonStage.ASKED, PersonStage.ANSWERED, PersonStage.GRANTED)
WORKED_ON = (PersonStage.CHOSEN, *ASKED_FOR)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyPerson:
    """A person whom the company connects; ``answer`` is encrypted."""

    id: str
    tenant_id: str
    user_id: str
    email: str
    time_zone: str
    stage: str
    since: datetime
    reason: str | None = None
    attempts: int = 0
    state_hash: str | None = None
    answer: str | None = None
    sub: str | None = None
    profile: Mapping[str, str] | None = None
    integration_id: str | None = None
    left: bool = False
    """They were connected, and have deleted that integration since."""


_COMPANY = [company_calendars.c[name] for name in CompanyRow.__dataclass_fields__]
_PERSON = [company_people.c[name] for name in CompanyPerson.__dataclass_fields__ if name != "left"]


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
    """A new one, by the names of the table's columns."""
    await connection.execute(insert(company_calendars).values(**values))


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


# -- people -------------------------------------------------------------------------------------


async def add_people(connection: AsyncConnection, people: Sequence[Mapping[str, Any]]) -> None:
    """New people, by the names of the table's columns."""
    if people:
        await connection.execute(insert(company_people), [dict(one) for one in people])


async def people_among(
    connection: AsyncConnection, tenant_id: str, user_ids: Sequence[str]
) -> Mapping[str, CompanyPerson]:
    """Those of these that are known, by their user id; locked."""
    table = company_people.c
    query = select(*_PERSON).where(table.tenant_id == tenant_id, table.user_id.in_(user_ids))
    rows = (await connection.execute(query.with_for_update())).mappings()
    return {row["user_id"]: CompanyPerson(**row) for row in rows}


async def count_people(connection: AsyncConnection, tenant_id: str) -> Mapping[str, int]:
    """How many stand at each stage."""
    table = company_people.c
    query = select(table.stage, func.count()).where(table.tenant_id == tenant_id).group_by(table.stage)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def people_page(
    connection: AsyncConnection, tenant_id: str, *, after: str | None, limit: int
) -> Sequence[CompanyPerson]:
    """The tenant's people in the order of their ids, behind that one."""
    gone = or_(integrations.c.id.is_(None), integrations.c.deleted_at.is_not(None))
    left = and_(company_people.c.stage == PersonStage.CONNECTED, gone)
    joined = company_people.outerjoin(integrations, integrations.c.id == company_people.c.integration_id)
    query = select(*_PERSON, left.label("left")).select_from(joined)
    query = query.where(company_people.c.tenant_id == tenant_id)
    if after is not None:
        query = query.where(company_people.c.id > after)
    rows = await connection.execute(query.order_by(company_people.c.id).limit(limit))
    return [CompanyPerson(**{**row, "left": bool(row["left"])}) for row in rows.mappings()]


async def find_person(connection: AsyncConnection, person_id: str) -> CompanyPerson | None:
    """That one, locked."""
    query = select(*_PERSON).where(company_people.c.id == person_id)
    row = (await connection.execute(query.with_for_update())).mappings().first()
    return CompanyPerson(**row) if row is not None else None


async def stage_of(connection: AsyncConnection, person_id: str) -> str | None:
    """How far the person has come."""
    stage: str | None = await connection.scalar(
        select(company_people.c.stage).where(company_people.c.id == person_id)
    )
    return stage


async def due_people(
    connection: AsyncConnection, stage: PersonStage, *, now: float
) -> Sequence[CompanyPerson]:
    """Those at that stage whose next step is due, of tenants that are connected; the earliest first."""
    table = company_people.c
    connected = select(company_calendars.c.tenant_id).where(
        company_calendars.c.stage == CompanyStage.CONNECTED
    )
    query = select(*_PERSON).where(table.due_at <= now, table.stage == stage, table.tenant_id.in_(connected))
    rows = await connection.execute(query.order_by(table.due_at, table.id).limit(STEPS_A_ROUND))
    return [CompanyPerson(**row) for row in rows.mappings()]


async def advance_person(
    connection: AsyncConnection, person: CompanyPerson, after: PersonStage, **values: Any
) -> bool:
    """Take the step; False where the person stands no longer as they did."""
    table = company_people.c
    same = table.state_hash.is_(None) if person.state_hash is None else table.state_hash == person.state_hash
    mine = (table.id == person.id, table.stage == person.stage, same)
    result = await connection.execute(update(company_people).where(*mine).values(stage=after, **values))
    return bool(result.rowcount)


async def lives(connection: AsyncConnection, integration_id: str) -> bool:
    """Whether that integration is there, and not deleted."""
    mine = (integrations.c.id == integration_id, integrations.c.deleted_at.is_(None))
    return await connection.scalar(select(integrations.c.id).where(*mine)) is not None


async def time_zone_of(connection: AsyncConnection, person: CompanyPerson) -> str | None:
    """Where the person was at home when they signed in last, as far as that is kept."""
    mine = (sessions.c.tenant_id == person.tenant_id, sessions.c.user_id == person.user_id)
    query = select(sessions.c.time_zone).where(*mine).order_by(sessions.c.since.desc()).limit(1)
    found: str | None = await connection.scalar(query)
    return found


async def under_way(connection: AsyncConnection, tenant_id: str) -> Sequence[CompanyPerson]:
    """The tenant's people for whom a grant has come that nothing was made of yet."""
    table = company_people.c
    mine = (table.tenant_id == tenant_id, table.stage == PersonStage.GRANTED, table.answer.is_not(None))
    rows = await connection.execute(select(*_PERSON).where(*mine).order_by(table.id).limit(STEPS_A_ROUND))
    return [CompanyPerson(**row) for row in rows.mappings()]


async def stop_people(connection: AsyncConnection, tenant_id: str) -> Sequence[str]:
    """Nobody is worked on any more; the living integrations that the company made, finished or not."""
    table = company_people.c
    mine = table.tenant_id == tenant_id
    await connection.execute(
        update(company_people).where(mine).values(due_at=None, state_hash=None, answer=None)
    )
    joined = company_people.join(integrations, integrations.c.id == table.integration_id)
    living = (mine, integrations.c.deleted_at.is_(None))
    query = select(integrations.c.id).select_from(joined).where(*living)
    return list(await connection.scalars(query.order_by(integrations.c.id)))


async def retry_failed(connection: AsyncConnection, tenant_id: str, *, now: float, since: datetime) -> int:
    """Everybody who failed is asked for once more; how many."""
    table = company_people.c
    mine = (table.tenant_id == tenant_id, table.stage == PersonStage.FAILED)
    fresh = {"attempts": 0, "reason": None, "due_at": now, "state_hash": None, "answer": None}
    result = await connection.execute(
        update(company_people).where(*mine).values(stage=PersonStage.CHOSEN, since=since, **fresh)
    )
    return int(result.rowcount)


async def known_users(
    connection: AsyncConnection, tenant_id: str, *, but: str, limit: int
) -> Sequence[tuple[str, str | None]]:
    """People of the tenant, but that one, who were seen here and are not in its list yet, with an account."""
    seen = union(
        select(integrations.c.user_id).where(integrations.c.tenant_id == tenant_id),
        select(sessions.c.user_id).where(sessions.c.tenant_id == tenant_id),
        select(item_assignees.c.user_id).where(item_assignees.c.tenant_id == tenant_id),
    ).subquery()
    listed = select(company_people.c.user_id).where(company_people.c.tenant_id == tenant_id)
    account = (
        select(func.min(integrations.c.profile_name))
        .where(integrations.c.tenant_id == tenant_id, integrations.c.user_id == seen.c.user_id)
        .where(integrations.c.deleted_at.is_(None))
        .scalar_subquery()
    )
    query = select(seen.c.user_id, account).where(seen.c.user_id.not_in(listed), seen.c.user_id != but)
    rows = await connection.execute(query.order_by(seen.c.user_id).limit(limit))
    return [(user_id, profile_name) for user_id, profile_name in rows]


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
            company.connected_by,
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
            who=row.connected_by or "",
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
    connection: AsyncConnection, tenant_id: str, settings: Mapping[str, Mapping[str, bool]]
) -> None:
    """Give every living integration that the company connected these settings."""
    if not settings:
        return
    theirs = select(company_people.c.integration_id).where(
        company_people.c.tenant_id == tenant_id, company_people.c.stage == PersonStage.CONNECTED
    )
    mine = (integrations.c.id.in_(theirs), integrations.c.deleted_at.is_(None))
    values = {name: dict(boxes) for name, boxes in settings.items()}
    await connection.execute(update(integrations).where(*mine).values(**values))


async def forget_person(connection: AsyncConnection, integration: Integration) -> None:
    """Erase what is kept of the owner with that integration; what holds for another one of theirs stays."""
    table = company_people.c
    mine = (table.tenant_id == integration.tenant_id, table.user_id == integration.user_id)
    with_it = or_(
        table.integration_id.is_(None), table.integration_id == integration.id, table.sub == integration.sub
    )
    await connection.execute(delete(company_people).where(*mine, with_it))

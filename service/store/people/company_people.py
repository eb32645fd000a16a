"""Each person whom a company connects, and how far they have come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration
from service.store.engine.sets import in_turn
from service.store.tables import company_calendars, company_people, integrations, sessions
from service.store.tables.company_stages import SETTLED, STEPS_A_ROUND, WORKED_ON, CompanyStage, PersonStage


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
    chosen_by: str | None = None
    vouched: bool | None = None
    """Whether Vorex, too, says that the mailbox is theirs; None where it has named no address."""
    left: bool = False
    """They were connected, and have deleted that integration since."""


_PERSON = [company_people.c[name] for name in CompanyPerson.__dataclass_fields__ if name != "left"]
LEFT_VOREX = "left"
"""The reason of whoever has left Vorex: nobody asks for them again, unless they are chosen anew."""
HAS_GRANT = and_(
    company_people.c.stage.in_((PersonStage.GRANTED, *SETTLED)), company_people.c.answer.is_not(None)
)
"""A grant has come that nothing was made of, and that was not given back."""
STILL_THERE = (
    select(integrations.c.id)
    .where(integrations.c.id == company_people.c.integration_id, integrations.c.deleted_at.is_(None))
    .scalar_subquery()
)
"""For an update: the integration that was noted, where it lives."""
NOTHING_EARLIER = {
    **dict.fromkeys(("reason", "state_hash", "answer", "sub", "profile")),
    "integration_id": STILL_THERE,
}
"""Of an earlier attempt nothing is left but the integration that lives: it gets the next grant."""


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
    rows = (await connection.execute(query.order_by(table.id).with_for_update())).mappings()
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


async def due_people(
    connection: AsyncConnection, stage: PersonStage, *, now: float
) -> Sequence[CompanyPerson]:
    """Those at that stage whose next step is due, of tenants that are connected, which take turns (R44)."""
    table = company_people.c
    connected = select(company_calendars.c.tenant_id).where(
        company_calendars.c.stage == CompanyStage.CONNECTED
    )
    query = select(*_PERSON).where(table.due_at <= now, table.stage == stage, table.tenant_id.in_(connected))
    earliest = (table.due_at, table.id)
    query = query.order_by(in_turn(table.tenant_id, *earliest), *earliest).limit(STEPS_A_ROUND)
    return [CompanyPerson(**row) for row in (await connection.execute(query)).mappings()]


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
    """The tenant's people for whom a grant has come that nothing was made of, and that was not given back."""
    table = company_people.c
    mine = (table.tenant_id == tenant_id, HAS_GRANT)
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
    """Everybody who failed is asked for once more, for a new grant; how many.

    But who has left, and for whom there still is a grant that is to be given back.
    """
    table = company_people.c
    may = (func.coalesce(table.reason, "") != LEFT_VOREX, table.answer.is_(None))
    mine = (table.tenant_id == tenant_id, table.stage == PersonStage.FAILED, *may)
    result = await connection.execute(
        update(company_people)
        .where(*mine)
        .values(stage=PersonStage.CHOSEN, since=since, due_at=now, attempts=0, **NOTHING_EARLIER)
    )
    return int(result.rowcount)


async def put_off(connection: AsyncConnection, person: CompanyPerson, *, until: float) -> None:
    """Whatever is due for them is not due before that moment."""
    mine = (company_people.c.id == person.id, company_people.c.due_at.is_not(None))
    values = {"due_at": until, "attempts": company_people.c.attempts + 1}
    await connection.execute(update(company_people).where(*mine).values(**values))


async def leave(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, until: datetime, at: datetime, now: float
) -> bool:
    """Whoever has left, and was chosen up to that moment, is connected no more; whether they would have been.

    A grant that has come for them is due to be given back (R54).
    """
    table = company_people.c
    mine = (
        table.tenant_id == tenant_id,
        table.user_id == user_id,
        table.stage.in_((*WORKED_ON, PersonStage.FAILED)),
        or_(table.chosen_at.is_(None), table.chosen_at <= until),
    )
    before = await connection.scalar(select(table.stage).where(*mine).with_for_update())
    if before is None:
        return False
    has_grant = table.stage.in_((PersonStage.GRANTED, PersonStage.FAILED)) & table.answer.is_not(None)
    settled = {"stage": PersonStage.FAILED, "reason": LEFT_VOREX, "since": at, "state_hash": None}
    returned = {"answer": case((has_grant, table.answer)), "due_at": case((has_grant, now)), "attempts": 0}
    await connection.execute(update(company_people).where(*mine).values(**settled, **returned))
    return before in WORKED_ON


async def vouch(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, email: str
) -> CompanyPerson | None:
    """Note whether the mailbox is the one that Vorex names for them; whom it concerns, where that is new."""
    table = company_people.c
    mine = (table.tenant_id == tenant_id, table.user_id == user_id)
    row = (await connection.execute(select(*_PERSON).where(*mine).with_for_update())).mappings().first()
    if row is None or row["vouched"] == (row["email"].lower() == email.lower()):
        return None
    person = replace(CompanyPerson(**row), vouched=row["email"].lower() == email.lower())
    same = (table.id == person.id, table.email == person.email)
    await connection.execute(update(company_people).where(*same).values(vouched=person.vouched))
    return person


async def is_elsewhere(connection: AsyncConnection, person: CompanyPerson) -> bool:
    """Whether Vorex names another address for them by now."""
    found = await connection.scalar(select(company_people.c.vouched).where(company_people.c.id == person.id))
    return found is False


async def grants_kept_with(connection: AsyncConnection, integration: Integration) -> Sequence[CompanyPerson]:
    """What erasing that integration erases with it, where there is a grant that is to be given back first."""
    rows = await connection.execute(select(*_PERSON).where(*_kept_with(integration), HAS_GRANT))
    return [CompanyPerson(**row) for row in rows.mappings()]


async def forget_person(connection: AsyncConnection, integration: Integration) -> bool:
    """Erase what is kept of the owner with that integration; what holds for another living one stays.

    Whether nothing of it is left: a row with a grant that lives is needed to give it back.
    """
    mine = _kept_with(integration)
    await connection.execute(delete(company_people).where(*mine, ~HAS_GRANT))
    return await connection.scalar(select(company_people.c.id).where(*mine).limit(1)) is None


def _kept_with(integration: Integration) -> tuple[ColumnElement[bool], ...]:
    table = company_people.c
    others = select(integrations.c.id).where(
        integrations.c.tenant_id == integration.tenant_id,
        integrations.c.user_id == integration.user_id,
        integrations.c.deleted_at.is_(None),
        integrations.c.id != integration.id,
    )
    with_it = or_(
        table.integration_id.is_(None),
        table.integration_id.not_in(others),
        table.sub == integration.sub,
        func.lower(table.email) == integration.profile_name.lower(),
    )
    return table.tenant_id == integration.tenant_id, table.user_id == integration.user_id, with_it

"""Whom a company can connect, and whose a mailbox is already."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, Table, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.people.keys import print_of
from service.store.tables import company_people, integrations, item_assignees, sessions
from service.store.tables.company_stages import PersonStage


async def linked_already(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, email: str, but: str | None = None
) -> bool:
    """Whether the person has finished an integration of that account that is not known to have lost it."""
    table = integrations.c
    mine = (
        table.tenant_id == tenant_id,
        table.user_id == user_id,
        func.lower(table.profile_name) == email.lower(),
        table.deleted_at.is_(None),
        table.finished_at.is_not(None),
        table.status == "connected",
    )
    query = select(table.id).where(*mine)
    if but is not None:
        query = query.where(table.id != but)
    return await connection.scalar(query.limit(1)) is not None


async def mailboxes_of_others(
    connection: AsyncConnection, tenant_id: str, wanted: Mapping[str, str], *, stages: Sequence[PersonStage]
) -> set[str]:
    """Of these mailboxes, each with who is to have it, those that somebody else of the tenant has.

    They have it who linked it, or who stand at one of those stages with it. Addresses are in small letters.
    """
    people, linked = company_people.c, integrations.c
    address, name = func.lower(people.email), func.lower(linked.profile_name)
    chosen = select(address, people.user_id).where(
        people.tenant_id == tenant_id, people.stage.in_(stages), address.in_(wanted)
    )
    living = select(name, linked.user_id).where(
        linked.tenant_id == tenant_id, linked.deleted_at.is_(None), name.in_(wanted)
    )
    rows = [*await connection.execute(chosen), *await connection.execute(living)]
    return {email for email, user_id in rows if wanted[email] != user_id}


def address_print(email: str) -> str | None:
    """What is kept of the address that Vorex names for whoever signs in; None where it names none."""
    return print_of(email.lower()) if email else None


async def vouched_for(
    connection: AsyncConnection, tenant_id: str, wanted: Mapping[str, str]
) -> Mapping[str, bool]:
    """Of these people, each with a mailbox, whether it is theirs, as far as Vorex named them an address."""
    table = sessions.c
    mine = (table.tenant_id == tenant_id, table.user_id.in_(wanted), table.email_hash.is_not(None))
    query = select(table.user_id, table.email_hash).where(*mine).order_by(table.since)
    return {
        row.user_id: row.email_hash == address_print(wanted[row.user_id])
        for row in await connection.execute(query)
    }


async def known_users(
    connection: AsyncConnection, tenant_id: str, *, but: str, limit: int
) -> Sequence[tuple[str, str | None]]:
    """People of the tenant, but that one, who were seen here and are not in its list yet, with an account.

    Each is found by their key, for what is kept of one may be very much.
    """
    listed = select(company_people.c.user_id).where(company_people.c.tenant_id == tenant_id)
    passed_over = await connection.scalar(select(func.count()).select_from(listed.subquery())) or 0
    seen = union_all(
        *(
            _names(one, tenant_id, limit=limit + passed_over + 1)
            for one in (integrations, sessions, item_assignees)
        )
    ).subquery()
    account = (
        select(func.min(integrations.c.profile_name))
        .where(integrations.c.tenant_id == tenant_id, integrations.c.user_id == seen.c.name)
        .where(integrations.c.deleted_at.is_(None))
        .scalar_subquery()
    )
    query = select(seen.c.name, account).where(seen.c.name.not_in(listed), seen.c.name != but)
    rows = await connection.execute(query.distinct().order_by(seen.c.name).limit(limit))
    return [(user_id, profile_name) for user_id, profile_name in rows]


def _names(table: Table, tenant_id: str, *, limit: int) -> Select[tuple[str]]:
    """The first users of the tenant in that table: a step of its index from each to the next."""
    mine, least = table.c.tenant_id == tenant_id, func.min(table.c.user_id).label("name")
    found = select(least).where(mine).cte(f"{table.name}_users", recursive=True)
    following = select(least).where(mine, table.c.user_id > found.c.name).scalar_subquery()
    found = found.union_all(select(following).where(found.c.name.is_not(None)))
    first = select(found.c.name).where(found.c.name.is_not(None)).limit(limit).subquery()
    return select(first.c.name)

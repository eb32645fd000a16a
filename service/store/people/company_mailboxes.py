"""Whose a mailbox is already, before a company connects somebody with it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.people.companies import PersonStage
from service.store.tables import company_people, integrations


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

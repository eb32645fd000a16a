"""Whose account and calendar a deleted integration used, for as long as its tombstones need it (R21)."""

from datetime import datetime

from sqlalchemy import exists, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.tables import integrations, links

NO_NAMES = {
    "sub": literal("forgotten:").concat(integrations.c.id),
    "profile_id": "",
    "profile_name": "",
    "account_name": "",
    "calendar_id": None,
    "calendar_name": None,
    "own_name": None,
    "listed_calendars": None,
    "migration_url": None,
}


async def forget_some(connection: AsyncConnection, *, after: str, before: datetime, limit: int) -> str:
    """Look at so many integrations behind that one; where to go on, empty behind the last one.

    Nothing names the account of those that were deleted before that moment and have no tombstones.
    """
    table = integrations.c
    wanted = select(table.id).where(table.id > after).order_by(table.id).limit(limit)
    ids = list(await connection.scalars(wanted))
    over = among(connection, table.id, ids), table.deleted_at < before, table.erased_at.is_not(None)
    paired = exists().where(links.c.integration_id == table.id)
    await connection.execute(
        update(integrations).where(*over, table.account_name != "", ~paired).values(**NO_NAMES)
    )
    return str(ids[-1]) if len(ids) == limit else ""

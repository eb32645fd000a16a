"""What deleted items said: kept while a deletion can be undone, and then blanked (R50).

Identity, versions and what makes an item read-only stay, so that late messages are judged as ever (R17, R42).
"""

from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, delete, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.tables import item_assignees, items

_SAYS_SOMETHING = items.c.deleted & (items.c.content.is_not(None) | items.c.message_body.is_not(None))


async def blank(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """At most so many of those that were stored as deleted before that moment; how many."""
    return await _blank(connection, items.c.stored_at < before, limit)


async def blank_persons(connection: AsyncConnection, tenant_id: str, user_id: str, *, limit: int) -> int:
    """At most so many of those that this person had, whenever they were deleted; how many."""
    return await _blank(connection, items.c.ref.in_(_of(tenant_id, user_id)), limit)


async def count_persons(connection: AsyncConnection, tenant_id: str, user_id: str) -> int:
    """How many of the person's deleted items still say something."""
    theirs = items.c.ref.in_(_of(tenant_id, user_id))
    return int(
        await connection.scalar(select(func.count()).select_from(items).where(_SAYS_SOMETHING, theirs)) or 0
    )


def _of(tenant_id: str, user_id: str) -> ScalarSelect[str]:
    mine = item_assignees.c.tenant_id == tenant_id, item_assignees.c.user_id == user_id
    return select(item_assignees.c.item_ref).where(*mine).scalar_subquery()


async def _blank(connection: AsyncConnection, which: ColumnElement[bool], limit: int) -> int:
    wanted = select(items.c.ref).where(_SAYS_SOMETHING, which).limit(limit)
    refs = list(await connection.scalars(wanted.with_for_update(skip_locked=True)))
    if not refs:
        return 0
    nothing = dict.fromkeys(("starts_at", "ends_at", "message_source", "message_id", "message_body"))
    these = among(connection, items.c.ref, refs)
    await connection.execute(update(items).where(these).values(content=null(), **nothing))
    await connection.execute(delete(item_assignees).where(among(connection, item_assignees.c.item_ref, refs)))
    return len(refs)

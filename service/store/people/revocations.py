"""From which moment on a person's older tokens open nothing any more (R45)."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.upserts import merging_insert
from service.store.tables import revocations


async def revoke(connection: AsyncConnection, tenant_id: str, user_id: str, *, at: float) -> None:
    """Note the moment, unless a later one is known."""
    new = merging_insert(connection, revocations).values(tenant_id=tenant_id, user_id=user_id, revoked_at=at)
    later = new.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"],
        set_={"revoked_at": at},
        where=revocations.c.revoked_at < at,
    )
    await connection.execute(later)


async def revoked_at(connection: AsyncConnection, tenant_id: str, user_id: str) -> float | None:
    """The last such moment that is remembered; seconds since 1970."""
    mine = (revocations.c.tenant_id == tenant_id, revocations.c.user_id == user_id)
    found: float | None = await connection.scalar(select(revocations.c.revoked_at).where(*mine))
    return found

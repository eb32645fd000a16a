"""Permissions that were asked for at Cronofy and are not answered yet (R34)."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import permission_requests


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedPermission:
    """For which integration, and whose, the person was sent to Cronofy."""

    integration_id: str
    tenant_id: str
    user_id: str
    expires_at: float


async def begin(
    connection: AsyncConnection, request: AskedPermission, *, state_hash: str, now: float
) -> None:
    """Note that a person was sent there; what has expired is forgotten."""
    table = permission_requests.c
    await connection.execute(delete(permission_requests).where(table.expires_at <= now))
    await connection.execute(insert(permission_requests).values(state_hash=state_hash, **asdict(request)))


async def find(connection: AsyncConnection, state_hash: str, *, now: float) -> AskedPermission | None:
    """The request of that state; None where it expired, was spent or never was."""
    table = permission_requests.c
    query = select(table.integration_id, table.tenant_id, table.user_id, table.expires_at)
    mine = query.where(table.state_hash == state_hash, table.expires_at > now)
    row = (await connection.execute(mine)).mappings().first()
    return AskedPermission(**row) if row is not None else None


async def spend(connection: AsyncConnection, state_hash: str) -> None:
    """That state is good no more."""
    await connection.execute(
        delete(permission_requests).where(permission_requests.c.state_hash == state_hash)
    )

"""Leases: a piece of shared work belongs to one process for a limited time (DESIGN 8, 10)."""

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import leases


async def acquire(
    connection: AsyncConnection, name: str, *, holder: str, seconds: float, now: float
) -> int | None:
    """The lease's epoch when it is the holder's from now on, None when another's has not run out."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    free = {"name": name, "holder": "", "epoch": 0, "until": 0.0}
    await connection.execute(dialect.insert(leases).values(free).on_conflict_do_nothing())
    found = await connection.execute(select(leases).where(leases.c.name == name).with_for_update())
    lease = found.one()
    if lease.until > now and lease.holder != holder:
        return None
    kept = lease.until > now
    epoch = lease.epoch if kept else lease.epoch + 1
    await connection.execute(
        update(leases).where(leases.c.name == name).values(holder=holder, epoch=epoch, until=now + seconds),
    )
    return int(epoch)


async def held(connection: AsyncConnection, name: str, *, epoch: int) -> bool:
    """Whether nobody has taken the lease over since that epoch; it stays so until the transaction ends."""
    found = await connection.scalar(select(leases.c.epoch).where(leases.c.name == name).with_for_update())
    return bool(found == epoch)


async def release(connection: AsyncConnection, name: str, *, epoch: int) -> None:
    """Give the lease back before it runs out; harmless when it has been taken over."""
    await connection.execute(
        update(leases).where(leases.c.name == name, leases.c.epoch == epoch).values(until=0.0)
    )

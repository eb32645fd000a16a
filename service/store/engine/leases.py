"""Leases: a piece of shared work belongs to one process for a limited time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.tables import leases


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseColumns:
    """The columns in which each row of a table is a lease, for work that needs that row anyway.

    A lease is free where it has no end, or one that has passed; its epoch grows with every taking.
    """

    key: Column[Any]
    epoch: Column[Any]
    until: Column[Any]

    def free(self, now: float) -> ColumnElement[bool]:
        """Whether nobody has the row's lease."""
        return or_(self.until.is_(None), self.until <= now)


NAMED_LEASES = LeaseColumns(key=leases.c.name, epoch=leases.c.epoch, until=leases.c.until)
"""The leases that stand for themselves."""


async def take(
    connection: AsyncConnection,
    lease: LeaseColumns,
    key: str,
    *,
    epoch: int,
    seconds: float,
    now: float,
    **values: object,
) -> int | None:
    """The new epoch of a free lease that had this one; None where it is not free or was taken since.

    ``values`` are written to its row together with it.
    """
    taken = {lease.epoch.name: epoch + 1, lease.until.name: now + seconds, **values}
    free = lease.key == key, lease.epoch == epoch, lease.free(now)
    result = await connection.execute(update(lease.key.table).where(*free).values(taken))
    return epoch + 1 if result.rowcount else None


async def write(
    connection: AsyncConnection, lease: LeaseColumns, key: str, *, epoch: int, **values: object
) -> bool:
    """Write to the row of a lease; False, and nothing is, where it was taken over since that epoch."""
    mine = lease.key == key, lease.epoch == epoch
    return bool((await connection.execute(update(lease.key.table).where(*mine).values(values))).rowcount)


async def acquire(
    connection: AsyncConnection, name: str, *, holder: str, seconds: float, now: float
) -> int | None:
    """The lease's epoch when it is the holder's from now on, None when another's has not run out."""
    lease = await lock_lease(connection, name)
    epoch = int(lease.epoch)
    if lease.holder == holder and lease.until > now:
        await write(connection, NAMED_LEASES, name, epoch=epoch, until=now + seconds)
        return epoch
    return await take(connection, NAMED_LEASES, name, epoch=epoch, seconds=seconds, now=now, holder=holder)


async def lock_lease(connection: AsyncConnection, name: str) -> Row[Any]:
    """Wait until nobody else has the lease's row, and keep it until the transaction ends; the row."""
    free = {"name": name, "holder": "", "epoch": 0, "until": 0.0}
    await connection.execute(merging_insert(connection, leases).values(free).on_conflict_do_nothing())
    found = await connection.execute(select(leases).where(leases.c.name == name).with_for_update())
    return found.one()


async def hold(
    connection: AsyncConnection, names: Sequence[str], *, holder: str, seconds: float, now: float
) -> dict[str, int]:
    """Renew the holder's leases among these and take the free ones; the epochs of all that it has now."""
    free = [{"name": name, "holder": "", "epoch": 0, "until": 0.0} for name in sorted(names)]
    await connection.execute(merging_insert(connection, leases).on_conflict_do_nothing(), free)
    these = among(connection, leases.c.name, names)
    found = await connection.execute(select(leases).where(these).order_by(leases.c.name).with_for_update())
    rows = found.all()
    kept = {row.name: row.epoch for row in rows if row.holder == holder and row.until > now}
    taken = {row.name: row.epoch + 1 for row in rows if row.until <= now}
    for some, epoch in ((kept, leases.c.epoch), (taken, leases.c.epoch + 1)):
        if some:
            mine = update(leases).where(among(connection, leases.c.name, some))
            await connection.execute(mine.values(holder=holder, epoch=epoch, until=now + seconds))
    return {name: int(epoch) for name, epoch in {**kept, **taken}.items()}


async def count_holders(connection: AsyncConnection, prefix: str, *, now: float) -> int:
    """How many processes hold a lease whose name begins so."""
    mine = leases.c.name.startswith(prefix, autoescape=True), leases.c.until > now
    return await connection.scalar(select(func.count(leases.c.holder.distinct())).where(*mine)) or 0


async def held(connection: AsyncConnection, name: str, *, epoch: int) -> bool:
    """Whether nobody has taken the lease over since that epoch; it stays so until the transaction ends."""
    found = await connection.scalar(select(leases.c.epoch).where(leases.c.name == name).with_for_update())
    return bool(found == epoch)


async def release(connection: AsyncConnection, name: str, *, epoch: int) -> None:
    """Give the lease back before it runs out; harmless when it has been taken over."""
    await write(connection, NAMED_LEASES, name, epoch=epoch, until=0.0)

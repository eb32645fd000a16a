"""What each process last told of itself, for whoever looks from another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.upserts import merging_insert
from service.store.tables import processes

FORGET_PROCESS_SECONDS = 3600.0
"""Seconds after which the last words of a process that was killed are of no use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessReport:
    """A process's last words."""

    id: str
    told_at: float
    """By the database's clock."""
    said: Mapping[str, Any]


async def tell(connection: AsyncConnection, process_id: str, said: Mapping[str, Any], *, now: float) -> None:
    """Replace what this process said before; what processes long gone said is forgotten."""
    await connection.execute(delete(processes).where(processes.c.told_at < now - FORGET_PROCESS_SECONDS))
    values = {"told_at": now, "said": dict(said)}
    new = merging_insert(connection, processes).values(id=process_id, **values)
    await connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))


async def leave(connection: AsyncConnection, process_id: str) -> None:
    """Forget a process that ends in order."""
    await connection.execute(delete(processes).where(processes.c.id == process_id))


async def heard(connection: AsyncConnection, *, since: float) -> Sequence[ProcessReport]:
    """The processes that spoke at that moment or later, the oldest first."""
    rows = await connection.execute(
        select(processes).where(processes.c.told_at >= since).order_by(processes.c.id)
    )
    return [ProcessReport(id=row.id, told_at=row.told_at, said=row.said) for row in rows]

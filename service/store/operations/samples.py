"""How everything stood lately, in spans of equal length; few rows, for the keeper forgets the old ones."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.upserts import merging_insert
from service.store.tables import operation_samples


async def read(connection: AsyncConnection, *, seconds: int, since: int) -> Mapping[int, Mapping[str, Any]]:
    """What was told of the spans of that length which began then or later, by their first second."""
    sample = operation_samples.c
    wanted = select(sample.at, sample.told).where(sample.seconds == seconds, sample.at >= since)
    return {row.at: row.told for row in await connection.execute(wanted.order_by(sample.at))}


async def put(connection: AsyncConnection, *, seconds: int, at: int, told: Mapping[str, Any]) -> None:
    """Replace what was told of that span."""
    new = merging_insert(connection, operation_samples).values(seconds=seconds, at=at, told=dict(told))
    await connection.execute(
        new.on_conflict_do_update(index_elements=["seconds", "at"], set_={"told": dict(told)})
    )


async def forget(connection: AsyncConnection, *, seconds: int, before: int) -> None:
    sample = operation_samples.c
    await connection.execute(delete(operation_samples).where(sample.seconds == seconds, sample.at < before))

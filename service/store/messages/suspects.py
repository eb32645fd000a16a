"""Messages over which processes may have died."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.tables import suspects


def name_of(body: bytes) -> str:
    """What crashes over a message are counted under: told without parsing, which may be what kills.

    Any number of messages may come under one id, and would answer for each other (R44).
    """
    return hashlib.sha256(body).hexdigest()


async def crashes_over(connection: AsyncConnection, consumer: str, names: Iterable[str]) -> Mapping[str, int]:
    """How often each of these was taken in hand without an end; those that never were are left out."""
    wanted = select(suspects.c.message_id, suspects.c.crashes).where(
        suspects.c.consumer == consumer, among(connection, suspects.c.message_id, names)
    )
    rows = await connection.execute(wanted)
    return {row.message_id: int(row.crashes) for row in rows}


async def suspect(
    connection: AsyncConnection, consumer: str, names: Iterable[str], *, now: datetime
) -> Mapping[str, int]:
    """Note that these are taken in hand; how often each was noted before without an end."""
    named = sorted(set(names))
    before = dict.fromkeys(named, 0)
    before.update(await crashes_over(connection, consumer, named))
    rows = [
        {"consumer": consumer, "message_id": name, "crashes": before[name] + 1, "at": now} for name in named
    ]
    noted = merging_insert(connection, suspects)
    merged = noted.on_conflict_do_update(
        index_elements=["consumer", "message_id"],
        set_={"crashes": noted.excluded.crashes, "at": noted.excluded.at},
    )
    if rows:
        await connection.execute(merged, rows)
    return before


async def clear(connection: AsyncConnection, consumer: str, names: Iterable[str]) -> None:
    """The process survived these messages."""
    await connection.execute(
        delete(suspects).where(
            suspects.c.consumer == consumer, among(connection, suspects.c.message_id, [*names])
        )
    )

"""Messages over which processes may have died."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.limits import LONGEST_NAME
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.tables import suspects


async def suspect(connection: AsyncConnection, consumer: str, message_id: str, *, now: datetime) -> int:
    """Note that this message is taken in hand alone; how often that was noted before without an end."""
    key = {"consumer": consumer, "message_id": _short(message_id)}
    wanted = select(suspects.c.crashes).where(
        suspects.c.consumer == consumer, suspects.c.message_id == key["message_id"]
    )
    before = await connection.scalar(wanted) or 0
    noted = merging_insert(connection, suspects).values(**key, crashes=before + 1, at=now)
    await connection.execute(
        noted.on_conflict_do_update(
            index_elements=["consumer", "message_id"],
            set_={"crashes": noted.excluded.crashes, "at": noted.excluded.at},
        )
    )
    return int(before)


async def clear(connection: AsyncConnection, consumer: str, message_ids: Iterable[str]) -> None:
    """The process survived these messages."""
    ids = {_short(message_id) for message_id in message_ids}
    await connection.execute(
        delete(suspects).where(suspects.c.consumer == consumer, among(connection, suspects.c.message_id, ids))
    )


def _short(message_id: str) -> str:
    return (
        message_id.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:LONGEST_NAME]
    )

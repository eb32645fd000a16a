"""The outbox: messages written together with the change that they tell of (DESIGN 8; messaging.md 3.6)."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.ports import Outgoing
from service.store.sets import among
from service.store.tables import outbox


async def unsent(connection: AsyncConnection, *, limit: int) -> list[str]:
    """The ids of rows to send, in the order of sending. By state and not by a cursor: commits overtake."""
    wanted = select(outbox.c.id).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.id).limit(limit)
    return list(await connection.scalars(wanted))


async def load(connection: AsyncConnection, ids: Collection[str]) -> Sequence[tuple[str, Outgoing]]:
    """These rows as messages, in the order of their ids."""
    rows = await connection.execute(
        select(outbox).where(among(connection, outbox.c.id, ids)).order_by(outbox.c.id)
    )
    return [
        (
            row.id,
            Outgoing(
                exchange=row.exchange,
                routing_key=row.routing_key,
                body=row.body,
                message_id=row.message_id,
                headers=row.headers,
                mandatory=row.mandatory,
            ),
        )
        for row in rows
    ]


async def mark_sent(connection: AsyncConnection, ids: Collection[str], *, now: float) -> None:
    if ids:
        await connection.execute(
            update(outbox).where(among(connection, outbox.c.id, ids)).values(sent_at=now)
        )


async def waiting(connection: AsyncConnection, *, before: float) -> int:
    """How many rows written before that moment have not been sent."""
    found = await connection.scalar(
        select(func.count()).where(outbox.c.sent_at.is_(None), outbox.c.created_at < before)
    )
    return found or 0


async def forget_sent(connection: AsyncConnection, *, before: float, limit: int = 1000) -> int:
    """Delete rows that were sent before that moment, at most ``limit`` of them; how many."""
    old = select(outbox.c.id).where(outbox.c.sent_at < before).order_by(outbox.c.sent_at).limit(limit)
    result = await connection.execute(delete(outbox).where(outbox.c.id.in_(old)))
    return result.rowcount

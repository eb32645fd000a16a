"""The outbox: messages written together with the change that they tell of."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.envelope import Message, encode
from contracts.ports import Outgoing
from service.store.engine.ids import new_id
from service.store.engine.sets import among
from service.store.engine.store import MESSAGES_ENQUEUED
from service.store.tables import dead_letters, outbox


async def unsent(connection: AsyncConnection, *, now: float, limit: int) -> list[str]:
    """The ids of rows to send now, in the order of sending. By state and not by a cursor: commits overtake.

    Those whose moment has come are first: there are few of them, and the others never end.
    """
    due = (
        select(outbox.c.id)
        .where(outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None), outbox.c.due_at <= now)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
    )
    at_once = (
        select(outbox.c.id)
        .where(outbox.c.sent_at.is_(None), outbox.c.due_at.is_(None))
        .order_by(outbox.c.id)
        .limit(limit)
    )
    found = [*await connection.scalars(due), *await connection.scalars(at_once)]
    return found[:limit]


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
    """How many rows that should have gone out before that moment have not been sent."""
    unsent_rows = select(func.count()).where(outbox.c.sent_at.is_(None))
    at_once = unsent_rows.where(outbox.c.due_at.is_(None), outbox.c.created_at < before)
    paced = unsent_rows.where(outbox.c.due_at.is_not(None), outbox.c.due_at < before)
    return (await connection.scalar(at_once) or 0) + (await connection.scalar(paced) or 0)


async def oldest(connection: AsyncConnection) -> float | None:
    """Since when the oldest row that should go out at once has waited."""
    wanted = select(outbox.c.created_at).where(outbox.c.sent_at.is_(None), outbox.c.due_at.is_(None))
    return await connection.scalar(wanted.order_by(outbox.c.id).limit(1))


async def paced(connection: AsyncConnection) -> list[tuple[float, str | None]]:
    """The replays that wait for their moment, each with the integration of its letter."""
    whose = select(dead_letters.c.integration_id).where(dead_letters.c.id == outbox.c.letter_id)
    waits = outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None)
    rows = await connection.execute(select(outbox.c.due_at, whose.scalar_subquery()).where(*waits))
    return [(due_at, integration_id) for due_at, integration_id in rows]


async def count_paced(connection: AsyncConnection) -> int:
    """How many replays wait for their moment."""
    unsent_rows = select(func.count()).where(outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None))
    return await connection.scalar(unsent_rows) or 0


async def lateness(connection: AsyncConnection, ids: Collection[str], *, now: float) -> float:
    """For how long the first of these has been due; 0 where none had a moment of its own."""
    oldest = await connection.scalar(
        select(func.min(outbox.c.due_at)).where(among(connection, outbox.c.id, ids))
    )
    return 0.0 if oldest is None else max(0.0, now - oldest)


async def put_off(connection: AsyncConnection, seconds: float, *, sparing: Collection[str] = ()) -> None:
    """Move every replay that waits by so much, so that they keep their distances."""
    waits = outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None)
    spared = among(connection, outbox.c.id, sparing)
    await connection.execute(update(outbox).where(*waits, ~spared).values(due_at=outbox.c.due_at + seconds))


async def take_back(
    connection: AsyncConnection, *, due_after: float, letters: Collection[str] | None, limit: int
) -> list[str]:
    """Delete replays that go out after that moment, of these letters or of all; the letters' ids."""
    wanted = select(outbox.c.id, outbox.c.letter_id).where(
        outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None), outbox.c.due_at > due_after
    )
    if letters is not None:
        wanted = wanted.where(among(connection, outbox.c.letter_id, letters))
    rows = (await connection.execute(wanted.order_by(outbox.c.id).limit(limit).with_for_update())).all()
    await connection.execute(delete(outbox).where(among(connection, outbox.c.id, [row.id for row in rows])))
    return [row.letter_id for row in rows]


async def forget_sent(connection: AsyncConnection, *, before: float, limit: int = 1000) -> int:
    """Delete rows that were sent before that moment, at most ``limit`` of them; how many."""
    old = select(outbox.c.id).where(outbox.c.sent_at < before).order_by(outbox.c.sent_at).limit(limit)
    result = await connection.execute(delete(outbox).where(outbox.c.id.in_(old)))
    return result.rowcount


def outgoing(message: Message, *, mandatory: bool = True) -> Outgoing:
    """The message ready for ``enqueue``; it is mandatory where some queue has to take it."""
    return Outgoing(
        exchange=message.exchange,
        routing_key=message.routing_key,
        body=encode(message),
        message_id=message.id,
        mandatory=mandatory,
    )


async def enqueue(
    connection: AsyncConnection,
    messages: Sequence[Outgoing],
    *,
    now: float,
    due: Sequence[tuple[str, float | None]] = (),
) -> list[str]:
    """Put these messages into the outbox, in this order; their outbox ids.

    ``due`` names for each the dead letter that it replays and when it is to be sent; None is at once.
    """
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "exchange": message.exchange,
            "routing_key": message.routing_key,
            "body": message.body,
            "message_id": message.message_id,
            "headers": dict(message.headers),
            "mandatory": message.mandatory,
            "created_at": now,
        }
        for message in messages
    ]
    for row, (letter_id, moment) in zip(rows, due, strict=False):
        row |= {"letter_id": letter_id, "due_at": moment}
    if rows:
        await connection.execute(insert(outbox), rows)
        connection.info[MESSAGES_ENQUEUED] = True
    return [str(row["id"]) for row in rows]

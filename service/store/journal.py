"""What is written beside every change: inbox rows, log entries and the outbox."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import LogEntry
from contracts.ports import Outgoing
from service.store import ENQUEUED
from service.store.ids import new_id
from service.store.sets import among, put, put_new
from service.store.tables import inbox, log_entries, outbox

MessageKey = tuple[str, str]
"""Source and message id."""


async def known(
    connection: AsyncConnection, consumer: str, keys: Iterable[MessageKey]
) -> dict[MessageKey, str]:
    """Which of these messages this consumer has finished, with the outcome it recorded."""
    wanted = set(keys)
    rows = await connection.execute(
        select(inbox.c.source, inbox.c.message_id, inbox.c.outcome)
        .where(inbox.c.consumer == consumer)
        .where(among(connection, inbox.c.source, {source for source, _ in wanted}))
        .where(among(connection, inbox.c.message_id, {message_id for _, message_id in wanted}))
    )
    return {
        (row.source, row.message_id): row.outcome for row in rows if (row.source, row.message_id) in wanted
    }


async def record(
    connection: AsyncConnection,
    consumer: str,
    outcomes: Sequence[tuple[MessageKey, str]],
    *,
    now: float,
) -> None:
    """Note these messages as finished; the first outcome noted stays."""
    rows = [
        {
            "consumer": consumer,
            "source": source,
            "message_id": message_id,
            "outcome": outcome,
            "processed_at": now,
        }
        for (source, message_id), outcome in sorted(outcomes)
    ]
    await put_new(connection, inbox, rows)


async def log(connection: AsyncConnection, entries: Sequence[LogEntry], *, now: datetime) -> None:
    """Add these entries to their integrations' logs (R27)."""
    await put(connection, log_entries, [_entry(entry, now) for entry in entries])


def _entry(entry: LogEntry, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "integration_id": entry.integration_id,
        "at": now,
        "trigger": entry.trigger.value,
        "direction": entry.direction.value,
        "action": entry.action.value,
        "outcome": entry.outcome.value,
        "code": entry.code.value,
        "item_ref": entry.item_ref,
        "item_id": entry.item_id,
        "item_type": entry.item_type.value if entry.item_type else None,
        "title": entry.title,
        "reason": entry.reason,
        "message_id": entry.message_id,
        "attempt": entry.attempt,
        "run_id": entry.run_id,
        "detail": dict(entry.detail) or None,
    }


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
        connection.info[ENQUEUED] = True
    return [str(row["id"]) for row in rows]

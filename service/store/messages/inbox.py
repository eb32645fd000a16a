"""The idempotency table: which messages have been handled already."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among, among_given, given, put_new
from service.store.tables import inbox

MessageKey = tuple[str, str]
"""Source and message id."""


async def known(
    connection: AsyncConnection, consumer: str, keys: Iterable[MessageKey]
) -> dict[MessageKey, str]:
    """Which of these messages this consumer has finished, with the outcome it recorded."""
    wanted = set(keys)
    sources, messages = {source for source, _ in wanted}, {message_id for _, message_id in wanted}
    rows = await connection.execute(
        _known(connection.dialect.name),
        {"consumer": consumer, **given(connection, sources=sources, messages=messages)},
    )
    return {
        (row.source, row.message_id): row.outcome for row in rows if (row.source, row.message_id) in wanted
    }


@cache
def _known(dialect: str) -> Select[tuple[str, str, str]]:
    return (
        select(inbox.c.source, inbox.c.message_id, inbox.c.outcome)
        .where(inbox.c.consumer == bindparam("consumer"))
        .where(among_given(dialect, inbox.c.source, "sources"))
        .where(among_given(dialect, inbox.c.message_id, "messages"))
    )


async def known_of(
    connection: AsyncConnection, messages: Collection[tuple[str, MessageKey]]
) -> frozenset[tuple[str, MessageKey]]:
    """Which of these were finished by the consumer that is named before each."""
    wanted = set(messages)
    rows = await connection.execute(
        select(inbox.c.consumer, inbox.c.source, inbox.c.message_id)
        .where(among(connection, inbox.c.consumer, {consumer for consumer, _ in wanted}))
        .where(among(connection, inbox.c.source, {source for _, (source, _) in wanted}))
        .where(among(connection, inbox.c.message_id, {message_id for _, (_, message_id) in wanted}))
    )
    return frozenset((row.consumer, (row.source, row.message_id)) for row in rows) & wanted


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

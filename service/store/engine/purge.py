"""Deleting what nobody asks for any more, a small chunk a transaction, each found by an index."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, Table, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import (
    attempts,
    changes_made,
    dead_letter_acts,
    dead_letters,
    inbox,
    log_entries,
    revocations,
    run_equals,
    runs,
    sessions,
    suspects,
    used_tokens,
)

UNSETTLED_LETTER_STATES = ("open", "replaying")
"""States of a letter whose message is not done with: the inbox must go on knowing it."""
SETTLED_LETTER_STATES = ("resolved", "discarded", "edited")


async def forget_inbox(connection: AsyncConnection, *, before: float, limit: int) -> int:
    """Messages finished before that moment, except those of dead letters that wait for somebody."""
    letter = dead_letters.c
    waiting = (
        select(letter.id)
        .where(
            letter.queue == inbox.c.consumer,
            letter.source == inbox.c.source,
            letter.message_id == inbox.c.message_id,
            letter.state.in_(UNSETTLED_LETTER_STATES),
        )
        .exists()
    )
    key = inbox.c.consumer, inbox.c.source, inbox.c.message_id
    old = select(*key).where(inbox.c.processed_at < before, ~waiting)
    return await _forget(connection, inbox, key, old.order_by(inbox.c.processed_at).limit(limit))


async def forget_log_entries(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    old = select(log_entries.c.id).where(log_entries.c.at < before).order_by(log_entries.c.at).limit(limit)
    return await _forget(connection, log_entries, (log_entries.c.id,), old)


async def forget_runs(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Runs that ended before that moment: what they logged is forgotten by then."""
    old = select(runs.c.id).where(runs.c.ended_at < before).order_by(runs.c.ended_at).limit(limit)
    return await _forget(connection, runs, (runs.c.id,), old)


async def forget_attempts(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Failed attempts; a dead letter keeps its own."""
    key = attempts.c.consumer, attempts.c.source, attempts.c.message_id, attempts.c.attempt
    old = select(*key).where(attempts.c.at < before).order_by(attempts.c.at).limit(limit)
    return await _forget(connection, attempts, key, old)


async def forget_suspects(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Messages that were taken in hand alone and never came back; there are few of them."""
    key = suspects.c.consumer, suspects.c.message_id
    return await _forget(connection, suspects, key, select(*key).where(suspects.c.at < before).limit(limit))


async def forget_tokens(connection: AsyncConnection, *, before: float, limit: int) -> int:
    """Tokens that were good once and have expired."""
    old = select(used_tokens.c.id).where(used_tokens.c.expires_at < before)
    query = old.order_by(used_tokens.c.expires_at).limit(limit)
    return await _forget(connection, used_tokens, (used_tokens.c.id,), query)


async def forget_changes(connection: AsyncConnection, *, before: float, limit: int) -> int:
    """What was counted of people who have changed nothing since."""
    key = changes_made.c.tenant_id, changes_made.c.user_id
    old = (
        select(*key)
        .where(changes_made.c.changed_at < before)
        .order_by(changes_made.c.changed_at)
        .limit(limit)
    )
    return await _forget(connection, changes_made, key, old)


async def forget_sessions(connection: AsyncConnection, *, before: float, limit: int) -> int:
    """Sessions that were over by that moment (R45)."""
    old = select(sessions.c.id).where(sessions.c.until < before).order_by(sessions.c.until).limit(limit)
    return await _forget(connection, sessions, (sessions.c.id,), old)


async def forget_revocations(connection: AsyncConnection, *, before: float, limit: int) -> int:
    """Revocations so old that no token from before them lives any more (R45)."""
    key = revocations.c.tenant_id, revocations.c.user_id
    old = select(*key).where(revocations.c.revoked_at < before).order_by(revocations.c.revoked_at)
    return await _forget(connection, revocations, key, old.limit(limit))


async def forget_equals(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """What runs that were ended before their time had left to decide (R29)."""
    key = run_equals.c.run_id, run_equals.c.event_uid
    old = select(*key).join(runs, runs.c.id == run_equals.c.run_id).where(runs.c.ended_at < before)
    return await _forget(connection, run_equals, key, old.limit(limit))


async def forget_letters(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Dead letters that are done with, nothing having happened to them since that moment."""
    letter = dead_letters.c
    lately = select(dead_letter_acts.c.id).where(
        dead_letter_acts.c.letter_id == letter.id, dead_letter_acts.c.at >= before
    )
    settled = letter.state.in_(SETTLED_LETTER_STATES)
    old = select(letter.id).where(settled, letter.last_failed_at < before, ~lately.exists()).limit(limit)
    # locked in the order of their ids, as everyone locks them
    locked = select(letter.id).where(letter.id.in_(old), settled).order_by(letter.id).with_for_update()
    ids = list(await connection.scalars(locked))
    await connection.execute(delete(dead_letter_acts).where(dead_letter_acts.c.letter_id.in_(ids)))
    await connection.execute(delete(dead_letters).where(letter.id.in_(ids)))
    return len(ids)


async def _forget(
    connection: AsyncConnection, table: Table, key: tuple[Column[Any], ...], old: Select[Any]
) -> int:
    which = key[0].in_(old) if len(key) == 1 else tuple_(*key).in_(old)
    return (await connection.execute(delete(table).where(which))).rowcount

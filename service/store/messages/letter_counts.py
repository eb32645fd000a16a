"""Dead letters by what they concern: how many, since when, and of which messages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Integer, cast, extract, func, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.messages.dead_letters import LetterFilter
from service.store.tables import dead_letters

MOST_GROUPS = 200
"""Causes that are told apart at once."""


async def open_by_code(connection: AsyncConnection, *, tenant: str | None = None) -> Mapping[str, int]:
    """How many letters of each code wait for an operator; of a tenant with those that are nobody's."""
    letter, wanted = dead_letters.c, LetterFilter(state="open", tenant=tenant)
    counted = select(letter.code, func.count().label("letters")).where(*wanted.clauses())
    return {row.code: row.letters for row in await connection.execute(counted.group_by(letter.code))}


async def by_integration(
    connection: AsyncConnection, matching: LetterFilter, *, ids: Iterable[str] | None = None
) -> Mapping[str | None, int]:
    """How many matching letters there are of each integration; of those that name none under None."""
    letter = dead_letters.c
    wanted = select(letter.integration_id, func.count().label("letters")).where(*matching.clauses())
    if ids is not None:
        wanted = wanted.where(among(connection, letter.id, ids))
    rows = await connection.execute(wanted.group_by(letter.integration_id))
    return {row.integration_id: row.letters for row in rows}


async def letters_buried(
    connection: AsyncConnection, *, seconds: int, since: int, tenant: str | None
) -> Mapping[int, int]:
    """How many dead letters came in each span, of the tenant and those that are nobody's."""
    came = cast(extract("epoch", dead_letters.c.first_failed_at), Integer)
    span = (came - came % seconds).label("span")
    wanted = select(span, func.count().label("letters")).where(
        dead_letters.c.first_failed_at >= datetime.fromtimestamp(since, UTC),
        *LetterFilter(tenant=tenant).clauses(),
    )
    return {row.span: row.letters for row in await connection.execute(wanted.group_by(span))}


async def of_messages(
    connection: AsyncConnection, message_ids: Iterable[str], *, tenant: str | None
) -> Mapping[str, str]:
    """The newest letter of each of these messages that has one, by the messages' ids."""
    letter = dead_letters.c
    wanted = select(letter.message_id, func.max(letter.id).label("letter")).where(
        among(connection, letter.message_id, message_ids), *LetterFilter(tenant=tenant).clauses()
    )
    rows = await connection.execute(wanted.group_by(letter.message_id))
    return {row.message_id: row.letter for row in rows}


async def groups(
    connection: AsyncConnection, matching: LetterFilter, *, limit: int = MOST_GROUPS
) -> Sequence[RowMapping]:
    """The causes of the matching letters, the most frequent first, each with one letter as an example.

    At most so many: who publishes may word a mistake in as many ways as there are letters (R44).
    """
    letter = dead_letters.c
    counted = (
        select(
            letter.group,
            func.count().label("count"),
            func.min(letter.first_failed_at).label("first_failed_at"),
            func.max(letter.last_failed_at).label("last_failed_at"),
            func.max(letter.id).label("newest"),
        )
        .where(*matching.clauses())
        .group_by(letter.group)
        .subquery()
    )
    rows = await connection.execute(
        select(counted, letter.code, letter.queue, letter.reason)
        .join(dead_letters, letter.id == counted.c.newest)
        .order_by(counted.c.count.desc(), counted.c.newest.desc())
        .limit(limit)
    )
    return rows.mappings().all()

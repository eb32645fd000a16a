"""The outbox: messages written together with the change that they tell of."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.envelope import Message, encode
from contracts.ports import Outgoing
from service.store.engine.ids import new_id
from service.store.engine.sets import among
from service.store.engine.store import MESSAGES_ENQUEUED
from service.store.messages.burying import tenants_of
from service.store.messages.ownership import owner_in_turns
from service.store.tables import dead_letters, outbox

MOST_TURNS = 32
"""Tenants whose turn it is at once; whoever is beyond comes by age."""
_AT_ONCE = (outbox.c.sent_at.is_(None), outbox.c.due_at.is_(None))


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """A message to be sent, and whose it is."""

    id: str
    tenant_id: str
    message: Outgoing


async def unsent(
    connection: AsyncConnection, *, now: float, limit: int, without: Collection[str] = ()
) -> list[str]:
    """The ids of rows to send now, in the order of sending. By state and not by a cursor: commits overtake.

    Those whose moment has come are first, but leave half to the others. Where more wait than may be sent,
    half is for the oldest, and for the rest tenants take turns (R44); within a tenant the order stands.
    ``without``: tenants whose rows are held.
    """
    others = _not_of(connection, without)
    due = (
        select(outbox.c.id)
        .where(outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None), outbox.c.due_at <= now, *others)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
    )
    oldest_first = select(outbox.c.id).where(*_AT_ONCE, *others).order_by(outbox.c.id).limit(limit)
    paced, at_once = list(await connection.scalars(due)), list(await connection.scalars(oldest_first))
    if len(at_once) == limit:
        half = limit // 2
        turns = await _in_turn(connection, limit=limit - half, without=without)
        at_once = list(dict.fromkeys([*at_once[:half], *turns, *at_once[half:]]))[:limit]
    return [*paced[: max(limit - len(at_once), (limit + 1) // 2)], *at_once][:limit]


def _not_of(connection: AsyncConnection, tenants: Collection[str]) -> list[ColumnElement[bool]]:
    return [~among(connection, outbox.c.tenant_id, sorted(tenants))] if tenants else []


async def _in_turn(connection: AsyncConnection, *, limit: int, without: Collection[str]) -> list[str]:
    """The oldest rows of every tenant, each as many as the others."""
    turns = min(limit, MOST_TURNS)
    waiting = await _tenants(connection, limit=turns + len(without))
    names = [name for name in waiting if name not in without][:turns]
    each = max(1, limit // max(1, len(names)))
    mine = [
        select(outbox.c.id)
        .where(*_AT_ONCE, outbox.c.tenant_id == name)
        .order_by(outbox.c.id)
        .limit(each)
        .subquery()
        for name in names
    ]
    return list(await connection.scalars(union_all(*(select(one.c.id) for one in mine)))) if mine else []


async def _tenants(connection: AsyncConnection, *, limit: int) -> list[str]:
    """Whose rows wait, each found by its key: the rows themselves may be very many."""
    first = select(func.min(outbox.c.tenant_id).label("name")).where(*_AT_ONCE)
    found = first.cte("names", recursive=True)
    following = select(func.min(outbox.c.tenant_id)).where(*_AT_ONCE, outbox.c.tenant_id > found.c.name)
    found = found.union_all(select(following.scalar_subquery()).where(found.c.name.is_not(None)))
    named = select(found.c.name).where(found.c.name.is_not(None)).limit(limit)
    return list(await connection.scalars(named))


async def load(connection: AsyncConnection, ids: Collection[str]) -> Sequence[OutboxRow]:
    """These rows, in the order of their ids."""
    rows = await connection.execute(
        select(outbox).where(among(connection, outbox.c.id, ids)).order_by(outbox.c.id)
    )
    return [
        OutboxRow(
            id=row.id,
            tenant_id=row.tenant_id,
            message=Outgoing(
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


def waits_for_moment(tenant: str | None) -> list[ColumnElement[bool]]:
    """Replays that have not gone out; of a tenant theirs and nobody's, or all."""
    waits: list[ColumnElement[bool]] = [outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None)]
    return waits if tenant is None else [*waits, outbox.c.tenant_id.in_((tenant, ""))]


async def paced(connection: AsyncConnection, *, tenant: str | None = None) -> list[tuple[float, str | None]]:
    """The replays that wait for their moment, each with the integration of its letter.

    Of a tenant theirs and nobody's: what others replay at their own pace takes no moment from them (R44).
    """
    whose = select(dead_letters.c.integration_id).where(dead_letters.c.id == outbox.c.letter_id)
    wanted = select(outbox.c.due_at, whose.scalar_subquery()).where(*waits_for_moment(tenant))
    rows = await connection.execute(wanted)
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
    connection: AsyncConnection,
    *,
    due_after: float,
    letters: Collection[str] | None,
    limit: int,
    tenant: str | None = None,
) -> list[str]:
    """Delete replays that go out after that moment, of these letters or of all; the letters' ids."""
    later = *waits_for_moment(tenant), outbox.c.due_at > due_after
    wanted = select(outbox.c.id, outbox.c.letter_id).where(*later)
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
    owners = await _owners(connection, messages)
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "tenant_id": owner,
            "exchange": message.exchange,
            "routing_key": message.routing_key,
            "body": message.body,
            "message_id": message.message_id,
            "headers": dict(message.headers),
            "mandatory": message.mandatory,
            "created_at": now,
        }
        for message, owner in zip(messages, owners, strict=True)
    ]
    for row, (letter_id, moment) in zip(rows, due, strict=False):
        row |= {"letter_id": letter_id, "due_at": moment}
    if rows:
        await connection.execute(insert(outbox), rows)
        connection.info[MESSAGES_ENQUEUED] = True
    return [str(row["id"]) for row in rows]


async def _owners(connection: AsyncConnection, messages: Sequence[Outgoing]) -> list[str]:
    """The tenant of each, by what it says or by its integration; empty where nobody can tell."""
    told = [await owner_in_turns(message.body) for message in messages]
    named = {one.integration_id for one in told if one.integration_id and not one.tenant_id}
    known = await tenants_of(connection, named)
    return [one.tenant_id or known.get(one.integration_id or "", "") for one in told]

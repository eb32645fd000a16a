"""Replays of very many letters: noted at once, handed over bit by bit, whoever has died meanwhile (R30)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.ids import new_id
from service.store.letters import Matching, waits_for_replay
from service.store.tables import bulk_replays, dead_letters


@dataclass(frozen=True, kw_only=True, slots=True)
class Bulk:
    """One replay of everything that matched, and how far it has come."""

    id: str
    who: str
    note: str | None
    matching: Matching
    rate: float
    after: str
    upto: str
    reached: float = 0.0
    """When the next message goes out at its rate."""


async def count(connection: AsyncConnection, matching: Matching, *, after: str = "", upto: str) -> int:
    """How many messages a replay of these would send: each once, however many letters it has."""
    letter = dead_letters.c
    wanted = select(letter.queue, letter.source, letter.message_id).where(
        *waits_for_replay(matching, after=after, upto=upto)
    )
    found = await connection.scalar(select(func.count()).select_from(wanted.distinct().subquery()))
    return found or 0


async def note_down(connection: AsyncConnection, bulk: Bulk) -> None:
    since = bulk.matching.since
    matching = {**asdict(bulk.matching), "since": since.isoformat() if since else None}
    row = {name: getattr(bulk, name) for name in ("id", "who", "note", "rate", "after", "upto", "reached")}
    await connection.execute(
        insert(bulk_replays).values(**row, matching=matching, tenant_id=bulk.matching.tenant)
    )


def new(matching: Matching, *, who: str, note: str | None, rate: float, upto: str) -> Bulk:
    return Bulk(id=new_id(), who=who, note=note, matching=matching, rate=rate, after="", upto=upto)


async def noted(connection: AsyncConnection, *, tenant: str | None = None) -> Sequence[Bulk]:
    """Those that have not been handed over whole, oldest first; of that tenant, or all."""
    wanted = select(bulk_replays).order_by(bulk_replays.c.id)
    if tenant is not None:
        wanted = wanted.where(bulk_replays.c.tenant_id == tenant)
    return [_bulk(row) for row in (await connection.execute(wanted)).mappings()]


async def take(connection: AsyncConnection, bulk_id: str) -> Bulk | None:
    """That one, locked; None where it has been stopped or is done."""
    wanted = select(bulk_replays).where(bulk_replays.c.id == bulk_id).with_for_update()
    row = (await connection.execute(wanted)).mappings().first()
    return None if row is None else _bulk(row)


async def advance(connection: AsyncConnection, bulk_id: str, *, after: str, reached: float) -> None:
    this = update(bulk_replays).where(bulk_replays.c.id == bulk_id)
    await connection.execute(this.values(after=after, reached=reached))


async def forget(connection: AsyncConnection, bulk_id: str) -> None:
    await connection.execute(delete(bulk_replays).where(bulk_replays.c.id == bulk_id))


async def left(connection: AsyncConnection, *, tenant: str | None) -> int:
    """How many messages have not been handed over yet."""
    found = await noted(connection, tenant=tenant)
    return sum([await count(connection, one.matching, after=one.after, upto=one.upto) for one in found])


def _bulk(row: Any) -> Bulk:
    values = {name: row[name] for name in Bulk.__dataclass_fields__}
    matching = Matching(**row["matching"])
    since: Any = matching.since
    whole = replace(matching, since=datetime.fromisoformat(since) if since else None)
    return Bulk(**{**values, "matching": whole})

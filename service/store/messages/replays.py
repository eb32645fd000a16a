"""How far replays have come, and the tabs above the dead letters (R30)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.ids import new_id
from service.store.messages.dead_letters import LetterFilter, waits_for_replay
from service.store.messages.outbox import waits_for_moment
from service.store.tables import bulk_replays, dead_letter_acts, dead_letters, outbox


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayProgress:
    """What became of replays."""

    noted: int = 0
    """Which have no moment yet: a keeper is handing them over."""
    waiting: int = 0
    """Whose moment has not come: these can be stopped."""
    on_the_way: int = 0
    asked: int = 0
    well: int = 0
    again: int = 0
    stopped: int = 0

    @property
    def ended(self) -> bool:
        return not (self.noted or self.waiting or self.on_the_way)


async def progress(connection: AsyncConnection, *, tenant: str | None, since: str) -> ReplayProgress:
    """Replays that are under way, and the ends of those that began after the act ``since``.

    The ids of acts are ordered by time, so that their key finds the newest.
    """
    mine = LetterFilter(tenant=tenant).clauses()
    unsent = waits_for_moment(tenant)
    # each row's letter by its key: joined, both are read to the end for each row of the other
    # where statistics have not heard yet of what has just been written
    state = select(dead_letters.c.state).where(dead_letters.c.id == outbox.c.letter_id, *mine)
    waits = select(func.count()).where(*unsent, state.scalar_subquery() == "replaying")
    waiting = await connection.scalar(waits) or 0
    theirs = LetterFilter(state="replaying", tenant=tenant).clauses()
    replaying = select(func.count()).select_from(dead_letters).where(*theirs)
    acts = await _acted(connection, tenant, since) if since else {}
    return ReplayProgress(
        waiting=waiting,
        on_the_way=max(0, (await connection.scalar(replaying) or 0) - waiting),
        asked=acts.get("replay", 0),
        well=acts.get("resolved", 0),
        again=acts.get("reopened", 0),
        stopped=acts.get("stop", 0),
    )


async def _acted(connection: AsyncConnection, tenant: str | None, since: str) -> Mapping[str, int]:
    """How many letters were acted on after that act, by what was done; of a tenant's and of nobody's."""
    act = dead_letter_acts.c
    acted = select(act.act, func.count(act.letter_id.distinct()).label("letters")).where(act.id > since)
    if tenant is not None:
        acted = acted.where(or_(act.tenant_id == tenant, act.tenant_id.is_(None)))
    return {row.act: row.letters for row in await connection.execute(acted.group_by(act.act))}


async def by_state(connection: AsyncConnection, matching: LetterFilter) -> Mapping[str, int]:
    """How many letters there are in each state, whatever state is asked for."""
    counted = select(dead_letters.c.state, func.count().label("letters")).where(*matching.clauses())
    return {
        row.state: row.letters for row in await connection.execute(counted.group_by(dead_letters.c.state))
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkReplay:
    """One replay of everything that matched, and how far it has come."""

    id: str
    who: str
    note: str | None
    matching: LetterFilter
    rate: float
    after: str
    upto: str
    reached: float = 0.0
    """When the next message goes out at its rate."""


async def count(connection: AsyncConnection, matching: LetterFilter, *, after: str = "", upto: str) -> int:
    """How many messages a replay of these would send: each once, however many letters it has."""
    letter = dead_letters.c
    wanted = select(letter.queue, letter.source, letter.message_id).where(
        *matching.clauses(), *waits_for_replay(after=after, upto=upto)
    )
    found = await connection.scalar(select(func.count()).select_from(wanted.distinct().subquery()))
    return found or 0


async def note_down(connection: AsyncConnection, bulk: BulkReplay) -> None:
    since = bulk.matching.since
    matching = {**asdict(bulk.matching), "since": since.isoformat() if since else None}
    row = {name: getattr(bulk, name) for name in ("id", "who", "note", "rate", "after", "upto", "reached")}
    await connection.execute(
        insert(bulk_replays).values(**row, matching=matching, tenant_id=bulk.matching.tenant)
    )


def new(matching: LetterFilter, *, who: str, note: str | None, rate: float, upto: str) -> BulkReplay:
    return BulkReplay(id=new_id(), who=who, note=note, matching=matching, rate=rate, after="", upto=upto)


async def noted(connection: AsyncConnection, *, tenant: str | None = None) -> Sequence[BulkReplay]:
    """Those that have not been handed over whole, oldest first; of that tenant, or all."""
    wanted = select(bulk_replays).order_by(bulk_replays.c.id)
    if tenant is not None:
        wanted = wanted.where(bulk_replays.c.tenant_id == tenant)
    return [_bulk(row) for row in (await connection.execute(wanted)).mappings()]


async def take(connection: AsyncConnection, bulk_id: str) -> BulkReplay | None:
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


def _bulk(row: Any) -> BulkReplay:
    values = {name: row[name] for name in BulkReplay.__dataclass_fields__}
    matching = LetterFilter(**row["matching"])
    since: Any = matching.since
    whole = replace(matching, since=datetime.fromisoformat(since) if since else None)
    return BulkReplay(**{**values, "matching": whole})

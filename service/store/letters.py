"""What operators do with dead letters: find, read, replay, discard, and take back (R30, DESIGN 11)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import SyncError
from contracts.ports import REPLAY_HEADER, Outgoing
from service.store import IntegrityError
from service.store.dead_letters import note_acts, start_over
from service.store.journal import enqueue
from service.store.sets import among
from service.store.tables import dead_letter_acts, dead_letters

STATES = ("open", "replaying", "resolved", "discarded", "edited")


class NotThere(SyncError):
    """There is no such dead letter."""


class Conflict(SyncError):
    """The dead letter is not in a state that allows this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matching:
    """Which letters; what is None does not matter."""

    queue: str | None = None
    code: str | None = None
    since: datetime | None = None
    """Failed last at this moment or later."""
    integration: str | None = None
    group: str | None = None
    state: str | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        columns = dead_letters.c
        asked = {
            columns.queue: self.queue,
            columns.code: self.code,
            columns.integration_id: self.integration,
            columns.group: self.group,
            columns.state: self.state,
        }
        found = [column == value for column, value in asked.items() if value is not None]
        return found if self.since is None else [*found, columns.last_failed_at >= self.since]


async def page(
    connection: AsyncConnection, matching: Matching, *, after: str | None = None, limit: int = 50
) -> tuple[Sequence[RowMapping], str | None]:
    """The newest matching letters first, and the cursor of the next page if there is one."""
    wanted = select(dead_letters).where(*matching.clauses())
    if after is not None:
        wanted = wanted.where(dead_letters.c.id < after)
    rows = await connection.execute(wanted.order_by(dead_letters.c.id.desc()).limit(limit + 1))
    found = rows.mappings().all()
    return found[:limit], found[limit - 1]["id"] if len(found) > limit else None


async def count(connection: AsyncConnection, matching: Matching) -> int:
    found = await connection.scalar(select(func.count()).select_from(dead_letters).where(*matching.clauses()))
    return found or 0


async def ids_of(
    connection: AsyncConnection, matching: Matching, *, limit: int, after: str = ""
) -> Sequence[str]:
    """The oldest matching letters first, in the order in which a replay sends them."""
    later = *matching.clauses(), dead_letters.c.id > after
    wanted = select(dead_letters.c.id).where(*later).order_by(dead_letters.c.id).limit(limit)
    return (await connection.scalars(wanted)).all()


async def show(connection: AsyncConnection, letter_id: str) -> RowMapping:
    """One letter whole. Raises NotThere."""
    found = await connection.execute(select(dead_letters).where(dead_letters.c.id == letter_id))
    if (row := found.mappings().first()) is None:
        raise NotThere(f"There is no dead letter {letter_id}.")
    return row


async def acts_of(
    connection: AsyncConnection, letter_ids: Iterable[str]
) -> Mapping[str, Sequence[RowMapping]]:
    """What was done with these letters, oldest first."""
    rows = await connection.execute(
        select(dead_letter_acts)
        .where(among(connection, dead_letter_acts.c.letter_id, letter_ids))
        .order_by(dead_letter_acts.c.letter_id, dead_letter_acts.c.id)
    )
    told: dict[str, list[RowMapping]] = {}
    for row in rows.mappings():
        told.setdefault(row["letter_id"], []).append(row)
    return told


async def replay(
    connection: AsyncConnection,
    letter_ids: Iterable[str],
    *,
    exchange: str,
    who: str,
    now: datetime,
    note: str | None = None,
) -> list[str]:
    """Send these messages again as they came, in the caller's transaction; the ids, oldest first.

    Each is then *replaying*, unknown to the inbox, and on its way through the outbox with its old id
    and attempts from 1. Raises NotThere, or Conflict where one is not open or another replay of the
    same message is outstanding; then the transaction must be left.
    """
    ids = sorted(set(letter_ids))
    rows = await _locked(connection, ids)
    for letter_id in ids:
        await _move(connection, rows, letter_id, before="open", after="replaying")
        row = rows[letter_id]
        await start_over(connection, row["queue"], row["source"], row["message_id"])
    again = [_again(rows[letter_id], exchange) for letter_id in ids]
    await enqueue(connection, again, now=now.timestamp())
    await note_acts(connection, ids, who=who, act="replay", note=note, now=now)
    return ids


async def discard(
    connection: AsyncConnection, letter_ids: Iterable[str], *, who: str, reason: str, now: datetime
) -> None:
    """These messages will not be processed. Raises NotThere, or Conflict where one is not open."""
    ids = sorted(set(letter_ids))
    rows = await _locked(connection, ids)
    for letter_id in ids:
        await _move(connection, rows, letter_id, before="open", after="discarded")
    await note_acts(connection, ids, who=who, act="discard", note=reason, now=now)


async def undo(connection: AsyncConnection, letter_ids: Iterable[str], *, who: str, now: datetime) -> None:
    """Open discarded letters again. Raises NotThere, or Conflict where one is not discarded."""
    ids = sorted(set(letter_ids))
    rows = await _locked(connection, ids)
    for letter_id in ids:
        await _move(connection, rows, letter_id, before="discarded", after="open")
    await note_acts(connection, ids, who=who, act="undo", note=None, now=now)


async def _locked(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[str, RowMapping]:
    wanted = select(dead_letters).where(among(connection, dead_letters.c.id, ids))
    rows = await connection.execute(wanted.order_by(dead_letters.c.id).with_for_update())
    return {row["id"]: row for row in rows.mappings()}


async def _move(
    connection: AsyncConnection, rows: Mapping[str, RowMapping], letter_id: str, *, before: str, after: str
) -> None:
    if letter_id not in rows:
        raise NotThere(f"There is no dead letter {letter_id}.")
    if (state := rows[letter_id]["state"]) != before:
        raise Conflict(f"Dead letter {letter_id} is {state}, not {before}.")
    try:
        await connection.execute(
            update(dead_letters).where(dead_letters.c.id == letter_id).values(state=after)
        )
    except IntegrityError:
        raise Conflict(f"Another replay of the message of dead letter {letter_id} is outstanding.") from None


def _again(row: RowMapping, exchange: str) -> Outgoing:
    return Outgoing(
        exchange=exchange,
        routing_key=row["queue"],
        body=row["body"],
        message_id=row["message_id"],
        headers={REPLAY_HEADER: row["id"]},
    )

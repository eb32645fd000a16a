"""What operators do with dead letters: find, read, replay, discard, and take back (R30)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    and_,
    case,
    false,
    func,
    insert,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.envelope import LARGEST_BODY
from contracts.errors import SyncError
from contracts.ports import REPLAY_HEADER, Outgoing
from handlers.replays.pace import ReplayPace
from service.store.engine.ids import new_id
from service.store.engine.paging import Page
from service.store.engine.sets import among
from service.store.engine.store import IntegrityError
from service.store.messages import outbox
from service.store.messages.burying import note_acts, owner_columns, start_over
from service.store.messages.inbox import record
from service.store.messages.outbox import enqueue
from service.store.tables import dead_letter_acts, dead_letters, integrations

REPLAY_ON_ITS_WAY_SECONDS = 2.0
"""Seconds before its moment from which on a replay is no longer taken back: a sender may hold it."""


class NoLetter(SyncError):
    """There is no such dead letter."""


class LetterConflict(SyncError):
    """The dead letter is not in a state that allows this."""

    def __init__(self, sentence: str, *, code: str = "not_open") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterFilter:
    """Which letters; what is None does not matter."""

    queue: str | None = None
    code: str | None = None
    since: datetime | None = None
    """Failed last at this moment or later."""
    integration: str | None = None
    group: str | None = None
    state: str | None = None
    reason: str | None = None
    """A part of the reason, in letters of any size."""
    who: str | None = None
    """A part of the person's id, or of the account's or the calendar's name, in letters of any size."""
    tenant: str | None = None
    """The letters of this tenant, and those of which nobody can tell whose they are."""

    def clauses(self) -> list[ColumnElement[bool]]:
        """Of a tenant only the tenant is sought by an index: any other leads through everybody's (R44)."""
        columns = dead_letters.c
        asked: dict[Column[Any], Any] = {
            columns.queue: self.queue,
            columns.code: self.code,
            columns.integration_id: self.integration,
            columns.group: self.group,
            columns.state: self.state,
        }
        given = {column: value for column, value in asked.items() if value is not None}
        found = [self._sought(column) == value for column, value in given.items()]
        found += of_tenant(self.tenant)
        if self.reason:
            found.append(columns.reason.icontains(self.reason, autoescape=True))
        if self.who:
            known = _integrations_of(self.who, self.tenant)
            # within a function the names are gone through once, in a join perhaps for each letter
            found.append(func.coalesce(self._sought(columns.integration_id).in_(known), false()))
        if self.since is not None:
            failed = columns.last_failed_at
            moment = failed if self.tenant is None else func.coalesce(failed, failed)
            found.append(moment >= self.since)
        return found

    def _sought(self, column: Column[Any]) -> ColumnElement[Any]:
        return column if self.tenant is None else func.nullif(column, "")


def _integrations_of(who: str, tenant: str | None) -> Select[tuple[str]]:
    """Nobody finds out by a search how another tenant's calendars are called."""
    known = integrations.c
    names = known.user_id, known.account_name, known.calendar_name
    found = select(known.id).where(or_(*(name.icontains(who, autoescape=True) for name in names)))
    return found if tenant is None else found.where(known.tenant_id == tenant)


def of_tenant(tenant: str | None) -> list[ColumnElement[bool]]:
    """The tenant's letters, and those of which nobody can tell whose they are."""
    if tenant is None:
        return []
    return [or_(dead_letters.c.tenant_id == tenant, dead_letters.c.tenant_id.is_(None))]


def _in_order(
    columns: Sequence[ColumnElement[Any]],
    matching: LetterFilter,
    *further: ColumnElement[bool],
    limit: int,
    newest_first: bool = False,
) -> Select[Any]:
    """These columns of the first matching letters, a tenant's and nobody's each from where they stand.

    One search for both would go through all letters in their order, whoever's they are (R44).
    """
    letter = dead_letters.c
    order = letter.id.desc() if newest_first else letter.id.asc()
    either = letter.tenant_id == matching.tenant, letter.tenant_id.is_(None)
    clauses = [*matching.clauses(), *further]
    wanted = select(*columns).order_by(order).limit(limit)
    whose = (true(),) if matching.tenant is None else either
    parts = [wanted.where(one, *clauses).subquery() for one in whose]
    both = union_all(*(select(part) for part in parts)).subquery()
    return select(both).order_by(both.c.id.desc() if newest_first else both.c.id).limit(limit)


async def page(
    connection: AsyncConnection, matching: LetterFilter, *, after: str | None = None, limit: int = 50
) -> Page[RowMapping]:
    """The newest matching letters first, each with the ``size`` of its body in bytes.

    The body itself is read where a page can show something of it: None where it is too large to be taken
    apart, or where it is not that tenant's (R44, R46).
    """
    before = [] if after is None else [dead_letters.c.id < after]
    body, size = dead_letters.c.body, func.length(dead_letters.c.body)
    theirs = true() if matching.tenant is None else dead_letters.c.tenant_id == matching.tenant
    readable = case((and_(size <= LARGEST_BODY, theirs), body)).label("body")
    others = [column for column in dead_letters.c if column.name != "body"]
    wanted = _in_order(
        [*others, readable, size.label("size")], matching, *before, limit=limit + 1, newest_first=True
    )
    rows = (await connection.execute(wanted)).mappings()
    return Page.of(rows.all(), limit, cursor=lambda row: str(row["id"]))


async def count(connection: AsyncConnection, matching: LetterFilter) -> int:
    found = await connection.scalar(select(func.count()).select_from(dead_letters).where(*matching.clauses()))
    return found or 0


async def ids_of(
    connection: AsyncConnection,
    matching: LetterFilter,
    *,
    limit: int,
    after: str = "",
    upto: str | None = None,
) -> Sequence[str]:
    """The oldest matching letters first, in the order in which a replay sends them."""
    between = [dead_letters.c.id > after, *([] if upto is None else [dead_letters.c.id <= upto])]
    return (await connection.scalars(_in_order([dead_letters.c.id], matching, *between, limit=limit))).all()


async def replayable(
    connection: AsyncConnection, matching: LetterFilter, *, after: str, upto: str, limit: int
) -> Sequence[tuple[str, str]]:
    """Matching open letters as their ids and the key of their message, oldest first.

    Left out are those whose message is being replayed by another letter.
    """
    waiting = waits_for_replay(after=after, upto=upto)
    names = [dead_letters.c[name] for name in ("id", "queue", "source", "message_id")]
    wanted = _in_order(names, matching, *waiting, limit=limit)
    rows = await connection.execute(wanted)
    return [(row.id, f"{row.queue}\0{row.source}\0{row.message_id}") for row in rows]


def waits_for_replay(*, after: str, upto: str) -> list[ColumnElement[bool]]:
    """Open and between these ids, while no other letter's replay has the same message on its way."""
    letter, other = dead_letters.c, dead_letters.alias()
    outstanding = (
        select(other.c.id)
        .where(
            other.c.queue == letter.queue,
            other.c.source == letter.source,
            other.c.message_id == letter.message_id,
            other.c.state == "replaying",
        )
        .exists()
    )
    return [letter.state == "open", letter.id > after, letter.id <= upto, ~outstanding]


async def is_outstanding(connection: AsyncConnection, row: Mapping[Any, Any]) -> bool:
    """Whether a replay of this letter's message is on its way, by whichever letter."""
    letter = dead_letters.c
    same = (getattr(letter, name) == row[name] for name in ("queue", "source", "message_id"))
    found = await connection.scalar(select(letter.id).where(*same, letter.state == "replaying").limit(1))
    return found is not None


async def newest(connection: AsyncConnection) -> str:
    """The id of the newest letter; empty where there is none."""
    return await connection.scalar(select(func.max(dead_letters.c.id))) or ""


async def show(connection: AsyncConnection, letter_id: str, *, tenant: str | None = None) -> RowMapping:
    """One letter whole. Raises NoLetter."""
    wanted = select(dead_letters).where(dead_letters.c.id == letter_id, *of_tenant(tenant))
    if (row := (await connection.execute(wanted)).mappings().first()) is None:
        raise NoLetter(f"There is no dead letter {letter_id}.")
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
    tenant: str | None = None,
    pace: ReplayPace | None = None,
) -> list[str]:
    """Send these messages again as they came, in the caller's transaction; the ids, oldest first.

    Each is then *replaying*, unknown to the inbox, and on its way through the outbox with its old id
    and attempts from 1, at the pace or else at once. Raises NoLetter, or LetterConflict where one is not
    open or another replay of the same message is outstanding; then the transaction must be left.
    """
    ids = sorted(set(letter_ids))
    rows = await move_letters(connection, ids, before="open", after="replaying", tenant=tenant)
    for queue, source in sorted({(rows[each]["queue"], rows[each]["source"]) for each in ids}):
        same = {
            row["message_id"]: bytes(row["body"])
            for row in rows.values()
            if (row["queue"], row["source"]) == (queue, source)
        }
        await start_over(connection, queue, source, same)
    again = [_again(rows[letter_id], exchange) for letter_id in ids]
    start = now.timestamp()
    due = [(each, None if pace is None else pace.moment(rows[each]["integration_id"])) for each in ids]
    await enqueue(connection, again, now=start, due=due)
    await note_acts(connection, owners_of(rows), who=who, act="replay", note=note, now=now, tenant=tenant)
    return ids


async def stop(
    connection: AsyncConnection,
    letter_ids: Iterable[str] | None,
    *,
    who: str,
    now: datetime,
    limit: int,
    tenant: str | None = None,
) -> list[str]:
    """Take back replays whose moment has not come, of these letters or of all; which letters.

    They are open again, and what the inbox knew of them is back.
    """
    chosen = None if letter_ids is None else sorted(set(letter_ids))
    if tenant is not None:
        mine = LetterFilter(state="replaying", tenant=tenant).clauses()
        if chosen is not None:
            mine.append(among(connection, dead_letters.c.id, chosen))
        chosen = list(await connection.scalars(select(dead_letters.c.id).where(*mine)))
    due_after = now.timestamp() + REPLAY_ON_ITS_WAY_SECONDS
    taken = await outbox.take_back(
        connection, due_after=due_after, letters=chosen, limit=limit, tenant=tenant
    )
    waiting = dead_letters.c.state == "replaying", among(connection, dead_letters.c.id, taken)
    still = list(await connection.scalars(select(dead_letters.c.id).where(*waiting)))
    rows = await move_letters(connection, sorted(still), before="replaying", after="open", tenant=None)
    for queue in sorted({row["queue"] for row in rows.values()}):
        keys = [(row["source"], row["message_id"]) for row in rows.values() if row["queue"] == queue]
        await record(connection, queue, [(key, "dead") for key in keys], now=now.timestamp())
    await note_acts(connection, owners_of(rows), who=who, act="stop", note=None, now=now, tenant=tenant)
    return taken


async def undo(
    connection: AsyncConnection,
    letter_ids: Iterable[str],
    *,
    who: str,
    now: datetime,
    tenant: str | None = None,
) -> None:
    """Open discarded letters again. Raises NoLetter, or LetterConflict where one is not discarded."""
    ids = sorted(set(letter_ids))
    rows = await move_letters(connection, ids, before="discarded", after="open", tenant=tenant)
    await note_acts(connection, owners_of(rows), who=who, act="undo", note=None, now=now, tenant=tenant)


async def edit(
    connection: AsyncConnection,
    letter_id: str,
    *,
    message_id: str,
    source: str,
    body: bytes,
    exchange: str,
    who: str,
    now: datetime,
    note: str,
    tenant: str | None = None,
) -> str:
    """Send a mended copy under an id of its own, as a letter that is being replayed; that letter's id.

    The letter itself stays as it came and is *edited* from now on. The copy belongs to whom it speaks
    for (R46). Raises NoLetter and LetterConflict.
    """
    rows = await move_letters(connection, [letter_id], before="open", after="edited", tenant=None)
    own = {"id": new_id(), "edited_from": letter_id, "state": "replaying"}
    owned = await owner_columns(connection, body)
    child = dict(rows[letter_id]) | own | owned | {"message_id": message_id, "source": source, "body": body}
    await connection.execute(insert(dead_letters), [child | {"attempts": []}])
    start = now.timestamp()
    await enqueue(connection, [_again(child, exchange)], now=start, due=[(child["id"], None)])
    for letter, act, told in ((rows[letter_id], "edit", note), (child, "replay", f"edited {letter_id}")):
        owner = {letter["id"]: letter["tenant_id"]}
        await note_acts(connection, owner, who=who, act=act, note=told, now=now, tenant=tenant)
    return str(child["id"])


def owners_of(rows: Mapping[str, Mapping[Any, Any]]) -> dict[str, str | None]:
    """Whose each of these letters is, as acts are noted."""
    return {letter_id: rows[letter_id]["tenant_id"] for letter_id in sorted(rows)}


async def move_letters(
    connection: AsyncConnection, ids: Sequence[str], *, before: str, after: str, tenant: str | None
) -> Mapping[str, RowMapping]:
    """The letters as they were, all of them moved from the one state to the other, or an error."""
    wanted = select(dead_letters).where(among(connection, dead_letters.c.id, ids), *of_tenant(tenant))
    found = await connection.execute(wanted.order_by(dead_letters.c.id).with_for_update())
    rows = {row["id"]: row for row in found.mappings()}
    for letter_id in ids:
        _check(rows.get(letter_id), letter_id, before)
    try:
        await connection.execute(
            update(dead_letters).where(among(connection, dead_letters.c.id, ids)).values(state=after)
        )
    except IntegrityError:
        raise LetterConflict(_OUTSTANDING, code="replaying") from None
    return rows


_OUTSTANDING = "Another replay of the same message is outstanding."


def _check(row: RowMapping | None, letter_id: str, wanted: str) -> None:
    if row is None:
        raise NoLetter(f"There is no dead letter {letter_id}.")
    if (state := row["state"]) != wanted:
        code = "replaying" if state == "replaying" else f"not_{wanted}"
        raise LetterConflict(f"Dead letter {letter_id} is {state}, not {wanted}.", code=code)


def _again(row: Mapping[Any, Any], exchange: str) -> Outgoing:
    return Outgoing(
        exchange=exchange,
        routing_key=row["queue"],
        body=row["body"],
        message_id=row["message_id"],
        headers={REPLAY_HEADER: row["id"]},
    )

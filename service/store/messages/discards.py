"""Letters that are given up, alone or many together, and taken back together (R30, R50)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.sets import among
from service.store.messages.burying import note_acts
from service.store.messages.dead_letters import LetterFilter, ids_of, move_letters, of_tenant, owners_of
from service.store.tables import dead_letter_acts, dead_letters


async def discard(
    connection: AsyncConnection,
    letter_ids: Iterable[str],
    *,
    who: str,
    reason: str,
    batch: str,
    now: datetime,
    tenant: str | None = None,
) -> None:
    """These messages will not be processed. Raises NoLetter, or LetterConflict where one is not open."""
    ids = sorted(set(letter_ids))
    rows = await move_letters(connection, ids, before="open", after="discarded", tenant=tenant)
    told = {"who": who, "act": "discard", "note": reason, "batch": batch}
    await note_acts(connection, owners_of(rows), now=now, tenant=tenant, **told)


async def discard_some(
    connection: AsyncConnection,
    matching: LetterFilter,
    *,
    after: str,
    upto: str,
    limit: int,
    who: str,
    reason: str,
    batch: str,
    now: datetime,
) -> tuple[int, str | None]:
    """Give up the oldest matching open letters between these ids: how many, and the last looked at, if any.

    What others hold is waited for, and left out where they have dealt with it.
    """
    found = await ids_of(connection, replace(matching, state="open"), limit=limit, after=after)
    ids = [letter_id for letter_id in found if letter_id <= upto]
    letters = await _set_state(connection, [among(connection, dead_letters.c.id, ids)], "open", "discarded")
    told = {"who": who, "act": "discard", "note": reason, "batch": batch}
    await note_acts(connection, letters, now=now, tenant=matching.tenant, **told)
    return len(letters), max(ids, default=None)


def _discarded_in(batch: str, tenant: str | None) -> list[ColumnElement[bool]]:
    """Letters of which giving them up in that batch is the last that happened."""
    act, later = dead_letter_acts, dead_letter_acts.alias()
    newest = select(func.max(later.c.id)).where(later.c.letter_id == act.c.letter_id).scalar_subquery()
    mine = (
        select(act.c.letter_id)
        .where(act.c.batch == batch, act.c.letter_id == dead_letters.c.id, act.c.id == newest)
        .exists()
    )
    given_up = select(act.c.letter_id).where(act.c.batch == batch)
    return [dead_letters.c.id.in_(given_up), dead_letters.c.state == "discarded", mine, *of_tenant(tenant)]


async def count_batch(connection: AsyncConnection, batch: str, *, tenant: str | None) -> int:
    """How many letters that were given up together can be taken back together."""
    wanted = select(func.count()).select_from(dead_letters).where(*_discarded_in(batch, tenant))
    return await connection.scalar(wanted) or 0


async def batch_of(connection: AsyncConnection, letter_id: str) -> str | None:
    """With which others the letter was given up, where that is the last that happened to it."""
    act = dead_letter_acts.c
    wanted = select(act.batch).where(act.letter_id == letter_id).order_by(act.id.desc()).limit(1)
    found: str | None = await connection.scalar(wanted)
    return found


async def undo_some(
    connection: AsyncConnection, batch: str, *, limit: int, who: str, now: datetime, tenant: str | None
) -> int:
    """Open again some of the letters that were given up together; how many (R50)."""
    wanted = select(dead_letters.c.id).where(*_discarded_in(batch, tenant)).order_by(dead_letters.c.id)
    ids = await connection.scalars(wanted.limit(limit))
    letters = await _set_state(
        connection,
        [among(connection, dead_letters.c.id, ids), *_discarded_in(batch, tenant)],
        "discarded",
        "open",
    )
    await note_acts(connection, letters, who=who, act="undo", note=None, now=now, tenant=tenant)
    return len(letters)


async def _set_state(
    connection: AsyncConnection, which: Sequence[ColumnElement[bool]], before: str, after: str
) -> Mapping[str, str | None]:
    """Move these letters from the one state to the other, as far as they are in it; whose they are, by id."""
    letter = dead_letters.c
    wanted = select(letter.id, letter.tenant_id).where(*which, letter.state == before).order_by(letter.id)
    letters = {row.id: row.tenant_id for row in await connection.execute(wanted.with_for_update())}
    these = update(dead_letters).where(among(connection, letter.id, letters))
    await connection.execute(these.values(state=after))
    return letters

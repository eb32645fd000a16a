"""Reading an integration's log, page by page, newest first (G14, R27)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, exists, literal_column, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Outcome, Trigger
from handlers.edits import MASKED_TITLE
from service.store.sets import among
from service.store.tables import items, log_entries

LOOKED_THROUGH = 5_000
"""So many entries at most are read for a word; a page that found too little says how far it came."""

_LITERALLY_NOT_DONE: ColumnElement[bool] = log_entries.c.outcome != literal_column("'done'")
"""As the index of what needs attention says it: few entries among very many."""


class Filter(StrEnum):
    """Which entries of a log are shown: what runs did, the rest, or both (R27)."""

    RUN = "run"
    REAL_TIME = "real_time"
    ALL = "all"

    @property
    def triggers(self) -> Sequence[Trigger]:
        if self is Filter.ALL:
            return tuple(Trigger)
        return tuple(each for each in Trigger if (each is Trigger.RUN) is (self is Filter.RUN))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which entries; what is None does not matter."""

    direction: str | None = None
    outcome: str | None = None
    item_type: str | None = None
    q: str | None = None
    """A part of the title or the reason, in letters of any size."""
    masked: bool = False
    """For another reader than the owner: what has become private is neither shown nor found by its title."""

    def clauses(self) -> list[ColumnElement[bool]]:
        """What the index alone can decide."""
        entry = log_entries.c
        asked = {
            entry.direction: self.direction,
            entry.outcome: self.outcome,
            entry.item_type: self.item_type,
        }
        found = [column == value for column, value in asked.items() if value is not None]
        return [*found, _LITERALLY_NOT_DONE] if self.outcome not in {None, Outcome.DONE} else found

    def says(self) -> ColumnElement[bool] | None:
        if not self.q:
            return None
        title = log_entries.c.title.icontains(self.q, autoescape=True)
        told = and_(title, ~exists().where(_private())) if self.masked else title
        return or_(told, log_entries.c.reason.icontains(self.q, autoescape=True))


def _private() -> ColumnElement[bool]:
    is_private: ColumnElement[bool] = items.c.content["private"].as_boolean().is_(True)
    return and_(items.c.ref == log_entries.c.item_ref, is_private)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Entries, and where the next page begins."""

    entries: Sequence[Mapping[Any, Any]]
    following: str | None
    """The cursor of what is older."""
    ended_early: bool = False
    """Whether more may be found further back, because only so many were looked through."""


EVERYTHING = Wanted()


async def page(
    connection: AsyncConnection,
    integration_id: str,
    *,
    triggers: Sequence[Trigger],
    before: str | None = None,
    limit: int,
    wanted: Wanted = EVERYTHING,
) -> Page:
    """At most ``limit`` entries of these triggers, older than the entry ``before``."""
    mine = [log_entries.c.integration_id == integration_id, *wanted.clauses()]
    if before is not None:
        mine.append(log_entries.c.id < before)
    floor, says = None, wanted.says()
    if says is not None:
        floor = await _floor(connection, triggers, mine)
        mine += [says] if floor is None else [says, log_entries.c.id >= floor]
    newest = _newest(triggers, select(log_entries).where(*mine), limit + 1)
    rows = await connection.execute(select(newest).order_by(newest.c.id.desc()).limit(limit + 1))
    found = rows.mappings().all()
    entries = await _masked(connection, found[:limit]) if wanted.masked else found[:limit]
    if len(found) > limit:
        return Page(entries=entries, following=entries[-1]["id"])
    return Page(entries=entries, following=floor, ended_early=floor is not None)


def _newest(triggers: Sequence[Trigger], wanted: Select[Any], limit: int) -> Subquery:
    """The newest of each trigger by its own stretch of the index: together they would have to be sorted."""
    stretches = [
        wanted.where(log_entries.c.trigger == trigger.value).order_by(log_entries.c.id.desc()).limit(limit)
        for trigger in triggers
    ]
    return union_all(*(select(one.subquery()) for one in stretches)).subquery()


async def _floor(
    connection: AsyncConnection, triggers: Sequence[Trigger], mine: Sequence[ColumnElement[bool]]
) -> str | None:
    """The oldest entry that is looked through, where there are older ones."""
    ids = _newest(triggers, select(log_entries.c.id).where(*mine), LOOKED_THROUGH + 1)
    last = select(ids.c.id).order_by(ids.c.id.desc()).offset(LOOKED_THROUGH - 1).limit(2)
    found = (await connection.scalars(last)).all()
    return found[0] if len(found) > 1 else None


async def _masked(
    connection: AsyncConnection, entries: Sequence[Mapping[Any, Any]]
) -> Sequence[Mapping[Any, Any]]:
    """The entries without the titles and values of what is private now, whatever it was then, or was then."""
    refs = {one["item_ref"] for one in entries if one["item_ref"]}
    is_private = items.c.content["private"].as_boolean().is_(True)
    hidden = set(
        await connection.scalars(select(items.c.ref).where(among(connection, items.c.ref, refs), is_private))
    )
    return [
        {**one, "title": MASKED_TITLE, "detail": None}
        if one["item_ref"] in hidden or (one["detail"] or {}).get("private")
        else one
        for one in entries
    ]

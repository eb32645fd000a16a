"""Reading an integration's log, page by page, newest first (G14, R27)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Direction, Integration, LogAction, LogEntry, Outcome, Trigger
from handlers.edits import MASKED_TITLE
from service.store.engine.ids import new_id
from service.store.engine.paging import Page
from service.store.engine.sets import among, put
from service.store.tables import integrations, items, links, log_entries, runs
from service.telemetry.current import current_trace

ITEM_SEARCH_ENTRIES = 5000
"""The newest entries of an integration that are searched: an index by item would cost every write."""


LATELY_CREATED = 500
AROUND_A_MOMENT = 100
"""Entries whose ids may lie otherwise than their moments: processes write at the same time."""
FILTER_SEARCH_ENTRIES = 5_000
"""So many entries at most are read for a word; a page that found too little says how far it came."""

_LITERALLY_NOT_DONE: ColumnElement[bool] = log_entries.c.outcome != literal_column("'done'")
"""As the index of what needs attention says it: few entries among very many."""


class LogFilter(StrEnum):
    """Which entries of a log are shown: what runs did, what watching says, the rest, or all (R27)."""

    RUN = "run"
    REAL_TIME = "real_time"
    WATCHING = "watching"
    """What would have been done while an integration only watched."""
    ALL = "all"

    @property
    def triggers(self) -> Sequence[Trigger]:
        if self is LogFilter.ALL:
            return tuple(Trigger)
        alone = {LogFilter.RUN: Trigger.RUN, LogFilter.WATCHING: Trigger.WATCHING}
        if self in alone:
            return (alone[self],)
        return tuple(each for each in Trigger if each not in alone.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQuery:
    """Which entries; what is None does not matter."""

    direction: str | None = None
    outcome: str | None = None
    item_type: str | None = None
    q: str | None = None
    """A part of the title or the reason, in letters of any size."""
    reasons: Collection[str] = ()
    """Reasons that say ``q`` in the reader's language, whole."""
    beginnings: Collection[str] = ()
    """And how those begin that have values in them."""
    since: datetime | None = None
    until: datetime | None = None
    """Written at the one moment or later, and before the other."""
    kind: str | None = None
    """What runs of this kind did."""
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
        if self.since is not None:
            found.append(entry.at >= self.since)
        if self.until is not None:
            found.append(entry.at < self.until)
        return [*found, _LITERALLY_NOT_DONE] if self.outcome not in {None, Outcome.DONE} else found

    def says(self) -> ColumnElement[bool] | None:
        """What each entry must be read for."""
        if self.kind is not None:
            of_kind = runs.c.id == log_entries.c.run_id, runs.c.kind == self.kind
            kind = exists().where(*of_kind)
            words = self._words()
            return kind if words is None else and_(kind, words)
        return self._words()

    def _words(self) -> ColumnElement[bool] | None:
        if not self.q:
            return None
        title = log_entries.c.title.icontains(self.q, autoescape=True)
        told = and_(title, ~exists().where(_private()), ~_was_private()) if self.masked else title
        reason = log_entries.c.reason
        begun = (reason.startswith(one, autoescape=True) for one in self.beginnings)
        return or_(told, reason.icontains(self.q, autoescape=True), reason.in_(self.reasons), *begun)


def _private() -> ColumnElement[bool]:
    is_private: ColumnElement[bool] = items.c.content["private"].as_boolean().is_(True)
    return and_(items.c.ref == log_entries.c.item_ref, is_private)


def _was_private() -> ColumnElement[bool]:
    was: ColumnElement[bool] = log_entries.c.detail["private"].as_boolean().is_(True)
    return was


WHOLE_LOG = LogQuery()


async def page(
    connection: AsyncConnection,
    integration_id: str,
    *,
    triggers: Sequence[Trigger],
    before: str | None = None,
    limit: int,
    wanted: LogQuery = WHOLE_LOG,
) -> Page[Mapping[Any, Any]]:
    """At most ``limit`` entries of these triggers, older than the entry ``before``."""
    mine = [log_entries.c.integration_id == integration_id, *wanted.clauses()]
    if before is not None:
        mine.append(log_entries.c.id < before)
    mine += await _within(connection, wanted)
    floor, says = None, wanted.says()
    if says is not None:
        floor = await _floor(connection, triggers, mine)
        mine += [says] if floor is None else [says, log_entries.c.id >= floor]
    newest = _newest(triggers, select(log_entries).where(*mine), limit + 1)
    rows = await connection.execute(select(newest).order_by(newest.c.id.desc()).limit(limit + 1))
    found = rows.mappings().all()
    entries = await _masked(connection, found[:limit]) if wanted.masked else found[:limit]
    if len(found) > limit:
        return Page(rows=entries, following=entries[-1]["id"])
    return Page(rows=entries, following=floor, ended_early=floor is not None)


async def _within(connection: AsyncConnection, wanted: LogQuery) -> list[ColumnElement[bool]]:
    """Between which ids those of a range of time lie: ids and moments have nearly the same order."""
    entry = log_entries.c
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        first = select(entry.id).where(entry.at >= wanted.since).order_by(entry.at).limit(AROUND_A_MOMENT)
        lowest = await connection.scalar(select(func.min(first.subquery().c.id)))
        found.append(false() if lowest is None else entry.id >= lowest)
    if wanted.until is not None:
        last = (
            select(entry.id).where(entry.at < wanted.until).order_by(entry.at.desc()).limit(AROUND_A_MOMENT)
        )
        highest = await connection.scalar(select(func.max(last.subquery().c.id)))
        found.append(false() if highest is None else entry.id <= highest)
    return found


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
    ids = _newest(triggers, select(log_entries.c.id).where(*mine), FILTER_SEARCH_ENTRIES + 1)
    last = select(ids.c.id).order_by(ids.c.id.desc()).offset(FILTER_SEARCH_ENTRIES - 1).limit(2)
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


async def log(connection: AsyncConnection, entries: Sequence[LogEntry], *, now: datetime) -> None:
    """Add these entries to their integrations' logs (R27)."""
    await put(connection, log_entries, [_entry(entry, now) for entry in entries])


def _entry(entry: LogEntry, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "integration_id": entry.integration_id,
        "at": now,
        "trigger": entry.trigger.value,
        "direction": entry.direction.value,
        "action": entry.action.value,
        "outcome": entry.outcome.value,
        "code": entry.code.value,
        "item_ref": entry.item_ref,
        "item_id": entry.item_id,
        "item_type": entry.item_type.value if entry.item_type else None,
        "title": entry.title,
        "reason": entry.reason,
        "message_id": entry.message_id,
        "trace_id": entry.trace_id or current_trace(),
        "attempt": entry.attempt,
        "run_id": entry.run_id,
        "detail": dict(entry.detail) or None,
    }


async def entries_of_item(
    connection: AsyncConnection, integration_ids: Sequence[str], ref: str, *, limit: int
) -> Sequence[RowMapping]:
    """The item's newest entries in the logs of these integrations, newest first."""
    if not integration_ids:
        return []
    stretches = [_of_item(one, trigger, ref) for one in integration_ids for trigger in Trigger]
    wanted = select(log_entries).where(log_entries.c.id.in_(union_all(*stretches)))
    rows = await connection.execute(wanted.order_by(log_entries.c.id.desc()).limit(limit))
    return rows.mappings().all()


def _of_item(integration_id: str, trigger: Trigger, ref: str) -> Select[tuple[str]]:
    """The ids of its entries among the newest of one stretch of the index."""
    newest = (
        select(log_entries.c.id, log_entries.c.item_ref)
        .where(log_entries.c.integration_id == integration_id, log_entries.c.trigger == trigger.value)
        .order_by(log_entries.c.id.desc())
        .limit(ITEM_SEARCH_ENTRIES)
        .subquery()
    )
    return select(newest.c.id).where(newest.c.item_ref == ref)


async def switched_off(
    connection: AsyncConnection, integration_id: str, *, passed_over: Iterable[str]
) -> str | None:
    """The entry that says that it was deactivated; None where it was switched otherwise since.

    ``passed_over``: how reasons begin that speak of no switch.
    """
    entry, newest = log_entries.c, list[RowMapping]()
    about = [entry.item_type.is_(None), entry.direction == Direction.TO_LINKED_CALENDAR]
    about += [~entry.reason.startswith(one, autoescape=True) for one in passed_over]
    for trigger in (Trigger.REAL_TIME, Trigger.OPERATOR):
        rows = await connection.execute(
            select(entry.id, entry.code)
            .where(entry.integration_id == integration_id, entry.trigger == trigger.value, *about)
            .where(entry.outcome == Outcome.DONE, entry.action == LogAction.NONE)
            .where(entry.code.in_([Code.OK.value, Code.INACTIVE.value]))
            .order_by(entry.id.desc())
            .limit(1)
        )
        newest += rows.mappings()
    last = max(newest, key=lambda row: str(row["id"]), default=None)
    return last["id"] if last is not None and last["code"] == Code.INACTIVE else None


async def created_lately(
    connection: AsyncConnection,
    integration: Integration,
    *,
    since: float,
    trigger: Trigger = Trigger.REAL_TIME,
) -> Sequence[tuple[str, str | None]]:
    """Title and series of what reads have created since then for this person, on all their calendars.

    Or would have created, by *watching*.
    """
    theirs = select(integrations.c.id).where(
        integrations.c.tenant_id == integration.tenant_id, integrations.c.user_id == integration.user_id
    )
    entry = log_entries.c
    pair = and_(links.c.item_ref == entry.item_ref, links.c.integration_id == entry.integration_id)
    rows = await connection.execute(
        select(entry.title, links.c.series_identifier)
        .select_from(log_entries.outerjoin(links, pair))
        .where(entry.integration_id.in_(theirs), entry.trigger == trigger.value)
        .where(entry.direction == Direction.TO_MY_CALENDAR, entry.outcome == Outcome.DONE)
        .where(entry.action == LogAction.CREATE, entry.at > datetime.fromtimestamp(since, UTC))
        .order_by(entry.id.desc())
        .limit(LATELY_CREATED)
    )
    return [(row.title or "", row.series_identifier) for row in rows]


async def would_be_deleted(connection: AsyncConnection, integration_id: str, *, since: datetime) -> int:
    """How many items an integration that watches would have deleted here since then."""
    entry = log_entries.c
    wanted = (
        select(func.count())
        .where(entry.integration_id == integration_id, entry.trigger == Trigger.WATCHING.value)
        .where(entry.direction == Direction.TO_MY_CALENDAR, entry.action == LogAction.DELETE)
        .where(entry.outcome == Outcome.DONE, entry.at > since)
    )
    return await connection.scalar(wanted) or 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedCount:
    """How often one thing would have been done, left or have failed while an integration watched."""

    direction: str
    action: str
    item_type: str | None
    outcome: str
    code: str
    reason: str
    """In the words of the newest of them."""
    times: int


async def watched_counts(
    connection: AsyncConnection, integration_id: str, *, since: datetime
) -> Sequence[WatchedCount]:
    """What would have happened since then, those first of which there is most."""
    entry = log_entries.c
    what = (entry.direction, entry.action, entry.item_type, entry.outcome, entry.code)
    times = func.count().label("times")
    rows = await connection.execute(
        select(*what, func.max(entry.reason).label("reason"), times)
        .where(entry.integration_id == integration_id, entry.trigger == Trigger.WATCHING.value)
        .where(entry.at >= since)
        .group_by(*what)
        .order_by(times.desc(), *what)
    )
    return [WatchedCount(**row) for row in rows.mappings()]

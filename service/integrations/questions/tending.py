"""Brings the questions into agreement with links, items and absences, in the caller's transaction (R52).

What is asked follows from the state alone, so that nothing that comes twice, late or not at all asks twice.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.calendar import (
    Code,
    Integration,
    IntegrationId,
    Item,
    ItemRef,
    Link,
    LinkId,
    LogAction,
    LogEntry,
    Outcome,
)
from contracts.cronofy import CronofyEvent
from contracts.envelope import AssignmentQuestioned
from contracts.messages import QuestionData, QuestionKind
from contracts.ports import Outgoing
from contracts.times import wire_time
from handlers.judgement import Reading
from handlers.log_entries import RowLog
from handlers.plan import question_print
from handlers.questions.answering import times_of
from handlers.questions.standing import (
    ClosedBecause,
    absences_among,
    can_overlap,
    found_times,
    overlap_cause,
    questioned_kind,
    why_closed,
)
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links
from service.store.logs import logs
from service.store.messages import outbox
from service.store.messages.outbox import outgoing
from service.store.questions import absences, questions
from service.store.questions.absences import Overlap
from service.store.questions.questions import Question
from service.telemetry.current import going_on

QUESTIONS_A_ROUND = 200
MOST_OVERLAPS = 500
"""Calls in absences of which somebody is asked at once; the next calls first."""
ABSENT = "It overlaps an out-of-office event in the linked calendar; the dispatcher is asked."
CLOSED_SAID: Mapping[ClosedBecause, str] = {
    ClosedBecause.UNLINKED: "The question to the dispatcher is closed: the calendar is not linked any more.",
    ClosedBecause.CALL_DELETED: "The question to the dispatcher is closed: the call was deleted in Vorex.",
    ClosedBecause.UNASSIGNED: "The question to the dispatcher is closed: others are assigned now.",
    ClosedBecause.COMPLETED: "The question to the dispatcher is closed: the call is completed.",
    ClosedBecause.CHANGED_IN_VOREX: "The question to the dispatcher is closed: Vorex changed the call.",
    ClosedBecause.RESTORED: "The question to the dispatcher is closed: the copy was restored.",
    ClosedBecause.WRITTEN_AGAIN: "The question to the dispatcher is closed: the copy was sent again.",
    ClosedBecause.MOVED_BACK: "The question to the dispatcher is closed: the copy was moved back.",
    ClosedBecause.DELETED_SINCE: "The question to the dispatcher is closed: the copy was deleted since.",
    ClosedBecause.NOT_OUT_OF_OFFICE: "The question to the dispatcher is closed: nothing overlaps any more.",
}


@dataclass(kw_only=True, slots=True)
class _Known:
    """What the questions are about, and what becomes of them."""

    links: dict[LinkId, Link] = field(default_factory=dict)
    items: dict[ItemRef, Item] = field(default_factory=dict)
    integrations: dict[IntegrationId, Integration] = field(default_factory=dict)
    entries: list[LogEntry] = field(default_factory=list)

    async def load(self, connection: AsyncConnection, ids: Collection[LinkId]) -> None:
        new = [key for key in ids if key not in self.links]
        found = await links.load(connection, new)
        self.links |= found
        self.items |= await items.load(connection, {link.item_ref for link in found.values()})
        owners = {link.integration_id for link in found.values()}
        self.integrations |= await integrations.load(connection, owners)

    def of(self, link: Link) -> tuple[Item | None, Integration]:
        return self.items.get(link.item_ref), self.integrations[link.integration_id]

    def log(self, link: Link, outcome: Outcome, reason: str, now: datetime) -> None:
        """A private item's title is masked here as everywhere (R27)."""
        item, integration = self.of(link)
        if item is not None:
            reading = Reading(asked_at=now.timestamp(), now=now.timestamp())
            entry = RowLog(item, integration, reading)
            self.entries.append(entry(LogAction.NONE, outcome, Code.QUESTIONED, reason))


async def note_absences(
    connection: AsyncConnection, integration: Integration, events: Sequence[CronofyEvent]
) -> bool:
    """Remember which of these events are absences; whether that changes anything."""
    absent, present = absences_among(events, integration.time_zone)
    return await absences.note(connection, integration, absent, present)


async def tend_integration(connection: AsyncConnection, integration_id: str, *, now: datetime) -> None:
    """All questions about one integration's copies: those that are due are asked, the others closed."""
    opened = await questions.open_ones(connection, integration_id=integration_id, limit=QUESTIONS_A_ROUND)
    known = _Known()
    await _close(connection, known, opened, now)
    overlaps = await absences.overlapping(
        connection, now=now, integration_id=integration_id, unasked=True, limit=MOST_OVERLAPS
    )
    due = await questions.questioned(connection, integration_id=integration_id, limit=QUESTIONS_A_ROUND)
    await _ask_all(connection, known, due, overlaps, now)


async def tend_calls(connection: AsyncConnection, refs: Collection[ItemRef], *, now: datetime) -> None:
    """Calls that came or changed: whether an absence is in their way."""
    if not refs:
        return
    overlaps = await absences.overlapping(connection, now=now, refs=refs, limit=MOST_OVERLAPS)
    if overlaps:
        await _ask_all(connection, _Known(), (), overlaps, now)


async def tend_some(connection: AsyncConnection, *, after: str, now: datetime) -> str | None:
    """Close what needs no answer of the next open questions; where to go on, None after the last."""
    opened = await questions.open_ones(connection, after=after, limit=QUESTIONS_A_ROUND)
    known = _Known()
    await _close(connection, known, opened, now)
    await logs.log(connection, known.entries, now=now)
    return opened[-1].id if len(opened) == QUESTIONS_A_ROUND else None


async def ask_some(connection: AsyncConnection, *, after: str, now: datetime) -> str | None:
    """Ask about the next copies of which nobody has asked yet; where to go on, None after the last."""
    due = await questions.questioned(connection, after=after, limit=QUESTIONS_A_ROUND)
    await _ask_all(connection, _Known(), due, (), now)
    return due[-1] if len(due) == QUESTIONS_A_ROUND else None


async def _close(
    connection: AsyncConnection, known: _Known, opened: Sequence[Question], now: datetime
) -> None:
    """Those that need no answer any more; of the others it is noted where copy or absence are by now."""
    await known.load(connection, {one.link_id for one in opened})
    away = [one.link_id for one in opened if one.kind is QuestionKind.OUT_OF_OFFICE]
    overlaps = (
        await absences.overlapping(connection, now=now, links_named=away, limit=len(away)) if away else ()
    )
    first = _first_of_each(overlaps)
    causes = {(key, cause) for key, one in first.items() if (cause := _cause(known, one)) is not None}
    taken = await questions.asked_before(connection, causes)
    for one in opened:
        link = known.links.get(one.link_id)
        item, integration = known.of(link) if link is not None else (None, None)
        if link is None or integration is None:
            await questions.settle(connection, one.id, at=now, closed=ClosedBecause.UNLINKED)
            continue
        overlap = first.get(link.id)
        why = _why_closed(one, link, item, integration, overlap, taken=taken)
        if why is not None:
            if await questions.settle(connection, one.id, at=now, closed=why):
                known.log(link, Outcome.DONE, CLOSED_SAID[why], now)
        elif one.kind is not QuestionKind.OUT_OF_OFFICE:
            await _follow_copy(connection, one, link)
        elif overlap is not None and item is not None:
            await _follow_absence(connection, one, item, overlap)


async def _follow_copy(connection: AsyncConnection, one: Question, link: Link) -> None:
    if one.kind is QuestionKind.MOVED and link.code is Code.QUESTIONED:
        start, end = found_times(link)
        if start and end and (start, end) != (one.found_starts, one.found_ends):
            await questions.find_elsewhere(connection, one, start, end)


async def _follow_absence(connection: AsyncConnection, one: Question, item: Item, overlap: Overlap) -> None:
    """However often an absence is moved, whoever was asked about a call is not asked again meanwhile."""
    cause = overlap_cause(item, overlap.absence)
    if cause != one.cause:
        start, end = (wire_time(moment) for moment in overlap.absence)
        await questions.find_elsewhere(connection, one, start, end, cause=cause)


def _cause(known: _Known, overlap: Overlap) -> str | None:
    item = known.items.get(overlap.item_ref)
    return None if item is None else overlap_cause(item, overlap.absence)


def _why_closed(
    one: Question,
    link: Link,
    item: Item | None,
    integration: Integration,
    overlap: Overlap | None,
    *,
    taken: Collection[tuple[str, str]],
) -> ClosedBecause | None:
    """``taken``: causes that were asked about, of this question or an earlier one of the same link."""
    if one.kind is not QuestionKind.OUT_OF_OFFICE or item is None:
        return why_closed(one.kind, one.print, link, item, integration, reopened=one.reopened)
    here = overlap is not None and can_overlap(link, item, integration)
    cause = overlap_cause(item, overlap.absence) if here and overlap is not None else None
    if cause is not None and cause == one.cause:
        return None
    if question_print(item.content) != one.print:
        return ClosedBecause.CHANGED_IN_VOREX
    is_new = cause is not None and (link.id, cause) not in taken
    return None if is_new else ClosedBecause.NOT_OUT_OF_OFFICE


def _first_of_each(overlaps: Sequence[Overlap]) -> dict[LinkId, Overlap]:
    return {one.link_id: one for one in reversed(overlaps)}


async def _ask_all(
    connection: AsyncConnection,
    known: _Known,
    due: Sequence[LinkId],
    overlaps: Sequence[Overlap],
    now: datetime,
) -> None:
    first = _first_of_each(overlaps)
    await known.load(connection, {*due, *first})
    asked = [one for key in due if (one := _questioned(known, key, now)) is not None]
    away = [one for each in first.values() if (one := _overlapped(known, each, now)) is not None]
    before = await questions.asked_before(connection, {(one.link_id, one.cause or "") for one in away})
    asked += [one for one in away if (one.link_id, one.cause) not in before]
    new = set(await questions.ask(connection, asked))
    told = [one for one in asked if one.id in new]
    for one in told:
        if one.kind is QuestionKind.OUT_OF_OFFICE:
            known.log(known.links[one.link_id], Outcome.HELD, ABSENT, now)
    facts = [_fact(one, known.items[one.item_ref], now) for one in told]
    await outbox.enqueue(connection, facts, now=now.timestamp())
    await logs.log(connection, known.entries, now=now)


def _questioned(known: _Known, key: LinkId, now: datetime) -> Question | None:
    link = known.links[key]
    item, integration = known.of(link)
    kind = questioned_kind(link, item, integration) if item is not None else None
    if kind is None or item is None:
        return None
    asked = _question(link, item, integration, kind, now)
    start, end = found_times(link) if kind is QuestionKind.MOVED else (None, None)
    return replace(asked, found_starts=start, found_ends=end)


def _overlapped(known: _Known, overlap: Overlap, now: datetime) -> Question | None:
    link = known.links[overlap.link_id]
    item, integration = known.of(link)
    if item is None or not can_overlap(link, item, integration):
        return None
    start, end = overlap.absence
    return replace(
        _question(link, item, integration, QuestionKind.OUT_OF_OFFICE, now),
        cause=overlap_cause(item, overlap.absence),
        found_starts=wire_time(start),
        found_ends=wire_time(end),
    )


def _question(
    link: Link, item: Item, integration: Integration, kind: QuestionKind, now: datetime
) -> Question:
    times = times_of(item)
    return Question(
        id=new_id(),
        tenant_id=integration.tenant_id,
        user_id=integration.user_id,
        integration_id=integration.id,
        link_id=link.id,
        item_ref=item.ref,
        kind=kind,
        print=question_print(item.content),
        starts=wire_time(times.start) if times else None,
        ends=wire_time(times.end) if times and times.end else None,
        asked_at=now,
    )


def _fact(one: Question, item: Item, now: datetime) -> Outgoing:
    """Nobody has to hear it, so it is not mandatory."""
    data = QuestionData(
        question_id=one.id,
        tenant_id=one.tenant_id,
        user_id=one.user_id,
        integration_id=one.integration_id,
        item_type=item.type.value,
        item_id=item.id,
        version=item.version,
        kind=one.kind,
        start=one.starts,
        end=one.ends,
        found_start=one.found_starts,
        found_end=one.found_ends,
    )
    fact_id = new_id()
    message = AssignmentQuestioned.of(data, id=fact_id, time=now, traceparent=going_on(fact_id))
    return outgoing(message, mandatory=False)

"""What is to be done about questions by now, found by reading alone: which close, which are asked (R52).

It follows from links, items and absences as they are, so that nothing that comes twice, late or not at all
asks twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.calendar import Code, Integration, IntegrationId, Item, ItemRef, Link, LinkId
from contracts.messages import QuestionKind
from contracts.times import wire_time
from handlers.plan import question_print
from handlers.questions.answering import times_of
from handlers.questions.standing import (
    ClosedBecause,
    can_overlap,
    found_times,
    is_kept,
    overlap_cause,
    questioned_kind,
    why_closed,
)
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links
from service.store.questions import absences, questions
from service.store.questions.absences import Overlap
from service.store.questions.questions import Question

MOST_OVERLAPS = 500
"""Calls in absences that are looked at, and asked about, at once; the next calls first."""


@dataclass(kw_only=True, slots=True)
class Known:
    """What questions are about."""

    links: dict[LinkId, Link] = field(default_factory=dict)
    items: dict[ItemRef, Item] = field(default_factory=dict)
    integrations: dict[IntegrationId, Integration] = field(default_factory=dict)

    async def load(self, connection: AsyncConnection, ids: Collection[LinkId]) -> None:
        new = [key for key in ids if key not in self.links]
        found = await links.load(connection, new)
        self.links |= found
        self.items |= await items.load(connection, {link.item_ref for link in found.values()})
        owners = {link.integration_id for link in found.values()}
        self.integrations |= await integrations.load(connection, owners)

    def of(self, link: Link) -> tuple[Item | None, Integration]:
        return self.items.get(link.item_ref), self.integrations[link.integration_id]


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenChange:
    """What becomes of an open question: it closes, or its copy or absence is elsewhere by now."""

    question: Question
    closed: ClosedBecause | None = None
    found: tuple[str, str] | None = None
    cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionsDue:
    """All that is to be written; there is nothing to be done where it is false."""

    known: Known
    changes: Sequence[OpenChange] = ()
    asked: Sequence[Question] = ()

    def __bool__(self) -> bool:
        return bool(self.changes or self.asked)


async def due_of_open(
    connection: AsyncConnection, opened: Sequence[Question], *, now: datetime
) -> QuestionsDue:
    """Those that need no answer any more, and those whose copy or absence was moved since."""
    known = Known()
    await known.load(connection, {one.link_id for one in opened})
    away = [one.link_id for one in opened if one.kind is QuestionKind.OUT_OF_OFFICE]
    overlaps = (
        await absences.overlapping(connection, now=now, links_named=away, limit=len(away)) if away else ()
    )
    by_link = {one.link_id: one for one in overlaps}
    causes = {(key, cause) for key, one in by_link.items() if (cause := _cause(known, one)) is not None}
    taken = await questions.asked_before(connection, causes) if causes else frozenset()
    found = [_change(known, one, by_link.get(one.link_id), taken) for one in opened]
    return QuestionsDue(known=known, changes=[each for each in found if each is not None])


async def due_of_copies(connection: AsyncConnection, ids: Sequence[LinkId], *, now: datetime) -> QuestionsDue:
    """These copies that their owners deleted or moved too far, and about which nobody was asked."""
    known = Known()
    await known.load(connection, ids)
    found = [_questioned(known, key, now) for key in ids if key in known.links]
    return QuestionsDue(known=known, asked=[one for one in found if one is not None])


async def due_of_calls(
    connection: AsyncConnection, refs: Collection[ItemRef], *, now: datetime
) -> QuestionsDue:
    """These calls, where an absence is in their way."""
    known = Known()
    overlaps = await absences.overlapping(connection, now=now, refs=refs, unasked=True, limit=MOST_OVERLAPS)
    return QuestionsDue(known=known, asked=await _overlapped(connection, known, overlaps, now))


async def due_of_absences(
    connection: AsyncConnection, integration_ids: Sequence[str], *, now: datetime
) -> QuestionsDue:
    """Calls in absences of these integrations' owners; those that were answered hold up none behind them."""
    known, asked = Known(), list[Question]()
    for integration_id in integration_ids:
        enough, after = len(asked) + MOST_OVERLAPS, None
        while len(asked) < enough:
            overlaps = await absences.overlapping(
                connection,
                now=now,
                integration_id=integration_id,
                unasked=True,
                after=after,
                limit=MOST_OVERLAPS,
            )
            asked += await _overlapped(connection, known, overlaps, now)
            if len(overlaps) < MOST_OVERLAPS:
                break
            after = overlaps[-1]
    return QuestionsDue(known=known, asked=asked)


def _change(
    known: Known, one: Question, overlap: Overlap | None, taken: Collection[tuple[str, str]]
) -> OpenChange | None:
    link = known.links.get(one.link_id)
    if link is None:
        return OpenChange(question=one, closed=ClosedBecause.UNLINKED)
    item, integration = known.of(link)
    why = _why_closed(one, link, item, integration, overlap, taken=taken)
    if why is not None:
        return OpenChange(question=one, closed=why)
    if one.kind is not QuestionKind.OUT_OF_OFFICE:
        return _copy_elsewhere(one, link)
    return _absence_elsewhere(one, item, overlap) if item is not None and overlap is not None else None


def _copy_elsewhere(one: Question, link: Link) -> OpenChange | None:
    if one.kind is not QuestionKind.MOVED or link.code is not Code.QUESTIONED:
        return None
    start, end = found_times(link)
    if not start or not end or (start, end) == (one.found_starts, one.found_ends):
        return None
    return OpenChange(question=one, found=(start, end))


def _absence_elsewhere(one: Question, item: Item, overlap: Overlap) -> OpenChange | None:
    """However often an absence is moved, whoever was asked about a call is not asked again meanwhile."""
    cause = overlap_cause(item, overlap.absence)
    start, end = (wire_time(moment) for moment in overlap.absence)
    return None if cause == one.cause else OpenChange(question=one, found=(start, end), cause=cause)


def _cause(known: Known, overlap: Overlap) -> str | None:
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
    here = overlap is not None and is_kept(link, item, integration)
    cause = overlap_cause(item, overlap.absence) if here and overlap is not None else None
    if cause is not None and cause == one.cause:
        return None
    if question_print(item.content) != one.print:
        return ClosedBecause.CHANGED_IN_VOREX
    is_new = cause is not None and (link.id, cause) not in taken
    return None if is_new else ClosedBecause.NOT_OUT_OF_OFFICE


async def _overlapped(
    connection: AsyncConnection, known: Known, overlaps: Sequence[Overlap], now: datetime
) -> list[Question]:
    """What is to be asked about these; nothing about what was asked before."""
    if not overlaps:
        return []
    await known.load(connection, {one.link_id for one in overlaps})
    found = [one for each in overlaps if (one := _in_absence(known, each, now)) is not None]
    before = await questions.asked_before(connection, {(one.link_id, one.cause or "") for one in found})
    return [one for one in found if (one.link_id, one.cause) not in before]


def _questioned(known: Known, key: LinkId, now: datetime) -> Question | None:
    link = known.links[key]
    item, integration = known.of(link)
    kind = questioned_kind(link, item, integration) if item is not None else None
    if kind is None or item is None:
        return None
    asked = _question(link, item, integration, kind, now)
    start, end = found_times(link) if kind is QuestionKind.MOVED else (None, None)
    return replace(asked, found_starts=start, found_ends=end)


def _in_absence(known: Known, overlap: Overlap, now: datetime) -> Question | None:
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

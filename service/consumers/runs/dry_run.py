"""Plays the run that Finish would start: reads the calendar and the store, and writes to neither."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from contracts.calendar import (
    EventTypes,
    Integration,
    ItemRef,
    Link,
    LinkId,
    LinkState,
    LogAction,
    LogEntry,
    Outcome,
    Status,
)
from contracts.cronofy import Calendar, CronofyEvent, EventsPage, EventsQuery
from contracts.errors import Permanent, Transient
from contracts.event_fields import fields_hash
from contracts.ports import EventReader, Turn, Urgency
from contracts.vorex import ItemType
from handlers.calendar_move import plan_successor
from handlers.inbound_page import KnownRows, PageChanges, judge_page, match_page
from handlers.judgement import Judgement, Reading, days_to_read, is_gone
from handlers.link_states import accept
from handlers.reconcile import link_to_send
from handlers.relink import Tombstone, TombstoneSign, adopted_link, carried_link, pair_up, was_never_sent
from handlers.runs import DaySpan, span_of
from service.consumers.inbound.matching import EqualsOfRun, MatchPass
from service.consumers.runs.dry_run_overlay import DryRunEquals, DryRunOverlay
from service.consumers.runs.dry_run_result import DryRunAction, DryRunCut, DryRunLine, DryRunResult
from service.integrations import Integrations, Person
from service.integrations.finish import check_calendar, check_choices, range_of
from service.integrations.refusals import Conflict
from service.integrations.settings_form import Choices
from service.integrations.views import get_integration
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations import listing
from service.store.links import moves, sends, tombstones

DRY_RUN_PAGES = 10
"""Of the calendar's events, a hundred each."""
DRY_RUN_ITEMS = 1000
DRY_RUN_ITEMS_AT_ONCE = 50
DRY_RUN_SECONDS = 8.0
"""Seconds after which a person is told what has been found so far."""

_ENTRIES = {
    LogAction.CREATE: DryRunAction.ADD_HERE,
    LogAction.UPDATE: DryRunAction.CHANGE_HERE,
    LogAction.LINK: DryRunAction.LINK,
}


class _CutShort(Exception):
    """There is more than a rehearsal looks at."""

    def __init__(self, why: DryRunCut) -> None:
        super().__init__(why)
        self.why: DryRunCut = why


@dataclass(kw_only=True, slots=True)
class _DryRun:
    """One rehearsal under way."""

    stage: DryRunOverlay
    choices: Choices
    now: datetime
    count_request: Callable[[], None]
    """Of the person who waits; raises AskedTooOften."""
    found: DryRunResult = field(default_factory=DryRunResult)
    pages: int = 0

    @property
    def integration(self) -> Integration:
        return self.stage.integration

    @property
    def turn(self) -> Turn:
        """It gives way to live changes, as the run itself does (R32)."""
        return Turn(
            integration_id=self.integration.id,
            tenant_id=self.integration.tenant_id,
            urgency=Urgency.PERSON,
        )

    @property
    def reading(self) -> Reading:
        return Reading(asked_at=self.now.timestamp(), now=self.now.timestamp())

    def span(self, words: Mapping[str, str]) -> DaySpan:
        return span_of(words, now=self.now, time_zone=self.integration.time_zone)


class DryRun:
    """What the choices would do, were they finished now."""

    def __init__(
        self, *, store: Store, people: Integrations, calendars: EventReader, patience: float = DRY_RUN_SECONDS
    ) -> None:
        self._store, self._people, self._calendars = store, people, calendars
        self._patience = patience

    async def of(self, person: Person, integration_id: str, choices: Choices) -> DryRunResult:
        """Raises what Finish would raise: Conflict, Invalid, Unknown or AskedTooOften.

        Each request to Cronofy counts for the person (R44).
        """
        shown = await get_integration(self._store, person.owner, integration_id)
        check_choices(choices)
        try:
            offered = await self._people.calendars(person.owner, integration_id)
        except Transient:
            return DryRunResult(cut="silent")
        calendar = check_calendar(choices, offered)
        async with self._store.read() as connection:
            if calendar.name in await listing.names_linked(connection, shown.integration):
                raise Conflict("already_linked", "You have linked this calendar already.")
            now = await self._store.moment(connection)
        integration = _finished(shown.integration, choices, calendar, now)
        play = _DryRun(
            stage=DryRunOverlay(integration=integration, now=now.timestamp()),
            choices=choices,
            now=now,
            count_request=partial(self._people.count_request, person.owner),
        )
        known = shown.integration
        read = known.baseline_at is not None or known.known_since is not None
        anew = not read or known.calendar_id != calendar.calendar_id
        moves = choices.copies == "move" and known.calendar_id not in {None, calendar.calendar_id}
        async with self._people.asking(person.owner):
            await self._bounded(play, anew=anew, moved_from=known if moves else None)
        return play.found

    async def _bounded(self, play: _DryRun, *, anew: bool, moved_from: Integration | None) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._play(play, anew=anew, moved_from=moved_from)
        except _CutShort as cut:
            play.found.cut = cut.why
        except TimeoutError:
            play.found.cut = "slow"
        except (Transient, Permanent):
            play.found.cut = "silent"

    async def _play(self, play: _DryRun, *, anew: bool, moved_from: Integration | None) -> None:
        """The steps of the real run, in their order (compare service/runs)."""
        retrieve, send = range_of(play.choices.retrieve), range_of(play.choices.send)
        if anew:
            await self._adopt(play)
        if moved_from is not None:
            await self._move(play, moved_from)
        if retrieve or send:
            await self._check_first_sync(play)
        if retrieve:
            await self._bring(play, play.span(retrieve), matching=False)
        if send and not (retrieve and _covers(play.span(retrieve), play.span(send))):
            await self._bring(play, play.span(send), matching=True)
        if send:
            await self._send(play, play.span(send))

    async def _check_first_sync(self, play: _DryRun) -> None:
        play.count_request()
        account = await self._calendars.userinfo(play.integration.sub, turn=play.turn)
        profile = account.profile(play.integration.profile_id)
        if profile is not None and profile.initial_sync_required:
            raise _CutShort("first_sync")

    # -- what earlier integrations knew (R21) ----------------------------------------------------

    async def _adopt(self, play: _DryRun) -> None:
        async with self._store.read() as connection:
            traces = await tombstones.of_person(connection, play.integration)
            play.found.leaving = await tombstones.leaving(connection, play.integration)
            known = await tombstones.known(connection, traces) if traces else []
        if not known:
            return
        await self._check_first_sync(play)
        first, beyond = days_to_read(play.now)
        events = [
            event
            async for page in self._pages(play, first, beyond)
            for event in page.events
        ]  # fmt: skip
        pairing = pair_up(events, [TombstoneSign.of(each) for each in known])
        before = {each.item.ref: each for each in known}
        async with self._store.read() as connection:
            here = await play.stage.links_of(connection, before)
        for sign, event in pairing.found:
            each, link = before[sign.item_ref], here.get(sign.item_ref)
            if link is None or was_never_sent(link):
                link_id = link.id if link else LinkId(new_id())
                _take(play, each, adopted_link(each, event, play.integration, play.reading, link_id))
        for sign in pairing.unseen:
            if sign.item_ref not in here:
                each = before[sign.item_ref]
                _take(play, each, carried_link(each, play.integration, LinkId(new_id())))

    # -- copies that follow to another calendar (R16) ----------------------------------------------

    async def _move(self, play: _DryRun, moved_from: Integration) -> None:
        async with self._store.read() as connection:
            refs = await moves.copies(connection, moved_from, limit=DRY_RUN_ITEMS + 1)
            found = await play.stage.load(connection, refs)
            here = await play.stage.links_of(connection, refs)
        if len(refs) > DRY_RUN_ITEMS:
            raise _CutShort("large")
        for item in found.values():
            wanted = plan_successor(item, play.integration, here.get(item.ref), new_id=new_id)
            doing = DryRunAction.LEAVE if wanted is None else DryRunAction.MOVE
            play.found.note(doing, item.ref, DryRunLine.of_item(item))
            if wanted is not None and wanted.link is not None:
                play.stage.links[wanted.link.id] = _written(wanted.link, now=play.now.timestamp())

    # -- Retrieve, and what is equal on both sides (R26, R29) --------------------------------------

    async def _bring(self, play: _DryRun, span: DaySpan, *, matching: bool) -> None:
        notes, waiting = DryRunEquals(), list[CronofyEvent]()
        look: MatchPass | None = None
        async for page in self._pages(play, *span.to_read(days_to_read(play.now))):
            look = look or ("only" if page.next_page is None else "first")
            events = [event for event in page.events if span.holds(event.start, event.end)]
            waiting += await self._decide(play, events, EqualsOfRun(notes, look), matching=matching)
        for at in range(0, len(waiting), DRY_RUN_ITEMS_AT_ONCE):
            equals = EqualsOfRun(notes, "second")
            await self._decide(play, waiting[at : at + DRY_RUN_ITEMS_AT_ONCE], equals, matching=matching)

    async def _decide(
        self, play: _DryRun, events: Sequence[CronofyEvent], equals: EqualsOfRun, *, matching: bool
    ) -> Sequence[CronofyEvent]:
        """What the run would do with these; those about which only the end of the range tells (R29)."""
        async with self._store.read() as connection:
            known = await play.stage.known(connection, events, equals)
            if matching:
                changes = match_page(events, known, play.reading, new_id=new_id)
            else:
                changes = judge_page(events, known, play.reading, new_id=new_id, by_name=True)
            await equals.note(connection, changes)
        play.stage.take(changes)
        series = _series_of(known.links)
        lines = {ref: DryRunLine.of_item(item, series=series.get(ref)) for ref, item in known.items.items()}
        _note_entries(play, changes, lines)
        left = {uid for _, uid in changes.left}
        if not matching:
            _note_left(play, known, [event for event in events if event.event_uid not in left])
        return [event for event in events if event.event_uid in left]

    async def _pages(self, play: _DryRun, first: Any, beyond: Any) -> AsyncIterator[EventsPage]:
        sub, calendar_id = play.integration.sub, play.integration.calendar_id or ""
        query = EventsQuery(calendar_ids=(calendar_id,), from_=first, to=beyond, include_managed=True)
        play.count_request()
        page = await self._calendars.first_page(sub, query, turn=play.turn)
        while True:
            play.pages += 1
            yield page
            if page.next_page is None:
                return
            if play.pages >= DRY_RUN_PAGES:
                raise _CutShort("large")
            play.count_request()
            page = await self._calendars.next_page(sub, page.next_page, turn=play.turn)

    # -- Send (R24) --------------------------------------------------------------------------------

    async def _send(self, play: _DryRun, span: DaySpan) -> None:
        after: str | None = None
        for _ in range(DRY_RUN_ITEMS // DRY_RUN_ITEMS_AT_ONCE):
            async with self._store.read() as connection:
                refs = await sends.next_items(
                    connection, play.integration, span, after=after, limit=DRY_RUN_ITEMS_AT_ONCE
                )
                found = await play.stage.load(connection, map(ItemRef, refs))
                here = await play.stage.links_of(connection, found)
            for item in found.values():
                link = here.get(item.ref)
                wanted = link_to_send(item, play.integration, link, new_id=new_id)
                stands = link is not None and link.exists_there
                doing = (
                    DryRunAction.LEAVE
                    if wanted is None
                    else DryRunAction.CHANGE_THERE
                    if stands
                    else DryRunAction.ADD_THERE
                )
                play.found.note(doing, item.ref, DryRunLine.of_item(item))
            if len(refs) < DRY_RUN_ITEMS_AT_ONCE:
                return
            after = refs[-1]
        raise _CutShort("large")


def _finished(known: Integration, choices: Choices, calendar: Calendar, now: datetime) -> Integration:
    """The integration as Finish would leave it, its calendar read."""
    types = choices.item_types.model_dump()
    return replace(
        known,
        calendar_id=calendar.calendar_id,
        calendar_name=calendar.name,
        permission_level=calendar.permission_level,
        active=True,
        status=Status.CONNECTED,
        reason=None,
        event_types=EventTypes(**choices.event_types.model_dump()),
        item_types=frozenset(ItemType(name) for name, checked in types.items() if checked),
        finished_at=known.finished_at or now,
        baseline_at=now,
    )


def _written(link: Link, *, now: float) -> Link:
    """The link once Cronofy has taken it."""
    revision, applied_hash = link.desired_revision, fields_hash(link.desired)
    return accept(link, revision=revision, applied_hash=applied_hash, gone=False, now=now, writes=link.writes)


def _covers(wide: DaySpan, narrow: DaySpan) -> bool:
    return wide.first <= narrow.first and narrow.beyond <= wide.beyond


def _take(play: _DryRun, each: Tombstone, judgement: Judgement) -> None:
    changes = PageChanges()
    changes.take(judgement)
    play.stage.take(changes)
    line = DryRunLine.of_item(judgement.item or each.item)
    _note_entries(play, changes, {each.item.ref: line})
    if judgement.link is not None and judgement.link.state is LinkState.BEHIND:
        play.found.note(DryRunAction.CHANGE_THERE, each.item.ref, line)


def _note_entries(play: _DryRun, changes: PageChanges, lines: Mapping[Any, DryRunLine]) -> None:
    series = _series_of(changes.new_links)
    made = {item.ref: DryRunLine.of_item(item, series=series.get(item.ref)) for item in changes.items}
    for entry in changes.entries:
        doing = _doing(entry)
        line = made.get(entry.item_ref) or lines.get(entry.item_ref) if entry.item_ref else None
        if doing is not None and line is not None and entry.item_ref is not None:
            play.found.note(doing, entry.item_ref, line)


def _series_of(links: Iterable[Link]) -> Mapping[ItemRef, str | None]:
    return {link.item_ref: link.series_identifier for link in links}


def _doing(entry: LogEntry) -> DryRunAction | None:
    return _ENTRIES.get(entry.action) if entry.outcome is Outcome.DONE else None


def _note_left(play: _DryRun, known: KnownRows, events: Sequence[CronofyEvent]) -> None:
    """Events that stand as they are: known already, or kept by another person's sync."""
    keys: dict[str, str] = {}
    for link in (*known.links, *play.stage.links.values()):
        keys |= {key: link.item_ref for key in (link.event_uid, link.event_id) if key}
    for event in events:
        if not is_gone(event):
            key = keys.get(event.event_id or "") or keys.get(event.event_uid, event.event_uid)
            play.found.note(DryRunAction.LEAVE, key, DryRunLine.of_event(event))

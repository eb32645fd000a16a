"""One page of a read, carried into the store as one transaction."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from contracts.calendar import (
    Code,
    Integration,
    IntegrationId,
    ItemRef,
    LogAction,
    LogEntry,
    Outcome,
)
from contracts.cronofy import CronofyEvent, EventsPage, UnheldEvent
from contracts.messages import QUEUE_INBOUND, IntegrationChange
from contracts.times import as_instant
from handlers.arrivals.before import remembered_keys
from handlers.arrivals.series import belongs_to_series, count_once, prior_series
from handlers.arrivals.unheld import said_once, unheld_key, unheld_links
from handlers.inbound_page import (
    KnownRows,
    PageChanges,
    judge_page,
    match_page,
)
from handlers.judgement import Reading
from handlers.link_states import missing, rewrite
from handlers.log_entries import RowLog
from service.consumers.inbound.calendar_read import (
    CalendarRead,
    NotSyncing,
    RunRecord,
    TurnLost,
    keep_record,
    record_of,
)
from service.consumers.inbound.doubtful import (
    known_until,
    learn_anew_if_lost,
    read_all_if_made_again,
    read_all_if_strange,
    remember_looks,
    settle,
)
from service.consumers.inbound.held_imports import held_form
from service.consumers.inbound.matching import EqualsOfRun
from service.consumers.inbound.page_deletions import finish_deletions, is_to_be_held, remember_gone
from service.consumers.inbound.page_series import lost_occurrences, series_changes
from service.consumers.inbound.reach import missing_among, next_unseen
from service.consumers.inbound.surroundings import surroundings
from service.crashpoints import crash_point
from service.integrations.facts import item_fact, tell_change
from service.integrations.questions.tending import note_absences, tend_integration
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports, integrations, reads
from service.store.integrations.reads import ReadTurn
from service.store.items import items
from service.store.links import links
from service.store.logs import logs
from service.store.messages import inbox, outbox

LINKS_A_TRANSACTION = 200


class PageWriter:
    """Carries pages of events into the store; raises TurnLost where the read was taken over."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def apply(
        self, reading_pass: CalendarRead, page: EventsPage, *, asked_at: float, last: bool
    ) -> None:
        """Everything that one page does, at once or not at all; deletions come with the last page (R11).

        So many deletions that one transaction would last too long are done in parts.
        """
        if last and _needs_parts(reading_pass, page):
            await self._page(reading_pass, page, asked_at=asked_at, last=False)
            page = EventsPage(events=())
            await self._bring_series(reading_pass)
        if last and len(reading_pass.gone) > LINKS_A_TRANSACTION:
            await self._delete_in_parts(reading_pass)
        await self._page(reading_pass, page, asked_at=asked_at, last=last)

    async def _page(
        self, reading_pass: CalendarRead, page: EventsPage, *, asked_at: float, last: bool
    ) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            since = reading_pass.turn.began_at if reading_pass.full else None
            reading = Reading(asked_at=asked_at, now=now, complete_since=since, first=reading_pass.first)
            integration = await self._integration(connection, reading_pass.turn.integration_id)
            known = await self._known(connection, integration, page.events, reading_pass, last=last)
            integration = known.integration
            changes = judge_page(page.events, known, reading, new_id=new_id)
            await self._pass_over(connection, page.unheld, integration, reading, changes)
            remember_gone(reading_pass, known, changes, reading)
            seen = {link.item_ref for link in changes.links}
            reading_pass.anew = last and await learn_anew_if_lost(
                self._store, connection, reading_pass, integration, seen=seen
            )
            if last and not reading_pass.anew:
                await finish_deletions(connection, reading_pass, known, changes)
                if not await read_all_if_strange(self._store, connection, reading_pass, integration):
                    await self._settle_doubtful(connection, reading_pass, integration, reading)
            remember_looks(changes)
            await self.save(connection, integration, changes, now=now, record=record_of(reading_pass, known))
            await read_all_if_made_again(self._store, connection, reading_pass, known, changes)
            if await note_absences(connection, integration, page.events):
                await tend_integration(connection, integration.id, now=datetime.fromtimestamp(now, UTC))
            await self.close_page(connection, reading_pass, now=now, last=last)
            crash_point("inbound.3")
        crash_point("inbound.5" if last else "inbound.4")

    async def _pass_over(
        self,
        connection: AsyncConnection,
        unheld: Sequence[UnheldEvent],
        integration: Integration,
        reading: Reading,
        changes: PageChanges,
    ) -> None:
        """Events whose times no clock can hold: nothing is taken of them, which is said once."""
        if not unheld:
            return
        said = await reads.prior_among(connection, integration, [unheld_key(event) for event in unheld])
        entries = said_once(unheld, integration, reading, said=said)
        changes.prior.extend(entries)
        changes.entries.extend(entries.values())
        ids = {event.event_id for event in unheld if event.event_id}
        uids = {event.event_uid for event in unheld}
        found = await links.of_events(connection, integration.id, event_ids=ids, event_uids=uids)
        locked = await links.load(connection, [link.id for link in found], lock=True)
        here = [link for link in locked.values() if link.calendar_id == integration.calendar_id]
        changes.links.extend(unheld_links(unheld, here, reading))

    async def _settle_doubtful(
        self,
        connection: AsyncConnection,
        reading_pass: CalendarRead,
        integration: Integration,
        reading: Reading,
    ) -> None:
        """Bring what is unknown though it is not new, or hold all of it for an answer (R36)."""
        events = list(reading_pass.doubtful.values())
        if events:
            known = await self._known(connection, integration, events, reading_pass, last=False)
            settled = await settle(connection, events, known, reading)
            record = record_of(reading_pass, known)
            await self.save(connection, integration, settled, now=reading.now, record=record)

    async def retrieve(
        self,
        turn: ReadTurn,
        events: Sequence[CronofyEvent],
        *,
        reading: Reading,
        matching: bool,
        equals: EqualsOfRun,
        then: Callable[[AsyncConnection, PageChanges], Awaitable[None]],
    ) -> None:
        """Bring these events because a run asked for them (R26, R29); ``then`` is part of the transaction.

        ``matching``: only link what is equal on both sides, and bring nothing. ``equals`` says which
        events have no equal in the whole range; where nobody knows yet, they are left for a second look.
        """
        async with self._store.begin() as connection:
            integration = await self._integration(connection, turn.integration_id)
            events = await equals.due(connection, events)
            alike = await self._unlinked(connection, integration, events)
            known = await self._known(
                connection, integration, events, CalendarRead(turn=turn), last=False, also=alike
            )
            integration = known.integration
            free = await self._unlinked(connection, integration, events) if known.items else ()
            unlinked = [known.items[ref] for ref in free if ref in known.items]
            found = await equals.among(connection, known, events, unlinked)
            if matching:
                changes = match_page(events, found, reading, new_id=new_id)
            else:
                changes = judge_page(events, found, reading, new_id=new_id, by_name=True)
            record = RunRecord(run_id=reading.run_id or "", before=known.items)
            await self.save(connection, integration, changes, now=reading.now, record=record)
            await equals.note(connection, changes)
            around = CalendarRead(turn=turn, alike=changes.alike)
            await read_all_if_strange(self._store, connection, around, integration)
            await then(connection, changes)
            if not await reads.keep_turn(connection, turn, now=reading.now):
                raise TurnLost

    async def _unlinked(
        self, connection: AsyncConnection, integration: Integration, events: Sequence[CronofyEvent]
    ) -> Sequence[ItemRef]:
        return await items.unlinked(connection, integration, {as_instant(event.start) for event in events})

    async def _integration(
        self, connection: AsyncConnection, integration_id: str, *, lock: bool = False
    ) -> Integration:
        """Locked, nobody deactivates or deletes it before the commit."""
        found = await integrations.load(connection, [integration_id], lock=lock)
        integration = found.get(IntegrationId(integration_id))
        if integration is None or not integration.sends:
            raise NotSyncing
        return integration

    async def _known(
        self,
        connection: AsyncConnection,
        integration: Integration,
        events: Sequence[CronofyEvent],
        reading_pass: CalendarRead,
        *,
        last: bool,
        also: Collection[ItemRef] = (),
    ) -> KnownRows:
        """What bears on these events, locked as everybody locks: items, integration, links, each by key."""
        found = await links.of_events(
            connection,
            integration.id,
            event_ids={event.event_id for event in events if event.event_id},
            event_uids={event.event_uid for event in events},
        )
        pending = reading_pass.gone if last else {}
        refs = {link.item_ref for link in found} | {each.item_ref for each in pending.values()} | {*also}
        known_items = await items.load(connection, refs, lock=True)
        integration = await self._integration(connection, integration.id, lock=True)
        ids = {link.id for link in found} | pending.keys()
        locked = await links.load(connection, ids, lock=True)
        here = [link for link in locked.values() if link.calendar_id == integration.calendar_id]
        keys = {key for event in events for key in remembered_keys(event)}
        return KnownRows(
            integration=integration,
            links=here,
            items=known_items,
            prior=await reads.prior_among(connection, integration, keys),
            series_wait=not last,
            held=await held_imports.among_uids(
                connection, integration, {event.event_uid for event in events if event.event_id is None}
            ),
            known_until=known_until(reading_pass, integration),
            **await surroundings(
                connection, integration, events, here, now=await self._store.now(connection)
            ),
        )

    async def _bring_series(self, reading_pass: CalendarRead) -> None:
        """Occurrences that came take the place of those that are gone; the others are new (R39)."""
        waiting, reading_pass.waiting = reading_pass.waiting, []
        prior = prior_series(waiting, reading_pass.priors)
        for at in range(0, len(waiting), LINKS_A_TRANSACTION):
            part = waiting[at : at + LINKS_A_TRANSACTION]
            async with self._store.begin() as connection:
                now = await self._store.now(connection)
                integration = await self._integration(connection, reading_pass.turn.integration_id)
                gone = await lost_occurrences(connection, reading_pass)
                around = CalendarRead(turn=reading_pass.turn, gone=gone)
                known = await self._known(connection, integration, part, around, last=True)
                since = reading_pass.turn.began_at if reading_pass.full else None
                reading = Reading(asked_at=now, now=now, complete_since=since)
                changes = series_changes(part, known, gone.keys(), reading, prior=prior, new_id=new_id)
                for link in changes.links:
                    reading_pass.gone.pop(link.id, None)
                reading_pass.doubtful |= {event.event_uid: event for event in changes.doubtful}
                reading_pass.alike.extend(changes.alike)
                remember_looks(changes)
                record = record_of(reading_pass, known)
                await self.save(connection, known.integration, changes, now=now, record=record)
                await self.close_page(connection, reading_pass, now=now, last=False)

    async def _delete_in_parts(self, reading_pass: CalendarRead) -> None:
        """Whether they are held is decided once, for all of them."""
        async with self._store.read() as connection:
            new = count_once((found.series, key) for key, found in reading_pass.gone.items())
            reading_pass.held = await is_to_be_held(connection, reading_pass, new=new)
        pending, reading_pass.gone = sorted(reading_pass.gone.items()), {}
        for at in range(0, len(pending), LINKS_A_TRANSACTION):
            part = replace(reading_pass, gone=dict(pending[at : at + LINKS_A_TRANSACTION]))
            async with self._store.begin() as connection:
                now = await self._store.now(connection)
                integration = await self._integration(connection, part.turn.integration_id)
                known = await self._known(connection, integration, (), part, last=True)
                changes = PageChanges()
                await finish_deletions(connection, part, known, changes)
                record = record_of(reading_pass, known)
                await self.save(connection, known.integration, changes, now=now, record=record)
                await read_all_if_made_again(self._store, connection, part, known, changes)
                await self.close_page(connection, part, now=now, last=False)
            reading_pass.again = reading_pass.again or part.again

    async def write_again(self, reading_pass: CalendarRead) -> None:
        """Copies that a complete read did not show are written again, a few hundred a transaction (R11)."""
        after: str | None = ""
        while reading_pass.full is not None and after is not None:
            after = await self._write_some_again(reading_pass, after)

    async def _write_some_again(self, reading_pass: CalendarRead, after: str) -> str | None:
        """The next of them, within the limit of rewrites; where to go on, or None."""
        turn = reading_pass.turn
        async with self._store.read() as connection:
            unseen, following = await next_unseen(connection, reading_pass, after)
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            reading = Reading(asked_at=turn.began_at, now=now)
            known_items = await items.load(connection, {ref for _, ref in unseen}, lock=True)
            integration = await self._integration(connection, turn.integration_id, lock=True)
            found = await links.load(connection, [key for key, _ in unseen], lock=True)
            changes = PageChanges()
            for link in missing_among(found.values(), reading_pass, integration):
                again = rewrite(missing(link), now=now)
                changes.links.append(again)
                item = known_items.get(again.item_ref)
                if again.code is Code.LOOP_STOPPED and item is not None:
                    changes.entries.append(RowLog(item, integration, reading).stopped())
            await self.save(connection, integration, changes, now=now)
        return following

    async def save(
        self,
        connection: AsyncConnection,
        integration: Integration,
        changes: PageChanges,
        *,
        now: float,
        record: RunRecord | None = None,
    ) -> None:
        """Store what was judged, with log entries and facts, in the caller's transaction; ``record``: R50."""
        moment = datetime.fromtimestamp(now, UTC)
        await items.save(connection, [(item, None) for item in changes.items], now=moment)
        await links.add(connection, changes.new_links, now=moment, touched_at=0.0)
        await links.save(connection, changes.links, touched_at=0.0)
        await logs.log(connection, changes.entries, now=moment)
        if record is not None:
            await keep_record(connection, record, integration.id, changes, at=moment)
        await reads.add_prior(connection, integration, changes.prior)
        held = [held_form(event, code) for event, code in changes.held]
        asked = held and not await held_imports.waiting(connection, integration, limit=1)
        await held_imports.hold(connection, integration, held, now=moment)
        if asked:
            await tell_change(connection, integration, IntegrationChange.QUESTION_WAITING, now=moment)
        if changes.answered:
            await held_imports.forget(connection, integration, changes.answered)
        facts = [item_fact(item, integration, moment) for item in changes.items]
        await outbox.enqueue(connection, facts, now=now)
        if any(_crossed(entry) for entry in changes.entries):
            await integrations.synced(connection, [integration.id], moment)
        if any(link.code is Code.QUESTIONED for link in changes.links):
            await tend_integration(connection, integration.id, now=moment)

    async def close_page(
        self, connection: AsyncConnection, reading_pass: CalendarRead, *, now: float, last: bool
    ) -> None:
        """In the page's transaction: the read goes on, or has ended well. Raises TurnLost."""
        moment = datetime.fromtimestamp(now, UTC)
        turn = reading_pass.turn
        if last:
            await inbox.record(
                connection, QUEUE_INBOUND, [(key, "done") for key in reading_pass.keys], now=now
            )
            stands = await reads.end_turn(connection, turn, at=moment)
            if stands and reading_pass.full is not None and not reading_pass.anew:
                await integrations.change_state(connection, turn.integration_id, full_read_at=moment)
        else:
            stands = await reads.keep_turn(connection, turn, now=now)
        if not stands:
            raise TurnLost


def _crossed(entry: LogEntry) -> bool:
    """Whether an item crossed; a copy that is let go does not (R28)."""
    return entry.outcome is Outcome.DONE and entry.action is not LogAction.LET_GO


def _needs_parts(reading_pass: CalendarRead, page: EventsPage) -> bool:
    """Whether what is on the last page must be known before the read can be ended."""
    series = bool(reading_pass.waiting) or any(belongs_to_series(event) for event in page.events)
    return series or len(reading_pass.gone) > LINKS_A_TRANSACTION

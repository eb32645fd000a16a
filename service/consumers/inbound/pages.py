"""One page of a read, carried into the store as one transaction."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

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
from contracts.envelope import ItemChanged
from contracts.errors import Transient
from contracts.messages import QUEUE_INBOUND
from contracts.ports import Outgoing
from contracts.times import as_instant
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData
from handlers.deletions import carry_out_deletion, hold_deletion
from handlers.inbound_page import (
    KnownRows,
    PageChanges,
    event_keys,
    judge_page,
    match_page,
    missing_copies,
    too_many_deletions,
)
from handlers.judgement import Reading
from handlers.link_states import missing, rewrite
from handlers.log_entries import RowLog
from handlers.matching import MatchKey, match_key_of_event
from service.consumers.inbound.matching import EqualsOfRun
from service.consumers.inbound.pending_deletions import PendingDeletion, item_changed_since, link_if_unchanged
from service.crashpoints import crash_point
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.integrations.reads import ReadTurn
from service.store.items import items
from service.store.links import links
from service.store.logs import logs
from service.store.messages import inbox, outbox
from service.store.messages.inbox import MessageKey
from service.store.messages.outbox import outgoing

LINKS_A_TRANSACTION = 200


class TurnLost(Transient):
    """Another reader took over this calendar."""


class NotSyncing(Transient):
    """The integration was deactivated or lost its connection while it was read."""


@dataclass(kw_only=True, slots=True)
class CalendarRead:
    """One read of one calendar, page by page."""

    turn: ReadTurn
    keys: Sequence[MessageKey] = ()
    """Messages that are settled with this read."""
    full: tuple[date, date] | None = None
    """The days of a full read; None for a read of what changed."""
    for_run: bool = False
    gone: dict[LinkId, PendingDeletion] = field(default_factory=dict)
    held: bool | None = None
    """Whether its deletions wait for an answer (R11); None: to be decided with the last page."""
    again: bool = False


class PageWriter:
    """Carries pages of events into the store; raises TurnLost where the read was taken over."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def apply(
        self, reading_pass: CalendarRead, events: Sequence[CronofyEvent], *, asked_at: float, last: bool
    ) -> None:
        """Everything that one page does, at once or not at all; deletions come with the last page (R11).

        So many deletions that one transaction would last too long are done in parts.
        """
        if last and len(reading_pass.gone) > LINKS_A_TRANSACTION:
            await self._page(reading_pass, events, asked_at=asked_at, last=False)
            await self._delete_in_parts(reading_pass)
            events = ()
        await self._page(reading_pass, events, asked_at=asked_at, last=last)

    async def _page(
        self, reading_pass: CalendarRead, events: Sequence[CronofyEvent], *, asked_at: float, last: bool
    ) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            reading = Reading(asked_at=asked_at, now=now)
            integration = await self._integration(connection, reading_pass.turn.integration_id)
            known = await self._known(connection, integration, events, reading_pass, last=last)
            integration = known.integration
            changes = judge_page(events, known, reading, new_id=new_id)
            _remember_gone(reading_pass, known, changes, reading)
            if last:
                await self._finish_deletions(connection, reading_pass, known, changes)
            await self.save(connection, integration, changes, now=now)
            await self._close_page(connection, reading_pass, now=now, last=last)
            crash_point("inbound.3")
        crash_point("inbound.5" if last else "inbound.4")

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
            await self.save(connection, integration, changes, now=reading.now)
            await equals.note(connection, changes)
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
        keys = {key for event in events for key in event_keys(event)}
        return KnownRows(
            integration=integration,
            links=here,
            items=known_items,
            prior=await reads.prior_among(connection, integration, keys),
            twins=await self._twins(connection, integration, events, here),
        )

    async def _twins(
        self,
        connection: AsyncConnection,
        integration: Integration,
        events: Sequence[CronofyEvent],
        known: Sequence[Link],
    ) -> frozenset[MatchKey]:
        uids = {link.event_uid for link in known}
        if all(event.event_id or event.event_uid in uids for event in events):
            return frozenset()
        starts = {as_instant(event.start) for event in events}
        copies = await reads.copies_of_others(connection, integration, starts)
        return frozenset(match_key_of_event(copy) for copy in copies)

    async def _delete_in_parts(self, reading_pass: CalendarRead) -> None:
        """Whether they are held is decided once, for all of them."""
        async with self._store.read() as connection:
            reading_pass.held = await _hold(connection, reading_pass, new=len(reading_pass.gone))
        pending, reading_pass.gone = sorted(reading_pass.gone.items()), {}
        for at in range(0, len(pending), LINKS_A_TRANSACTION):
            part = replace(reading_pass, gone=dict(pending[at : at + LINKS_A_TRANSACTION]))
            async with self._store.begin() as connection:
                now = await self._store.now(connection)
                integration = await self._integration(connection, part.turn.integration_id)
                known = await self._known(connection, integration, (), part, last=True)
                changes = PageChanges()
                await self._finish_deletions(connection, part, known, changes)
                await self.save(connection, known.integration, changes, now=now)
                await self._close_page(connection, part, now=now, last=False)
            reading_pass.again = reading_pass.again or part.again

    async def _finish_deletions(
        self, connection: AsyncConnection, reading_pass: CalendarRead, known: KnownRows, changes: PageChanges
    ) -> None:
        standing = {link.id: link for link in known.links}
        alive = {link.id for link in changes.links if link.exists_there}
        due = [
            link_if_unchanged(standing.get(key), found)
            for key, found in reading_pass.gone.items()
            if key not in alive
        ]
        reading_pass.again = reading_pass.again or any(
            item_changed_since(standing.get(key), found) for key, found in reading_pass.gone.items()
        )
        ready = [pair for pair in due if pair is not None]
        if not ready:
            return
        integration = known.integration
        now = datetime.fromtimestamp(reading_pass.turn.began_at, UTC)
        held = reading_pass.held
        if held is None:
            held = await _hold(connection, reading_pass, new=len(ready))
        decide = hold_deletion if held else carry_out_deletion
        for link, reading in ready:
            item = known.items.get(link.item_ref)
            if item is not None and not item.deleted:
                changes.take(decide(link, item, integration, reading))
        keys = [link.id for link, _ in ready]
        await reads.note_deletions(connection, integration.id, keys, held=held, now=now)

    async def write_again(self, reading_pass: CalendarRead) -> None:
        """Copies that a complete read did not show are written again, a few hundred a transaction (R11)."""
        after: str | None = ""
        while reading_pass.full is not None and after is not None:
            after = await self._write_some_again(reading_pass, reading_pass.full, after)

    async def _write_some_again(
        self, reading_pass: CalendarRead, full: tuple[date, date], after: str
    ) -> str | None:
        """The next of them, within the limit of rewrites; the last link looked at, or None."""
        turn, (first, beyond) = reading_pass.turn, full
        async with self._store.read() as connection:
            unseen = await reads.unseen_copies(
                connection,
                turn.integration_id,
                since=turn.began_at,
                after=after,
                limit=LINKS_A_TRANSACTION,
            )
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            reading = Reading(asked_at=turn.began_at, now=now)
            known_items = await items.load(connection, {ref for _, ref in unseen}, lock=True)
            integration = await self._integration(connection, turn.integration_id, lock=True)
            found = await links.load(connection, [key for key, _ in unseen], lock=True)
            here = [link for link in found.values() if link.calendar_id == integration.calendar_id]
            changes = PageChanges()
            for link in missing_copies(here, first=first, beyond=beyond, began_at=turn.began_at):
                again = rewrite(missing(link), now=now)
                changes.links.append(again)
                item = known_items.get(again.item_ref)
                if again.code is Code.LOOP_STOPPED and item is not None:
                    changes.entries.append(RowLog(item, integration, reading).stopped())
            await self.save(connection, integration, changes, now=now)
        return unseen[-1][0] if len(unseen) == LINKS_A_TRANSACTION else None

    async def save(
        self, connection: AsyncConnection, integration: Integration, changes: PageChanges, *, now: float
    ) -> None:
        """Store what was judged, with its log entries and facts, in the caller's transaction."""
        moment = datetime.fromtimestamp(now, UTC)
        await items.save(connection, [(item, None) for item in changes.items], now=moment)
        await links.add(connection, changes.new_links, now=moment, touched_at=0.0)
        await links.save(connection, changes.links, touched_at=0.0)
        await logs.log(connection, changes.entries, now=moment)
        await reads.add_prior(connection, integration, changes.prior)
        facts = [_fact(item, integration, moment) for item in changes.items]
        await outbox.enqueue(connection, facts, now=now)
        if any(_crossed(entry) for entry in changes.entries):
            await integrations.synced(connection, [integration.id], moment)

    async def _close_page(
        self, connection: AsyncConnection, reading_pass: CalendarRead, *, now: float, last: bool
    ) -> None:
        moment = datetime.fromtimestamp(now, UTC)
        turn = reading_pass.turn
        if last:
            await inbox.record(
                connection, QUEUE_INBOUND, [(key, "done") for key in reading_pass.keys], now=now
            )
            stands = await reads.end_turn(connection, turn, at=moment)
            if stands and reading_pass.full is not None:
                await integrations.change_state(connection, turn.integration_id, full_read_at=moment)
        else:
            stands = await reads.keep_turn(connection, turn, now=now)
        if not stands:
            raise TurnLost


async def _hold(connection: AsyncConnection, reading_pass: CalendarRead, *, new: int) -> bool:
    """Whether so many deletions more are too many for a day."""
    turn = reading_pass.turn
    began = datetime.fromtimestamp(turn.began_at, UTC)
    recent = await reads.recent_deletions(connection, turn.integration_id, now=began)
    living = await reads.pairs(connection, turn.integration_id)
    return too_many_deletions(new=new, recent=recent, pairs=living + recent)


def _remember_gone(
    reading_pass: CalendarRead, known: KnownRows, changes: PageChanges, reading: Reading
) -> None:
    before = {link.id: link for link in known.links}
    for link in changes.gone:
        reading_pass.gone[link.id] = PendingDeletion.of(link, before[link.id], reading)
    reading_pass.again = reading_pass.again or changes.again


def _crossed(entry: LogEntry) -> bool:
    """Whether an item crossed; a copy that is let go does not (R28)."""
    return entry.outcome is Outcome.DONE and entry.action is not LogAction.LET_GO


def _fact(item: Item, integration: Integration, at: datetime) -> Outgoing:
    """The change as Vorex and the person's other calendars hear of it."""
    assert item.content is not None
    action = Action.DELETED if item.deleted else Action.CREATED if item.version == 1 else Action.UPDATED
    data = ItemChangedData(
        tenant_id=item.tenant_id,
        action=action,
        version=item.version,
        actor=Actor(kind=ActorKind.CALENDAR_SYNC, id=integration.id),
        item=item.content,
    )
    return outgoing(ItemChanged.of(data, id=new_id(), time=at))

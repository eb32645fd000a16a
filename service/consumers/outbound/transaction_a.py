"""Transaction A: messages are judged and stored as wishes, one set-based transaction."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from contracts.calendar import Integration, IntegrationId, Item, ItemRef, LinkId, LogEntry, item_ref
from contracts.envelope import ItemChanged, encode
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import REPLAY_HEADER, Delivery, Outgoing
from contracts.vorex import ItemType
from handlers.conflicts import fact_of, loss_entries
from handlers.outbound_message import (
    ItemMessage,
    ItemVerdicts,
    LinkChoice,
    LinkStanding,
    choose_for_link,
    judge_messages,
    superseded_entries,
)
from handlers.settlement import LinkFailure
from service.consumers.failures import replayed_by
from service.consumers.outbound.lanes import LANE_MESSAGES, LinkTask
from service.consumers.outbound.state import OutboundState
from service.consumers.outbound.window import WindowEntry, window_entry
from service.consumers.outcomes import FinishedMessage, begin_message
from service.integrations.questions.tending import tend_calls
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection
from service.store.items import items
from service.store.items.items import ItemCarrier
from service.store.links import claims as rows
from service.store.links.claims import StoredLink
from service.store.logs import logs
from service.store.messages import burying, inbox, outbox, sources, suspects
from service.store.messages.inbox import MessageKey
from service.store.messages.sources import VersionDoubt
from service.telemetry.spans import Span, SpanOrigin, goes_on

REFUSED_BEFORE = "The calendar refused this version before; its dead letter is open."


@dataclass(kw_only=True, slots=True, eq=False)
class DecodedDelivery:
    """A delivery that says what it should."""

    delivery: Delivery
    received: ItemMessage
    key: MessageKey
    ref: ItemRef
    span: Span

    @classmethod
    def of(cls, delivery: Delivery, message: ItemChanged) -> "DecodedDelivery":
        data = message.data
        replay = REPLAY_HEADER in delivery.headers
        origin = SpanOrigin(trace_id=message.trace_id, traceparent=message.traceparent)
        return cls(
            delivery=delivery,
            received=ItemMessage(message=message, attempt=delivery.attempt, replay=replay),
            key=(message.source, message.id),
            ref=item_ref(data.tenant_id, data.item.type.value, data.item.id),
            span=begin_message(QUEUE_OUTBOUND, message.id, delivery, origin),
        )

    @property
    def letter_id(self) -> str | None:
        """The dead letter that this message replays."""
        return replayed_by(self.delivery)


@dataclass(kw_only=True, slots=True)
class StoredIntake:
    """What transaction A did; memory follows once it is committed."""

    finished: list[Delivery] = field(default_factory=list)
    outcomes: list[tuple[MessageKey, str]] = field(default_factory=list)
    ended: list[FinishedMessage] = field(default_factory=list)
    entries: list[tuple[WindowEntry, list[tuple[LinkId, IntegrationId]]]] = field(default_factory=list)
    tasks: list[LinkTask] = field(default_factory=list)
    elsewhere: set[LinkId] = field(default_factory=set)
    carried_on: list[tuple[LinkId, int]] = field(default_factory=list)
    """Links and the revision that takes over from older ones."""
    overfull: set[IntegrationId] = field(default_factory=set)
    outbox: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    """Dead letters whose replay ended here."""

    def finish(self, arrived: DecodedDelivery, outcome: str) -> None:
        self.outcomes.append((arrived.key, outcome))
        self.end(arrived, outcome)
        if arrived.letter_id is not None:
            self.letters.append(arrived.letter_id)

    def end(self, arrived: DecodedDelivery, outcome: str) -> None:
        """It is settled; the inbox knows it, or is told."""
        self.finished.append(arrived.delivery)
        self.ended.append(
            FinishedMessage(arrived.key, arrived.received.message.trace_id, outcome, arrived.span)
        )


class TransactionA:
    """One run of transaction A over one set of messages."""

    def __init__(self, state: OutboundState, arrived: Sequence[DecodedDelivery]) -> None:
        self._state = state
        self._arrived = arrived
        self._taken = StoredIntake()
        self._added: list[StoredLink] = []
        self._saved: dict[LinkId, StoredLink] = {}
        self._log: list[LogEntry] = []
        self._facts: list[Outgoing] = []
        self._doubts: list[VersionDoubt] = []
        self._calls: list[ItemRef] = []
        self._loads: Counter[IntegrationId] = state.loads()
        self._now = 0.0

    async def run(self, *, watched: Collection[str] = ()) -> StoredIntake:
        """Store what the messages wish; raises what the database raises, and then nothing has happened.

        ``watched``: names of suspects that have not killed this process by then.
        """
        async with self._state.writing() as connection:
            fresh = await self._unknown(connection)
            if fresh:
                await self._judge(connection, fresh)
            if watched:
                await suspects.clear(connection, QUEUE_OUTBOUND, watched)
        return self._taken

    async def _unknown(self, connection: AsyncConnection) -> dict[ItemRef, list[DecodedDelivery]]:
        known = await inbox.known(connection, QUEUE_OUTBOUND, [each.key for each in self._arrived])
        fresh: dict[ItemRef, list[DecodedDelivery]] = defaultdict(list)
        for each in self._arrived:
            if each.key not in known:
                fresh[each.ref].append(each)
                continue
            self._taken.end(each, "duplicate")
            if each.letter_id is not None and known[each.key] != "dead":
                self._taken.letters.append(each.letter_id)
        if not fresh and self._taken.letters:
            moment = await self._state.store.moment(connection)
            await burying.resolve(connection, self._taken.letters, now=moment)
        return fresh

    async def _judge(self, connection: AsyncConnection, fresh: dict[ItemRef, list[DecodedDelivery]]) -> None:
        stored = await items.load(connection, fresh, lock=True)
        self._now = await self._state.store.now(connection)
        moment = datetime.fromtimestamp(self._now, UTC)
        await self._trust(connection, fresh)
        verdicts = {
            ref: judge_messages(stored.get(ref), [each.received for each in group])
            for ref, group in fresh.items()
        }
        await self._save_items(connection, stored, verdicts, fresh, moment)
        current = [each.item for each in verdicts.values() if each.current]
        integrations = await rows.targets(connection, current, stored)
        links = await rows.of_items(connection, stored)
        self._choose_all(verdicts, fresh, integrations, links)
        await self._save(connection, moment)

    @staticmethod
    async def _trust(connection: AsyncConnection, fresh: dict[ItemRef, list[DecodedDelivery]]) -> None:
        """Sources whose versions were said to have started again (R42)."""
        trusted = await sources.trusted(connection)
        for each in (one for group in fresh.values() for one in group) if trusted else ():
            each.received = replace(each.received, trusted_since=trusted.get(each.key[0]))

    async def _save_items(
        self,
        connection: AsyncConnection,
        stored: dict[ItemRef, Item],
        verdicts: dict[ItemRef, ItemVerdicts],
        fresh: dict[ItemRef, list[DecodedDelivery]],
        moment: datetime,
    ) -> None:
        added: list[tuple[Item, ItemCarrier | None]] = []
        changed: list[tuple[Item, ItemCarrier | None]] = []
        for ref, verdict in sorted(verdicts.items()):
            if verdict.carrier is not None:
                pair = (verdict.item, _carrier(verdict.carrier, fresh[ref]))
                (changed if ref in stored else added).append(pair)
                if verdict.item.type is ItemType.SERVICE_CALL:
                    self._calls.append(ref)
        await items.save(connection, changed, now=moment)
        await items.add(connection, added, now=moment)

    def _choose_all(
        self,
        verdicts: dict[ItemRef, ItemVerdicts],
        fresh: dict[ItemRef, list[DecodedDelivery]],
        integrations: Sequence[Integration],
        links: Sequence[StoredLink],
    ) -> None:
        by_id = {each.id: each for each in integrations}
        owners: dict[tuple[str, str], list[Integration]] = defaultdict(list)
        for each in integrations:
            owners[each.tenant_id, each.user_id].append(each)
        linked: dict[ItemRef, dict[IntegrationId, StoredLink]] = defaultdict(dict)
        for stored in links:
            integration = by_id.get(stored.link.integration_id)
            if integration is not None and integration.calendar_id == stored.link.calendar_id:
                linked[stored.link.item_ref][integration.id] = stored
        for ref, verdict in verdicts.items():
            mine = linked.get(ref, {})
            users = ((verdict.item.tenant_id, user) for user in verdict.item.assignees)
            reach = {each.id: each for user in users for each in owners.get(user, ())}
            reach |= {key: by_id[key] for key, stored in mine.items() if stored.link.ended_at is None}
            self._choose_item(verdict, fresh[ref], reach, mine)

    def _choose_item(
        self,
        verdict: ItemVerdicts,
        group: Sequence[DecodedDelivery],
        reach: dict[IntegrationId, Integration],
        linked: dict[IntegrationId, StoredLink],
    ) -> None:
        by_message = {id(each.received): each for each in group}
        entries = [self._entry(by_message[id(each)], verdict.item) for each in verdict.current]
        waits: list[tuple[LinkId, IntegrationId]] = []
        reached: list[IntegrationId] = []
        for key in sorted(reach) if verdict.current else ():
            stored = linked.get(key)
            choice = choose_for_link(
                verdict, reach[key], stored.link if stored else None, now=self._now, new_id=new_id
            )
            if choice is not None:
                reached.append(key)
                waits.extend(self._place(choice, stored, verdict, entries))
        ends = [key for key, stored in linked.items() if stored.link.ended_at is None]
        self._log.extend(superseded_entries(verdict, reached or ends))
        self._log.extend(loss_entries(verdict))
        self._publish(verdict, next(iter(reached or ends), None))
        self._end(verdict, by_message, entries, waits)

    def _entry(self, arrived: DecodedDelivery, item: Item) -> WindowEntry:
        said_at = arrived.received.message.time
        since = self._state.clock.monotonic()
        return window_entry(
            arrived.delivery,
            arrived.key,
            item.tenant_id,
            item,
            said_at=said_at,
            since=since,
            trace_id=arrived.received.message.trace_id,
            span=arrived.span,
        )

    def _place(
        self,
        choice: LinkChoice,
        stored: StoredLink | None,
        verdict: ItemVerdicts,
        entries: Sequence[WindowEntry],
    ) -> list[tuple[LinkId, IntegrationId]]:
        """Have the link stored, and say what the messages wait for."""
        link = choice.link
        row = stored or StoredLink(link=link)
        row.link = link
        if choice.entry is not None:
            self._log.append(choice.entry)
        if choice.new:
            self._added.append(row)
        elif choice.changed:
            self._saved[link.id] = row
        if verdict.fresh:
            self._taken.carried_on.append((link.id, verdict.item.revision))
        if choice.standing is LinkStanding.FAILED:
            failure = LinkFailure(transient=False, reason=REFUSED_BEFORE, integration_id=link.integration_id)
            for entry in entries:
                entry.failures[link.id] = failure
        if choice.standing is not LinkStanding.SEND:
            return []
        return self._line_up(row, choice, verdict, entries)

    def _line_up(
        self, row: StoredLink, choice: LinkChoice, verdict: ItemVerdicts, entries: Sequence[WindowEntry]
    ) -> list[tuple[LinkId, IntegrationId]]:
        link, me, now = row.link, self._state.me, self._now
        row.retry_at = None
        if verdict.fresh or verdict.replay:
            row.attempts = 0
        if row.held_by_other(me, now):
            self._taken.elsewhere.add(link.id)
            return [(link.id, link.integration_id)]
        mine = row.claimed_by == me
        if not mine and self._loads[link.integration_id] >= LANE_MESSAGES:
            self._taken.overfull.add(link.integration_id)
            for entry in entries:
                entry.stored = True
            return []
        taken_over = row.claim(me, now)
        if not choice.new:
            self._saved[link.id] = row
        last = verdict.current[-1]
        task = self._state.task_of(row, verdict.item, now=now, verify=taken_over)
        task.message_id, task.attempt = last.message.id, last.attempt
        task.trace_id, task.span = last.message.trace_id, entries[-1].span
        self._taken.tasks.append(task)
        if self._loads[link.integration_id] >= LANE_MESSAGES:
            return self._leave_to_store(entries)
        self._loads[link.integration_id] += len(entries)
        return [(link.id, link.integration_id)]

    @staticmethod
    def _leave_to_store(entries: Sequence[WindowEntry]) -> list[tuple[LinkId, IntegrationId]]:
        for entry in entries:
            entry.stored = True
        return []

    def _publish(self, verdict: ItemVerdicts, witness: IntegrationId | None) -> None:
        data = fact_of(verdict, witness)
        if data is None:
            return
        fact_id = new_id()
        span = next((one.span for one in self._arrived if one.received is verdict.bearer), None)
        traceparent = goes_on(verdict.bearer.message.trace_id, fact_id, kind="fact", inside=span)
        fact = ItemChanged.of(data, id=fact_id, time=verdict.item.changed_at, traceparent=traceparent)
        self._facts.append(
            Outgoing(
                exchange=fact.exchange,
                routing_key=fact.routing_key,
                body=encode(fact),
                message_id=fact.id,
            )
        )

    def _end(
        self,
        verdict: ItemVerdicts,
        by_message: dict[int, DecodedDelivery],
        entries: Sequence[WindowEntry],
        waits: list[tuple[LinkId, IntegrationId]],
    ) -> None:
        for received in verdict.stale:
            self._taken.finish(by_message[id(received)], "stale")
        for received in verdict.conflicting:
            self._taken.finish(by_message[id(received)], "conflicting")
        for received in (*verdict.conflicting, *verdict.backwards):
            self._doubts.append(_doubt(by_message[id(received)], conflicting=received in verdict.conflicting))
        for received in verdict.superseded:
            self._taken.finish(by_message[id(received)], "superseded")
        for received, entry in zip(verdict.current, entries, strict=True):
            if waits or entry.failures:
                self._taken.entries.append((entry, waits))
            else:
                self._taken.finish(by_message[id(received)], entry.outcome)

    async def _save(self, connection: AsyncConnection, moment: datetime) -> None:
        taken, now = self._taken, self._now
        await rows.save_links(connection, list(self._saved.values()), touched_at=now)
        await rows.add_links(connection, self._added, now=moment, touched_at=now)
        await logs.log(connection, self._log, now=moment)
        await inbox.record(connection, QUEUE_OUTBOUND, taken.outcomes, now=now)
        await sources.note(connection, self._doubts, now=now)
        taken.outbox = await outbox.enqueue(connection, self._facts, now=now)
        await tend_calls(connection, self._calls, now=moment)
        if taken.letters:
            await burying.resolve(connection, taken.letters, now=moment)


def _doubt(arrived: DecodedDelivery, *, conflicting: bool) -> VersionDoubt:
    source, message_id = arrived.key
    return VersionDoubt(
        source=source,
        item_ref=arrived.ref,
        kind="conflicting" if conflicting else "backwards",
        version=arrived.received.data.version,
        said_at=arrived.received.message.time,
        message_id=message_id,
        body=arrived.delivery.body,
    )


def _carrier(received: ItemMessage, group: Sequence[DecodedDelivery]) -> ItemCarrier | None:
    arrived = next((each for each in group if each.received is received), None)
    if arrived is None:
        return None
    source, message_id = arrived.key
    return ItemCarrier(source=source, message_id=message_id, body=arrived.delivery.body)


def update_memory(state: OutboundState, taken: StoredIntake) -> None:
    """Let the memory follow what transaction A has committed."""
    for link_id, revision in taken.carried_on:
        state.window.supersede(link_id, revision)
    for entry, waits in taken.entries:
        state.window.add(entry, waits)
    for task in taken.tasks:
        state.elsewhere.discard(task.link_id)
        state.lanes[task.integration_id].put(task)
    state.elsewhere |= taken.elsewhere
    for integration_id in taken.overfull:
        state.lanes[integration_id].behind_in_store = True

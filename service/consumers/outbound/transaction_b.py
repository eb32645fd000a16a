"""Transaction B over all answers that are ready, and the settlement of messages."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from contracts.calendar import Code, Direction, LinkId, LogEntry, Outcome, Trigger
from contracts.errors import SyncError
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery, Publisher, Subscription
from handlers.landing import LinkLanding, MessageFate, ResultKind, RetrySchedule, land_result
from handlers.settlement import LinkFailure, Settlement, settle
from service.consumers.brake import Brake
from service.consumers.failures import letter_of, retry_of
from service.consumers.outbound.faults import say_fault
from service.consumers.outbound.lanes import LinkTask
from service.consumers.outbound.state import OutboundState, TaskResult
from service.consumers.outbound.window import WindowEntry
from service.consumers.outcomes import log_ended
from service.consumers.owners import NOBODY
from service.crashpoints import crash_point
from service.store.engine.store import AsyncConnection
from service.store.integrations import integrations
from service.store.links import claims as rows
from service.store.links.claims import StoredLink
from service.store.logs import logs
from service.store.messages import burying, inbox
from service.store.messages.burying import NewDeadLetter
from service.telemetry.metrics import ACCEPTED_AFTER, CLAIMS_LOST
from service.telemetry.spans import did, moment

MESSAGE_MARGIN_SECONDS = 60.0
"""Seconds after which a link is looked after although its message was to bring it back."""


@dataclass(kw_only=True, slots=True)
class LandedLink:
    """A link whose answer was judged, and for which messages."""

    reply: TaskResult
    landing: LinkLanding
    upto: int
    """Messages up to this revision are answered."""
    failure: LinkFailure | None = None


@dataclass(kw_only=True, slots=True)
class SettlementRound:
    """What one transaction B does; memory and broker follow once it is committed."""

    landed: list[LandedLink] = field(default_factory=list)
    ended: list[tuple[WindowEntry, Settlement]] = field(default_factory=list)
    orphans: list[LandedLink] = field(default_factory=list)
    """Links given up that no message waits for any more."""

    @property
    def done(self) -> list[WindowEntry]:
        return [entry for entry, settlement in self.ended if settlement.failure is None]

    @property
    def retried(self) -> list[tuple[WindowEntry, Settlement]]:
        return [one for one in self.ended if one[1].retry_in is not None]

    @property
    def buried(self) -> list[tuple[WindowEntry, LinkFailure]]:
        return [(entry, one.buried) for entry, one in self.ended if one.buried is not None]


class TransactionB:
    """Stores answers and settles messages, one round after the other."""

    def __init__(self, state: OutboundState, *, publisher: Publisher, delays: Sequence[int]) -> None:
        self._state = state
        self._publisher = publisher
        self._delays = tuple(delays)
        self.subscription: Subscription | None = None
        self.brake: Brake | None = None
        self.unpublished: list[tuple[WindowEntry, Settlement]] = []
        """Messages whose retry the broker has not confirmed yet."""

    async def round(self, replies: Sequence[TaskResult], entries: Sequence[WindowEntry]) -> None:
        """Store these answers, then settle what is through with them and these entries."""
        work, since = SettlementRound(), moment()
        async with self._state.writing() as connection:
            await self._run(connection, work, replies, entries)
        crash_point("outbound.7" if work.buried else "outbound.5")
        self._follow(work)
        over = [entry for entry, settlement in work.ended if settlement.retry_in is None]
        await self.acknowledge([entry.delivery for entry in over])
        self._state.window.settled(over)
        did("settle", (entry.span for entry, _ in work.ended), since=since)
        log_ended(QUEUE_OUTBOUND, work.ended)
        if self.brake is not None:
            await self.brake.learn((entry.tenant_id or NOBODY, ending) for entry, ending in work.ended)
        self.unpublished.extend(work.retried)
        await self.publish()

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries and self.subscription is not None:
            await self.subscription.ack(deliveries)

    async def publish(self) -> None:
        """Send messages to their retry queues; what is not confirmed stays unsettled and is sent again."""
        waiting, self.unpublished = [one for one in self.unpublished if not one[0].gone], []
        outcomes = await asyncio.gather(
            *(
                self._publisher.publish(retry_of(entry.delivery, entry.key, settlement))
                for entry, settlement in waiting
            ),
            return_exceptions=True,
        )
        sent: list[WindowEntry] = []
        for one, outcome in zip(waiting, outcomes, strict=True):
            if outcome is None:
                sent.append(one[0])
            else:
                self.unpublished.append(one)
            if isinstance(outcome, BaseException) and not isinstance(outcome, SyncError):
                say_fault(outcome, step="retry", entries=[one[0]])
        if sent:
            crash_point("outbound.6")
            await self.acknowledge([entry.delivery for entry in sent])
            self._state.window.settled(sent)

    async def _run(
        self,
        connection: AsyncConnection,
        work: SettlementRound,
        replies: Sequence[TaskResult],
        entries: Sequence[WindowEntry],
    ) -> None:
        stored = await rows.of_ids(connection, [reply.task.link_id for reply in replies])
        now = await self._state.store.now(connection)
        moment = datetime.fromtimestamp(now, UTC)
        work.landed = [self._land(reply, stored.get(reply.task.link_id), now) for reply in replies]
        self._sort(work, entries)
        await rows.save_landed(connection, list(stored.values()), touched_at=now)
        await logs.log(connection, _entries(work.landed), now=moment)
        await self._date(connection, work, moment)
        done = [(entry.key, entry.outcome) for entry in work.done]
        await inbox.record(connection, QUEUE_OUTBOUND, done, now=now)
        await self._store_failures(connection, work, moment)

    def _land(self, reply: TaskResult, stored: StoredLink | None, now: float) -> LandedLink:
        task = reply.task
        if stored is None:
            raise LookupError(f"the link {task.link_id} is gone from the store")
        mine = stored.claimed_by == self._state.me and stored.claim_epoch == task.sent.epoch
        failure = None if reply.result.kind is ResultKind.ACCEPTED else _failure(reply)
        again = self._patience(task, stored, failure) if failure else RetrySchedule(retry_in=None)
        landing = land_result(stored.link, task.sent, reply.result, mine=mine, now=now, patience=again)
        upto = max(
            task.sent.revision, 0 if landing.fate is MessageFate.AGAIN else stored.link.desired_revision
        )
        self._store(stored, landing, now)
        failed = landing.fate in {MessageFate.TRANSIENT, MessageFate.PERMANENT}
        if landing.fate is MessageFate.AGAIN and reply.result.kind is not ResultKind.ACCEPTED:
            upto = 0
        return LandedLink(reply=reply, landing=landing, upto=upto, failure=failure if failed else None)

    def _patience(self, task: LinkTask, stored: StoredLink, failure: LinkFailure) -> RetrySchedule:
        """When the link is due again if it failed so: not before the messages that bring it back."""
        waiters = self._state.window.waiters(task.link_id)
        if not waiters:
            alone = settle([failure], attempt=stored.attempts + 1, delays=self._delays)
            return RetrySchedule(retry_in=alone.retry_in)
        ends = [self._settled(entry, [failure]).retry_in for entry in waiters]
        left = [seconds for seconds in ends if seconds is not None]
        return RetrySchedule(retry_in=max(left) + MESSAGE_MARGIN_SECONDS if left else None)

    def _store(self, stored: StoredLink, landing: LinkLanding, now: float) -> None:
        stored.link = landing.link
        if landing.verify_in is not None:
            stored.verify_at = now + landing.verify_in
        elif landing.crossed and stored.verify_at is not None and stored.verify_at <= now:
            stored.verify_at = None
        if landing.fate is MessageFate.ELSEWHERE:
            return
        stored.retry_at = None if landing.retry_in is None else now + landing.retry_in
        stored.attempts = 0 if landing.crossed else stored.attempts + (landing.retry_in is not None)
        if landing.crossed:
            stored.writer = self._state.me
        if not landing.keeps_claim:
            stored.release()

    def _sort(self, work: SettlementRound, entries: Sequence[WindowEntry]) -> None:
        """Say how each message that is through ends."""
        answers: dict[int, dict[LinkId, LinkFailure | None]] = {}
        touched: dict[int, WindowEntry] = {id(entry): entry for entry in entries}
        for landed in work.landed:
            waiters = self._answered(landed)
            for entry in waiters:
                touched[id(entry)] = entry
                answers.setdefault(id(entry), {})[landed.reply.task.link_id] = landed.failure
            if landed.failure is not None and not waiters and landed.landing.retry_in is None:
                work.orphans.append(landed)
        for key, entry in touched.items():
            told = answers.get(key, {})
            if not entry.gone and not (entry.waiting.keys() - told.keys()):
                failures = [each for each in told.values() if each is not None]
                work.ended.append((entry, self._settled(entry, failures)))

    def _answered(self, landed: LandedLink) -> list[WindowEntry]:
        if landed.landing.fate is MessageFate.ELSEWHERE:
            return []
        waiters = self._state.window.waiters(landed.reply.task.link_id)
        return [entry for entry in waiters if entry.revision <= landed.upto]

    def _settled(self, entry: WindowEntry, failures: Sequence[LinkFailure]) -> Settlement:
        """How the message ends with these failures and those it met before."""
        known = [*entry.failures.values(), *failures]
        return settle(known, attempt=entry.delivery.attempt, delays=self._delays)

    async def _date(self, connection: AsyncConnection, work: SettlementRound, moment: datetime) -> None:
        crossed = {one.reply.task.integration_id for one in work.landed if one.landing.crossed}
        if crossed:
            await integrations.synced(connection, sorted(crossed), moment)

    async def _store_failures(
        self, connection: AsyncConnection, work: SettlementRound, moment: datetime
    ) -> None:
        tried = [
            (entry.key, entry.delivery.attempt, settlement.failure.reason)
            for entry, settlement in work.retried
            if settlement.failure is not None and settlement.failure.counts
        ]
        await burying.note_attempts(connection, QUEUE_OUTBOUND, tried, now=moment)
        letters = [
            await letter_of(
                entry.delivery, entry.key, failure, item_ref=entry.item_ref, item_key=entry.item_key
            )
            for entry, failure in work.buried
        ]
        letters += await self._orphan_letters(connection, work.orphans)
        await burying.bury(connection, letters, now=moment)
        replayed = [entry.letter_id for entry in work.done if entry.letter_id is not None]
        if replayed:
            await burying.resolve(connection, replayed, now=moment)

    async def _orphan_letters(
        self, connection: AsyncConnection, orphans: Sequence[LandedLink]
    ) -> list[NewDeadLetter]:
        """Letters for links whose messages were acknowledged as stored: the item's newest message."""
        if not orphans:
            return []
        known = await rows.carriers(connection, {one.reply.task.item_ref for one in orphans})
        return [
            NewDeadLetter(
                queue=QUEUE_OUTBOUND,
                source=carrier.source,
                message_id=carrier.message_id,
                code=one.failure.code,
                reason=one.failure.reason,
                exception=one.failure.exception,
                routing_key=QUEUE_OUTBOUND,
                headers={},
                body=carrier.body,
                tenant_id=one.reply.task.tenant_id,
                integration_id=one.reply.task.integration_id,
                item_ref=one.reply.task.item_ref,
                item_key=f"{one.reply.task.item_type.value}/{one.reply.task.item_id}",
            )
            for one in orphans
            if one.failure is not None and (carrier := known.get(one.reply.task.item_ref)) is not None
        ]

    def _follow(self, work: SettlementRound) -> None:
        """Let the memory follow what was committed."""
        state = self._state
        now = state.clock.now()
        for landed in work.landed:
            task = landed.reply.task
            _measure(landed, self._answered(landed), now)
            for entry in self._answered(landed):
                state.window.answer(entry, task.link_id, landed.failure)
            lane = state.lanes[task.integration_id]
            following = lane.land(task.link_id) is not None
            lost = landed.landing.fate is MessageFate.ELSEWHERE
            if lost:
                lane.drop(task.link_id)
            wanted = bool(state.window.waiters(task.link_id)) or landed.landing.fate is MessageFate.AGAIN
            # what is dropped may stand on a claim that came back to us meanwhile: the store knows
            if (lost and following) or (wanted and not following):
                state.elsewhere.add(task.link_id)
        ended = {id(entry) for entry, _ in work.ended}
        state.window.through = [entry for entry in state.window.through if id(entry) not in ended]


def _entries(landed: Iterable[LandedLink]) -> list[LogEntry]:
    return [_entry(one.reply.task, one.landing, one.landing.outcome) for one in landed if one.landing.outcome]


def _entry(task: LinkTask, landing: LinkLanding, outcome: Outcome) -> LogEntry:
    return LogEntry(
        integration_id=task.integration_id,
        direction=Direction.TO_LINKED_CALENDAR,
        action=landing.action,
        outcome=outcome,
        code=landing.code,
        reason=landing.reason,
        item_ref=task.item_ref,
        item_id=task.item_id,
        item_type=task.item_type,
        title=task.title,
        message_id=task.message_id,
        trace_id=task.trace_id,
        attempt=task.attempt,
        trigger=Trigger.RUN if task.run_id else Trigger.REAL_TIME,
        run_id=task.run_id,
    )


def _failure(reply: TaskResult) -> LinkFailure:
    """What the answer means for the messages of the link, where it is a failure."""
    result = reply.result
    cause = result.failure or LinkFailure(transient=False, reason=result.reason, code=result.code)
    transient = result.kind is ResultKind.TRANSIENT
    return replace(cause, transient=transient, integration_id=reply.task.integration_id)


def _measure(landed: LandedLink, entries: Iterable[WindowEntry], now: datetime) -> None:
    if landed.landing.code is Code.CLAIM_LOST:
        CLAIMS_LOST.inc()
    if landed.landing.crossed:
        for entry in entries:
            if entry.said_at is not None:
                ACCEPTED_AFTER.observe(max(0.0, (now - entry.said_at).total_seconds()))

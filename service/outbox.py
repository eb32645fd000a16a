"""Sends what the outbox holds, in its order, until the broker has it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import structlog

from contracts.errors import Permanent, SyncError
from contracts.ports import Outgoing, Publisher
from contracts.tracing import can_be_followed
from service.store.engine import leases
from service.store.engine.store import AsyncConnection, Store
from service.store.messages import outbox
from service.store.messages.outbox import OutboxRow, enqueue
from service.store.messages.ownership import read_document, trace_of
from service.telemetry.logs import EventName
from service.telemetry.spans import SpanKind, SpanOrigin, doing, tracing

log = structlog.get_logger(__name__)

OUTBOX_LEASE = "outbox"
OUTBOX_LEASE_SECONDS = 30.0
"""Longer than any publish takes, so that two senders never overlap while both are alive."""
OUTBOX_POLL_SECONDS = 1.0
OUTBOX_ROWS_AT_ONCE = 128
DELAYED_REPLAY_SECONDS = 3.0
"""Seconds after its moment from which on a replay counts as delayed, and with it all that follow."""
MOST_FAILURES_AT_FIRST = 2
"""So many tenants' rows are tried singly without one that is taken, before the broker counts as gone."""


class HeldTenants:
    """Whose rows could not be published although others' could: theirs wait, and nobody else's (R44)."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._held: dict[str, tuple[float, str]] = {}
        self.met: Collection[str] = ()
        """Whose rows failed in the last window: one that breaks the channel takes its neighbours' along, so
        in the next one rows go one after the other, theirs last."""

    @property
    def now(self) -> set[str]:
        moment = asyncio.get_running_loop().time()
        return {tenant for tenant, (until, _) in self._held.items() if until > moment}

    def learn(self, failures: Mapping[str, BaseException], fine: Collection[str]) -> None:
        """What became of a window. Raises the first failure where nobody else's row was taken."""
        self.met = {*failures}
        others = {*fine} - self.met
        for failure in () if others else failures.values():
            raise failure
        until = asyncio.get_running_loop().time() + self._pause
        for tenant in others:
            self._held.pop(tenant, None)
        for tenant, failure in failures.items():
            _, told = self._held.get(tenant, (0.0, ""))
            if (reason := _reason(failure)) != told:
                log.warning(_event(failure), tenant_id=tenant, reason=reason)
            self._held[tenant] = until, reason


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, SyncError) else type(error).__name__


def _event(error: BaseException) -> EventName:
    return "outbox.held" if isinstance(error, Permanent) else "outbox.delayed"


class OutboxSender(ABC):
    """A sender of outbox rows: it flushes when ``written`` is set, and at every poll.

    What hinders it is said once, not every time.
    """

    def __init__(self, written: asyncio.Event, poll: float) -> None:
        self._written = written
        self._poll = poll
        self._troubles = HeldTenants(poll)
        self._stopping = asyncio.Event()
        self.held: str | None = None
        """Why nothing is sent although something waits; None while all is well."""

    @abstractmethod
    async def flush(self) -> bool:
        """Send what waits now; whether there may be more."""

    def stop(self) -> None:
        """Begin nothing more; ``run`` returns when what is on its way has been noted."""
        self._stopping.set()
        self._written.set()

    async def run(self) -> None:
        """Send until ``stop``."""
        while not self._stopping.is_set():
            self._written.clear()
            if not await self._turn():
                await self._rest()

    async def _turn(self) -> bool:
        try:
            more = await self.flush()
        except Exception as error:  # noqa: BLE001 -- whatever it is, what waits must be tried again
            self._hindered(error)
            return False
        self.held = None
        return more

    def _hindered(self, error: Exception) -> None:
        if (reason := _reason(error)) != self.held:
            log.warning(_event(error), reason=reason)
        self.held = reason

    async def _rest(self) -> None:
        # what hinders the sending is not mended by something more to send
        end = self._written if self.held is None else self._stopping
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await end.wait()


class StorePublisher:
    """The publisher's port through the outbox: what it took is in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def publish(self, message: Outgoing) -> None:
        async with self._store.begin() as connection:
            await enqueue(connection, [message], now=await self._store.now(connection))


class LeasedOutbox(OutboxSender):
    """Of all processes of a store one sends at a time, whichever has just written if the lease is free.

    ``written`` is set when something may have been put into the outbox here. Of each tenant rows are marked
    only up to the first that was not confirmed, so that nothing is passed over.
    """

    def __init__(
        self,
        *,
        store: Store,
        publisher: Publisher,
        holder: str,
        written: asyncio.Event,
        poll: float = OUTBOX_POLL_SECONDS,
    ) -> None:
        super().__init__(written, poll)
        self._store = store
        self._publisher = publisher
        self._holder = holder

    async def flush(self) -> bool:
        """Send one window of rows. Raises what hindered the first of them where nobody's was confirmed."""
        held = self._troubles.now
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            if not await outbox.unsent(connection, now=now, limit=1, without=held):
                return False
        epoch, rows = await self._take(held)
        if epoch is None:
            return False
        confirmed, failures = await self._send(rows)
        more = len(rows) == OUTBOX_ROWS_AT_ONCE and bool(confirmed)
        await self._mark(epoch, [row.id for row in confirmed], keep=more)
        self._troubles.learn(failures, {row.tenant_id for row in confirmed})
        return more

    async def _take(self, held: Collection[str]) -> tuple[int | None, Sequence[OutboxRow]]:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            epoch = await leases.acquire(
                connection, OUTBOX_LEASE, holder=self._holder, seconds=OUTBOX_LEASE_SECONDS, now=now
            )
            if epoch is None:
                return None, ()
            ids = await outbox.unsent(connection, now=now, limit=OUTBOX_ROWS_AT_ONCE, without=held)
            return epoch, await outbox.load(connection, await _at_pace(connection, ids, now, held=held))

    async def _send(self, rows: Sequence[OutboxRow]) -> tuple[list[OutboxRow], Mapping[str, BaseException]]:
        """All at once on the wire, in their order; of each tenant what comes before the first failure."""
        if self._troubles.met:
            return await self._send_singly(rows)
        published = (_publish(self._publisher, row.message) for row in rows)
        answers = await asyncio.gather(*published, return_exceptions=True)
        confirmed: list[OutboxRow] = []
        failures: dict[str, BaseException] = {}
        for row, answer in zip(rows, answers, strict=True):
            if answer is not None:
                failures.setdefault(row.tenant_id, answer)
            elif row.tenant_id not in failures:
                confirmed.append(row)
        return confirmed, failures

    async def _send_singly(
        self, rows: Sequence[OutboxRow]
    ) -> tuple[list[OutboxRow], Mapping[str, BaseException]]:
        confirmed: list[OutboxRow] = []
        failures: dict[str, BaseException] = {}
        for row in sorted(rows, key=lambda one: one.tenant_id in self._troubles.met):
            if row.tenant_id in failures:
                continue
            try:
                await _publish(self._publisher, row.message)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the others are tried
                failures[row.tenant_id] = error
            else:
                confirmed.append(row)
            if len(failures) >= MOST_FAILURES_AT_FIRST and not confirmed:
                break
        return confirmed, failures

    async def _mark(self, epoch: int, confirmed: Sequence[str], *, keep: bool) -> None:
        async with self._store.begin() as connection:
            if await leases.held(connection, OUTBOX_LEASE, epoch=epoch):
                await outbox.mark_sent(connection, confirmed, now=await self._store.now(connection))
            if not keep:
                await leases.release(connection, OUTBOX_LEASE, epoch=epoch)


async def _publish(publisher: Publisher, message: Outgoing) -> None:
    """Publish; for whoever traces, as a part of what made the message."""
    if not tracing():
        await publisher.publish(message)
        return
    document = read_document(message.body)
    said = document if isinstance(document, dict) else {}
    key = (str(said.get("source", "")), message.message_id)
    parent = said.get("traceparent") if can_be_followed(said.get("traceparent")) else None
    origin = SpanOrigin(trace_id=trace_of(message.body, key), traceparent=parent)
    with doing(f"send {message.exchange}", SpanKind.SEND, origin=origin, message_id=message.message_id):
        await publisher.publish(message)


async def _at_pace(
    connection: AsyncConnection,
    ids: list[str],
    now: float,
    *,
    sparing: Collection[str] = (),
    held: Collection[str] = (),
) -> list[str]:
    """Those of these rows that may go out now.

    After a standstill the replays that came due meanwhile do not go out all at once: they and all
    behind them move on, and keep their distances (R30).
    """
    late = await outbox.lateness(connection, ids, now=now)
    if late <= DELAYED_REPLAY_SECONDS:
        return ids
    await outbox.put_off(connection, late, sparing=sparing)
    limit = OUTBOX_ROWS_AT_ONCE + len(sparing)
    again = await outbox.unsent(connection, now=now, limit=limit, without=held)
    return [each for each in again if each not in sparing]


class Unsettled:
    """Which outbox rows the embedded broker has been given and not finished with.

    ``changed`` is set when there are rows to mark as sent.
    """

    def __init__(self, changed: asyncio.Event) -> None:
        self._rows: dict[str, list[str]] = {}
        self._done: list[str] = []
        self._changed = changed

    def given(self, row_id: str, message_id: str) -> None:
        self._rows.setdefault(message_id, []).append(row_id)

    def taken_back(self, row_id: str, message_id: str) -> None:
        self._rows[message_id].remove(row_id)

    def settled(self, message_id: str) -> None:
        """The broker has no copy of this message any more."""
        if rows := self._rows.pop(message_id, None):
            self._done += rows
            self._changed.set()

    def done(self) -> list[str]:
        """The rows to mark as sent, each told once."""
        done, self._done = self._done, []
        return done

    def undo(self, rows: Sequence[str]) -> None:
        """They could not be marked; tell them again."""
        self._done = [*rows, *self._done]

    @property
    def rows(self) -> set[str]:
        """All rows that must not be sent now."""
        return {*self._done, *(row for rows in self._rows.values() for row in rows)}


class EmbeddedOutbox(OutboxSender):
    """The outbox of a process that is its own broker: a row is sent when its message was settled.

    The broker's memory dies with the process, so the rows are its journal: whatever was not settled
    is sent again at the next start. There is no lease, for nobody else can send to this broker. ``written``
    is set when something may have been put into the outbox here, or was settled.
    """

    def __init__(
        self,
        *,
        store: Store,
        publisher: Publisher,
        unsettled: Unsettled,
        written: asyncio.Event,
        poll: float = OUTBOX_POLL_SECONDS,
    ) -> None:
        super().__init__(written, poll)
        self._store = store
        self._publisher = publisher
        self._unsettled = unsettled

    async def flush(self) -> bool:
        """Note what was settled and send one window of what is new. Raises as the other."""
        await self._note()
        away, held = self._unsettled.rows, self._troubles.now
        full = len(away) + OUTBOX_ROWS_AT_ONCE
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            waiting = await outbox.unsent(connection, now=now, limit=full, without=held)
            new = [row for row in waiting if row not in away]
            late = await outbox.lateness(connection, new, now=now) > DELAYED_REPLAY_SECONDS
            rows = () if late else await outbox.load(connection, new)
        if late:
            async with self._store.begin() as connection:
                ids = await _at_pace(connection, new, now, sparing=away, held=held)
                rows = await outbox.load(connection, ids)
        await self._send_all(rows)
        return len(waiting) == full

    async def _send_all(self, rows: Sequence[OutboxRow]) -> None:
        failures: dict[str, BaseException] = {}
        fine: set[str] = set()
        for row in rows:
            if row.tenant_id in failures:
                continue
            try:
                await self._send(row.id, row.message)
                fine.add(row.tenant_id)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the others are tried
                failures[row.tenant_id] = error
        self._troubles.learn(failures, fine)

    async def _note(self) -> None:
        if done := self._unsettled.done():
            try:
                async with self._store.begin() as connection:
                    await outbox.mark_sent(connection, done, now=await self._store.now(connection))
            except BaseException:
                self._unsettled.undo(done)
                raise

    async def _send(self, row_id: str, message: Outgoing) -> None:
        self._unsettled.given(row_id, message.message_id)
        try:
            await _publish(self._publisher, message)
        except BaseException:
            self._unsettled.taken_back(row_id, message.message_id)
            raise

"""Sends what the outbox holds, in its order, until the broker has it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextlib import suppress

import structlog

from contracts.errors import Permanent, SyncError
from contracts.ports import Outgoing, Publisher
from service.store.engine import leases
from service.store.engine.store import AsyncConnection, Store
from service.store.messages import outbox
from service.store.messages.outbox import enqueue

log = structlog.get_logger(__name__)

OUTBOX_LEASE = "outbox"
OUTBOX_LEASE_SECONDS = 30.0
"""Longer than any publish takes, so that two senders never overlap while both are alive."""
OUTBOX_POLL_SECONDS = 1.0
OUTBOX_ROWS_AT_ONCE = 128
DELAYED_REPLAY_SECONDS = 3.0
"""Seconds after its moment from which on a replay counts as delayed, and with it all that follow."""

OutboxRow = tuple[str, Outgoing]


class OutboxSender(ABC):
    """A sender of outbox rows: it flushes when ``written`` is set, and at every poll.

    What hinders it is said once, not every time.
    """

    def __init__(self, written: asyncio.Event, poll: float) -> None:
        self._written = written
        self._poll = poll
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
        reason = str(error) if isinstance(error, SyncError) else type(error).__name__
        if reason != self.held:
            stuck = isinstance(error, Permanent)
            log.warning("outbox.held" if stuck else "outbox.delayed", reason=reason)
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

    ``written`` is set when something may have been put into the outbox here. Rows are marked only up to
    the first that was not confirmed, so that nothing is passed over.
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
        """Send one window of rows. Raises what hindered the first row that was not confirmed."""
        async with self._store.read() as connection:
            if not await outbox.unsent(connection, now=await self._store.now(connection), limit=1):
                return False
        epoch, rows = await self._take()
        if epoch is None:
            return False
        confirmed, failure = await self._send(rows)
        more = failure is None and len(rows) == OUTBOX_ROWS_AT_ONCE
        await self._mark(epoch, confirmed, keep=more)
        if failure is not None:
            raise failure
        return more

    async def _take(self) -> tuple[int | None, Sequence[OutboxRow]]:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            epoch = await leases.acquire(
                connection, OUTBOX_LEASE, holder=self._holder, seconds=OUTBOX_LEASE_SECONDS, now=now
            )
            if epoch is None:
                return None, ()
            ids = await _at_pace(
                connection, await outbox.unsent(connection, now=now, limit=OUTBOX_ROWS_AT_ONCE), now
            )
            return epoch, await outbox.load(connection, ids)

    async def _send(self, rows: Sequence[OutboxRow]) -> tuple[list[str], BaseException | None]:
        """All at once on the wire, in their order; the confirmed ones before the first failure, and that."""
        published = (self._publisher.publish(message) for _, message in rows)
        answers = await asyncio.gather(*published, return_exceptions=True)
        confirmed: list[str] = []
        for (row_id, _), answer in zip(rows, answers, strict=True):
            if answer is not None:
                return confirmed, answer
            confirmed.append(row_id)
        return confirmed, None

    async def _mark(self, epoch: int, confirmed: Sequence[str], *, keep: bool) -> None:
        async with self._store.begin() as connection:
            if await leases.held(connection, OUTBOX_LEASE, epoch=epoch):
                await outbox.mark_sent(connection, confirmed, now=await self._store.now(connection))
            if not keep:
                await leases.release(connection, OUTBOX_LEASE, epoch=epoch)


async def _at_pace(
    connection: AsyncConnection, ids: list[str], now: float, *, sparing: Collection[str] = ()
) -> list[str]:
    """Those of these rows that may go out now.

    After a standstill the replays that came due meanwhile do not go out all at once: they and all
    behind them move on, and keep their distances (R30).
    """
    late = await outbox.lateness(connection, ids, now=now)
    if late <= DELAYED_REPLAY_SECONDS:
        return ids
    await outbox.put_off(connection, late, sparing=sparing)
    again = await outbox.unsent(connection, now=now, limit=OUTBOX_ROWS_AT_ONCE + len(sparing))
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
        """Note what was settled and send one window of what is new. Raises what hindered the sending."""
        await self._note()
        away = self._unsettled.rows
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            waiting = await outbox.unsent(connection, now=now, limit=len(away) + OUTBOX_ROWS_AT_ONCE)
            new = [row for row in waiting if row not in away]
            late = await outbox.lateness(connection, new, now=now) > DELAYED_REPLAY_SECONDS
            rows = () if late else await outbox.load(connection, new)
        if late:
            async with self._store.begin() as connection:
                rows = await outbox.load(connection, await _at_pace(connection, new, now, sparing=away))
        for row_id, message in rows:
            await self._send(row_id, message)
        return len(waiting) == len(away) + OUTBOX_ROWS_AT_ONCE

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
            await self._publisher.publish(message)
        except BaseException:
            self._unsettled.taken_back(row_id, message.message_id)
            raise

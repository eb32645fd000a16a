"""Looks after what was left lying: every chore, every so often, by one keeper at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from contracts.errors import SyncError
from contracts.ports import NoticeReader
from contracts.times import ONE_DAY
from service.consumers.left_notices import read_left_notices
from service.integrations.catch_up import DAILY_RUN, request_comparison
from service.integrations.run_requests import request_steps_again
from service.operations import DeadLetters
from service.store.engine import leases, purge
from service.store.engine.counting import HourlyCount
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import account_names, integrations, listing, tenants
from service.store.integrations import delays as delays_of
from service.store.items import deleted_texts
from service.store.links import run_changes, tombstones
from service.store.messages import outbox, replays
from service.store.questions import absences, questions
from service.store.runs import runs
from service.store.runs.runs import UNDO_LIMIT
from service.telemetry.hindrances import say_hindered

CHUNK_PAUSE_SECONDS = 0.05
"""Seconds between two chunks: on SQLite nobody else can write while one is deleted."""
TEN_MINUTES_SECONDS = 600.0
PurgeStep = Callable[[AsyncConnection, datetime], Awaitable[int]]
"""Deletes at most a chunk of what is older than that moment; how many."""


MINUTE_SECONDS, HOUR_SECONDS = 60.0, 3600.0
SENT_ROWS_KEPT_SECONDS = 86_400.0
COMPARED_WITHIN = timedelta(hours=1)
TOMBSTONES_KEPT = 90 * ONE_DAY
CHORE_LEASE_SECONDS = 30.0
"""A keeper that was killed is replaced after this, and a beat."""
CHORE_LEASE_PREFIX = "keeper:"
"""How the names of all keepers' leases begin."""
RENEWALS_A_LEASE = 3
"""How often a lease is renewed within its length."""
ROWS_A_CHUNK, CHUNKS_A_ROUND = 1000, 30
FULL_ROUND_SECONDS = 1.0
"""Seconds from a round that was full to the next: however much is left, each round is short."""
MORE = "more"
"""What the work of a chore returns after a full round."""
BULK_REPLAYS = "bulk replays"
REPLAY_STEPS_A_ROUND = 8
"""So that a keeper that is to stop need not finish what is very long."""
CALENDAR_CHECKS_A_MINUTE = 10
"""Accounts that are looked at a minute for a calendar that is lost: two requests each."""
FEWEST_READS, READ_ROUNDS = 5, 720
"""Daily reads that are begun a minute, and the minutes within which all are, however many are due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    """Something to look after."""

    name: str
    every: float
    """Seconds between the end of one round and the next."""
    work: Callable[[], Awaitable[object]] = field(repr=False)


class Keeper:
    """Does its chores until it is stopped; several keepers share them by leases in the store.

    The leases are renewed while it lives, so that they can be short: one that was killed is replaced
    within the lease's length and a beat.
    """

    def __init__(
        self,
        *,
        store: Store,
        holder: str,
        chores: Sequence[Chore],
        lease: float = CHORE_LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._holder = holder
        self._chores = chores
        self._lease = lease
        self._stopping = asyncio.Event()
        self._mine = {chore.name: asyncio.Event() for chore in chores}
        self._epochs: dict[str, int] = {}
        self._held_until = 0.0

    async def run(self) -> None:
        """Keep until ``stop``; one chore that fails hinders no other."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hold(), name="keeper's leases")
                for chore in self._chores:
                    tasks.create_task(self._keep(chore), name=f"keep {chore.name}")
        finally:
            with suppress(SyncError):
                await self._give_back()

    def stop(self) -> None:
        """Begin nothing more; ``run`` returns when the chores in hand are done."""
        self._stopping.set()
        for mine in self._mine.values():
            mine.set()

    async def _keep(self, chore: Chore) -> None:
        while True:
            await self._mine[chore.name].wait()
            if self._stopping.is_set():
                return
            more = await self._round(chore)
            await self._rest(min(chore.every, FULL_ROUND_SECONDS) if more else chore.every)

    async def _round(self, chore: Chore) -> bool:
        """Whether the round was full, and the next one is to come soon."""
        try:
            return await chore.work() is MORE
        except Exception as error:  # noqa: BLE001 -- the next round may find the world mended
            say_hindered(chore.name, error)
            return False

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _hold(self) -> None:
        """Take the leases that nobody has and renew one's own, as long as anything is in hand."""
        while not self._stopping.is_set():
            try:
                await self._beat()
            except Exception as error:  # noqa: BLE001 -- as above; meanwhile the leases run out
                say_hindered("leases", error)
                if asyncio.get_running_loop().time() > self._held_until:
                    self._epochs = {}
            if not self._stopping.is_set():
                for name, mine in self._mine.items():
                    (mine.set if _lease(name) in self._epochs else mine.clear)()
            await self._rest(self._lease / RENEWALS_A_LEASE)

    async def _beat(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        async with self._store.begin() as connection:
            self._epochs = await leases.hold(
                connection,
                [_lease(name) for name in self._mine],
                holder=self._holder,
                seconds=self._lease,
                now=await self._store.now(connection),
            )
        self._held_until = asked_at + self._lease

    async def _give_back(self) -> None:
        async with self._store.begin() as connection:
            for name, epoch in sorted(self._epochs.items()):
                await leases.release(connection, name, epoch=epoch)


def _lease(chore: str) -> str:
    return f"{CHORE_LEASE_PREFIX}{chore}"


def unread_notices(reader: NoticeReader) -> Chore:
    """Integrations whose notice nobody reads for, because a process died or there were too many."""

    async def work() -> None:
        await read_left_notices(reader)

    return Chore(name="unread notices", every=5.0, work=work)


def due_runs(store: Store) -> Chore:
    """Runs that wait for a moment which has come (R24)."""

    async def work() -> None:
        async with store.begin() as connection:
            seconds = await store.now(connection)
            due = await runs.take_due(connection, now=seconds)
            await request_steps_again(connection, due, seconds=seconds)

    return Chore(name="due runs", every=2.0, work=work)


def bulk_replays(store: Store) -> Chore:
    """Replays of very many letters, which nobody could wait for: a few hundred at a time (R30)."""

    async def work() -> None:
        async with store.read() as connection:
            noted = await replays.noted(connection)
        going = [(DeadLetters(store, who=one.who), one.id) for one in noted]
        for _ in range(REPLAY_STEPS_A_ROUND):  # one of each after the other: none waits for a longer one
            going = [(desk, bulk_id) for desk, bulk_id in going if await _goes_on(desk, bulk_id)]

    return Chore(name=BULK_REPLAYS, every=2.0, work=work)


async def _goes_on(desk: DeadLetters, bulk_id: str) -> bool:
    """What hinders one replay ends its turn in this round, and hinders no other."""
    try:
        return await desk.send_on(bulk_id)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the others are sent
        say_hindered(BULK_REPLAYS, error, replay=bulk_id)
        return False


def delays(store: Store) -> Chore:
    """Says on the page since when changes wait that time-outs, 5xx, 429 or the budget hold up (R23).

    Nothing is written while nothing begins or ends.
    """

    async def work() -> None:
        async with store.read() as connection:
            late = await delays_of.late(connection, now=await store.now(connection))
            marked = await delays_of.marked(connection)
        began = {one: since for one, since in sorted(late.items()) if one not in marked}
        began = dict(islice(began.items(), ROWS_A_CHUNK))
        ended = sorted(marked - late.keys())[:ROWS_A_CHUNK]
        if began or ended:
            async with store.begin() as connection:
                await delays_of.mark(connection, began, ended)

    return Chore(name="delays", every=15.0, work=work)


def runs_at_a_standstill(store: Store) -> Chore:
    """Runs whose message was lost, by whatever way: their step is asked for again (R25)."""

    async def work() -> None:
        async with store.begin() as connection:
            await runs.rouse(connection, now=await store.moment(connection))

    return Chore(name="runs at a standstill", every=300.0, work=work)


def operation_samples(take: Callable[[], Awaitable[None]]) -> Chore:
    """How everything stands, once a minute, for whoever looks back later."""
    return Chore(name="operation samples", every=MINUTE_SECONDS, work=take)


def old_outbox_rows(store: Store) -> Chore:
    """Rows sent a day ago are deleted, a small chunk a transaction."""
    kept = timedelta(seconds=SENT_ROWS_KEPT_SECONDS)
    step = _step(outbox.forget_sent, by_seconds=True)
    return _chore(store, "old outbox rows", step, kept, every=TEN_MINUTES_SECONDS)


def daily_reads(store: Store) -> Chore:
    """Events slide into Cronofy's window without notice, so every calendar is read whole once a day.

    After an outage, or a day on which everybody linked a calendar, all of them are due at once; so many are
    begun a minute that all have been within half a day, and the next day finds them apart.
    """
    counted = HourlyCount(integrations.count_syncing)

    async def work() -> None:
        async with store.begin() as connection:
            now = await store.moment(connection)
            some = max(FEWEST_READS, await counted(connection, now=now.timestamp()) // READ_ROUNDS)
            due = await runs.unread_for_long(
                connection, before=now - ONE_DAY, since=now - COMPARED_WITHIN, limit=some
            )
            found = await integrations.load(connection, due, lock=True)
            for integration in found.values():
                if integration.active and integration.deleted_at is None:  # until it was locked
                    await request_comparison(store, connection, integration, kind=DAILY_RUN)

    return Chore(name="daily reads", every=60.0, work=work)


def old_tombstones(store: Store) -> Chore:
    """Pairs of deleted integrations are kept for ninety days (R21)."""
    return _chore(store, "old tombstones", _step(tombstones.forget), TOMBSTONES_KEPT, every=HOUR_SECONDS)


def old_account_names(store: Store) -> Chore:
    """Whose account a deleted integration used is kept for as long as its tombstones (R21)."""
    after = ""

    async def work() -> None:
        nonlocal after
        async with store.begin() as connection:
            before = await store.moment(connection) - TOMBSTONES_KEPT
            after = await account_names.forget_some(
                connection, after=after, before=before, limit=ROWS_A_CHUNK
            )

    return Chore(name="old account names", every=HOUR_SECONDS, work=work)


def lost_calendars(store: Store, look: Callable[[str], Awaitable[object]]) -> Chore:
    """Looks once an hour whether a missing or read-only calendar serves again (R22).

    Its owner may never think of pressing a button. ``look`` keeps the status true and wants the comparison.
    """

    async def work() -> None:
        async with store.begin() as connection:
            now = await store.now(connection)
            due = await listing.take_lost(
                connection,
                before=now - HOUR_SECONDS,
                now=now - MINUTE_SECONDS,
                limit=CALENDAR_CHECKS_A_MINUTE,
            )
        for one in due:
            try:
                await look(one)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the others are looked at
                say_hindered("lost calendars", error, integration_id=one)

    return Chore(name="lost calendars", every=MINUTE_SECONDS, work=work)


def erasing(work: Callable[[], Awaitable[object]]) -> Chore:
    """What is kept of people who asked to be forgotten goes within the hour, some of it a round (R41)."""
    return Chore(name="erasing", every=MINUTE_SECONDS, work=work)


def missing_channels(ensure_channels: Callable[[], Awaitable[int]]) -> Chore:
    """Channels that Cronofy could not open when they were wanted."""
    return Chore(name="missing channels", every=60.0, work=ensure_channels)


def unanswered_consents(tidy: Callable[[], Awaitable[None]]) -> Chore:
    """Permissions that nobody confirmed are given back to Cronofy (R45)."""
    return Chore(name="unanswered consents", every=60.0, work=tidy)


def lost_channels(
    audit: Callable[[], Awaitable[int]], ensure_channels: Callable[[], Awaitable[int]]
) -> Chore:
    """Where nothing was heard for long, Cronofy is asked for its channels; a missing one is made anew."""

    async def work() -> None:
        if await audit():
            await ensure_channels()

    return Chore(name="lost channels", every=MINUTE_SECONDS, work=work)


def forgetting(store: Store, *, inbox_days: int, log_days: int) -> tuple[Chore, ...]:
    """What is kept for so many days and then forgotten."""
    of_messages, of_logs = timedelta(days=inbox_days), timedelta(days=log_days)
    soon = (
        ("old inbox rows", _step(purge.forget_inbox, by_seconds=True), of_messages),
        ("old log entries", _step(purge.forget_log_entries), of_logs),
    )
    hourly = (
        ("old runs", _step(purge.forget_runs), of_logs),
        ("old attempts", _step(purge.forget_attempts), of_messages),
        ("old suspects", _step(purge.forget_suspects), of_messages),
        ("old dead letters", _step(purge.forget_letters), of_logs),
        ("old run changes", _step(run_changes.forget), UNDO_LIMIT),
        ("deleted texts", _step(deleted_texts.blank), UNDO_LIMIT),
        ("old questions", _step(questions.forget_settled), of_logs),
        ("old absences", _step(absences.forget_past), ONE_DAY),
        ("old acts", _step(tenants.forget_acts), of_logs),
        ("old equals", _step(purge.forget_equals), ONE_DAY),
        ("used tokens", _step(purge.forget_tokens, by_seconds=True), timedelta(hours=1)),
        ("changes made", _step(purge.forget_changes, by_seconds=True), ONE_DAY),
        ("old sessions", _step(purge.forget_sessions, by_seconds=True), timedelta(0)),
        ("old revocations", _step(purge.forget_revocations, by_seconds=True), 2 * ONE_DAY),
    )
    return (
        *(_chore(store, *each, every=TEN_MINUTES_SECONDS) for each in soon),
        *(_chore(store, *each, every=HOUR_SECONDS) for each in hourly),
    )


def _step(forget: Callable[..., Awaitable[int]], *, by_seconds: bool = False) -> PurgeStep:
    async def step(connection: AsyncConnection, before: datetime) -> int:
        moment = before.timestamp() if by_seconds else before
        return await forget(connection, before=moment, limit=ROWS_A_CHUNK)

    return step


def _chore(store: Store, name: str, step: PurgeStep, age: timedelta, *, every: float) -> Chore:
    async def work() -> object:
        for _ in range(CHUNKS_A_ROUND):
            if await _chunk(store, step, age) < ROWS_A_CHUNK:
                return None
            await asyncio.sleep(CHUNK_PAUSE_SECONDS)
        return MORE

    return Chore(name=name, every=every, work=work)


async def _chunk(store: Store, step: PurgeStep, age: timedelta) -> int:
    async with store.begin() as connection:
        return await step(connection, datetime.fromtimestamp(await store.now(connection), UTC) - age)

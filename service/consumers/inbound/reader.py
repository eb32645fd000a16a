"""Reads linked calendars: what changed since a notice, or everything within reach."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.calendar import Integration
from contracts.cronofy import EventsPage, EventsQuery
from contracts.errors import GrantRefused, Permanent, Transient
from contracts.ports import AccountCheck, Clock, EventReader, Turn, Urgency
from handlers.judgement import days_to_read, is_gone
from service.consumers.inbound.calendar_read import CalendarRead, NotSyncing
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.reach import first_day, shows_too_little
from service.consumers.inbound.watching.judged_pages import WatchingPages
from service.cronofy.page_trail import PageTrail
from service.cronofy.sightings import ProviderWatch
from service.store.engine.store import Store
from service.store.integrations import integrations, reads
from service.store.integrations.reads import ReadTurn
from service.store.messages.inbox import MessageKey

READ_TURN_POLL_SECONDS = 0.2
READ_TURN_WAIT_SECONDS = 90.0
"""Seconds that a message waits in its consumer for another read to end; then it comes again later."""
READ_FOR_TOO_LONG = "another read of this calendar has been going on for too long"
EMPTY_READ_REPEATS = 3
EMPTY_READ_REPEAT_SECONDS = 1.0
STATUSES_TO_CHECK = frozenset({403, 404, 410, 423})


class CalendarReader:
    """Reads one calendar at a time per integration, whoever asks; several processes may share the work."""

    def __init__(
        self,
        *,
        store: Store,
        calendars: EventReader,
        looker: AccountCheck,
        clock: Clock,
        pages: PageWriter,
        watch: ProviderWatch,
        turn_wait_seconds: float = READ_TURN_WAIT_SECONDS,
    ) -> None:
        self._store, self._calendars, self._looker, self._clock = store, calendars, looker, clock
        self._pages, self._watching = pages, WatchingPages(store, pages)
        self._watch = watch
        self._turn_wait = turn_wait_seconds
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(
        self,
        integration_id: str,
        *,
        noticed_at: float,
        key: MessageKey | None = None,
        told_at: datetime | None = None,
        run_id: str | None = None,
    ) -> None:
        """Return when a read that began at ``noticed_at`` or later has ended; raises what stopped it.

        ``told_at``: when Cronofy's notice came, from which the provider's delay is known (R53).
        """
        keys = [key] if key else []
        async with self._alone(integration_id):
            for _ in range(EMPTY_READ_REPEATS):
                if not await self._once(integration_id, noticed_at, keys, told_at=told_at, run_id=run_id):
                    return
                told_at = None
                await self._clock.sleep(EMPTY_READ_REPEAT_SECONDS)
                async with self._store.read() as connection:
                    noticed_at = await self._store.now(connection)

    async def read_all(self, integration_id: str, *, run_id: str | None = None) -> bool:
        """A full read: 41 days back to 200 ahead; what it does not show is written again (R11).

        ``run_id``: for that run, it gives way to live changes (R32). False where it may show too little.
        """
        async with self._alone(integration_id):
            turn = await self._turn(integration_id, None)
            if turn is None:
                return False
            full = days_to_read(datetime.fromtimestamp(turn.began_at, UTC))
            reading_pass = CalendarRead(turn=turn, full=full, run_id=run_id)
            await self._guarded(reading_pass)
            return reading_pass.whole

    async def pending(self) -> Sequence[tuple[str, str]]:
        """Integrations with a notice that nobody is reading for, each with its tenant, who take turns."""
        async with self._store.read() as connection:
            return [*(await reads.unread(connection, now=await self._store.now(connection))).items()]

    async def catch_up(self, integration_id: str, *, run_id: str | None = None) -> None:
        """Read for the notices that were left, if any."""
        async with self._store.read() as connection:
            noticed_at = await self._store.now(connection)
        await self.read(integration_id, noticed_at=noticed_at, run_id=run_id)

    async def _once(
        self,
        integration_id: str,
        noticed_at: float,
        keys: Sequence[MessageKey],
        *,
        told_at: datetime | None,
        run_id: str | None,
    ) -> bool:
        """One read where one is needed; whether another must follow."""
        turn = await self._turn(integration_id, noticed_at)
        if turn is None or turn.since is None:
            await self._abandon(turn)
            return False
        reading_pass = CalendarRead(turn=turn, keys=keys, told_at=told_at, run_id=run_id)
        return await self._guarded(reading_pass)

    @asynccontextmanager
    async def _alone(self, integration_id: str) -> AsyncIterator[None]:
        """As this process's only reader of the calendar; raises Transient when that takes too long."""
        lock = self._locks[integration_id]
        try:
            async with asyncio.timeout(self._turn_wait):
                await lock.acquire()
        except TimeoutError:
            raise Transient(READ_FOR_TOO_LONG) from None
        try:
            yield
        finally:
            lock.release()

    async def _turn(self, integration_id: str, noticed_at: float | None) -> ReadTurn | None:
        """Wait for the right to read; None when somebody else's read has served already."""
        waited = 0.0
        while waited < self._turn_wait:
            async with self._store.begin() as connection:
                if noticed_at is not None and await reads.covered(connection, integration_id, noticed_at):
                    return None
                now = await self._store.now(connection)
                turn = await reads.take_turn(connection, integration_id, now=now)
            if turn is not None:
                return turn
            await self._clock.sleep(READ_TURN_POLL_SECONDS)
            waited += READ_TURN_POLL_SECONDS
        raise Transient(READ_FOR_TOO_LONG)

    async def _guarded(self, reading_pass: CalendarRead) -> bool:
        turn = reading_pass.turn
        try:
            await self._read_pages(reading_pass)
        except NotSyncing:
            await self._abandon(turn)
            return False
        except Permanent as error:
            await self._abandon(turn)
            await self._look_closer(turn.integration_id, error)
            return False
        except BaseException:
            await asyncio.shield(self._abandon(turn))
            raise
        if reading_pass.again:
            await self._notice_again(reading_pass)
        return reading_pass.again

    async def _read_pages(self, reading_pass: CalendarRead) -> None:
        integration = await self._integration(reading_pass.turn.integration_id)
        turn = Turn(
            integration_id=integration.id,
            tenant_id=integration.tenant_id,
            urgency=Urgency.RUN if reading_pass.run_id and reading_pass.full else Urgency.LIVE,
        )
        query = _query(integration, reading_pass)
        pages = self._watching if integration.watching else self._pages
        asked_at = await self._now()
        page = await self._calendars.first_page(integration.sub, query, turn=turn)
        reading_pass.first = page.first
        if reading_pass.told_at is not None:
            self._note_lag(turn, page, reading_pass.told_at)
        trail = PageTrail()
        while page.next_page is not None:
            await self._find_reach(integration, reading_pass, page, asked_at=asked_at, turn=turn)
            await pages.apply(reading_pass, page, asked_at=asked_at, last=False)
            asked_at = await self._now()
            following = trail.follow(page.next_page)
            page = await self._calendars.next_page(integration.sub, following, turn=turn)
        await self._find_reach(integration, reading_pass, page, asked_at=asked_at, turn=turn)
        await self._vouch(integration, reading_pass, page, turn)
        await pages.apply(reading_pass, page, asked_at=asked_at, last=True)
        if not integration.watching and await shows_too_little(self._store, reading_pass, integration):
            await self._see_account(integration, turn)
            await self._pages.write_again(reading_pass)
        reading_pass.done = True

    def _note_lag(self, turn: Turn, page: EventsPage, told_at: datetime) -> None:
        """By the newest change that a person made there; our own writes are told by no notice."""
        changed = [one.updated for one in page.events if one.event_id is None and one.updated is not None]
        made = [at for at in changed if at <= told_at]
        if made:
            self._watch.lagged(turn, (told_at - max(made)).total_seconds())

    async def _find_reach(
        self,
        integration: Integration,
        reading_pass: CalendarRead,
        page: EventsPage,
        *,
        asked_at: float,
        turn: Turn,
    ) -> None:
        """Once in a read, and only where something old is deleted."""
        if reading_pass.first is None:
            reading_pass.first = await first_day(
                self._calendars, integration, page, asked_at=asked_at, turn=turn
            )

    async def _vouch(
        self, integration: Integration, reading_pass: CalendarRead, page: EventsPage, turn: Turn
    ) -> None:
        """Before deletions count, the account must be seen."""
        if reading_pass.gone or any(is_gone(event) for event in page.events):
            await self._see_account(integration, turn, whole=reading_pass.full is not None)

    async def _see_account(self, integration: Integration, turn: Turn, *, whole: bool = True) -> None:
        """Raises NotSyncing where the calendar is not listed or its profile not connected (R11).

        ``whole``: also while Cronofy has not read all of it, and so shows too little.
        """
        account = await self._calendars.userinfo(integration.sub, turn=turn)
        profile = account.profile(integration.profile_id)
        if whole and profile is not None and profile.initial_sync_required:
            raise NotSyncing
        listed = profile is not None and any(
            calendar.calendar_id == integration.calendar_id and not calendar.deleted
            for calendar in profile.calendars
        )
        if profile is None or not profile.connected or not listed:
            await self._looker.look(integration.id, at_once=True)
            raise NotSyncing

    async def _look_closer(self, integration_id: str, error: Permanent) -> None:
        refused = isinstance(error, GrantRefused)
        if not refused and error.status not in STATUSES_TO_CHECK:
            raise error
        if await self._looker.look(integration_id, at_once=refused) == "fine":
            raise Transient("Cronofy refused a read although the account stands") from error

    async def _integration(self, integration_id: str) -> Integration:
        async with self._store.read() as connection:
            found = await integrations.load(connection, [integration_id])
        integration = next(iter(found.values()), None)
        if integration is None or not integration.reads or integration.calendar_id is None:
            raise NotSyncing
        return integration

    async def _notice_again(self, reading_pass: CalendarRead) -> None:
        turn = reading_pass.turn
        since = turn.since or datetime.fromtimestamp(turn.began_at - 60.0, UTC)
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            await reads.notice(connection, turn.integration_id, since, now=now)

    async def _abandon(self, turn: ReadTurn | None) -> None:
        if turn is None:
            return
        async with self._store.begin() as connection:
            await reads.give_up_turn(connection, turn)

    async def _now(self) -> float:
        async with self._store.read() as connection:
            return await self._store.now(connection)


def _query(integration: Integration, reading_pass: CalendarRead) -> EventsQuery:
    first, beyond = reading_pass.full or (None, None)
    assert integration.calendar_id is not None
    return EventsQuery(
        calendar_ids=(integration.calendar_id,),
        from_=first,
        to=beyond,
        last_modified=None if reading_pass.full else reading_pass.turn.since,
        include_deleted=True,
        include_managed=True,
        include_moved=True,
    )

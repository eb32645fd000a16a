"""Reads linked calendars: what changed since a notice, or everything within reach."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

from contracts.calendar import Integration
from contracts.cronofy import EventsPage, EventsQuery
from contracts.errors import GrantRefused, Permanent, Transient
from contracts.ports import AccountCheck, Clock, EventReader, Turn
from handlers.inbound_page import days_to_read
from handlers.judgement import is_gone
from service.consumers.inbound.pages import CalendarRead, NotSyncing, PageWriter
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
        turn_wait_seconds: float = READ_TURN_WAIT_SECONDS,
    ) -> None:
        self._store, self._calendars, self._looker, self._clock = store, calendars, looker, clock
        self._pages = pages
        self._turn_wait = turn_wait_seconds
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, integration_id: str, *, noticed_at: float, key: MessageKey | None = None) -> None:
        """Return when a read that began at ``noticed_at`` or later has ended; raises what stopped it."""
        keys = [key] if key else []
        async with self._alone(integration_id):
            for _ in range(EMPTY_READ_REPEATS):
                if not await self._once(integration_id, noticed_at, keys):
                    return
                await self._clock.sleep(EMPTY_READ_REPEAT_SECONDS)
                async with self._store.read() as connection:
                    noticed_at = await self._store.now(connection)

    async def read_all(self, integration_id: str, *, for_run: bool = False) -> None:
        """A full read: 41 days back to 200 ahead; what it does not show is written again (R11).

        ``for_run``: it gives way to live changes (R32).
        """
        async with self._alone(integration_id):
            turn = await self._turn(integration_id, None)
            if turn is not None:
                full = days_to_read(datetime.fromtimestamp(turn.began_at, UTC))
                await self._guarded(turn, [], full=full, for_run=for_run)

    async def pending(self) -> Sequence[str]:
        """Integrations with a notice that nobody is reading for."""
        async with self._store.read() as connection:
            return await reads.unread(connection, now=await self._store.now(connection))

    async def catch_up(self, integration_id: str) -> None:
        """Read for the notices that were left, if any."""
        async with self._store.read() as connection:
            noticed_at = await self._store.now(connection)
        await self.read(integration_id, noticed_at=noticed_at)

    async def _once(self, integration_id: str, noticed_at: float, keys: Sequence[MessageKey]) -> bool:
        """One read where one is needed; whether another must follow."""
        turn = await self._turn(integration_id, noticed_at)
        if turn is None or turn.since is None:
            await self._abandon(turn)
            return False
        return await self._guarded(turn, keys, full=None)

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

    async def _guarded(
        self,
        turn: ReadTurn,
        keys: Sequence[MessageKey],
        *,
        full: tuple[date, date] | None,
        for_run: bool = False,
    ) -> bool:
        reading_pass = CalendarRead(turn=turn, keys=keys, full=full, for_run=for_run)
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
        turn = Turn(integration_id=integration.id, run=reading_pass.for_run)
        query = _query(integration, reading_pass)
        asked_at = await self._now()
        page = await self._calendars.first_page(integration.sub, query, turn=turn)
        while page.next_page is not None:
            await self._pages.apply(reading_pass, page.events, asked_at=asked_at, last=False)
            asked_at = await self._now()
            page = await self._calendars.next_page(integration.sub, page.next_page, turn=turn)
        await self._vouch(integration, reading_pass, page, turn)
        await self._pages.apply(reading_pass, page.events, asked_at=asked_at, last=True)
        await self._pages.write_again(reading_pass)

    async def _vouch(
        self, integration: Integration, reading_pass: CalendarRead, page: EventsPage, turn: Turn
    ) -> None:
        """Before deletions count, the calendar must be listed and its profile connected (R11)."""
        if not reading_pass.gone and not any(is_gone(event) for event in page.events):
            return
        account = await self._calendars.userinfo(integration.sub, turn=turn)
        profile = account.profile(integration.profile_id)
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
        if integration is None or not integration.sends or integration.calendar_id is None:
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

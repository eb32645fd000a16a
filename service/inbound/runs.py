"""The reading at Finish: what was on the calendar before is remembered, not brought (R24, R33)."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration
from contracts.envelope import RunRequested
from contracts.errors import GrantRefused, Transient
from contracts.messages import RunData
from contracts.ports import Clock
from handlers.inbound import event_keys, reach, was_there
from service.cronofy.gateway import EventsQuery
from service.cronofy.transport import Turn
from service.inbound.notices import Received
from service.inbound.reader import Calendars, Looker
from service.store import Store, accounts, inbound, integrations, journal, runs
from service.store.journal import MessageKey
from service.store.runs import Run

RUNS_QUEUE = "calendar-sync.runs"
FIRST_SYNC_POLL = 5.0
FIRST_SYNC_LIMIT = timedelta(minutes=30)
STILL_READING = "Cronofy is still reading the calendar."
NEVER_READ = "Cronofy did not finish reading the calendar within 30 minutes."


class RunHandler:
    """Does the step of a run that is due."""

    def __init__(self, *, store: Store, calendars: Calendars, looker: Looker, clock: Clock) -> None:
        self._store, self._calendars, self._looker, self._clock = store, calendars, looker, clock

    async def __call__(self, received: Received) -> None:
        message = received.message
        assert isinstance(message, RunRequested)
        run, integration = await self._load(message.data)
        if run is None or integration is None or run.ended:
            await self._record(received.key)
            return
        if integration.baseline_at is None:
            await self._read_what_was_there(run, integration, received.key)
        else:
            await self._close(run, received.key)

    async def _read_what_was_there(self, run: Run, integration: Integration, key: MessageKey) -> None:
        try:
            ready = await self._first_sync_done(integration)
        except GrantRefused:
            await self._looker.look(integration.id)
            await self._end(run, key, state="failed", reason="The account's permission was withdrawn.")
            return
        if not ready:
            await self._wait(run, key)
            return
        began = await self._moment()
        keys = await self._prior_keys(integration, began)
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            current = (await integrations.load(connection, [integration.id], lock=True)).get(integration.id)
            if current is None or current.calendar_id != integration.calendar_id:
                raise Transient("another calendar was chosen while this one was read")
            await inbound.add_prior(connection, integration, keys)
            await integrations.change(connection, integration.id, baseline_at=now)
            await integrations.change_state(
                connection, integration.id, full_read_at=began, last_checked_at=now
            )
            await accounts.release(connection, integration.id)
            await self._end_in(connection, run, key, state="done", reason=None)

    async def _first_sync_done(self, integration: Integration) -> bool:
        account = await self._calendars.userinfo(integration.sub, turn=_turn(integration))
        profile = account.profile(integration.profile_id)
        return profile is None or not profile.initial_sync_required

    async def _prior_keys(self, integration: Integration, began: datetime) -> set[str]:
        first, beyond = reach(began)
        assert integration.calendar_id is not None
        query = EventsQuery(calendar_ids=(integration.calendar_id,), from_=first, to=beyond)
        page = await self._calendars.first_page(integration.sub, query, turn=_turn(integration))
        keys: set[str] = set()
        while True:
            for event in page.events:
                if was_there(event, integration):
                    keys.update(event_keys(event))
            if page.next_page is None:
                return keys
            page = await self._calendars.next_page(integration.sub, page.next_page, turn=_turn(integration))

    async def _wait(self, run: Run, key: MessageKey) -> None:
        """Ask again in a while; after 30 minutes the run fails with that sentence (R24)."""
        now = await self._moment()
        if now - run.requested_at >= FIRST_SYNC_LIMIT:
            await self._end(run, key, state="failed", reason=NEVER_READ)
            return
        async with self._store.begin() as connection:
            due = await self._store.now(connection) + FIRST_SYNC_POLL
            await runs.wait(connection, run.id, due_at=due, now_doing=STILL_READING)
            await self._note(connection, key)

    async def _close(self, run: Run, key: MessageKey) -> None:
        await self._end(run, key, state="done", reason=None)

    async def _end(self, run: Run, key: MessageKey, *, state: str, reason: str | None) -> None:
        async with self._store.begin() as connection:
            await self._end_in(connection, run, key, state=state, reason=reason)

    async def _end_in(
        self, connection: AsyncConnection, run: Run, key: MessageKey, *, state: str, reason: str | None
    ) -> None:
        await runs.end(
            connection, run.id, state=state, reason=reason, at=await self._store.moment(connection)
        )
        await self._note(connection, key)

    async def _load(self, data: RunData) -> tuple[Run | None, Integration | None]:
        async with self._store.read() as connection:
            run = await runs.find(connection, data.run_id)
            found = await integrations.load(connection, [data.integration_id])
        integration = next(iter(found.values()), None)
        living = integration is not None and integration.deleted_at is None
        return run, integration if living else None

    async def _moment(self) -> datetime:
        async with self._store.read() as connection:
            return datetime.fromtimestamp(await self._store.now(connection), UTC)

    async def _record(self, key: MessageKey) -> None:
        async with self._store.begin() as connection:
            await self._note(connection, key)

    async def _note(self, connection: AsyncConnection, key: MessageKey) -> None:
        now = await self._store.now(connection)
        await journal.record(connection, RUNS_QUEUE, [(key, "done")], now=now)


def _turn(integration: Integration) -> Turn:
    return Turn(integration_id=integration.id)

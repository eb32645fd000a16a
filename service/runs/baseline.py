"""The reading at Finish: what was on the calendar before is remembered, not brought (R24, R33)."""

from datetime import UTC, datetime, timedelta

from contracts.calendar import Integration
from contracts.errors import Transient
from handlers.inbound import event_keys, reach, was_there
from service.cronofy.gateway import EventsQuery
from service.inbound.reader import Calendars
from service.runs.steps import MATCH, OVER, RETRIEVE, SEND, Due, Progress
from service.store import Store, accounts, inbound, integrations
from service.store.runs import Run, Tally

FIRST_SYNC_POLL = 5.0
FIRST_SYNC_LIMIT = timedelta(minutes=30)
STILL_READING = "Cronofy is still reading the calendar."
NEVER_READ = "Cronofy did not finish reading the calendar within 30 minutes."


def after_baseline(run: Run) -> str:
    """What the options ask for next; a Send alone first looks for what is equal on both sides (R29)."""
    if run.retrieve:
        return RETRIEVE
    return MATCH if run.send else OVER


def after_reading(run: Run) -> str:
    return SEND if run.send else OVER


class Baseline:
    """The first step of Finish."""

    def __init__(self, *, store: Store, calendars: Calendars, progress: Progress) -> None:
        self._store, self._calendars, self._progress = store, calendars, progress

    async def __call__(self, due: Due) -> None:
        if due.integration.baseline_at is None:
            await self._read(due)
            return
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection, due, step=after_baseline(due.run), cursor={}, tally=Tally()
            )

    async def _read(self, due: Due) -> None:
        if not await self._first_sync_done(due):
            await self._wait(due)
            return
        async with self._store.read() as connection:
            began = datetime.fromtimestamp(await self._store.now(connection), UTC)
        keys = await self._prior_keys(due, began)
        integration = due.integration
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
            await self._progress.go_on(
                connection, due, step=after_baseline(due.run), cursor={}, tally=Tally()
            )

    async def _first_sync_done(self, due: Due) -> bool:
        account = await self._calendars.userinfo(due.integration.sub, turn=due.turn)
        profile = account.profile(due.integration.profile_id)
        return profile is None or not profile.initial_sync_required

    async def _prior_keys(self, due: Due, began: datetime) -> set[str]:
        page = await self._calendars.first_page(
            due.integration.sub, _whole(due.integration, began), turn=due.turn
        )
        keys: set[str] = set()
        while True:
            for event in page.events:
                if was_there(event, due.integration):
                    keys.update(event_keys(event))
            if page.next_page is None:
                return keys
            page = await self._calendars.next_page(due.integration.sub, page.next_page, turn=due.turn)

    async def _wait(self, due: Due) -> None:
        """Ask again in a while; after 30 minutes the run fails with that sentence (R24)."""
        async with self._store.read() as connection:
            now = await self._store.moment(connection)
        if now - due.run.requested_at >= FIRST_SYNC_LIMIT:
            await self._progress.end(due, state="failed", reason=NEVER_READ)
        else:
            await self._progress.wait(due, seconds=FIRST_SYNC_POLL, now_doing=STILL_READING)


def _whole(integration: Integration, began: datetime) -> EventsQuery:
    first, beyond = reach(began)
    assert integration.calendar_id is not None
    return EventsQuery(calendar_ids=(integration.calendar_id,), from_=first, to=beyond)

"""The first step of every run: Cronofy's own first sync is awaited, and the calendar read once (R24, R33)."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from contracts.calendar import Integration
from contracts.cronofy import CronofyEvent, EventsPage, EventsQuery
from contracts.errors import Transient
from contracts.ports import EventReader
from handlers.arrivals.before import event_keys, was_there_before
from handlers.judgement import days_to_read
from handlers.runs import span_of
from service.consumers.runs.recognition import Recognition
from service.consumers.runs.release import CopyRelease
from service.consumers.runs.relink import Adoption
from service.consumers.runs.steps import (
    MATCH_STEP,
    MOVE_STEP,
    NOTICES_STEP,
    OVER_STEP,
    RETRIEVE_STEP,
    RUNS_BY_ITSELF,
    SEND_STEP,
    DueStep,
    RunProgress,
    StepOvertaken,
)
from service.consumers.runs.unsent import UnsentPairing
from service.cronofy.page_trail import PageTrail
from service.integrations.catch_up import DAILY_RUN, request_comparison
from service.integrations.questions.tending import note_absences
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.links import links, moves
from service.store.runs import runs
from service.store.runs.runs import UNDO_RUN, Run
from service.store.runs.tally import RunTally

HELD_LINKS_A_STEP = 500
FIRST_SYNC_POLL_SECONDS = 5.0
FIRST_SYNC_LIMIT = timedelta(minutes=30)
STILL_READING = "Cronofy is still reading the calendar."
STILL_LEAVING = "What an earlier integration added is still being removed."
TAKING_STOCK = "Reading what is on the calendar already: {:,} events so far."
NEVER_READ = "Cronofy did not finish reading the calendar within 30 minutes."


def after_baseline(run: Run) -> str:
    """What the options ask for next; a Send alone first looks for what is equal on both sides (R29)."""
    if run.kind in RUNS_BY_ITSELF or run.kind == UNDO_RUN:
        return NOTICES_STEP
    if run.retrieve:
        return RETRIEVE_STEP
    return MATCH_STEP if run.send else OVER_STEP


def after_reading(run: Run, time_zone: str) -> str:
    """Equals are looked for as far as Send reaches, also beyond what Retrieve has brought (R29)."""
    if not run.send:
        return OVER_STEP
    if run.step == MATCH_STEP or not run.retrieve:
        return SEND_STEP
    brought, sent = (
        span_of(words, now=run.requested_at, time_zone=time_zone) for words in (run.retrieve, run.send)
    )
    return SEND_STEP if brought.first <= sent.first and sent.beyond <= brought.beyond else MATCH_STEP


class Baseline:
    """What was on the calendar before Finish is remembered, and not brought; what is known is adopted."""

    def __init__(
        self,
        *,
        store: Store,
        calendars: EventReader,
        progress: RunProgress,
        adoption: Adoption,
        recognition: Recognition,
        pairing: UnsentPairing,
        part: CopyRelease,
    ) -> None:
        self._store, self._calendars, self._progress = store, calendars, progress
        self._adoption, self._recognition, self._part = adoption, recognition, part
        self._pairing = pairing

    async def __call__(self, due: DueStep) -> None:
        await self._part(due.integration)
        if not self._asks_nothing(due) and not await self._first_sync_done(due):
            await self._wait(due)
        elif due.integration.baseline_at is None:
            await self._read(due)
        else:
            async with self._store.begin() as connection:
                await self._go_on(connection, due)

    async def _go_on(self, connection: AsyncConnection, due: DueStep) -> None:
        """Copies that are to follow from another calendar come first (R16)."""
        unmoved = await moves.count(connection, due.integration.id)
        step = MOVE_STEP if unmoved else after_baseline(due.run)
        await self._progress.go_on(connection, due, step=step, cursor={}, tally=RunTally())

    async def _read(self, due: DueStep) -> None:
        if await self._adoption.still_leaving(due.integration) and not await self._late(due):
            await self._progress.wait(due, seconds=FIRST_SYNC_POLL_SECONDS, now_doing=STILL_LEAVING)
            return
        async with self._store.read() as connection:
            asked_at = await self._store.now(connection)
        began = datetime.fromtimestamp(asked_at, UTC)
        await self._take_stock(due, began)
        integration = due.integration
        releases = due.run.kind not in RUNS_BY_ITSELF and not integration.watching
        if releases:
            await self._release_most(due)
        async with self._store.begin() as connection:
            now = await self._store.moment(connection)
            current = (await integrations.load(connection, [integration.id], lock=True)).get(integration.id)
            if current is None or current.calendar_id != integration.calendar_id:
                raise Transient("another calendar was chosen while this one was read")
            await integrations.change(connection, integration.id, baseline_at=now, known_since=None)
            again = not integration.watching and await moves.follow_again(connection, integration)
            if again and due.run.kind not in RUNS_BY_ITSELF:  # which compare both sides themselves
                await request_comparison(self._store, connection, integration)
            await integrations.change_state(
                connection, integration.id, full_read_at=_known_until(integration, began), last_checked_at=now
            )
            if releases:
                await links.release(connection, integration.id)
            await self._go_on(connection, due)

    async def _release_most(self, due: DueStep) -> None:
        """A few hundred a transaction; the last ones come with the transaction that may send."""
        released = HELD_LINKS_A_STEP
        while released == HELD_LINKS_A_STEP:
            async with self._store.begin() as connection:
                if not await runs.stands(connection, due.run):
                    return
                released = await links.release(connection, due.integration.id, limit=HELD_LINKS_A_STEP)

    @staticmethod
    def _asks_nothing(due: DueStep) -> bool:
        """A daily read looks at the account itself before it takes anything for missing (R11)."""
        return due.run.kind == DAILY_RUN and due.integration.baseline_at is not None

    async def _first_sync_done(self, due: DueStep) -> bool:
        account = await self._calendars.userinfo(due.integration.sub, turn=due.turn)
        profile = account.profile(due.integration.profile_id)
        return profile is None or not profile.initial_sync_required

    async def _take_stock(self, due: DueStep, began: datetime) -> None:
        """Remember page by page what was there; what earlier integrations knew is adopted.

        After an absence nothing is new only because nobody knows its id: all of it is recognised first (R36).
        """
        integration = due.integration
        anew = integration.known_since is not None
        quiet = anew or integration.watching
        traces = [] if quiet else await self._adoption.traces(integration)
        pairs = not quiet and await self._pairing.is_due(integration)
        seen: list[CronofyEvent] = []
        count = 0
        async for page in self._pages(due, began):
            events = page.events
            count += len(events)
            there = [event for event in events if not anew and was_there_before(event, integration)]
            keys = {key for event in there for key in event_keys(event)}
            unheld = {f"uid:{event.event_uid}" for event in page.unheld if event.event_id is None}
            await self._remember(due, keys | unheld, count, events)
            if not integration.watching:
                keep_all = anew or traces or pairs
                seen.extend(event for event in events if keep_all or event.event_id is not None)
        if integration.watching:
            return
        if traces:
            await self._adoption.adopt(due, traces, seen, asked_at=began.timestamp())
        if pairs:
            await self._pairing(integration, seen, asked_at=began.timestamp())
        await self._recognition(integration, seen, asked_at=began.timestamp())

    async def _remember(
        self, due: DueStep, keys: set[str], count: int, events: Sequence[CronofyEvent]
    ) -> None:
        async with self._store.begin() as connection:
            if not await runs.stands(connection, due.run):
                raise StepOvertaken
            await note_absences(connection, due.integration, events)
            await reads.add_prior(connection, due.integration, keys)
            await runs.note_progress(connection, due.run.id, TAKING_STOCK.format(count))

    async def _pages(self, due: DueStep, began: datetime) -> AsyncIterator[EventsPage]:
        sub, query = due.integration.sub, _whole(due.integration, began)
        page, trail = await self._calendars.first_page(sub, query, turn=due.turn), PageTrail()
        while True:
            yield page
            if page.next_page is None:
                return
            page = await self._calendars.next_page(sub, trail.follow(page.next_page), turn=due.turn)

    async def _wait(self, due: DueStep) -> None:
        """Ask again in a while; after 30 minutes the run fails with that sentence (R24)."""
        if await self._late(due):
            await self._progress.end(due, state="failed", reason=NEVER_READ)
        else:
            await self._progress.wait(due, seconds=FIRST_SYNC_POLL_SECONDS, now_doing=STILL_READING)

    async def _late(self, due: DueStep) -> bool:
        async with self._store.read() as connection:
            now = await self._store.moment(connection)
        return now - due.run.requested_at >= FIRST_SYNC_LIMIT


def _known_until(integration: Integration, began: datetime) -> datetime:
    """Until when all that is on the calendar is known, also where it was not brought."""
    return integration.known_since or min(began, integration.finished_at or began)


def _whole(integration: Integration, began: datetime) -> EventsQuery:
    first, beyond = days_to_read(began)
    assert integration.calendar_id is not None
    return EventsQuery(calendar_ids=(integration.calendar_id,), from_=first, to=beyond, include_managed=True)

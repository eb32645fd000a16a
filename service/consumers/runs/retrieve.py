"""Retrieve: a range of the linked calendar comes to My Calendar, a page a step (R24, R26, R29)."""

from dataclasses import dataclass
from typing import Any

from contracts.calendar import Trigger
from contracts.cronofy import EventsPage, EventsQuery
from contracts.errors import Transient
from contracts.ports import Clock, EventReader
from handlers.inbound_page import PageChanges
from handlers.judgement import Reading, days_to_read
from handlers.runs import DaySpan, span_of
from service.consumers.inbound.matching import EqualsOfRun, MatchPass
from service.consumers.inbound.pages import PageWriter
from service.consumers.runs.baseline import after_reading
from service.consumers.runs.counting import tally_of
from service.consumers.runs.steps import RETRIEVE_STEP, DueStep, RunProgress
from service.cronofy.gateway import UNREADABLE_PAGE_STATUSES
from service.cronofy.page_trail import TrailMark, followed
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import reads
from service.store.integrations.reads import ReadTurn
from service.store.runs.matches import RunEqualsTable
from service.store.runs.tally import RunTally

PAGE_POLL_SECONDS = 0.2
RETRIEVE_RESTARTS = 3
"""So often a reading begins again because its next page's address has expired; then attempts count."""
READING_CALENDAR = "Reading the linked calendar."


class Retrieval:
    """One page of the range; ``matching`` links what is equal on both sides and brings nothing."""

    def __init__(
        self, *, store: Store, calendars: EventReader, progress: RunProgress, clock: Clock, pages: PageWriter
    ) -> None:
        self._store, self._calendars, self._progress, self._clock = store, calendars, progress, clock
        self._pages = pages

    async def __call__(self, due: DueStep) -> None:
        turn = await self._turn(due)
        try:
            await self._step(due, turn)
        finally:
            async with self._store.begin() as connection:
                await reads.give_up_turn(connection, turn)

    async def _step(self, due: DueStep, turn: ReadTurn) -> None:
        async with self._store.read() as connection:
            asked_at = await self._store.now(connection)
        span = await self._span(due)
        page, restarts = await self._page(due, span)
        begun_again = restarts > due.run.cursor.get("restarts", 0)
        trail = _trail(due, page, begun_again=begun_again)
        events = [event for event in page.events if span.holds(event.start, event.end)]
        reading = Reading(asked_at=asked_at, now=asked_at, trigger=Trigger.RUN, run_id=due.run.id)

        equals = EqualsOfRun(RunEqualsTable(due.run.id), _look(due, page))

        async def then(connection: AsyncConnection, changes: PageChanges) -> None:
            left = await equals.left(connection)
            read, counted = _counted(due, begun_again=begun_again)
            read += equals.looked_at - len(changes.left)
            new = max(tally_of(changes.entries, found=0).made, read - counted)
            counts = {"read": read, "counted": counted + new, "new": new, "left": left}
            step = _Step(page=page, restarts=restarts, trail=trail, **counts)
            await self._note(connection, due, step, changes)
            if step.last and not left:
                await equals.forget(connection)

        matching = due.run.step != RETRIEVE_STEP
        await self._pages.retrieve(turn, events, reading=reading, matching=matching, equals=equals, then=then)

    async def _note(
        self, connection: AsyncConnection, due: DueStep, step: "_Step", changes: PageChanges
    ) -> None:
        matching, pairing = due.run.step != RETRIEVE_STEP, bool(due.run.cursor.get("pairing"))
        # what is linked before a Send is counted there, where it agrees
        tally = RunTally()
        if not matching:
            tally = tally_of(changes.entries, found=step.new, silent=changes.silent)
        over = step.last and not step.left
        cursor: dict[str, Any] = {"pairing": True} if pairing or step.last else {}
        if not step.last:
            place = {"page": step.page.next_page, "restarts": step.restarts, "trail": step.trail}
            cursor |= {**place, "read": step.read, "counted": step.counted}
        await self._progress.go_on(
            connection,
            due,
            step=after_reading(due.run, due.integration.time_zone) if over else due.run.step,
            cursor={} if over else cursor,
            tally=tally,
            now_doing=READING_CALENDAR,
            total=None if matching or pairing else _ahead(due, step),
        )

    async def _page(self, due: DueStep, span: DaySpan) -> tuple[EventsPage, int]:
        """The page that is due, and how often the reading has begun again for it."""
        sub, following = due.integration.sub, due.run.cursor.get("page")
        restarts: int = due.run.cursor.get("restarts", 0)
        if following is not None:
            try:
                return await self._calendars.next_page(sub, following, turn=due.turn), restarts
            except Transient as error:
                if error.status not in UNREADABLE_PAGE_STATUSES or restarts >= RETRIEVE_RESTARTS:
                    raise
            # The page's address has expired: begin again; what has been brought is known by now.
            restarts += 1
        return await self._calendars.first_page(sub, _query(due, span), turn=due.turn), restarts

    async def _span(self, due: DueStep) -> DaySpan:
        words = due.run.retrieve if due.run.step == RETRIEVE_STEP else due.run.send
        assert words is not None
        return span_of(words, now=due.run.requested_at, time_zone=due.integration.time_zone)

    async def _turn(self, due: DueStep) -> ReadTurn:
        """No read of the same calendar goes on beside this step, or an event might come twice."""
        while True:
            async with self._store.begin() as connection:
                now = await self._store.now(connection)
                turn = await reads.take_turn(connection, due.integration.id, now=now)
            if turn is not None:
                return turn
            await self._clock.sleep(PAGE_POLL_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """What one page came to."""

    page: EventsPage
    read: int
    """Events that this reading has brought, linked or passed over since it began, or began again."""
    counted: int
    """How many it has counted since it first began."""
    new: int
    """How many of them with this page: none, as long as it reads once more what was counted."""
    restarts: int
    trail: TrailMark
    left: int
    """Events of the whole range that wait for the second reading (R29)."""

    @property
    def last(self) -> bool:
        return self.page.next_page is None


def _trail(due: DueStep, page: EventsPage, *, begun_again: bool) -> TrailMark:
    """Raises Transient where the pages of this reading lead nowhere."""
    before: TrailMark = {} if begun_again else due.run.cursor.get("trail", {})
    return before if page.next_page is None else followed(before, page.next_page)


def _look(due: DueStep, page: EventsPage) -> MatchPass:
    if due.run.cursor.get("pairing"):
        return "second"
    return "only" if page.next_page is None and "page" not in due.run.cursor else "first"


def _counted(due: DueStep, *, begun_again: bool) -> tuple[int, int]:
    """How many events were read, and counted, before this page."""
    cursor = due.run.cursor
    return 0 if begun_again else cursor.get("read", 0), cursor.get("counted", 0)


def _ahead(due: DueStep, step: _Step) -> int | None:
    """How much lies before this step: a guess with the first page, exact with the last one."""
    if step.last:
        return step.new + step.left
    first = "page" not in due.run.cursor
    return len(step.page.events) * step.page.pages if first and step.page.pages else None


def _query(due: DueStep, span: DaySpan) -> EventsQuery:
    assert due.integration.calendar_id is not None
    first, beyond = span.to_read(days_to_read(due.run.requested_at))
    return EventsQuery(
        calendar_ids=(due.integration.calendar_id,), from_=first, to=beyond, include_managed=True
    )

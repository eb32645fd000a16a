"""A comparison of both sides by state: after a pause, a reconnection, and once a day (R11, R20, R22)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contracts.calendar import Link, LinkId
from handlers.reconcile import compared_link
from service.consumers.inbound.reader import CalendarReader
from service.consumers.runs.steps import COMPARE_STEP, OVER_STEP, WHOLE_STEP, DueStep, RunProgress
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.items import items
from service.store.links import links, sends
from service.store.runs.runs import RunTally

COMPARED_A_STEP = 200
CHANGES_OVERLAP = timedelta(minutes=5)
"""Notices and clocks may be late: what changed shortly before the last read is read again."""
READING_WHOLE_CALENDAR = "Reading the whole linked calendar."
COMPARING_CALENDARS = "Comparing My Calendar with the linked calendar."


class CompareNotices:
    """First what changed in the calendar meanwhile, so that R19 can weigh it against what is held here."""

    def __init__(self, *, store: Store, reader: CalendarReader, progress: RunProgress) -> None:
        self._store, self._reader, self._progress = store, reader, progress

    async def __call__(self, due: DueStep) -> None:
        await self._note(due)
        await self._reader.catch_up(due.integration.id)
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection,
                due,
                step=WHOLE_STEP,
                cursor={},
                tally=RunTally(),
                now_doing=READING_WHOLE_CALENDAR,
            )

    async def _note(self, due: DueStep) -> None:
        """No notice came while nobody was connected: as if one had come for the time since the last read."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            seen = await reads.last_checked(connection, due.integration.id)
            since = (seen or datetime.fromtimestamp(now, UTC)) - CHANGES_OVERLAP
            await reads.notice(connection, due.integration.id, since, now=now)


class CompareWhole:
    """Then everything within reach: edits that nobody announced, and copies that are missing (R11)."""

    def __init__(self, *, store: Store, reader: CalendarReader, progress: RunProgress) -> None:
        self._store, self._reader, self._progress = store, reader, progress

    async def __call__(self, due: DueStep) -> None:
        await self._reader.read_all(due.integration.id, for_run=True)
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection, due, step=COMPARE_STEP, cursor={}, tally=RunTally(), now_doing=COMPARING_CALENDARS
            )


class Comparison:
    """Last the links whose items changed here, a few hundred a step; what was held is let go of."""

    def __init__(self, *, store: Store, progress: RunProgress) -> None:
        self._store, self._progress = store, progress

    async def __call__(self, due: DueStep) -> None:
        after = due.run.cursor.get("after")
        async with self._store.begin() as connection:
            found = await sends.next_links(connection, due.integration, after=after, limit=COMPARED_A_STEP)
            changed = await self._compare(connection, due, found)
            await links.save(connection, changed, touched_at=0.0)
            tally = RunTally(done=len(found), found=len(found), updated=len(changed))
            last = len(found) < COMPARED_A_STEP
            await self._progress.go_on(
                connection,
                due,
                step=OVER_STEP if last else COMPARE_STEP,
                cursor={} if last else {"after": found[-1][0]},
                tally=tally,
                now_doing=COMPARING_CALENDARS,
            )

    @staticmethod
    async def _compare(
        connection: AsyncConnection, due: DueStep, found: Sequence[tuple[LinkId, str]]
    ) -> list[Link]:
        stored = await items.load(connection, {ref for _, ref in found}, lock=True)
        current = await integrations.load(connection, [due.integration.id], lock=True)
        integration = current[due.integration.id]
        if not integration.sends:
            return []
        locked = await links.load(connection, [key for key, _ in found], lock=True)
        pairs = ((link, stored.get(link.item_ref)) for link in locked.values())
        judged = (compared_link(link, item, integration) for link, item in pairs if item is not None)
        return [link for link in judged if link is not None]

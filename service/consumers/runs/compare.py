"""A comparison of both sides by state: after a pause, a reconnection, and once a day (R11, R20, R22)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contracts.calendar import Link, LinkId
from handlers.reconcile import compared
from service.consumers.inbound.reader import Reader
from service.consumers.runs.steps import COMPARE, OVER, WHOLE, Due, Progress
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.items import items
from service.store.links import links, sends
from service.store.runs.runs import Tally

AT_ONCE = 200
OVERLAP = timedelta(minutes=5)
"""Notices and clocks may be late: what changed shortly before the last read is read again."""
READING_ALL = "Reading the whole linked calendar."
COMPARING = "Comparing My Calendar with the linked calendar."


class Notices:
    """First what changed in the calendar meanwhile, so that R19 can weigh it against what is held here."""

    def __init__(self, *, store: Store, reader: Reader, progress: Progress) -> None:
        self._store, self._reader, self._progress = store, reader, progress

    async def __call__(self, due: Due) -> None:
        await self._note(due)
        await self._reader.catch_up(due.integration.id)
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection, due, step=WHOLE, cursor={}, tally=Tally(), now_doing=READING_ALL
            )

    async def _note(self, due: Due) -> None:
        """No notice came while nobody was connected: as if one had come for the time since the last read."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            seen = await reads.last_checked(connection, due.integration.id)
            since = (seen or datetime.fromtimestamp(now, UTC)) - OVERLAP
            await reads.notice(connection, due.integration.id, since, now=now)


class Whole:
    """Then everything within reach: edits that nobody announced, and copies that are missing (R11)."""

    def __init__(self, *, store: Store, reader: Reader, progress: Progress) -> None:
        self._store, self._reader, self._progress = store, reader, progress

    async def __call__(self, due: Due) -> None:
        await self._reader.read_all(due.integration.id, for_run=True)
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection, due, step=COMPARE, cursor={}, tally=Tally(), now_doing=COMPARING
            )


class Comparison:
    """Last the links whose items changed here, a few hundred a step; what was held is let go of."""

    def __init__(self, *, store: Store, progress: Progress) -> None:
        self._store, self._progress = store, progress

    async def __call__(self, due: Due) -> None:
        after = due.run.cursor.get("after")
        async with self._store.begin() as connection:
            found = await sends.next_links(connection, due.integration, after=after, limit=AT_ONCE)
            changed = await self._compare(connection, due, found)
            await links.save(connection, changed, touched_at=0.0)
            tally = Tally(done=len(found), found=len(found), updated=len(changed))
            last = len(found) < AT_ONCE
            await self._progress.go_on(
                connection,
                due,
                step=OVER if last else COMPARE,
                cursor={} if last else {"after": found[-1][0]},
                tally=tally,
                now_doing=COMPARING,
            )

    @staticmethod
    async def _compare(
        connection: AsyncConnection, due: Due, found: Sequence[tuple[LinkId, str]]
    ) -> list[Link]:
        stored = await items.load(connection, {ref for _, ref in found}, lock=True)
        current = await integrations.load(connection, [due.integration.id], lock=True)
        integration = current[due.integration.id]
        if not integration.sends:
            return []
        locked = await links.load(connection, [key for key, _ in found], lock=True)
        pairs = ((link, stored.get(link.item_ref)) for link in locked.values())
        judged = (compared(link, item, integration) for link, item in pairs if item is not None)
        return [link for link in judged if link is not None]

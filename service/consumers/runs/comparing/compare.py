"""A comparison of both sides by state: after a pause, a reconnection, and once a day (R11, R20, R22)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.calendar import LinkId
from handlers.reconcile import compared_link
from handlers.undoing.recorded import sent_record
from service.consumers.inbound.reader import CalendarReader
from service.consumers.runs.comparing.agreeing import (
    AgreementCount,
    ComparedPair,
    count_pairs,
)
from service.consumers.runs.counting import compared
from service.consumers.runs.steps import (
    COMPARE_STEP,
    OVER_STEP,
    UNDO_STEP,
    WHOLE_STEP,
    DueStep,
    RunProgress,
)
from service.integrations.catch_up import DAILY_RUN
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, reads
from service.store.items import items
from service.store.links import agreement, links, run_changes, sends
from service.store.runs.runs import UNDO_RUN
from service.store.runs.tally import RunTally

COMPARED_A_STEP = 200
CHANGES_OVERLAP = timedelta(minutes=5)
"""Notices and clocks may be late: what changed shortly before the last read is read again."""
READING_WHOLE_CALENDAR = "Reading the whole linked calendar."
PUTTING_BACK = "Putting back what the sync changed."
COMPARING_CALENDARS = "Comparing My Calendar with the linked calendar."


class CompareNotices:
    """First what changed in the calendar meanwhile, so that R19 can weigh it against what is held here.

    So begins an undo, too: what its owner has changed since is to be left (R50). A daily run reads only for
    notices that were left: what nobody told of it finds by reading everything.
    """

    def __init__(self, *, store: Store, reader: CalendarReader, progress: RunProgress) -> None:
        self._store, self._reader, self._progress = store, reader, progress

    async def __call__(self, due: DueStep) -> None:
        if due.run.kind != DAILY_RUN:
            await self._note(due)
        undoing = due.run.kind == UNDO_RUN
        await self._reader.catch_up(due.integration.id, run_id=None if undoing else due.run.id)
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection,
                due,
                step=UNDO_STEP if undoing else WHOLE_STEP,
                cursor={},
                tally=RunTally(),
                now_doing=PUTTING_BACK if undoing else READING_WHOLE_CALENDAR,
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
        async with self._store.read() as connection:
            asked_at = await self._store.now(connection)
        whole = await self._reader.read_all(due.integration.id, run_id=due.run.id)
        async with self._store.begin() as connection:
            await self._progress.go_on(
                connection,
                due,
                step=COMPARE_STEP,
                cursor=AgreementCount(read_since=asked_at).told if whole else {},
                tally=RunTally(),
                now_doing=COMPARING_CALENDARS,
            )


class Comparison:
    """Last the links whose items changed here, a few hundred a step; what was held is let go of.

    On its way it counts which pairs agree by now (R51).
    """

    def __init__(self, *, store: Store, progress: RunProgress) -> None:
        self._store, self._progress = store, progress

    async def __call__(self, due: DueStep) -> None:
        after = due.run.cursor.get("after")
        async with self._store.begin() as connection:
            found = await sends.next_links(connection, due.integration, after=after, limit=COMPARED_A_STEP)
            pairs = await self._compare(connection, due, found)
            changed = [(pair.before, pair.after) for pair in pairs or () if pair.after is not None]
            await links.save(connection, [after for _, after in changed], touched_at=0.0)
            now = await self._store.moment(connection)
            made = sent_record(changed)
            await run_changes.record(connection, due.run.id, due.integration.id, made, at=now)
            last = len(found) < COMPARED_A_STEP
            counted = await self._count(connection, due, pairs, last=last)
            await self._progress.go_on(
                connection,
                due,
                step=OVER_STEP if last else COMPARE_STEP,
                cursor={} if last else {"after": found[-1][0], **counted},
                tally=compared((pair.before, pair.after) for pair in pairs or ()),
                now_doing=COMPARING_CALENDARS,
            )

    async def _count(
        self, connection: AsyncConnection, due: DueStep, pairs: Sequence[ComparedPair] | None, *, last: bool
    ) -> Mapping[str, Any]:
        """What of the counting goes on to the next step; with the last one it is told."""
        count = AgreementCount.of_cursor(due.run.cursor)
        if count is None or pairs is None:
            return {}
        now = await self._store.now(connection)
        count, tried = await count_pairs(connection, due.integration, due.run.id, count, pairs, now=now)
        await links.save(connection, tried, touched_at=0.0)
        if last:
            at = datetime.fromtimestamp(now, UTC)
            told = {"agree": count.agree, "of": count.of}
            await agreement.conclude(connection, due.integration.id, due.run.id, **told, at=at)
        return count.told

    @staticmethod
    async def _compare(
        connection: AsyncConnection, due: DueStep, found: Sequence[tuple[LinkId, str]]
    ) -> Sequence[ComparedPair] | None:
        """Each as it was and as it is left; None where nothing may be sent any more."""
        stored = await items.load(connection, {ref for _, ref in found}, lock=True)
        current = await integrations.load(connection, [due.integration.id], lock=True)
        integration = current[due.integration.id]
        if not integration.sends:
            return None
        locked = await links.load(connection, [key for key, _ in found], lock=True)
        pairs = ((link, stored.get(link.item_ref)) for link in locked.values())
        return [
            ComparedPair(before=link, after=compared_link(link, item, integration), item=item)
            for link, item in pairs
            if item is not None
        ]

"""The undo of a run: what it changed and nobody has changed since is put back, fifty changes a step (R50).

As Send does, a step marks its copies as to be written and the next one waits for them (R32).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.calendar import Code, Integration, Item, ItemRef, Link, LogEntry, Outcome, Trigger
from contracts.ports import Clock
from handlers.inbound_page import PageChanges
from handlers.judgement import Reading
from handlers.log_entries import RowLog
from handlers.undoing.putting_back import PutBack, pairs_of, rested
from handlers.undoing.recorded import RunChange
from handlers.undoing.whole_step import put_back_step
from service.consumers.inbound.calendar_read import NotSyncing
from service.consumers.inbound.pages import PageWriter
from service.consumers.runs.comparing.compare import PUTTING_BACK
from service.consumers.runs.steps import OVER_STEP, UNDO_STEP, DueStep, RunProgress
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import held_imports, integrations, reads
from service.store.items import items
from service.store.links import links, run_changes, sends
from service.store.links.run_changes import ChangePosition, position_of
from service.store.runs.tally import RunTally

UNDONE_A_STEP = 50
UNDO_POLL_SECONDS, UNDO_WAIT_SECONDS = 0.05, 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedRows:
    """What bears on one step, locked as everybody locks: items, integration, links, each by key."""

    integration: Integration
    items: Mapping[ItemRef, Item]
    links: Sequence[Link]


class Undoing:
    """One step: wait for what the one before had written, let it rest, and put back the next fifty."""

    def __init__(self, *, store: Store, progress: RunProgress, clock: Clock, pages: PageWriter) -> None:
        self._store, self._progress, self._clock, self._pages = store, progress, clock, pages

    async def __call__(self, due: DueStep) -> None:
        written = due.run.cursor.get("links", [])
        if not await self._arrived(written):
            await self._progress.wait(due, seconds=1.0, now_doing=PUTTING_BACK)
            return
        async with self._store.begin() as connection:
            await self._step(connection, due, written)

    async def _arrived(self, ids: Sequence[str]) -> bool:
        waited = 0.0
        while waited < UNDO_WAIT_SECONDS:
            async with self._store.read() as connection:
                if not await sends.unwritten(connection, ids):
                    return True
            await self._clock.sleep(UNDO_POLL_SECONDS)
            waited += UNDO_POLL_SECONDS
        return False

    async def _step(self, connection: AsyncConnection, due: DueStep, written: Sequence[str]) -> None:
        undoes, after = due.run.undoes or "", due.run.cursor.get("after")
        total = await run_changes.count(connection, undoes) if after is None else None
        place = ChangePosition(side=after[0], item_ref=after[1]) if after else None
        found = await run_changes.page(connection, undoes, after=place, limit=UNDONE_A_STEP)
        known = await _lock(connection, due.integration, found, written)
        if not known.integration.sends:
            raise NotSyncing
        await self._let_rest(connection, known, due.run.cursor.get("rests", []))
        moment = await self._store.moment(connection)
        refs = {one.item_ref for one in found}
        sides = found, await run_changes.of_items(connection, undoes, refs)
        brought = await run_changes.brought_since(connection, known.integration, found)
        pairs, beside = (
            pairs_of(one, known.items, known.links, known.integration, brought=brought) for one in sides
        )
        backs = put_back_step(pairs, beside, now=moment, new_id=new_id)
        await self._save(connection, due, known, backs)
        awaited = [back.link or back.new_link for back in backs if back.to_write]
        rests = [back.link.id for back in backs if back.rests and back.link is not None]
        more = bool(found) or bool(rests)
        cursor: dict[str, Any] = {
            "after": [position_of(found[-1]).side, found[-1].item_ref] if found else after,
            "links": [link.id for link in awaited if link is not None],
            "rests": rests,
        }
        await self._progress.go_on(
            connection,
            due,
            step=UNDO_STEP if more else OVER_STEP,
            cursor=cursor if more else {},
            tally=_tally(backs),
            now_doing=PUTTING_BACK,
            total=total,
        )

    @staticmethod
    async def _let_rest(connection: AsyncConnection, known: LockedRows, rests: Collection[str]) -> None:
        resting = [rested(link, known.items[link.item_ref]) for link in known.links if link.id in rests]
        await links.save(connection, resting, touched_at=0.0)

    async def _save(
        self, connection: AsyncConnection, due: DueStep, known: LockedRows, backs: Sequence[PutBack]
    ) -> None:
        now = await self._store.now(connection)
        moment = await self._store.moment(connection)
        done = [back for back in backs if back.left is None]
        dropped = [back.dropped for back in done if back.dropped is not None]
        changes = PageChanges(
            items=[back.item for back in done if back.item is not None],
            links=[back.link for back in done if back.link is not None],
            new_links=[back.new_link for back in done if back.new_link is not None],
            prior=[key for back in done for key in back.prior],
        )
        reading = Reading(asked_at=now, now=now, trigger=Trigger.RUN, run_id=due.run.id)
        changes.entries = [entry for back in backs if (entry := _entry(back, known, reading)) is not None]
        await run_changes.dissolve(connection, dropped)
        await self._pages.save(connection, known.integration, changes, now=now)
        asked = [held_imports.of_told(back.question) for back in done if back.question is not None]
        await reads.forget_prior(
            connection, known.integration, {key for one in asked for key in one.event_keys}
        )
        await held_imports.hold(connection, known.integration, asked, now=moment)
        written = [link.id for link in (*changes.links, *changes.new_links)]
        await sends.note_run(connection, written, due.run.id)
        made = [back.record for back in done if back.record is not None]
        await run_changes.record(connection, due.run.id, known.integration.id, made, at=moment)
        undone = [back.change for back in done]
        await run_changes.mark_undone(connection, due.run.undoes or "", undone, by=due.run.id)


async def _lock(
    connection: AsyncConnection,
    integration: Integration,
    changes: Sequence[RunChange],
    written: Collection[str],
) -> LockedRows:
    """All that these changes and the copies written before concern."""
    before = await links.load(connection, written)
    refs = {one.item_ref for one in changes} | {link.item_ref for link in before.values()}
    known = await items.load(connection, refs, lock=True)
    current = await integrations.load(connection, [integration.id], lock=True)
    here = await links.of_items(connection, refs, lock=True)
    return LockedRows(integration=current[integration.id], items=known, links=here)


def _tally(backs: Sequence[PutBack]) -> RunTally:
    left = Counter(back.left.value for back in backs if back.left is not None)
    put_back = len(backs) - left.total()
    return RunTally(
        done=len(backs), found=len(backs), updated=put_back, skipped=left.total(), passed_over=left
    )


def _entry(back: PutBack, known: LockedRows, reading: Reading) -> LogEntry | None:
    """What the log says of it; what goes to the calendar is told when it has arrived."""
    asked, item = back.change.question, known.items.get(back.change.item_ref)
    if asked is not None:
        return LogEntry(
            integration_id=known.integration.id,
            trigger=Trigger.RUN,
            direction=back.direction,
            action=back.action,
            outcome=Outcome.DONE if back.left is None else Outcome.SKIPPED,
            code=back.left or Code.OK,
            reason=back.reason,
            title=str(asked["title"]),
            run_id=reading.run_id,
        )
    if item is None or (back.left is None and back.to_write):
        return None
    return RowLog(item, known.integration, reading).put_back(
        back.direction,
        back.action,
        Outcome.DONE if back.left is None else Outcome.SKIPPED,
        back.left,
        back.reason,
    )

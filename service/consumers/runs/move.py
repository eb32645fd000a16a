"""Another calendar was chosen: what this sync added to the old one follows, fifty copies a step (R16)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.calendar import Item, Link, LinkId, LogEntry
from contracts.errors import Throttled, Transient
from contracts.ports import Clock, EventWriter
from contracts.writes import Answer, Delete
from handlers.calendar_move import (
    is_successor_awaited,
    left_copy_entry,
    may_remove_copy,
    may_succeed_later,
    plan_successor,
    removal_entry,
)
from handlers.landing import STATUS_TOO_MANY
from handlers.link_states import move_away
from handlers.undoing.recorded import moved_record
from service.consumers.inbound.calendar_read import NotSyncing
from service.consumers.runs.baseline import after_baseline
from service.consumers.runs.steps import MOVE_STEP, DueStep, RunProgress
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links, moves, run_changes, sends
from service.store.logs import logs
from service.store.runs.tally import RunTally

MOVED_A_STEP = 50
MOVE_POLL_SECONDS = 0.1
MOVE_WAIT_SECONDS = 20.0
MOVING_COPIES = "Moving what was added to the calendar that was linked before."
LIMITS_REACHED = "Cronofy is asked to wait by its limits"


@dataclass(frozen=True, kw_only=True, slots=True)
class MovingCopy:
    """A copy elsewhere, its item, and what stands for it on the linked calendar."""

    old: Link
    item: Item
    here: Link | None


@dataclass(kw_only=True, slots=True)
class MoveOutcome:
    """What one step did."""

    new: list[Link] = field(default_factory=list)
    changed: list[Link] = field(default_factory=list)
    handed_over: list[LinkId] = field(default_factory=list)
    """Successors that are to be written."""
    waiting: list[LinkId] = field(default_factory=list)
    """Copies that are removed when their successors stand."""
    settled: list[LinkId] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)
    moved: list[Item] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    def settle(self, pair: MovingCopy, entry: LogEntry) -> None:
        """That copy is dealt with, as the entry says."""
        self.settled.append(pair.old.id)
        self.entries.append(entry)

    def tally(self, *, found: int) -> RunTally:
        skipped = self.passed_over.total()
        done = len(self.moved) + skipped + self.failed
        return RunTally(
            done=done, found=found, updated=len(self.moved), skipped=skipped, failed=self.failed,
            passed_over=self.passed_over,
        )  # fmt: skip


class CopyMove:
    """One step: remove there what has come to stand here, and write the next fifty here."""

    def __init__(self, *, store: Store, cronofy: EventWriter, progress: RunProgress, clock: Clock) -> None:
        self._store, self._cronofy, self._progress, self._clock = store, cronofy, progress, clock

    async def __call__(self, due: DueStep) -> None:
        handed_over = due.run.cursor.get("links", [])
        if handed_over and not await self._arrived(due, handed_over):
            await self._progress.wait(due, seconds=1.0, now_doing=MOVING_COPIES)
            return
        async with self._store.read() as connection:
            syncing = await self._still_syncs(connection, due)
            pairs = await _pairs(connection, due, await moves.still(connection, handed_over))
        if not syncing:
            raise NotSyncing
        answers = await self._remove(due, pairs)
        async with self._store.begin() as connection:
            await self._go_on(connection, due, handed_over, answers)

    @staticmethod
    async def _still_syncs(connection: AsyncConnection, due: DueStep) -> bool:
        """A deactivation counts at once (R20)."""
        found = await integrations.load(connection, [due.integration.id])
        integration = found[due.integration.id]
        return integration.sends and integration.calendar_id == due.integration.calendar_id

    async def _arrived(self, due: DueStep, ids: Sequence[str]) -> bool:
        """Whether everything that was handed over has come to stand here, or never will."""
        waited = 0.0
        while waited < MOVE_WAIT_SECONDS:
            async with self._store.read() as connection:
                now = await self._store.now(connection)
                busy = await moves.in_flight(connection, ids, now=now)
                pairs = await _pairs(connection, due, await moves.still(connection, ids))
            if not busy and not any(is_successor_awaited(pair.here) for pair in pairs):
                return True
            await self._clock.sleep(MOVE_POLL_SECONDS)
            waited += MOVE_POLL_SECONDS
        return False

    async def _remove(self, due: DueStep, pairs: Sequence[MovingCopy]) -> dict[LinkId, Answer]:
        """Cronofy's answers; where one may be better at another time the queue tries the step again."""
        ready = [pair.old for pair in pairs if may_remove_copy(pair.item, due.integration, pair.here)]
        answers: list[Answer] = []
        most = min(MOVED_A_STEP, self._cronofy.largest_batch)
        for at in range(0, len(ready), most):
            writes = [
                Delete(calendar_id=old.calendar_id, event_id=old.event_id) for old in ready[at : at + most]
            ]
            answers += await self._cronofy.write(due.integration.sub, writes, turn=due.turn)
        if any(answer.status == STATUS_TOO_MANY for answer in answers):
            raise Throttled(LIMITS_REACHED)
        if any(may_succeed_later(answer) for answer in answers):
            raise Transient("the calendar that was linked before takes no deletions now")
        return {old.id: answer for old, answer in zip(ready, answers, strict=True)}

    async def _go_on(
        self,
        connection: AsyncConnection,
        due: DueStep,
        handed_over: Sequence[str],
        answers: Mapping[LinkId, Answer],
    ) -> None:
        """Note what was removed, and have the next ones written; all rows are locked at once and in order."""
        mine, after = due.integration.id, due.run.cursor.get("after", "")
        total = None if after else await moves.count(connection, mine)
        waited_for = await moves.still(connection, handed_over)
        found = await moves.following(connection, mine, after=after, limit=MOVED_A_STEP)
        pairs = await _pairs(connection, due, [*waited_for, *found], lock=True)
        outcome = MoveOutcome()
        old = {key for key, _ in waited_for}
        for pair in pairs:
            (_leave if pair.old.id in old else _follow)(outcome, pair, due, answers)
        await self._save(connection, due, outcome)
        await self._progress.go_on(
            connection,
            due,
            step=MOVE_STEP if found else after_baseline(due.run),
            cursor={"after": found[-1][0], "links": outcome.waiting} if found else {},
            tally=outcome.tally(found=len(found)),
            now_doing=MOVING_COPIES,
            total=total,
        )

    async def _save(self, connection: AsyncConnection, due: DueStep, outcome: MoveOutcome) -> None:
        now = await self._store.moment(connection)
        await links.add(connection, outcome.new, now=now, touched_at=0.0)
        await links.save(connection, outcome.changed, touched_at=0.0)
        await moves.done(connection, outcome.settled)
        await sends.note_run(connection, outcome.handed_over, due.run.id)
        await logs.log(connection, outcome.entries, now=now)
        made = moved_record(outcome.moved)
        await run_changes.record(connection, due.run.id, due.integration.id, made, at=now)


def _leave(outcome: MoveOutcome, pair: MovingCopy, due: DueStep, answers: Mapping[LinkId, Answer]) -> None:
    """What became of a copy whose successor was waited for."""
    answer = answers.get(pair.old.id)
    if answer is not None:
        outcome.settle(pair, removal_entry(pair.item, due.integration, answer, due.run.id))
        if answer.accepted:
            outcome.changed.append(move_away(pair.old))
            outcome.moved.append(pair.item)
        else:
            outcome.failed += 1
    elif may_remove_copy(pair.item, due.integration, pair.here) is False:
        outcome.settle(pair, left_copy_entry(pair.item, due.integration, due.run.id, written=False))
        outcome.failed += 1


def _follow(outcome: MoveOutcome, pair: MovingCopy, due: DueStep, _: Mapping[LinkId, Answer]) -> None:
    """Have a successor written, where one is to be."""
    wanted = plan_successor(pair.item, due.integration, pair.here, new_id=new_id)
    if wanted is None:
        entry = left_copy_entry(pair.item, due.integration, due.run.id, written=True)
        outcome.settle(pair, entry)
        outcome.passed_over[entry.code.value] += 1
        return
    outcome.waiting.append(pair.old.id)
    if wanted.link is not None:
        (outcome.new if wanted.new else outcome.changed).append(wanted.link)
        outcome.handed_over.append(wanted.link.id)


async def _pairs(
    connection: AsyncConnection, due: DueStep, found: Sequence[tuple[LinkId, str]], *, lock: bool = False
) -> list[MovingCopy]:
    """Those copies with their items and successors; locked as everybody locks."""
    refs = {ref for _, ref in found}
    stored = await items.load(connection, refs, lock=lock)
    if lock:
        await integrations.load(connection, [due.integration.id], lock=True)
    known = await links.of_items(connection, refs, lock=lock)
    mine = [link for link in known if link.integration_id == due.integration.id]
    here = {link.item_ref: link for link in mine if link.calendar_id == due.integration.calendar_id}
    wanted = {key for key, _ in found}
    return [
        MovingCopy(old=link, item=stored[link.item_ref], here=here.get(link.item_ref))
        for link in mine
        if link.id in wanted and link.item_ref in stored
    ]

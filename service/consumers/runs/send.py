"""Send: a range of My Calendar goes to the linked calendar, fifty items a step (R24, R26).

A step marks its links as behind, and the next one waits until no more than two such sets are unwritten: the
lane of an integration never stands still for a run, and its live changes never wait for many of it (R32).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.calendar import Integration, Link, LinkId, LinkState
from contracts.ports import Clock
from handlers.reconcile import link_to_send, why_not_sent
from handlers.runs import span_of
from handlers.undoing.recorded import sent_record
from service.consumers.runs.steps import OVER_STEP, SEND_STEP, DueStep, RunProgress
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.items import items
from service.store.links import links, run_changes, sends
from service.store.runs.tally import RunTally

SENT_A_STEP = 50
LINKS_AHEAD = 2 * SENT_A_STEP
"""Links of a run that may be unwritten when the next ones are handed over."""
SEND_POLL_SECONDS = 0.05
SEND_WAIT_SECONDS = 20.0
SENDING_ITEMS = "Sending to the linked calendar."


@dataclass(kw_only=True, slots=True)
class HandedOver:
    """What one step hands to the lanes."""

    new: list[Link] = field(default_factory=list)
    changed: list[Link] = field(default_factory=list)
    before: dict[LinkId, Link] = field(default_factory=dict)
    """Those that are changed, as they were."""
    agreed: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def skipped(self) -> int:
        return self.agreed + self.passed_over.total()

    @property
    def ids(self) -> list[LinkId]:
        return [link.id for link in (*self.new, *self.changed)]

    @property
    def appearing(self) -> list[LinkId]:
        """Those whose copy does not stand on the calendar yet, or stands there no more (R27)."""
        return [link.id for link in (*self.new, *self.changed) if not link.exists_there]


class Sending:
    """One step: wait for what the ones before handed over, count it, and hand over the next fifty."""

    def __init__(self, *, store: Store, progress: RunProgress, clock: Clock) -> None:
        self._store, self._progress, self._clock = store, progress, clock

    async def __call__(self, due: DueStep) -> None:
        cursor = due.run.cursor
        handed_over = cursor.get("links", [])
        if not await self._arrived(handed_over, but=0 if cursor.get("all") else LINKS_AHEAD):
            await self._progress.wait(due, seconds=1.0, now_doing=SENDING_ITEMS)
            return
        async with self._store.begin() as connection:
            waiting = await sends.unwritten(connection, handed_over)
            tally = await self._counted(connection, due, waiting)
            await self._hand_over(connection, due, tally, [key for key in handed_over if key in waiting])

    async def _arrived(self, ids: Sequence[str], *, but: int) -> bool:
        """Whether these links have been written, or never will be, but for so many."""
        waited = 0.0
        while waited < SEND_WAIT_SECONDS:
            async with self._store.read() as connection:
                if len(await sends.unwritten(connection, ids)) <= but:
                    return True
            await self._clock.sleep(SEND_POLL_SECONDS)
            waited += SEND_POLL_SECONDS
        return False

    @staticmethod
    async def _counted(connection: AsyncConnection, due: DueStep, waiting: Collection[str]) -> RunTally:
        """What has come of those that do not wait any more."""
        cursor = due.run.cursor
        ids = [key for key in cursor.get("links", []) if key not in waiting]
        found = await links.load(connection, ids)
        failed = sum(link.state is not LinkState.AGREED for link in found.values())
        created = len(set(cursor.get("new", ())) & {key for key, link in found.items() if _went(link)})
        deleted = sum(link.desired is None and _went(link) for link in found.values())
        updated = max(0, len(ids) - failed - created - deleted)
        return RunTally(done=len(ids), created=created, updated=updated, deleted=deleted, failed=failed)

    async def _hand_over(
        self, connection: AsyncConnection, due: DueStep, tally: RunTally, waiting: Sequence[str]
    ) -> None:
        span = span_of(due.run.send or {}, now=due.run.requested_at, time_zone=due.integration.time_zone)
        after = due.run.cursor.get("after")
        refs: Sequence[str] = ()
        if not due.run.cursor.get("all"):
            refs = await sends.next_items(connection, due.integration, span, after=after, limit=SENT_A_STEP)
        new = [key for key in due.run.cursor.get("new", ()) if key in waiting]
        if not refs:
            cursor: dict[str, Any] = {**due.run.cursor, "links": waiting, "new": new, "all": True}
            await self._progress.go_on(
                connection,
                due,
                step=SEND_STEP if waiting else OVER_STEP,
                cursor=cursor if waiting else {},
                tally=tally,
                now_doing=SENDING_ITEMS,
            )
            return
        chosen = await self._choose(connection, due.integration, refs)
        await self._mark(connection, chosen, due)
        cursor = {
            "after": refs[-1],
            "links": [*waiting, *chosen.ids],
            "new": [*new, *chosen.appearing],
            "all": len(refs) < SENT_A_STEP,
        }
        more = replace(
            tally, found=len(refs), done=tally.done + chosen.skipped, skipped=chosen.skipped,
            agreed=chosen.agreed, passed_over=chosen.passed_over,
        )  # fmt: skip
        total = None
        if after is None:
            total = await sends.count_items(connection, due.integration, span)
        await self._progress.go_on(
            connection, due, step=SEND_STEP, cursor=cursor, tally=more, now_doing=SENDING_ITEMS, total=total
        )

    async def _choose(
        self, connection: AsyncConnection, integration: Integration, refs: Sequence[str]
    ) -> HandedOver:
        stored = await items.load(connection, refs, lock=True)
        here = {
            link.item_ref: link
            for link in await links.of_items(connection, refs, lock=True)
            if link.integration_id == integration.id and link.calendar_id == integration.calendar_id
        }
        chosen = HandedOver()
        for item in stored.values():
            known = here.get(item.ref)
            wanted = link_to_send(item, integration, known, new_id=new_id)
            if wanted is None and (why := why_not_sent(item, integration, known)) is not None:
                chosen.passed_over[why.value] += 1
            elif wanted is None:
                chosen.agreed += 1
            else:
                (chosen.new if known is None else chosen.changed).append(wanted)
                if known is not None:
                    chosen.before[known.id] = known
        return chosen

    async def _mark(self, connection: AsyncConnection, chosen: HandedOver, due: DueStep) -> None:
        now = await self._store.moment(connection)
        await links.add(connection, chosen.new, now=now, touched_at=0.0)
        await links.save(connection, chosen.changed, touched_at=0.0)
        await sends.note_run(connection, chosen.ids, due.run.id)
        made = sent_record((chosen.before.get(link.id), link) for link in (*chosen.new, *chosen.changed))
        await run_changes.record(connection, due.run.id, due.integration.id, made, at=now)


def _went(link: Link) -> bool:
    return link.state is LinkState.AGREED

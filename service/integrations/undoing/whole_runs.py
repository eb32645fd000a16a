"""The undo of a whole run: told beforehand, asked for, and then a run like any other (R50)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.calendar import Direction, Integration, Item, ItemRef, LogAction, Status
from contracts.vorex import ItemType
from handlers.edits import MASKED_TITLE
from handlers.undoing.putting_back import PutBack, pairs_of
from handlers.undoing.recorded import ChangedSide, RunChange
from handlers.undoing.whole_step import put_back_step
from service.integrations.ownership import owned_integration
from service.integrations.refusals import NOT_CONNECTED, Conflict, Invalid
from service.integrations.run_requests import request_run
from service.integrations.runs import NOT_ACTIVE, RUN_IN_PROGRESS, owned_run
from service.store.engine.ids import new_id
from service.store.engine.paging import Page
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.listing import Owner
from service.store.items import items
from service.store.links import links, run_changes
from service.store.links.run_changes import ChangePosition
from service.store.runs import runs
from service.store.runs.runs import UNDO_RUN, RunRow

LONGEST_REF = 64
COUNTED_AT_MOST = 200
JUDGED_AT_ONCE = 50
"""So many changes are judged before others have their turn."""
STILL_RUNNING = "The sync has not ended; cancel it first."
NOTHING_TO_UNDO = "Nothing that this sync changed can be put back: it changed nothing, or that was long ago."
BAD_POSITION = "must be the cursor of an earlier answer"


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoRow:
    """What the undo would do with one change, or why it would leave it."""

    item_id: str | None
    item_type: ItemType | None
    title: str | None
    direction: Direction
    action: LogAction
    left: bool
    reason: str
    cursor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoForecast:
    """How much would be put back and how much left, of the first so many changes."""

    put_back: int
    left: int
    total: int

    @property
    def cut(self) -> bool:
        """Whether there is more than was looked at."""
        return self.put_back + self.left < self.total


class RunUndo:
    """What is not theirs is Unknown; what cannot be now, a Conflict."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def start(self, owner: Owner, run_id: str, *, started_by: str) -> str:
        """Have it undone; the id of the run that does it. While that one runs, the same id again."""
        async with self._store.begin() as connection:
            row, integration = await _owned(connection, owner, run_id, lock=True)
            under_way = await run_changes.undo_in_progress(connection, integration.id, run_id)
            if under_way is not None:
                return under_way
            await _check(connection, row, integration)
            return await request_run(
                self._store,
                connection,
                integration.id,
                kind=UNDO_RUN,
                started_by=started_by,
                undoes=run_id,
            )

    async def can_be_undone(self, owner: Owner, run_id: str) -> bool:
        """Whether anything would come of asking for it now."""
        async with self._store.read() as connection:
            row, integration = await _owned(connection, owner, run_id)
            try:
                await _check(connection, row, integration)
            except Conflict:
                return False
        return True

    async def rehearse(
        self, owner: Owner, run_id: str, *, after: str | None = None, limit: int
    ) -> Page[UndoRow]:
        """What would become of each change, as things stand now. Raises Conflict as ``start`` would."""
        place = _place(after) if after is not None else None
        async with self._store.read() as connection:
            row, integration = await _owned(connection, owner, run_id)
            await _check(connection, row, integration)
            found = await run_changes.page(connection, run_id, after=place, limit=limit + 1)
            rows = await self._judged(connection, run_id, integration, found)
        return Page.of(rows, limit, cursor=lambda one: one.cursor)

    async def forecast(self, owner: Owner, run_id: str) -> UndoForecast:
        """The same in numbers, of the first ``COUNTED_AT_MOST`` changes."""
        back, after, most = 0, None, 0
        async with self._store.read() as connection:
            _, integration = await _owned(connection, owner, run_id)
            total = await run_changes.count(connection, run_id)
            while most < min(total, COUNTED_AT_MOST):
                found = await run_changes.page(connection, run_id, after=after, limit=JUDGED_AT_ONCE)
                if not found:
                    break
                judged = await self._judged(connection, run_id, integration, found)
                back += sum(not one.left for one in judged)
                most += len(found)
                after = run_changes.position_of(found[-1])
        return UndoForecast(put_back=back, left=most - back, total=total)

    async def _judged(
        self,
        connection: AsyncConnection,
        run_id: str,
        integration: Integration,
        found: Sequence[RunChange],
    ) -> list[UndoRow]:
        refs = {one.item_ref for one in found}
        known = await items.load(connection, refs)
        here = await links.of_items(connection, refs)
        sides = found, await run_changes.of_items(connection, run_id, refs)
        brought = await run_changes.brought_since(connection, integration, found)
        pairs, beside = (pairs_of(one, known, here, integration, brought=brought) for one in sides)
        now = await self._store.moment(connection)
        await asyncio.sleep(0)
        return [_row(back, known) for back in put_back_step(pairs, beside, now=now, new_id=new_id)]


async def _owned(
    connection: AsyncConnection, owner: Owner, run_id: str, *, lock: bool = False
) -> tuple[RunRow, Integration]:
    row = await owned_run(connection, owner, run_id, lock=lock)
    shown = await owned_integration(connection, owner, row["integration_id"])
    return row, shown.integration


async def _check(connection: AsyncConnection, row: RunRow, known: Integration) -> None:
    if row["state"] not in runs.ENDED_STATES:
        raise Conflict("not_editable", STILL_RUNNING)
    if not known.active:
        raise Conflict("inactive", NOT_ACTIVE)
    if known.status is not Status.CONNECTED:
        raise Conflict("not_connected", NOT_CONNECTED)
    if await runs.run_in_progress(connection, known.id):
        raise Conflict("run_in_progress", RUN_IN_PROGRESS)
    if not await run_changes.count(connection, row["id"]):
        raise Conflict("not_editable", NOTHING_TO_UNDO)


def _row(back: PutBack, known: dict[ItemRef, Item]) -> UndoRow:
    item = known.get(back.change.item_ref)
    content = item.content if item is not None else None
    place = run_changes.position_of(back.change)
    title = (MASKED_TITLE if content.private else content.title) if content is not None else None
    if back.change.question is not None:
        title = str(back.change.question["title"])
    return UndoRow(
        item_id=item.id if item else None,
        item_type=item.type if item else None,
        title=title,
        direction=back.direction,
        action=back.action,
        left=back.left is not None,
        reason=back.reason,
        cursor=f"{place.side}~{place.item_ref}",
    )


def _place(cursor: str) -> ChangePosition:
    side, _, ref = cursor.partition("~")
    if side not in set(ChangedSide) or not ref.isascii() or len(ref) not in range(1, LONGEST_REF):
        raise Invalid.one("after", BAD_POSITION)
    return ChangePosition(side=side, item_ref=ref)

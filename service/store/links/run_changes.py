"""What runs changed, and what of it is put back (R50)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, ItemRef
from contracts.event_fields import EventFields
from contracts.vorex import ItemContent
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.links.links import columns_of, link_of
from service.store.runs.runs import UNFINISHED_STATES
from service.store.tables import deletions, links, run_changes, runs


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePosition:
    """Behind which change a page begins."""

    side: str
    item_ref: str


def position_of(change: RunChange) -> ChangePosition:
    return ChangePosition(side=change.side.value, item_ref=change.item_ref)


async def record(
    connection: AsyncConnection,
    run_id: str,
    integration_id: str,
    changes: Sequence[RunChange],
    *,
    at: datetime,
) -> None:
    """Remember these in a statement or two; of what the run has changed already the first state counts.

    Not where texts of an item are not to be remembered any more: its event became private meanwhile (R8).
    """
    rows = [
        {
            "run_id": run_id,
            "side": one.side.value,
            "item_ref": one.item_ref,
            "integration_id": integration_id,
            "kind": one.kind.value,
            "before": _stored(one),
            "revision": one.revision,
            "at": at,
        }
        for one in changes
    ]
    forgotten = {one.item_ref for one in changes if _is_forgotten(one)}
    blanked = [row for row in rows if row["side"] == ChangedSide.ITEM and row["item_ref"] in forgotten]
    kept = [row for row in rows if row not in blanked] if blanked else rows
    key = ["run_id", "side", "item_ref"]
    for some, names in ((kept, ("revision",)), (blanked, ("revision", "before"))):
        if some:
            new = merging_insert(connection, run_changes)
            again = {name: new.excluded[name] for name in names}
            await connection.execute(new.on_conflict_do_update(index_elements=key, set_=again), some)


def _is_forgotten(change: RunChange) -> bool:
    """Whether an item that was there before is changed, and what it said is not told."""
    return change.side is ChangedSide.ITEM and change.kind is ChangeKind.UPDATED and change.content is None


def _stored(change: RunChange) -> dict[str, Any] | None:
    told: dict[str, Any] = {}
    if change.content is not None:
        told["content"] = change.content.to_json_dict()
    if change.fields is not None:
        told["fields"] = change.fields.to_wire_dict()
    if change.question is not None:
        told["question"] = dict(change.question)
    if change.link is not None:
        # moments are no JSON, and what is paired again is read anew
        told["link"] = columns_of(replace(change.link, event_updated=None, ended_at=None)) | {
            "id": change.link.id,
            "integration_id": change.link.integration_id,
            "item_ref": change.link.item_ref,
            "claim_epoch": 0,
        }
    return told or None


def _change_of(row: Any) -> RunChange:
    told: Mapping[str, Any] = row["before"] or {}
    return RunChange(
        side=ChangedSide(row["side"]),
        kind=ChangeKind(row["kind"]),
        item_ref=ItemRef(row["item_ref"]),
        revision=row["revision"],
        content=ItemContent.from_json_dict(told["content"]) if "content" in told else None,
        fields=EventFields.from_wire_dict(told["fields"]) if "fields" in told else None,
        link=link_of(told["link"]) if "link" in told else None,
        question=told.get("question"),
    )


def _open(run_id: str) -> tuple[ColumnElement[bool], ...]:
    return run_changes.c.run_id == run_id, run_changes.c.undone_by.is_(None)


async def page(
    connection: AsyncConnection, run_id: str, *, after: ChangePosition | None, limit: int
) -> Sequence[RunChange]:
    """What the run changed and nobody has put back, by side and item, behind that one."""
    table = run_changes.c
    wanted = select(run_changes).where(*_open(run_id))
    if after is not None:
        same = and_(table.side == after.side, table.item_ref > after.item_ref)
        wanted = wanted.where(or_(table.side > after.side, same))
    rows = await connection.execute(wanted.order_by(table.side, table.item_ref).limit(limit))
    return [_change_of(row) for row in rows.mappings()]


async def of_items(connection: AsyncConnection, run_id: str, refs: Iterable[ItemRef]) -> Sequence[RunChange]:
    """What the run did to these items themselves and nobody has put back."""
    table = run_changes.c
    theirs = table.side == ChangedSide.ITEM.value, among(connection, table.item_ref, list(refs))
    rows = await connection.execute(select(run_changes).where(*_open(run_id), *theirs))
    return [_change_of(row) for row in rows.mappings()]


async def count(connection: AsyncConnection, run_id: str) -> int:
    """How much the run changed that nobody has put back."""
    wanted = select(func.count()).select_from(run_changes).where(*_open(run_id))
    return int(await connection.scalar(wanted) or 0)


async def brought_since(
    connection: AsyncConnection, integration: Integration, changes: Iterable[RunChange]
) -> frozenset[str]:
    """Of the events that were asked about those that are linked by now, by their uids."""
    asked = [str(one.question["event_uid"]) for one in changes if one.question is not None]
    here = links.c.integration_id == integration.id, links.c.calendar_id == integration.calendar_id
    known = among(connection, links.c.event_uid, asked), links.c.exists_there
    return frozenset(await connection.scalars(select(links.c.event_uid).where(*here, *known)))


async def undo_in_progress(connection: AsyncConnection, integration_id: str, run_id: str) -> str | None:
    """The run of this integration that is at undoing that one, if any."""
    found: str | None = await connection.scalar(
        select(runs.c.id)
        .where(runs.c.integration_id == integration_id, runs.c.undoes == run_id)
        .where(runs.c.state.in_(UNFINISHED_STATES))
        .limit(1)
    )
    return found


async def mark_undone(
    connection: AsyncConnection, run_id: str, changes: Iterable[RunChange], *, by: str
) -> None:
    """These are put back, by that run."""
    refs: dict[str, list[str]] = {}
    for one in changes:
        refs.setdefault(one.side.value, []).append(one.item_ref)
    for side, these in refs.items():
        mine = run_changes.c.run_id == run_id, run_changes.c.side == side
        among_them = among(connection, run_changes.c.item_ref, these)
        await connection.execute(update(run_changes).where(*mine, among_them).values(undone_by=by))


async def dissolve(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """These pairs are none any more; the caller has locked them."""
    await connection.execute(delete(deletions).where(among(connection, deletions.c.link_id, ids)))
    await connection.execute(delete(links).where(among(connection, links.c.id, ids)))


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """What was remembered before that moment."""
    table = run_changes.c
    old = select(table.run_id, table.side, table.item_ref).where(table.at < before).order_by(table.at)
    found = (await connection.execute(old.limit(limit))).all()
    for run_id in {row.run_id for row in found}:
        refs = [row.item_ref for row in found if row.run_id == run_id]
        mine = table.run_id == run_id, table.at < before, among(connection, table.item_ref, refs)
        await connection.execute(delete(run_changes).where(*mine))
    return len(found)


async def forget_of(connection: AsyncConnection, integration_id: str) -> None:
    """All that runs of this integration changed: it is deleted, or its texts are to be erased (R41)."""
    await connection.execute(delete(run_changes).where(run_changes.c.integration_id == integration_id))

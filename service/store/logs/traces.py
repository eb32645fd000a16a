"""The way of one change through the store: said, taken in, tried, written, told; never a text of it."""

import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import item_ref
from contracts.envelope import OWN_SOURCE
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PEOPLE, QUEUE_RUNS
from contracts.tracing import trace_id_of
from service.store.engine.sets import among
from service.store.logs.logs import entries_of_item
from service.store.tables import (
    attempts,
    dead_letters,
    inbox,
    integrations,
    items,
    links,
    log_entries,
    outbox,
)

MOST_TRACE_STEPS = 200
"""Newest steps of each kind that are shown."""
MOST_TRACE_SOURCES = 1000
"""Of so many publishers a message is sought in the inbox."""
WORKING_QUEUES = (QUEUE_OUTBOUND, QUEUE_INBOUND, QUEUE_RUNS, QUEUE_PEOPLE)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_ITEM_PARTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceStep:
    """One thing that happened to the change."""

    at: datetime
    step: str
    tenant_id: str | None = None
    """Whose message it was; None where nothing tells."""
    message_id: str | None = None
    trace_id: str | None = None
    integration_id: str | None = None


async def way_of(connection: AsyncConnection, named: str) -> Sequence[TraceStep]:
    """What is known of a trace id, a message id, or an item as ``TENANT/TYPE/ID``, in the order of time.

    Of a trace or an item only messages of the same tenant and source are told; of a message id alone
    everybody's who gave it. What nobody's calendar is linked to is found by the item, not by the message
    that said it: an index for that alone would be written with every change.
    """
    item = _item_of(named)
    entries = await _entries(connection, named, item)
    known = {str(entry["message_id"]) for entry in entries if entry["message_id"]}
    meant = _MeantMessages(entries, everybodys=item is None and (not known or named in known))
    if item is not None:
        await meant.carry(connection, item)
    ids = known | meant.carriers or {named}
    found = [*map(_of_entry, entries), *[step async for step in _of_messages(connection, ids, meant)]]
    return sorted(found, key=lambda step: step.at)


def _item_of(named: str) -> str | None:
    parts = named.split("/", _ITEM_PARTS - 1)
    return item_ref(*parts) if len(parts) == _ITEM_PARTS and all(parts) else None


async def _entries(connection: AsyncConnection, named: str, item: str | None) -> Sequence[RowMapping]:
    """The newest entries of what is named, each with its tenant and the source of its item's message."""
    entry = log_entries.c
    ids = await (_named(connection, named) if item is None else _of_item_named(connection, item))
    joined = log_entries.outerjoin(integrations, integrations.c.id == entry.integration_id)
    whole = joined.outerjoin(items, items.c.ref == entry.item_ref)
    wanted = select(log_entries, integrations.c.tenant_id, items.c.message_source).select_from(whole)
    rows = await connection.execute(wanted.where(among(connection, entry.id, ids)))
    found: Sequence[RowMapping] = rows.mappings().all()
    return found


async def _of_item_named(connection: AsyncConnection, ref: str) -> Sequence[str]:
    """The ids of its entries, in the logs of those whom it was linked to."""
    linked = select(links.c.integration_id).where(links.c.item_ref == ref).distinct()
    found = (await connection.scalars(linked)).all()
    return [row["id"] for row in await entries_of_item(connection, found, ref, limit=MOST_TRACE_STEPS)]


async def _named(connection: AsyncConnection, named: str) -> Sequence[str]:
    """The ids of the entries of a trace or a message."""
    entry = log_entries.c
    for column in (entry.trace_id, entry.message_id) if _TRACE_ID.fullmatch(named) else (entry.message_id,):
        newest = select(entry.id).where(column == named).order_by(entry.id.desc()).limit(MOST_TRACE_STEPS)
        if found := (await connection.scalars(newest)).all():
            return found
    return ()


class _MeantMessages:
    """Which messages of these ids are meant, for an id is its source's own; and whose they are."""

    def __init__(self, entries: Sequence[RowMapping], *, everybodys: bool) -> None:
        self._everybodys = everybodys
        self.items = {str(entry["item_ref"]) for entry in entries if entry["item_ref"]}
        """What the messages may have spoken of."""
        self.carriers: set[str] = set()
        """Messages of which there may be no entry."""
        self._traces = {entry["trace_id"] for entry in entries}
        self._of_tenants = {(entry["tenant_id"], entry["message_id"]) for entry in entries}
        self._owners: dict[tuple[str, str], str] = {
            (entry["message_source"], entry["message_id"]): entry["tenant_id"]
            for entry in entries
            if entry["message_source"] and entry["tenant_id"]
        }

    async def carry(self, connection: AsyncConnection, ref: str) -> None:
        """The message that said the item last is meant, too."""
        wanted = select(items.c.tenant_id, items.c.message_id).where(items.c.ref == ref)
        for row in await connection.execute(wanted):
            self.items.add(ref)
            self._of_tenants.add((row.tenant_id, row.message_id))
            self.carriers |= {row.message_id} - {None}

    def concern(self, refs: Iterable[str | None]) -> None:
        """The messages may have spoken of these items, too."""
        self.items |= {ref for ref in refs if ref}

    def of_tenant(self, row: RowMapping, source: str | None) -> bool:
        """Whether that tenant's is meant; then its source is known."""
        told = self._everybodys or (row["tenant_id"], row["message_id"]) in self._of_tenants
        if told and source and row["tenant_id"]:
            self._owners.setdefault((source, row["message_id"]), row["tenant_id"])
        return told

    def of_source(self, row: RowMapping) -> bool:
        source, message_id = row["source"], row["message_id"]
        known = source == OWN_SOURCE or (source, message_id) in self._owners
        return self._everybodys or known or trace_id_of(source, message_id) in self._traces

    def owner(self, row: RowMapping) -> str | None:
        return self._owners.get((row["source"], row["message_id"]))


async def _of_messages(
    connection: AsyncConnection, ids: Collection[str], meant: _MeantMessages
) -> AsyncIterator[TraceStep]:
    """Tables that tell whose a message is come first, for they make known what source is meant."""
    letters = await _newest(connection, dead_letters, dead_letters.c.first_failed_at, ids)
    meant.concern({row["item_ref"] for row in letters})
    of_these = among(connection, items.c.ref, meant.items)
    said = await _newest(connection, items, items.c.changed_at, ids, of_these)
    sent = await _newest(connection, outbox, outbox.c.created_at, ids)
    for rows, told in ((said, _of_item), (letters, _of_letter), (sent, _of_outbox)):
        for row in rows:
            for step in told(row, meant):
                yield step
    for table, order, read in (
        (inbox, inbox.c.processed_at, _of_inbox),
        (attempts, attempts.c.at, _of_attempt),
    ):
        for consumer in WORKING_QUEUES:
            from_them = among(connection, table.c.source, await _sources(connection, table, consumer))
            for row in await _newest(connection, table, order, ids, table.c.consumer == consumer, from_them):
                for step in read(row, meant):
                    yield step


async def _newest(
    connection: AsyncConnection,
    table: Table,
    order: ColumnElement[Any],
    ids: Collection[str],
    *further: ColumnElement[bool],
) -> Sequence[RowMapping]:
    """The table's newest rows of the messages."""
    wanted = select(table).where(among(connection, table.c.message_id, ids), *further)
    rows = await connection.execute(wanted.order_by(order.desc()).limit(MOST_TRACE_STEPS))
    found: Sequence[RowMapping] = rows.mappings().all()
    return found


async def _sources(connection: AsyncConnection, table: Table, consumer: str) -> Sequence[str]:
    """Whose messages the consumer has taken: one after the other by the key, that no row is passed over."""
    source = func.min(table.c.source).label("source")
    first = select(source).where(table.c.consumer == consumer).cte(recursive=True)
    later = select(source).where(table.c.consumer == consumer, table.c.source > first.c.source)
    each = first.union_all(select(later.scalar_subquery()).where(first.c.source.is_not(None)))
    found = await connection.scalars(select(each.c.source).limit(MOST_TRACE_SOURCES))
    return [one for one in found if one is not None]


def _of_entry(entry: RowMapping) -> TraceStep:
    return TraceStep(
        at=entry["at"],
        step=f"{entry['action']} {entry['direction']}: {entry['outcome']}, {entry['code']}",
        message_id=entry["message_id"],
        trace_id=entry["trace_id"],
        integration_id=entry["integration_id"],
        tenant_id=entry["tenant_id"],
    )


def _of_item(row: RowMapping, meant: _MeantMessages) -> Iterator[TraceStep]:
    if not meant.of_tenant(row, row["message_source"]):
        return
    yield TraceStep(
        at=row["changed_at"],
        step=f"said, version {row['version']}",
        message_id=row["message_id"],
        tenant_id=row["tenant_id"],
    )


def _of_inbox(row: RowMapping, meant: _MeantMessages) -> Iterator[TraceStep]:
    if not meant.of_source(row):
        return
    yield TraceStep(
        at=_moment(row["processed_at"]),
        step=f"settled by {row['consumer']}: {row['outcome']}",
        message_id=row["message_id"],
        tenant_id=meant.owner(row),
    )


def _of_attempt(row: RowMapping, meant: _MeantMessages) -> Iterator[TraceStep]:
    if not meant.of_source(row):
        return
    yield TraceStep(
        at=row["at"],
        step=f"attempt {row['attempt']} of {row['consumer']} failed",
        message_id=row["message_id"],
        tenant_id=meant.owner(row),
    )


def _of_outbox(row: RowMapping, meant: _MeantMessages) -> Iterator[TraceStep]:
    if not meant.of_tenant(row, None):
        return
    told = {"message_id": row["message_id"], "tenant_id": row["tenant_id"] or None}
    to = row["exchange"]
    yield TraceStep(at=_moment(row["created_at"]), step=f"put into the outbox for {to}", **told)
    if row["sent_at"] is not None:
        yield TraceStep(at=_moment(row["sent_at"]), step=f"sent to {to}", **told)


def _of_letter(row: RowMapping, meant: _MeantMessages) -> Iterator[TraceStep]:
    if not (meant.of_tenant(row, row["source"]) or (row["tenant_id"] is None and meant.of_source(row))):
        return
    yield TraceStep(
        at=row["first_failed_at"],
        step=f"dead letter {row['id']}: {row['code']}, {row['state']}",
        message_id=row["message_id"],
        tenant_id=row["tenant_id"],
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

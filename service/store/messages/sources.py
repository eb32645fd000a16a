"""Sources of messages whose versions contradict what is known (R42)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import KEY_SEPARATOR, ItemRef
from service.store.engine.sets import put_over
from service.store.engine.upserts import merging_insert
from service.store.tables import items, trusted_sources, version_doubts

DOUBT_SECONDS = 7 * 24 * 3600.0
"""Seconds for which a message that was passed over is kept, so that its source can be trusted after all."""
MOST_SOURCES = 200
"""Sources that are told at once: anybody who may publish can make up any number."""
_SPACE = uuid.UUID("0b6de3c6-43c5-5a39-8a43-6c1a9f2f6a77")

_TRUSTED = select(trusted_sources.c.source, trusted_sources.c.since)

DoubtKind = Literal["conflicting", "backwards"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionDoubt:
    """A message that was passed over although it may be right."""

    source: str
    item_ref: ItemRef
    kind: DoubtKind
    version: int
    said_at: datetime
    message_id: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class DoubtfulSource:
    """What one source has said, by the newest message of each item."""

    source: str
    conflicting: int
    backwards: int
    first_said_at: datetime
    trusted_since: datetime | None = None

    @property
    def items(self) -> int:
        return self.conflicting + self.backwards


async def note(connection: AsyncConnection, doubts: Sequence[VersionDoubt], *, now: float) -> None:
    """Keep the newest of each item and source for a week."""
    if not doubts:
        return
    newest: dict[str, VersionDoubt] = {}
    for each in sorted(doubts, key=lambda one: one.said_at):
        newest[str(uuid.uuid5(_SPACE, KEY_SEPARATOR.join((each.source, each.item_ref))))] = each
    rows = [
        {
            "key": key,
            "source": each.source,
            "item_ref": each.item_ref,
            "kind": each.kind,
            "version": each.version,
            "said_at": each.said_at,
            "noted_at": now,
            "message_id": each.message_id,
            "body": each.body,
        }
        for key, each in sorted(newest.items())
    ]
    await put_over(connection, version_doubts, "key", rows)
    old = version_doubts.c.noted_at < now - DOUBT_SECONDS
    await connection.execute(delete(version_doubts).where(old))


async def doubtful(
    connection: AsyncConnection, *, since: float, tenant: str | None = None
) -> Sequence[DoubtfulSource]:
    """Sources that contradicted what was known since then, the worst first, and of very many those alone.

    ``tenant``: of whose items alone; None counts those of all.
    """
    wanted = (
        select(
            version_doubts.c.source,
            func.count().filter(version_doubts.c.kind == "conflicting").label("conflicting"),
            func.count().filter(version_doubts.c.kind == "backwards").label("backwards"),
            func.min(version_doubts.c.said_at).label("first"),
        )
        .where(version_doubts.c.noted_at >= since)
        .group_by(version_doubts.c.source)
        .order_by(func.count().desc(), version_doubts.c.source)
        .limit(MOST_SOURCES)
    )
    if tenant is not None:
        wanted = wanted.join(items, items.c.ref == version_doubts.c.item_ref)
        wanted = wanted.where(items.c.tenant_id == tenant)
    counted = await connection.execute(wanted)
    known = await trusted(connection)
    found = [
        DoubtfulSource(
            source=row.source,
            conflicting=row.conflicting,
            backwards=row.backwards,
            first_said_at=row.first,
            trusted_since=known.get(row.source),
        )
        for row in counted
    ]
    return sorted(found, key=lambda one: (-one.items, one.source))


async def passed_over(connection: AsyncConnection, source: str, *, since: datetime) -> Sequence[VersionDoubt]:
    """What this source has said since then and was passed over, in the order of its saying."""
    rows = await connection.execute(
        select(version_doubts)
        .where(version_doubts.c.source == source, version_doubts.c.said_at >= since)
        .order_by(version_doubts.c.said_at, version_doubts.c.key)
    )
    return [
        VersionDoubt(
            source=row["source"],
            item_ref=ItemRef(row["item_ref"]),
            kind=row["kind"],
            version=row["version"],
            said_at=row["said_at"],
            message_id=row["message_id"],
            body=row["body"],
        )
        for row in rows.mappings()
    ]


async def trusted(connection: AsyncConnection) -> Mapping[str, datetime]:
    """From when on a source's newest messages count, whatever their numbers."""
    rows = await connection.execute(_TRUSTED)
    return {row.source: row.since for row in rows}


async def trust(connection: AsyncConnection, source: str, *, since: datetime, at: datetime, who: str) -> None:
    """From that moment on its newest messages count; what was passed over until now waits no longer."""
    row = {"source": source, "since": since, "trusted_at": at, "trusted_by": who}
    statement = merging_insert(connection, trusted_sources).values(row)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["source"],
            set_={name: statement.excluded[name] for name in ("since", "trusted_at", "trusted_by")},
        )
    )
    mine = (version_doubts.c.source == source, version_doubts.c.said_at >= since)
    await connection.execute(delete(version_doubts).where(*mine))

"""Entries of a log as a person reads them: what was done alike with a series is one row (R39)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.times import as_instant, read_time
from service.store.engine.paging import Page
from service.store.engine.sets import among
from service.store.tables import items, links

ENTRIES_LOOKED_AT = 500
"""So many entries at most stand in the rows of one page."""

LogRow = Mapping[Any, Any]
_SAME = ("run_id", "trigger", "direction", "action", "outcome", "code", "reason")


async def together(
    connection: AsyncConnection, integration_id: str, found: Page[LogRow], *, limit: int
) -> Page[LogRow]:
    """The first ``limit`` rows of these entries, in their order; a series stands where its first entry does.

    Its row has ``occurrences``: when each of them begins, as far as that is known.
    """
    series = await _series(connection, integration_id, found.rows)
    rows: dict[object, list[LogRow]] = {}
    for at, entry in enumerate(found.rows):
        key = _key(entry, series)
        if key not in rows and len(rows) == limit:
            return Page(rows=_shown(rows, series), following=found.rows[at - 1]["id"])
        rows.setdefault(key, []).append(entry)
    return Page(rows=_shown(rows, series), following=found.following, ended_early=found.ended_early)


async def _series(
    connection: AsyncConnection, integration_id: str, entries: Sequence[LogRow]
) -> Mapping[str, tuple[str, Any]]:
    """The series of what belongs to one, and when it begins, by the entry's id."""
    refs = {entry["item_ref"] for entry in entries if entry["item_ref"]}
    rows = await connection.execute(
        select(links.c.item_ref, links.c.series_identifier, items.c.starts_at)
        .join(items, items.c.ref == links.c.item_ref)
        .where(among(connection, links.c.item_ref, refs), links.c.integration_id == integration_id)
        .where(links.c.series_identifier.is_not(None))
    )
    known = {row.item_ref: (row.series_identifier, row.starts_at) for row in rows}
    told = ((entry["id"], known.get(entry["item_ref"]) or _told(entry)) for entry in entries)
    return {entry_id: series for entry_id, series in told if series is not None}


def _told(entry: LogRow) -> tuple[str, Any] | None:
    """What the entry itself says, of an event that was not brought and has no item."""
    detail = entry["detail"] or {}
    return (detail["series"], as_instant(read_time(detail["start"]))) if "series" in detail else None


def _key(entry: LogRow, series: Mapping[str, tuple[str, Any]]) -> object:
    known = series.get(entry["id"])
    return (known[0], *(entry[name] for name in _SAME)) if known else entry["id"]


def _shown(rows: Mapping[object, Sequence[LogRow]], series: Mapping[str, tuple[str, Any]]) -> list[LogRow]:
    return [each[0] if len(each) == 1 else _row(each, series) for each in rows.values()]


def _row(entries: Sequence[LogRow], series: Mapping[str, tuple[str, Any]]) -> LogRow:
    begins = sorted(at for entry in entries if (at := series[entry["id"]][1]) is not None)
    return {**entries[0], "count": len(entries), "occurrences": begins}

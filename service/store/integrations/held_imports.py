"""Events that a read would have brought in one flood, and that wait for a person's answer (R36)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Code, Integration
from handlers.inbound_page import ASKED_ABOUT
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.tables import held_imports

HELD_IMPORT, WANTED_IMPORT = ASKED_ABOUT, "wanted"
"""Waiting for an answer; to be brought by the next read that shows it, for that was the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldImport:
    """As much of such an event as a person needs to answer, and the keys by which it is told."""

    event_uid: str
    event_keys: Sequence[str]
    series_identifier: str | None
    code: Code
    title: str
    starts: str
    ends: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldSeries:
    """One question: an event, or the occurrences of a series as one (R39)."""

    key: str
    """The series, or the event's uid."""
    title: str
    times: Sequence[tuple[str, str]]
    """Start and end of each, in their order."""


def told(held: HeldImport) -> Mapping[str, Any]:
    """The question as JSON, to be asked again some day (R50)."""
    return asdict(held) | {"code": held.code.value, "event_keys": list(held.event_keys)}


def of_told(form: Mapping[str, Any]) -> HeldImport:
    return HeldImport(**{**form, "code": Code(form["code"])})


def _of(integration: Integration) -> tuple[ColumnElement[bool], ...]:
    table = held_imports.c
    return (table.integration_id == integration.id, table.calendar_id == integration.calendar_id)


async def hold(
    connection: AsyncConnection, integration: Integration, events: Iterable[HeldImport], *, now: datetime
) -> None:
    """Remember these; one that is known already stays as it is."""
    here = {"integration_id": integration.id, "calendar_id": integration.calendar_id}
    rows = [
        {
            **here,
            "event_uid": each.event_uid,
            "event_keys": list(each.event_keys),
            "series_identifier": each.series_identifier,
            "code": each.code.value,
            "title": each.title,
            "starts": each.starts,
            "ends": each.ends,
            "state": HELD_IMPORT,
            "held_at": now,
        }
        for each in events
    ]
    if rows:
        await connection.execute(merging_insert(connection, held_imports).on_conflict_do_nothing(), rows)


async def among_uids(
    connection: AsyncConnection, integration: Integration, uids: Iterable[str]
) -> Mapping[str, str]:
    """How those of these events stand that were held."""
    table = held_imports.c
    query = select(table.event_uid, table.state).where(*_of(integration))
    rows = await connection.execute(query.where(among(connection, table.event_uid, uids)))
    return {row.event_uid: row.state for row in rows}


async def waiting(
    connection: AsyncConnection, integration: Integration, *, limit: int
) -> Sequence[HeldImport]:
    """Those that wait for an answer, in the order of their uids."""
    table = held_imports.c
    names = (*(each.name for each in fields(HeldImport)),)
    query = select(*(table[name] for name in names))
    query = query.where(*_of(integration), table.state == HELD_IMPORT)
    rows = await connection.execute(query.order_by(table.event_uid).limit(limit))
    return [HeldImport(**{**row, "code": Code(row["code"])}) for row in rows.mappings()]


async def waiting_series(
    connection: AsyncConnection, integration: Integration, *, limit: int, after: str
) -> Sequence[HeldSeries]:
    """The same as questions, a series as one, behind the key ``after``."""
    table = held_imports.c
    key = func.coalesce(table.series_identifier, table.event_uid)
    waits = (*_of(integration), table.state == HELD_IMPORT)
    some = (
        select(key.label("key"))
        .where(*waits, key > after)
        .group_by(key)
        .order_by(key)
        .limit(limit)
        .correlate(None)
    )
    rows = await connection.execute(
        select(key.label("key"), table.title, table.starts, table.ends)
        .where(*waits, key.in_(some))
        .order_by(key, table.starts, table.event_uid)
    )
    together = [(one, [*each]) for one, each in groupby(rows.all(), key=lambda row: str(row.key))]
    return [
        HeldSeries(key=one, title=each[0].title, times=[(row.starts, row.ends) for row in each])
        for one, each in together
    ]


async def want(connection: AsyncConnection, integration: Integration, uids: Iterable[str]) -> None:
    """The person answered that these are to be brought."""
    these = among(connection, held_imports.c.event_uid, uids)
    await connection.execute(update(held_imports).where(*_of(integration), these).values(state=WANTED_IMPORT))


async def forget_of(connection: AsyncConnection, integration: Integration) -> None:
    """All of one integration's, on whichever calendar: nobody will be asked about them any more."""
    mine = held_imports.c.integration_id == integration.id
    await connection.execute(delete(held_imports).where(mine))


async def forget(connection: AsyncConnection, integration: Integration, uids: Iterable[str]) -> None:
    """Nothing is to be decided about these any more."""
    these = among(connection, held_imports.c.event_uid, uids)
    await connection.execute(delete(held_imports).where(*_of(integration), these))

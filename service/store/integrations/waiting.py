"""What waits for a calendar, and for its owner: changes, held deletions and imports, broken syncs (R48)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import ASKING_CODES, Code, LinkState
from service.store.integrations.held_imports import HELD_IMPORT
from service.store.tables import held_imports as imports_table
from service.store.tables import integrations, links

_UNFINISHED = text("state IN ('behind', 'retrying')")
_STANDING = text("state IN ('held', 'failed')")
"""Both in the very words of their partial indexes."""
HELD_AS_ALIKE = imports_table.c.code == Code.LOOP_STOPPED


def held_deletions() -> ColumnElement[int]:
    """How many deletions of that integration wait for an answer."""
    return _count_links(_STANDING, links.c.state == LinkState.HELD, links.c.code == Code.HELD_DELETION)


def held_imports(*which: ColumnElement[bool]) -> ColumnElement[int]:
    """How many events of that integration's calendar wait for an answer."""
    return (
        select(func.count())
        .where(
            imports_table.c.integration_id == integrations.c.id,
            imports_table.c.calendar_id == integrations.c.calendar_id,
            imports_table.c.state == HELD_IMPORT,
            *which,
        )
        .scalar_subquery()
    )


def waiting_changes() -> ColumnElement[int]:
    """How many changes have not reached that integration's calendar."""
    asks_nobody = func.coalesce(links.c.code, "").not_in(ASKING_CODES)
    held = (links.c.state == LinkState.HELD, asks_nobody)
    return _count_links(_UNFINISHED) + _count_links(_STANDING, *held)


def _count_links(*which: ColumnElement[bool] | TextClause) -> ColumnElement[int]:
    return (
        select(func.count())
        .where(
            links.c.integration_id == integrations.c.id,
            links.c.calendar_id == integrations.c.calendar_id,
            links.c.ended_at.is_(None),
            *which,
        )
        .scalar_subquery()
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingSince:
    """Since when an integration stands as it does, if that was noted, and how many changes wait."""

    since: datetime | None
    changes: int


async def waits_since(connection: AsyncConnection, integration_id: str) -> WaitingSince:
    """Of an integration that is there, deleted ones included."""
    query = select(integrations.c.status_since, waiting_changes()).where(integrations.c.id == integration_id)
    since, changes = (await connection.execute(query)).one()
    return WaitingSince(since=since, changes=changes)

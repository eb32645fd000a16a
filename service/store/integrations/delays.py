"""Since when an integration's changes wait although it is connected: the page's *delayed since* (R23)."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Status
from service.store.engine.sets import among
from service.store.tables import integration_state, integrations, links

DELAYED_SECONDS = 60.0
"""Seconds for which a change may wait before the page says so."""
SECOND_FAILURE = 2
_UNFINISHED = text("state IN ('behind', 'retrying')")
"""In the very words of the partial index."""


def _syncing() -> ColumnElement[bool]:
    """What is switched off or not connected is not late: it waits for a person."""
    return and_(
        integrations.c.active,
        integrations.c.deleted_at.is_(None),
        integrations.c.status == Status.CONNECTED.value,
        integrations.c.baseline_at.is_not(None),
    )


async def late(connection: AsyncConnection, *, now: float) -> Mapping[str, datetime]:
    """The connected integrations with changes that should have crossed, and since when, to the second.

    A write that has failed twice is late at once; notices nobody could read for count like writes. What was
    released or wished a moment ago has no moment of its own until a consumer takes it.
    """
    overdue = or_(links.c.touched_at <= now - DELAYED_SECONDS, links.c.attempts >= SECOND_FAILURE)
    writes = (
        select(links.c.integration_id, func.min(links.c.touched_at).label("since"))
        .join(integrations, integrations.c.id == links.c.integration_id)
        .where(_UNFINISHED, overdue, links.c.touched_at > 0, links.c.ended_at.is_(None), _syncing())
        .group_by(links.c.integration_id)
    )
    state = integration_state.c
    reads = (
        select(state.integration_id, state.noticed_at.label("since"))
        .join(integrations, integrations.c.id == state.integration_id)
        .where(state.noticed_at <= now - DELAYED_SECONDS, _syncing())
    )
    since: dict[str, float] = {}
    for query in (writes, reads):
        for row in await connection.execute(query):
            since[row.integration_id] = min(row.since, since.get(row.integration_id, row.since))
    return {one: datetime.fromtimestamp(int(moment), UTC) for one, moment in since.items()}


async def marked(connection: AsyncConnection) -> frozenset[str]:
    """The integrations whose page says that they are delayed."""
    state = integration_state.c
    return frozenset(
        await connection.scalars(select(state.integration_id).where(state.delayed_since.is_not(None)))
    )


async def count_by_standing(connection: AsyncConnection) -> Mapping[str, int]:
    """How many integrations are connected, delayed, not connected and unfinished; none is counted twice."""
    state = integration_state.c
    delayed = state.delayed_since.is_not(None).label("delayed")
    rows = await connection.execute(
        select(integrations.c.status, delayed, func.count().label("number"))
        .join(integration_state, state.integration_id == integrations.c.id)
        .where(integrations.c.deleted_at.is_(None))
        .group_by(integrations.c.status, delayed)
    )
    counted = dict.fromkeys((*Status, "delayed"), 0)
    for row in rows:
        late = row.delayed and row.status == Status.CONNECTED
        counted["delayed" if late else row.status] += row.number
    return {str(name): number for name, number in counted.items()}


async def mark(connection: AsyncConnection, began: Mapping[str, datetime], ended: Collection[str]) -> None:
    """Note these delays, unless one is known already, and forget those that are over."""
    state = integration_state.c
    for one, since in sorted(began.items()):
        fresh = state.integration_id == one, state.delayed_since.is_(None)
        await connection.execute(update(integration_state).where(*fresh).values(delayed_since=since))
    if ended:
        over = among(connection, state.integration_id, sorted(ended))
        await connection.execute(update(integration_state).where(over).values(delayed_since=None))

"""How a link stands just before it is written, with all that the writing depends on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import LinkId, LinkState, Status
from contracts.event_fields import NO_DETAILS, AdviceWish, EventDetails
from service.store.engine.sets import among_given, given
from service.store.engine.store import ClockColumn
from service.store.tables import integrations, links


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedLink:
    """How a link about to be sent stands in the store."""

    epoch: int
    mine: bool
    remaining: float
    """Seconds that are left of the claim."""
    revision: int
    state: LinkState
    calendar_id: str
    sub: str
    active: bool
    status: Status
    read_once: bool
    linked_calendar_id: str | None
    details: EventDetails = NO_DETAILS
    """What the owner wants events to be given beside their fields."""
    advice: AdviceWish | None = None
    """How a copy says what doing something to it does; None while nobody knows the owner's language."""

    @property
    def sends(self) -> bool:
        return self.active and self.status is Status.CONNECTED and self.read_once


async def check(
    connection: AsyncConnection, ids: Collection[str], *, me: str, clock: ClockColumn
) -> dict[LinkId, CheckedLink]:
    """How these links and their integrations stand at this moment."""
    query = _checking(connection.dialect.name, clock.column)
    rows = await connection.execute(query, {**given(connection, ids=ids), **clock.given})
    return {LinkId(row.id): _checked(row, me) for row in rows}


@cache
def _checking(dialect: str, clock: ColumnElement[float]) -> Select[Any]:
    return (
        select(
            links.c.id,
            links.c.claim_epoch,
            links.c.claimed_by,
            links.c.claimed_until,
            links.c.desired_revision,
            links.c.state,
            links.c.calendar_id,
            integrations.c.sub,
            integrations.c.active,
            integrations.c.status,
            integrations.c.baseline_at,
            integrations.c.deleted_at,
            integrations.c.removing,
            integrations.c.calendar_id.label("linked_calendar_id"),
            integrations.c.event_details,
            integrations.c.event_types,
            integrations.c.language,
            clock.label("now"),
        )
        .join(integrations, integrations.c.id == links.c.integration_id)
        .where(among_given(dialect, links.c.id, "ids"))
    )


def _checked(row: Any, me: str) -> CheckedLink:
    return CheckedLink(
        epoch=row.claim_epoch,
        mine=row.claimed_by == me,
        remaining=(row.claimed_until or 0.0) - row.now,
        revision=row.desired_revision,
        state=LinkState(row.state),
        calendar_id=row.calendar_id,
        sub=row.sub,
        active=row.removing or (row.active and row.deleted_at is None),
        status=Status(row.status),
        read_once=row.baseline_at is not None,
        linked_calendar_id=row.linked_calendar_id,
        details=EventDetails(**row.event_details) if row.event_details else NO_DETAILS,
        advice=_advice(row.language, row.event_types) if row.language else None,
    )


def _advice(language: str, boxes: Mapping[str, bool]) -> AdviceWish:
    return AdviceWish(language=language, update=boxes["update"], delete=boxes["delete"])

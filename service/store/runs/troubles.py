"""What a person should hear of before an appointment is missed: breaks, questions and failed runs (R48)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Status
from service.store.integrations.at_work import at_work
from service.store.integrations.waiting import held_deletions, held_imports, waiting_changes
from service.store.tables import integrations, runs

TELLING_STATES = ("done", "failed")
"""A run that ended so says how things stand; one that was cancelled does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubledIntegration:
    """An integration that needs its owner, with all that is wrong at once."""

    id: str
    name: str | None
    account_name: str
    provider_service: str
    broken: bool
    status_since: datetime | None
    waiting_changes: int
    questions: int
    failed_run: str | None
    failed_at: datetime | None


async def troubled(
    connection: AsyncConnection, tenant_id: str, user_id: str
) -> Sequence[TroubledIntegration]:
    """The person's integrations that need them, oldest first; deactivated ones only to answer."""
    newest = (
        select(runs.c.id)
        .where(runs.c.integration_id == integrations.c.id, runs.c.state.in_(TELLING_STATES))
        .order_by(runs.c.id.desc())
        .limit(1)
        .correlate(integrations)
        .scalar_subquery()
    )
    table = integrations.c
    failed = and_(runs.c.id == newest, runs.c.state == "failed")
    broken = and_(at_work(), table.status == Status.NOT_CONNECTED.value)
    questions = held_deletions() + held_imports()
    query = (
        select(
            table.id,
            table.calendar_name.label("name"),
            table.account_name,
            table.provider_service,
            func.coalesce(broken, False).label("broken"),
            table.status_since,
            waiting_changes().label("waiting_changes"),
            questions.label("questions"),
            runs.c.id.label("failed_run"),
            runs.c.ended_at.label("failed_at"),
        )
        .outerjoin(runs, and_(runs.c.integration_id == table.id, failed))
        .where(table.tenant_id == tenant_id, table.user_id == user_id, table.deleted_at.is_(None))
        .where(or_(broken, questions > 0, and_(table.active, runs.c.id.is_not(None))))
        .order_by(table.id)
    )
    return [TroubledIntegration(**row) for row in (await connection.execute(query)).mappings()]

"""What became of an account's authorisation when integrations were deleted, as their runs noted it (R54)."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.runs.runs import DELETION_RUN
from service.store.tables import integrations, runs

Authorisation = Literal["ended", "used_by_another", "refused", "unanswered", "unknown"]
"""*ended*: Cronofy said so; *refused* and *unanswered*: it was asked; *unknown*: it could not be asked."""
LEFT_TO_OTHERS: Authorisation = "used_by_another"
RUNS_LOOKED_AT = 50


async def of_run(connection: AsyncConnection, run_id: str) -> Authorisation | None:
    """What that deletion noted; None where it left the account to others, or is kept no longer."""
    return _decided(await connection.scalar(select(runs.c.cursor).where(runs.c.id == run_id)))


async def of_account(connection: AsyncConnection, sub: str) -> Authorisation | None:
    """What the last deletion noted that left the account to nobody."""
    wanted = (
        select(runs.c.cursor)
        .join(integrations, integrations.c.id == runs.c.integration_id)
        .where(integrations.c.sub == sub, runs.c.kind == DELETION_RUN, runs.c.ended_at.is_not(None))
        .order_by(runs.c.ended_at.desc(), runs.c.id.desc())
    )
    cursors = await connection.scalars(wanted.limit(RUNS_LOOKED_AT))
    return next((noted for one in cursors if (noted := _decided(one)) is not None), None)


def _decided(cursor: Mapping[str, Any] | None) -> Authorisation | None:
    noted: Authorisation | None = (cursor or {}).get("authorisation")
    return None if noted == LEFT_TO_OTHERS else noted

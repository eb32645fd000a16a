"""Permissions on their way: asked for at Cronofy, granted there, and answered here once (G5, R45)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import consents

MOST_BEGUN = 20
"""So many a person may have open at Cronofy; a further one takes the place of the oldest."""


class ConsentStage(StrEnum):
    """How far it has come; each step is taken once."""

    BEGUN = "begun"
    RETURNED = "returned"
    GRANTED = "granted"
    LINKING = "linking"
    DECLINED = "declined"
    LEAVING = "leaving"
    """The keeper has Cronofy asked to forget it, since ``expires_at``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentRow:
    """One consent; ``granted`` are the tokens, encrypted."""

    id: str
    tenant_id: str
    user_id: str
    time_zone: str
    session_id: str | None
    browser_hash: str | None
    verifier: str
    stage: str
    expires_at: float
    reconnects: str | None = None
    """The integration that the person came to reconnect."""
    sub: str | None = None
    profile: Mapping[str, str] | None = None
    granted: str | None = None


_COLUMNS = [consents.c[name] for name in ConsentRow.__dataclass_fields__]


async def begin(connection: AsyncConnection, row: ConsentRow, *, state_hash: str) -> None:
    """Note that a person was sent to Cronofy."""
    mine = (
        consents.c.tenant_id == row.tenant_id,
        consents.c.user_id == row.user_id,
        consents.c.stage == ConsentStage.BEGUN,
    )
    newest = select(consents.c.id).where(*mine).order_by(consents.c.id.desc()).limit(MOST_BEGUN - 1)
    await connection.execute(delete(consents).where(*mine, consents.c.id.not_in(newest)))
    values = {name: getattr(row, name) for name in ConsentRow.__dataclass_fields__}
    await connection.execute(insert(consents).values(state_hash=state_hash, **values))


async def of_state(connection: AsyncConnection, state_hash: str, *, now: float) -> ConsentRow | None:
    """The one whose state has this hash, unless it has expired."""
    return await _one(connection, consents.c.state_hash == state_hash, consents.c.expires_at > now)


async def find(connection: AsyncConnection, consent_id: str, *, now: float) -> ConsentRow | None:
    """The one of this id, unless it has expired."""
    return await _one(connection, consents.c.id == consent_id, consents.c.expires_at > now)


async def _one(connection: AsyncConnection, *which: Any) -> ConsentRow | None:
    row = (await connection.execute(select(*_COLUMNS).where(*which))).mappings().first()
    return ConsentRow(**row) if row is not None else None


async def advance(
    connection: AsyncConnection, consent_id: str, before: ConsentStage, after: ConsentStage, **values: Any
) -> bool:
    """Take the step; False where somebody took it before."""
    mine = (consents.c.id == consent_id, consents.c.stage == before)
    result = await connection.execute(update(consents).where(*mine).values(stage=after, **values))
    return bool(result.rowcount)


async def forget(connection: AsyncConnection, consent_id: str) -> None:
    await connection.execute(delete(consents).where(consents.c.id == consent_id))


async def expired(connection: AsyncConnection, *, now: float, limit: int) -> Sequence[ConsentRow]:
    """Those that nobody answered in time, the oldest first."""
    query = select(*_COLUMNS).where(consents.c.expires_at <= now).order_by(consents.c.expires_at)
    return [ConsentRow(**row) for row in (await connection.execute(query.limit(limit))).mappings()]


async def waits_for(connection: AsyncConnection, sub: str, *, but: str, now: float) -> bool:
    """Whether another consent to the same account waits for its answer."""
    others = (consents.c.sub == sub, consents.c.id != but, consents.c.expires_at > now)
    return await connection.scalar(select(consents.c.id).where(*others).limit(1)) is not None

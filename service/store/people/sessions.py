"""Sessions: who is signed in on which device, since when and until when (R45)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import sessions

SEEN_EVERY_SECONDS = 60.0
"""*Last seen* is written no more often, so that opening a page seldom writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRow:
    """A session that has not ended; moments are seconds since 1970."""

    id: str
    tenant_id: str
    user_id: str
    role: str
    name: str
    time_zone: str
    locale: str | None
    hour_cycle: Literal["h12", "h23"] | None
    week_start: Literal["monday", "sunday", "saturday"] | None
    device: str
    since: float
    seen_at: float


_COLUMNS = [sessions.c[name] for name in SessionRow.__dataclass_fields__]


def _of(tenant_id: str, user_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return sessions.c.tenant_id == tenant_id, sessions.c.user_id == user_id


async def add(connection: AsyncConnection, **values: Any) -> None:
    """A new session, by the names of the table's columns."""
    await connection.execute(insert(sessions).values(**values))


async def find(connection: AsyncConnection, key_hash: str, *, now: float) -> SessionRow | None:
    """The living session that the key of this hash opens."""
    living = (sessions.c.key_hash == key_hash, sessions.c.until > now)
    row = (await connection.execute(select(*_COLUMNS).where(*living))).mappings().first()
    return SessionRow(**row) if row is not None else None


async def see(connection: AsyncConnection, session_id: str, *, now: float) -> None:
    """Note that it was used just now."""
    mine = (sessions.c.id == session_id, sessions.c.seen_at <= now - SEEN_EVERY_SECONDS)
    await connection.execute(update(sessions).where(*mine).values(seen_at=now))


async def living(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, now: float, limit: int
) -> Sequence[SessionRow]:
    """A person's sessions, the one used last first."""
    mine = (*_of(tenant_id, user_id), sessions.c.until > now)
    order = (sessions.c.seen_at.desc(), sessions.c.id)
    rows = await connection.execute(select(*_COLUMNS).where(*mine).order_by(*order).limit(limit))
    return [SessionRow(**row) for row in rows.mappings()]


async def has_role(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, role: str, now: float
) -> bool:
    """Whether one of that person's living sessions has the role."""
    such = (*_of(tenant_id, user_id), sessions.c.role == role, sessions.c.until > now)
    return await connection.scalar(select(sessions.c.id).where(*such).limit(1)) is not None


async def end(connection: AsyncConnection, tenant_id: str, user_id: str, session_id: str) -> bool:
    """End one session of that person; whether it was there."""
    mine = (*_of(tenant_id, user_id), sessions.c.id == session_id)
    return bool((await connection.execute(delete(sessions).where(*mine))).rowcount)


async def end_all(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, until: float | None = None
) -> int:
    """End a person's sessions, all or those opened up to that moment; how many.

    One is as old as the token that opened it, where that tells.
    """
    mine: list[ColumnElement[bool]] = [*_of(tenant_id, user_id)]
    if until is not None:
        mine.append(func.coalesce(sessions.c.issued_at, sessions.c.since) <= until)
    return (await connection.execute(delete(sessions).where(*mine))).rowcount


async def count(connection: AsyncConnection, person: tuple[str, str] | None, *, now: float) -> int:
    """How many are alive, of this tenant and user or of everybody."""
    of_whom = () if person is None else _of(*person)
    living_ones = select(func.count()).select_from(sessions).where(sessions.c.until > now, *of_whom)
    return await connection.scalar(living_ones) or 0


async def end_everybodys(connection: AsyncConnection) -> int:
    """Sign everybody out everywhere; how many sessions there were."""
    return (await connection.execute(delete(sessions))).rowcount


async def newest_locale(connection: AsyncConnection, tenant_id: str, user_id: str) -> str | None:
    """What Vorex said of the person when they signed in last, as far as that is kept."""
    mine = sessions.c.tenant_id == tenant_id, sessions.c.user_id == user_id
    wanted = select(sessions.c.locale).where(*mine).order_by(sessions.c.since.desc()).limit(1)
    return await connection.scalar(wanted)

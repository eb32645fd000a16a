"""Tokens that are good once."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.engine.upserts import merging_insert
from service.store.tables import used_tokens

CLOCK_DIFFERENCE_SECONDS = 3600.0
"""No two clocks of ours differ by more."""


async def use_token(connection: AsyncConnection, name: str, *, expires_at: float, now: float) -> bool:
    """Spend a token that is good once; False where it was spent before. Forgets what expired long ago."""
    await connection.execute(
        delete(used_tokens).where(used_tokens.c.expires_at < now - CLOCK_DIFFERENCE_SECONDS)
    )
    spent = (
        merging_insert(connection, used_tokens)
        .values(id=name, expires_at=expires_at)
        .on_conflict_do_nothing()
    )
    return bool((await connection.execute(spent)).rowcount)


async def is_spent(connection: AsyncConnection, name: str) -> bool:
    """Whether a token of that name was spent, here or in another process."""
    return await connection.scalar(select(used_tokens.c.id).where(used_tokens.c.id == name)) is not None

"""What one person may do and have, over all processes (R43)."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from sqlalchemy import func, select, update

from service.store.engine.store import AsyncConnection, Store
from service.store.engine.upserts import merging_insert
from service.store.tables import changes_made, integrations

CHANGES_A_MINUTE, CHANGES_AN_HOUR = 60, 600
INTEGRATIONS_A_PERSON = 20
APPOINTMENTS_A_PERSON = 20_000
"""That are not deleted, whether the person added them or a linked calendar did; only adding is refused."""
REFUSALS_REMEMBERED = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeLimit:
    """At most so many changes within any so many seconds."""

    changes: int
    seconds: int


CHANGE_LIMITS = (
    ChangeLimit(changes=CHANGES_A_MINUTE, seconds=60),
    ChangeLimit(changes=CHANGES_AN_HOUR, seconds=3600),
)


def seconds_to_wait(moments: Sequence[int], now: int, limits: Sequence[ChangeLimit]) -> float:
    """Seconds until one more change is within all limits; moments in milliseconds, oldest first."""
    full = [limit for limit in limits if len(moments) >= limit.changes]
    return max((moments[-limit.changes] / 1000 + limit.seconds - now / 1000 for limit in full), default=0.0)


class ChangesMade:
    """Counts what people change; exact in any sliding span, at every number of processes.

    Who was refused is refused again until the time has come, without a question to the database.
    """

    def __init__(self, store: Store, *, limits: Sequence[ChangeLimit] = CHANGE_LIMITS) -> None:
        self._store, self._limits = store, limits
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def count(self, tenant_id: str, user_id: str, *, now: float) -> float:
        """Count one more change and answer 0, or the seconds after which it can be made.

        ``now`` is this process's clock, by which refusals are remembered.
        """
        if not self._limits:
            return 0.0
        key = tenant_id, user_id
        wait = self._refused.pop(key, now) - now
        if wait <= 0:
            async with self._store.begin() as connection:
                wait = await self._counted(connection, key)
        if wait > 0:
            self._refused[key] = now + wait
            if len(self._refused) > REFUSALS_REMEMBERED:
                self._refused.popitem(last=False)
        return max(0.0, wait)

    async def _counted(self, connection: AsyncConnection, key: tuple[str, str]) -> float:
        known = await lock_person(connection, *key)
        now = int(await self._store.now(connection) * 1000)
        oldest = now - 1000 * max(limit.seconds for limit in self._limits)
        moments = [min(at, now) for at in _parsed(known) if at > oldest]
        wait = seconds_to_wait(moments, now, self._limits)
        if wait <= 0:
            await connection.execute(
                update(changes_made)
                .where(changes_made.c.tenant_id == key[0], changes_made.c.user_id == key[1])
                .values(changes=_text([*moments, now]), changed_at=now / 1000)
            )
        return wait


async def lock_person(connection: AsyncConnection, tenant_id: str, user_id: str) -> str:
    """Whoever counts what a person has is alone with that person until the commit; what is kept of them.

    Before any other row is locked.
    """
    mine = (changes_made.c.tenant_id == tenant_id) & (changes_made.c.user_id == user_id)
    locked = select(changes_made.c.changes).where(mine).with_for_update()
    known: str | None = await connection.scalar(locked)
    if known is None:
        first = {"tenant_id": tenant_id, "user_id": user_id, "changes": "[]", "changed_at": 0.0}
        await connection.execute(
            merging_insert(connection, changes_made).values(first).on_conflict_do_nothing()
        )
        known = await connection.scalar(locked)
    return known or "[]"


async def count_integrations(connection: AsyncConnection, tenant_id: str, user_id: str) -> int:
    """The person's integrations that are not deleted, set up or not."""
    wanted = select(func.count()).where(
        integrations.c.tenant_id == tenant_id,
        integrations.c.user_id == user_id,
        integrations.c.deleted_at.is_(None),
    )
    return int(await connection.scalar(wanted) or 0)


def _parsed(text: str) -> list[int]:
    return list(accumulate(json.loads(text)))


def _text(moments: Sequence[int]) -> str:
    """The first moment, and from each to the next: short, whatever their number."""
    return json.dumps([*moments[:1], *(later - one for one, later in pairwise(moments))])

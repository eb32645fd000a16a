"""The row in which all processes keep the Cronofy budget (R32)."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, insert, select, update

from service.store.engine.store import IntegrityError, Store
from service.store.tables import budget

_Result = TypeVar("_Result")

BUDGET_NAME = "cronofy"
EMPTY_BUDGET = "{}"
_CHANGING = update(budget).where(budget.c.name == BUDGET_NAME).values(state=bindparam("changed"))


class BudgetRow:
    """One text under a row lock; whoever changes it is alone, by the database's clock."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def change(self, judge: Callable[[str, float], tuple[str, _Result]]) -> _Result:
        """Replace the text by what ``judge`` makes of it; committed before this returns."""
        while True:
            async with self._store.begin() as connection:
                clock = self._store.clock()
                found = (await connection.execute(_locking(clock.column), clock.given)).first()
                if found is not None:
                    changed, result = judge(found.state, found.now)
                    await connection.execute(_CHANGING, {"changed": changed})
                    return result
            await self._lay()

    async def _lay(self) -> None:
        try:
            async with self._store.begin() as connection:
                await connection.execute(insert(budget).values(name=BUDGET_NAME, state=EMPTY_BUDGET))
        except IntegrityError:
            return  # another process was first


@cache
def _locking(clock: ColumnElement[float]) -> Select[tuple[str, float]]:
    """The row's text, and the clock as it stood under the lock.

    The clock is asked about a row that the inner query has locked by then: read beside the lock it
    would be from before the wait for it, and could lie in another process's past.
    """
    row = select(budget.c.state).where(budget.c.name == BUDGET_NAME).with_for_update().subquery()
    return select(row.c.state, clock.label("now"))


async def read_budget(store: Store) -> tuple[str, float]:
    """The text as it is and the database's time, without waiting for anybody."""
    async with store.read() as connection:
        text = await connection.scalar(select(budget.c.state).where(budget.c.name == BUDGET_NAME))
        return text or EMPTY_BUDGET, await store.now(connection)

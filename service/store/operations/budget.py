"""The row in which all processes keep the Cronofy budget (R32)."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import insert, select, update

from service.store.engine.store import IntegrityError, Store
from service.store.tables import budget

_Result = TypeVar("_Result")

BUDGET_NAME = "cronofy"
EMPTY_BUDGET = "{}"


class BudgetRow:
    """One text under a row lock; whoever changes it is alone, by the database's clock."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def change(self, judge: Callable[[str, float], tuple[str, _Result]]) -> _Result:
        """Replace the text by what ``judge`` makes of it; committed before this returns."""
        while True:
            async with self._store.begin() as connection:
                locked = select(budget.c.state).where(budget.c.name == BUDGET_NAME).with_for_update()
                text = await connection.scalar(locked)
                if text is not None:
                    # the clock is read under the lock: a time from before it could lie in another's past
                    changed, result = judge(text, await self._store.now(connection))
                    await connection.execute(
                        update(budget).where(budget.c.name == BUDGET_NAME).values(state=changed)
                    )
                    return result
            await self._lay()

    async def _lay(self) -> None:
        try:
            async with self._store.begin() as connection:
                await connection.execute(insert(budget).values(name=BUDGET_NAME, state=EMPTY_BUDGET))
        except IntegrityError:
            return  # another process was first


async def read_budget(store: Store) -> tuple[str, float]:
    """The text as it is and the database's time, without waiting for anybody."""
    async with store.read() as connection:
        text = await connection.scalar(select(budget.c.state).where(budget.c.name == BUDGET_NAME))
        return text or EMPTY_BUDGET, await store.now(connection)

"""The last look before sending, one query for all lanes that ask at the same time."""

import asyncio
from collections.abc import Mapping, Sequence

from contracts.calendar import LinkId
from contracts.errors import Transient
from service.store.engine.store import Store
from service.store.links import rechecks
from service.store.links.rechecks import CheckedLink

_Answer = asyncio.Future[Mapping[LinkId, CheckedLink]]
_Waiter = tuple[Sequence[LinkId], _Answer]


class LinkChecks:
    """Looks at links and their integrations just before they are written.

    While one query runs, what is asked for waits for the next: nobody is answered by a look that
    began before they asked. Alone, nothing waits; with many lanes, few queries answer them all.
    """

    def __init__(self, store: Store, me: str) -> None:
        self._store = store
        self._me = me
        self._waiting: list[_Waiter] = []
        self._looking: asyncio.Task[None] | None = None

    async def check(self, ids: Sequence[LinkId]) -> Mapping[LinkId, CheckedLink]:
        """How these links stand, as of after this call; others may be among them. Raises Unavailable."""
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._waiting.append((ids, answer))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="link checks")
        return await answer

    async def _look(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                await self._answer(asked)
        finally:
            self._looking = None

    async def _answer(self, asked: Sequence[_Waiter]) -> None:
        asked = [one for one in asked if not one[1].done()]
        wanted = [link_id for ids, _ in asked for link_id in ids]
        try:
            async with self._store.read() as connection:
                clock = self._store.clock()
                found = await rechecks.check(connection, wanted, me=self._me, clock=clock)
        except Transient as error:
            for _, answer in asked:
                _settle(answer, error.again())
        except Exception as error:  # noqa: BLE001 -- one of them: found by looking at each alone
            if len(asked) == 1:
                _settle(asked[0][1], error)
                return
            for one in asked:
                await self._answer([one])
        else:
            for _, answer in asked:
                _settle(answer, found)


def _settle(answer: _Answer, found: Mapping[LinkId, CheckedLink] | Exception) -> None:
    """Whoever gave up meanwhile is told nothing."""
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)

"""The last look before sending, one query for all lanes that ask at the same time."""

import asyncio
from collections.abc import Mapping, Sequence

from contracts.calendar import LinkId
from contracts.errors import Transient, Unavailable
from service.store.engine.store import Store
from service.store.links import rechecks
from service.store.links.rechecks import CheckedLink

LONGEST_CHECK_SECONDS = 5.0
"""Seconds after which a look is given up, so that one silent connection does not hold up all lanes."""

_Found = Mapping[LinkId, CheckedLink]
_Waiter = tuple[Sequence[LinkId], asyncio.Future[_Found]]


class LinkChecks:
    """Looks at links and their integrations just before they are written.

    While one query runs, what is asked for waits for the next: nobody is answered by a look that
    began before they asked. Alone, nothing waits; with many lanes, few queries answer them all.
    """

    def __init__(self, store: Store, me: str, *, longest: float = LONGEST_CHECK_SECONDS) -> None:
        self._store = store
        self._me = me
        self._longest = longest
        self._waiting: list[_Waiter] = []
        self._looking: asyncio.Task[None] | None = None

    async def check(self, ids: Sequence[LinkId]) -> _Found:
        """How these links stand, as of after this call; others may be among them. Raises Unavailable."""
        answer: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((ids, answer))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="link checks")
        return await answer

    async def close(self) -> None:
        """End a look that runs; nobody waits for it any more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        asked: Sequence[_Waiter] = ()
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                await self._answer([one for one in asked if not one[1].done()])
        finally:
            self._looking = None
            for _, answer in (*asked, *self._waiting):  # of a look that was ended
                answer.cancel()
            self._waiting.clear()

    async def _answer(self, asked: Sequence[_Waiter]) -> None:
        try:
            found = await self._found([link_id for ids, _ in asked for link_id in ids])
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

    async def _found(self, ids: Sequence[LinkId]) -> _Found:
        try:
            async with asyncio.timeout(self._longest), self._store.read() as connection:
                return await rechecks.check(connection, ids, me=self._me, clock=self._store.clock())
        except TimeoutError as error:
            raise Unavailable("the database takes too long to answer") from error


def _settle(answer: asyncio.Future[_Found], found: _Found | Exception) -> None:
    """Whoever gave up meanwhile is told nothing."""
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)

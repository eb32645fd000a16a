"""The keeper's rounds over all questions: looked at without a lock, written where something is due (R52)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.calendar import LinkId
from contracts.errors import Unavailable
from service.integrations.questions.due import QuestionsDue, due_of_absences, due_of_copies, due_of_open
from service.integrations.questions.tending import QUESTIONS_A_CHUNK, carry_out
from service.store.engine.store import AsyncConnection, Store
from service.store.questions import absences, questions
from service.telemetry.hindrances import say_hindered

DISPATCHERS_QUESTIONS = "dispatchers' questions"
"""The chore's name."""
QUESTION_CHUNKS_A_ROUND = 5
AWAY_AT_ONCE = 20
"""Integrations whose owners are away, and whose calls are looked at in one chunk."""


@dataclass(kw_only=True, slots=True)
class _Walk:
    """What is gone through, a few chunks a round, and where the next one goes on."""

    size: int
    find: Callable[[AsyncConnection, str, datetime, int], Awaitable[Sequence[str]]]
    """The ids behind one, in their order."""
    look: Callable[[AsyncConnection, Sequence[str], datetime], Awaitable[QuestionsDue]]
    after: str = ""


class QuestionRounds:
    """Closes what nobody has to answer any more, and asks what was never asked, of all tenants.

    However many there are, a round is short: the next one goes on where it ended.
    """

    def __init__(self, store: Store, *, chunk: int = QUESTIONS_A_CHUNK) -> None:
        self._store = store
        self._walks = (
            _Walk(size=chunk, find=_find_open, look=_look_at_open),
            _Walk(size=chunk, find=_find_copies, look=_look_at_copies),
            _Walk(size=min(chunk, AWAY_AT_ONCE), find=_find_away, look=_look_at_away),
        )

    async def round(self) -> None:
        """A few chunks of each; one that fails holds up no other. Raises Unavailable."""
        for walk in self._walks:
            for _ in range(QUESTION_CHUNKS_A_ROUND):
                async with self._store.read() as connection:
                    now = await self._store.moment(connection)
                    ids = await walk.find(connection, walk.after, now, walk.size)
                walk.after = ids[-1] if len(ids) == walk.size else ""
                await self._guarded(walk, ids)
                if not walk.after:
                    break

    async def _guarded(self, walk: _Walk, ids: Sequence[str]) -> None:
        try:
            await self._tend(walk, ids)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others are tended
            if len(ids) > 1:
                for one in ids:
                    await self._guarded(walk, [one])
                return
            say_hindered(DISPATCHERS_QUESTIONS, error, about=ids[0])

    async def _tend(self, walk: _Walk, ids: Sequence[str]) -> None:
        async with self._store.read() as connection:
            due = await walk.look(connection, ids, await self._store.moment(connection))
        if due:
            async with self._store.begin() as connection:
                now = await self._store.moment(connection)
                await carry_out(connection, await walk.look(connection, ids, now), now=now)


async def _find_open(connection: AsyncConnection, after: str, _now: datetime, limit: int) -> Sequence[str]:
    return await questions.open_ids(connection, after=after, limit=limit)


async def _look_at_open(connection: AsyncConnection, ids: Sequence[str], now: datetime) -> QuestionsDue:
    return await due_of_open(connection, await questions.open_among(connection, ids), now=now)


async def _find_copies(connection: AsyncConnection, after: str, _now: datetime, limit: int) -> Sequence[str]:
    return await questions.questioned(connection, after=after, limit=limit)


async def _look_at_copies(connection: AsyncConnection, ids: Sequence[str], now: datetime) -> QuestionsDue:
    return await due_of_copies(connection, [LinkId(one) for one in ids], now=now)


async def _find_away(connection: AsyncConnection, after: str, now: datetime, limit: int) -> Sequence[str]:
    return await absences.whose(connection, now=now, after=after, limit=limit)


async def _look_at_away(connection: AsyncConnection, ids: Sequence[str], now: datetime) -> QuestionsDue:
    return await due_of_absences(connection, ids, now=now)

"""What people ask of Cronofy through pages: seldom, once for all who ask alike, after live changes (R44)."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from contracts.cronofy import Calendar
from contracts.errors import SyncError
from contracts.ports import Clock, Turn, Urgency

ANSWER_LIFE_SECONDS = 60.0
QUESTIONS_A_MINUTE = 20
"""Of one person, answers that were kept not counted; in each process."""
QUESTIONS_AT_ONCE = 2
REQUESTS_A_MINUTE = 60
"""Of one person, for questions that take several: who tries a wizard's options one by one needs half."""
MOST_ANSWERS_KEPT = 500
MOST_PEOPLE_KNOWN = 10_000
_SPAN_SECONDS = 60.0


class AskedTooOften(SyncError):
    """The person has to wait so many seconds before the next question."""

    def __init__(self, retry_after: float, *, most: int) -> None:
        super().__init__(
            f"Cronofy is asked at most {most} times a minute for one person. "
            "Nothing was done; try once more in a moment."
        )
        self.retry_after = retry_after


class CalendarLister(Protocol):
    async def calendars(self, sub: str, *, turn: Turn) -> Sequence[Calendar]: ...


@dataclass(kw_only=True, slots=True)
class _Asker:
    asked: deque[float] = field(default_factory=deque)
    requests: deque[float] = field(default_factory=deque)
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUESTIONS_AT_ONCE))


@dataclass(frozen=True, kw_only=True, slots=True)
class _KeptAnswer:
    calendars: Sequence[Calendar]
    until: float


def persons_turn(integration_id: str, tenant_id: str) -> Turn:
    """Whoever waits before a page comes after what changed on a calendar."""
    return Turn(integration_id=integration_id, tenant_id=tenant_id, urgency=Urgency.PERSON)


class PeoplesQuestions:
    """Keeps answers for a minute, and lets one request serve all who wait for the same."""

    def __init__(self, cronofy: CalendarLister, clock: Clock) -> None:
        self._cronofy, self._clock = cronofy, clock
        self._kept: OrderedDict[tuple[str, str], _KeptAnswer] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Task[Sequence[Calendar]]] = {}
        self._askers: OrderedDict[str, _Asker] = OrderedDict()

    async def calendars(
        self, asker: str, integration_id: str, sub: str, *, tenant_id: str = "", fresh: bool = False
    ) -> Sequence[Calendar]:
        """The account's calendars as Cronofy lists them; ``fresh``: now, not within the last minute.

        Raises AskedTooOften, and what the gateway raises.
        """
        key = integration_id, sub
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock.monotonic() and not fresh:
            return kept.calendars
        under_way = self._under_way.get(key)
        if under_way is None or fresh:
            under_way = self._begin(asker, key, tenant_id)
        return await asyncio.shield(under_way)

    @asynccontextmanager
    async def asking(self, asker: str) -> AsyncIterator[None]:
        """One question of that person's, whatever it is. Raises AskedTooOften."""
        one = self._asker(asker)
        self._count(one.asked, most=QUESTIONS_A_MINUTE)
        async with one.at_once:
            yield

    def count_request(self, asker: str) -> None:
        """One request of a question that takes several. Raises AskedTooOften."""
        self._count(self._asker(asker).requests, most=REQUESTS_A_MINUTE)

    def _count(self, asked: deque[float], *, most: int) -> None:
        now = self._clock.monotonic()
        while asked and asked[0] <= now - _SPAN_SECONDS:
            asked.popleft()
        if len(asked) >= most:
            raise AskedTooOften(asked[0] + _SPAN_SECONDS - now, most=most)
        asked.append(now)

    def forget(self, integration_id: str) -> None:
        """What was known of that integration's account: the person connected it anew."""
        for key in [key for key in self._kept if key[0] == integration_id]:
            del self._kept[key]
        for key in [key for key in self._under_way if key[0] == integration_id]:
            del self._under_way[key]

    def _begin(self, asker: str, key: tuple[str, str], tenant_id: str) -> "asyncio.Task[Sequence[Calendar]]":
        task = asyncio.create_task(self._listed(asker, key, tenant_id), name="a person's question")
        self._under_way[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: tuple[str, str], task: "asyncio.Task[Sequence[Calendar]]") -> None:
        """Keep what it found, unless it was forgotten or asked anew meanwhile."""
        newest = self._under_way.get(key) is task
        if newest:
            del self._under_way[key]
        if task.cancelled() or task.exception() is not None or not newest:
            return
        self._kept[key] = _KeptAnswer(
            calendars=task.result(), until=self._clock.monotonic() + ANSWER_LIFE_SECONDS
        )
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_ANSWERS_KEPT:
            self._kept.popitem(last=False)

    async def _listed(self, asker: str, key: tuple[str, str], tenant_id: str) -> Sequence[Calendar]:
        integration_id, sub = key
        async with self.asking(asker):
            return await self._cronofy.calendars(sub, turn=persons_turn(integration_id, tenant_id))

    def _asker(self, name: str) -> _Asker:
        one = self._askers.setdefault(name, _Asker())
        self._askers.move_to_end(name)
        if len(self._askers) > MOST_PEOPLE_KNOWN:
            self._askers.popitem(last=False)
        return one

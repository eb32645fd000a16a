"""How many of one person's requests are worked on at a time, so that nobody waits for who asks much (R43)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Scope

from service.web.tokens import Visitor

REQUESTS_AT_ONCE = 4
"""A process has some fifteen connections to its database, for everybody together."""
REQUESTS_WAITING = 60
TOO_MANY_AT_ONCE = "Too many of your requests are being worked on already. Try once more in a moment."
_PLACE = "place among the requests of one person"


@dataclass(slots=True)
class _Queue:
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REQUESTS_AT_ONCE))
    there: int = 0
    """Those that are worked on, and those that wait."""


class PeoplesRequests:
    """Lets a person's requests in by their order, in this process, whatever they came with."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], _Queue] = {}

    async def admit(self, request: Request, visitor: Visitor) -> None:
        """Wait for the request's turn, once for each request; 429 where too many wait before it.

        Its place is given back by ``give_back_place``.
        """
        state = request.scope.setdefault("state", {})
        if _PLACE in state:
            return
        person = visitor.tenant_id, visitor.user_id
        queue = self._queues.setdefault(person, _Queue())
        if queue.there >= REQUESTS_AT_ONCE + REQUESTS_WAITING:
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY_AT_ONCE, {"Retry-After": "1"})
        queue.there += 1
        try:
            await queue.turns.acquire()
        except BaseException:
            self._go(person, queue)
            raise
        state[_PLACE] = lambda: self._leave(person, queue)

    def _leave(self, person: tuple[str, str], queue: _Queue) -> None:
        queue.turns.release()
        self._go(person, queue)

    def _go(self, person: tuple[str, str], queue: _Queue) -> None:
        queue.there -= 1
        if not queue.there:
            del self._queues[person]


def give_back_place(scope: Scope) -> None:
    """The request has been answered, or given up; one that never had a place has none to give back."""
    leave: Callable[[], None] | None = scope.get("state", {}).pop(_PLACE, None)
    if leave is not None:
        leave()

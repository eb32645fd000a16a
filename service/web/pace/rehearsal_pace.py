"""How often a person may ask what an undo would do: one look at a time, and so many in a while (R43)."""

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.exceptions import HTTPException

from contracts.ports import Clock
from service.web.tokens import Visitor

REHEARSALS_AT_ONCE = 20
SECONDS_A_REHEARSAL = 2.0
"""After which one more is admitted: thirty a minute for as long as it goes on."""
MOST_PEOPLE_REMEMBERED = 10_000
"""Who was quiet for longest is forgotten first, and has the whole allowance again."""
STILL_LOOKING = "What the undo would do is being looked at for you already. Try once more in a moment."
TOO_OFTEN = "What an undo would do was asked for too often. Try once more in a moment."


class RehearsalPace:
    """An allowance for each person, in this process: each change that is shown has to be judged."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looking: set[tuple[str, str]] = set()
        self._spent_until: OrderedDict[tuple[str, str], float] = OrderedDict()

    @contextmanager
    def turn(self, visitor: Visitor) -> Iterator[None]:
        """Within it this person has the one look; 429 with when to come again where it is not to be had."""
        person = visitor.tenant_id, visitor.user_id
        if person in self._looking:
            raise _come_again(STILL_LOOKING, 1)
        if (wait := self._spend(person)) > 0:
            raise _come_again(TOO_OFTEN, math.ceil(wait))
        self._looking.add(person)
        try:
            yield
        finally:
            self._looking.discard(person)

    def _spend(self, person: tuple[str, str]) -> float:
        """Take one of the allowance; else the seconds until there is one."""
        now = self._clock.monotonic()
        spent_until = max(now, self._spent_until.get(person, now)) + SECONDS_A_REHEARSAL
        wait = spent_until - now - REHEARSALS_AT_ONCE * SECONDS_A_REHEARSAL
        if wait > 0:
            return wait
        self._spent_until[person] = spent_until
        self._spent_until.move_to_end(person)
        if len(self._spent_until) > MOST_PEOPLE_REMEMBERED:
            self._spent_until.popitem(last=False)
        return 0.0


def _come_again(detail: str, seconds: int) -> HTTPException:
    return HTTPException(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(seconds)})

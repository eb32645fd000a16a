"""One assumption of contracts/CRONOFY.md, how it is tried, and what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contracts.errors import SyncError
from contracts.writes import Answer
from service.cronofy.live.calendar import TrialCalendar


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen; ``well`` is None where it settles nothing."""

    well: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One line of ``doctor --live``."""

    number: str
    """As in contracts/CRONOFY.md."""
    assumed: str
    look: Callable[[TrialCalendar], Awaitable[Seen]]

    @property
    def name(self) -> str:
        return self.look.__name__

    async def seen(self, calendar: TrialCalendar) -> Seen:
        """What came of trying it; a failure of the way to Cronofy settles nothing."""
        try:
            return await self.look(calendar)
        except SyncError as error:
            return unsettled(str(error))


def as_assumed(said: str) -> Seen:
    return Seen(well=True, said=said)


def different(said: str) -> Seen:
    return Seen(well=False, said=said)


def judged(well: bool, said: str) -> Seen:
    return Seen(well=well, said=said)


def unsettled(said: str) -> Seen:
    return Seen(well=None, said=said)


def told(answer: Answer) -> str:
    """The status, and the fields that were refused with the rules' keys; never a value."""
    rules = ", ".join(f"{name}: {rule}" for name, rule in sorted(answer.errors.items()))
    return f"answered {answer.status}" + (f" ({rules})" if rules else "")


def taken(answer: Answer) -> Seen:
    """What an answer says where the write should be accepted."""
    return judged(answer.accepted, told(answer))


def not_shown(calendar: TrialCalendar) -> Seen:
    return unsettled(f"accepted, and not shown though {calendar.patience:.0f} s were waited")

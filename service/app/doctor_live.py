"""``doctor --live``: what is assumed of Cronofy, tried with our own client on a calendar without a person."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import SyncError
from service.cronofy.live.account import ACCOUNT, LEAVING
from service.cronofy.live.calendar import TrialCalendar
from service.cronofy.live.reading import READING
from service.cronofy.live.trial import Seen, Trial, different, unsettled
from service.cronofy.live.writing import WRITING

TRIALS: Sequence[Trial] = (*ACCOUNT, *WRITING, *READING)
ALL_TRIALS: Sequence[Trial] = (*TRIALS, *LEAVING)
WORDS = {True: "ok", False: "different", None: "not settled"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveFinding:
    """What was assumed, and what was seen."""

    number: str
    name: str
    assumed: str
    well: bool | None
    """None where nothing was settled."""
    seen: str

    @property
    def line(self) -> str:
        return f"[{WORDS[self.well]}] {self.number} {self.name}: {self.assumed} – {self.seen}"

    def form(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in ("number", "assumed", "seen", "well")}
        return {"name": f"live {self.name}", "said": self.seen, "remedy": None, **shown}

    @classmethod
    def of(cls, trial: Trial, seen: Seen) -> "LiveFinding":
        return cls(
            number=trial.number, name=trial.name, assumed=trial.assumed, well=seen.well, seen=seen.said
        )


CALENDAR = ("–", "application calendar")


async def try_everything(
    calendar: TrialCalendar, trials: Sequence[Trial] = ALL_TRIALS
) -> AsyncIterator[LiveFinding]:
    """A finding for each trial; what was written is taken away again, and the authorisation ended at last."""
    try:
        await calendar.open()
    except SyncError as error:
        yield _about_calendar("One is to be had for the asking", different(str(error)))
        return
    try:
        for trial in (each for each in trials if each not in LEAVING):
            yield LiveFinding.of(trial, await trial.seen(calendar))
    finally:
        left = await _swept(calendar)
    yield _about_calendar("What was written can be taken away", left)
    for trial in (each for each in trials if each in LEAVING):
        yield LiveFinding.of(trial, await trial.seen(calendar))


async def _swept(calendar: TrialCalendar) -> Seen:
    try:
        left = await calendar.sweep()
    except SyncError as error:
        return unsettled(str(error))
    if left:
        return unsettled(f"{left} events are still shown; the next visit takes them away")
    return Seen(well=True, said="nothing is left")


def _about_calendar(assumed: str, seen: Seen) -> LiveFinding:
    number, name = CALENDAR
    return LiveFinding(number=number, name=name, assumed=assumed, well=seen.well, seen=seen.said)

"""What a rehearsal found: each item or event under what would be done with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from contracts.calendar import Item
from contracts.cronofy import CronofyEvent
from contracts.times import InstantOrDay
from handlers.edits import MASKED_TITLE, masked_event
from handlers.texts.compose import event_span

DryRunCut = Literal["large", "slow", "silent", "first_sync"]
"""Why not everything was looked at: too much, too slow, no answer, or Cronofy itself is still reading."""


class DryRunAction(StrEnum):
    """What Finish would do, in the order in which a page tells it."""

    MOVE = "move"
    ADD_THERE = "add_there"
    ADD_HERE = "add_here"
    LINK = "link"
    CHANGE_THERE = "change_there"
    CHANGE_HERE = "change_here"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True, slots=True)
class DryRunLine:
    """One item or event; texts of private ones never enter."""

    title: str
    start: InstantOrDay | None
    kind: str
    series: str | None = None
    occurrences: Sequence[InstantOrDay] = ()
    """Where the line stands for a series: when each of them begins (R39)."""

    @classmethod
    def of_item(cls, item: Item, *, series: str | None = None) -> "DryRunLine":
        content = item.content
        times = event_span(content) if content else None
        hidden = content is not None and content.private
        title = MASKED_TITLE if hidden else content.title if content else ""
        return cls(title=title, start=times[0] if times else None, kind=item.type.value, series=series)

    @classmethod
    def of_event(cls, event: CronofyEvent) -> "DryRunLine":
        title, series = masked_event(event).summary or "", event.series_identifier
        return cls(title=title, start=event.start, kind="appointment", series=series)


@dataclass(kw_only=True, slots=True)
class DryRunResult:
    """Everything that was found; a thing that is done stands under no other heading than the last one."""

    lines: dict[DryRunAction, dict[str, DryRunLine]] = field(
        default_factory=lambda: {doing: {} for doing in DryRunAction}
    )
    cut: DryRunCut | None = None
    leaving: bool = False
    """Copies of an earlier integration are still being removed: Finish waits for that."""

    def note(self, doing: DryRunAction, key: str, line: DryRunLine) -> None:
        """``key``: an item's ref where there is an item, else an event's uid."""
        if doing is DryRunAction.LEAVE and any(key in known for known in self.lines.values()):
            return
        self.lines[DryRunAction.LEAVE].pop(key, None)
        if doing is not DryRunAction.CHANGE_THERE or key not in self.lines[DryRunAction.ADD_THERE]:
            self.lines[doing][key] = line

    @property
    def counts(self) -> Mapping[DryRunAction, int]:
        return {doing: len(known) for doing, known in self.lines.items()}

    @property
    def shown(self) -> Sequence[tuple[DryRunAction, Sequence[DryRunLine]]]:
        """The headings under which there is something, each with its lines by time; a series is one (R39)."""
        return [(doing, _together(_by_time(known.values()))) for doing, known in self.lines.items() if known]


def _by_time(lines: Iterable[DryRunLine]) -> Sequence[DryRunLine]:
    return sorted(lines, key=lambda line: (str(line.start or ""), line.title))


def _together(lines: Iterable[DryRunLine]) -> Sequence[DryRunLine]:
    """Each series in place of its first occurrence."""
    rows: dict[object, list[DryRunLine]] = {}
    for line in lines:
        rows.setdefault(line.series or object(), []).append(line)
    return [each[0] if len(each) == 1 else _series(each) for each in rows.values()]


def _series(lines: Sequence[DryRunLine]) -> DryRunLine:
    return replace(lines[0], occurrences=[line.start for line in lines if line.start is not None])

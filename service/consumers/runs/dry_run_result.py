"""What a rehearsal found: each item or event under what would be done with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from contracts.calendar import Item
from contracts.cronofy import CronofyEvent
from contracts.times import Moment
from handlers.compose import span
from handlers.edits import masked
from handlers.outbound_message import MASKED_TITLE

Cut = Literal["large", "slow", "silent", "first_sync"]
"""Why not everything was looked at: too much, too slow, no answer, or Cronofy itself is still reading."""


class Doing(StrEnum):
    """What Finish would do, in the order in which a page tells it."""

    MOVE = "move"
    ADD_THERE = "add_there"
    ADD_HERE = "add_here"
    LINK = "link"
    CHANGE_THERE = "change_there"
    CHANGE_HERE = "change_here"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One item or event; texts of private ones never enter."""

    title: str
    start: Moment | None
    kind: str

    @classmethod
    def of_item(cls, item: Item) -> "Line":
        content = item.content
        times = span(content) if content else None
        hidden = content is not None and content.private
        title = MASKED_TITLE if hidden else content.title if content else ""
        return cls(title=title, start=times[0] if times else None, kind=item.type.value)

    @classmethod
    def of_event(cls, event: CronofyEvent) -> "Line":
        return cls(title=masked(event).summary or "", start=event.start, kind="appointment")


@dataclass(kw_only=True, slots=True)
class Rehearsed:
    """Everything that was found; a thing that is done stands under no other heading than the last one."""

    lines: dict[Doing, dict[str, Line]] = field(default_factory=lambda: {doing: {} for doing in Doing})
    cut: Cut | None = None
    leaving: bool = False
    """Copies of an earlier integration are still being removed: Finish waits for that."""

    def note(self, doing: Doing, key: str, line: Line) -> None:
        """``key``: an item's ref where there is an item, else an event's uid."""
        if doing is Doing.LEAVE and any(key in known for known in self.lines.values()):
            return
        self.lines[Doing.LEAVE].pop(key, None)
        if doing is not Doing.CHANGE_THERE or key not in self.lines[Doing.ADD_THERE]:
            self.lines[doing][key] = line

    @property
    def counts(self) -> Mapping[Doing, int]:
        return {doing: len(known) for doing, known in self.lines.items()}

    @property
    def shown(self) -> Sequence[tuple[Doing, Sequence[Line]]]:
        """The headings under which there is something, each with its lines by time."""
        return [(doing, _by_time(known.values())) for doing, known in self.lines.items() if known]


def _by_time(lines: Iterable[Line]) -> Sequence[Line]:
    return sorted(lines, key=lambda line: (str(line.start or ""), line.title))

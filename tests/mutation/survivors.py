"""What ``SURVIVORS.md`` lists: each mutant that lives, by what it changes, and why that is so."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

LIST = Path(__file__).parent / "SURVIVORS.md"
EQUIVALENT = "Equivalent"
SECTIONS = (EQUIVALENT, "Alive")
_FUNCTION = re.compile(r"### `([\w.]+)`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a mutant is told by, whatever its number: its function, and the lines before and after."""

    function: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @classmethod
    def of(cls, function: str, diff: Sequence[str]) -> "Change":
        """From the lines of a diff; those that stay, its heads and white space do not count."""
        told = [line for line in diff if not line.startswith(("---", "+++"))]
        before, after = (
            tuple(line[1:].strip() for line in told if line.startswith(sign)) for sign in ("-", "+")
        )
        return cls(function=function, before=before, after=after)


@dataclass(frozen=True, kw_only=True, slots=True)
class Survivor:
    """A mutant of the list."""

    change: Change
    equivalent: bool
    """No input can tell it from the code."""
    reason: str = ""


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Reads the list from top to bottom."""

    section: str = ""
    function: str = ""
    diff: list[str] | None = None
    read: list[Survivor] = field(default_factory=list)

    def line(self, text: str) -> None:
        if self.diff is not None:
            self._inside(text)
        elif text == "```diff":
            self.diff = []
        elif text.startswith("## "):
            self.section, self.function = text.removeprefix("## "), ""
        elif found := _FUNCTION.fullmatch(text):
            self.function = found[1]
        elif text and self.function:
            self.read = list(self._with_reason(text))

    def _inside(self, text: str) -> None:
        if text.startswith(("-", "+")):
            self.diff = [*(self.diff or []), text]
            return
        if self.diff:
            change = Change.of(self.function, self.diff)
            self.read.append(Survivor(change=change, equivalent=self.section == EQUIVALENT))
        self.diff = None if text == "```" else []

    def _with_reason(self, text: str) -> Iterator[Survivor]:
        """Words are the reason of what stands above them, in the same function."""
        for each in self.read:
            open_still = each.change.function == self.function and each.reason == ""
            yield replace(each, reason=text) if open_still else each


def survivors(text: str | None = None) -> list[Survivor]:
    """Those of the list, or of a text like it; within a block an empty line parts two mutants."""
    reader = _Reader()
    for line in (LIST.read_text("utf-8") if text is None else text).splitlines():
        reader.line(line.rstrip())
    return reader.read

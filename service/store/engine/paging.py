"""One page of many rows, as every list is read: by key, never by number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

_Row = TypeVar("_Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[_Row]):
    """Rows, and where the next page begins."""

    rows: Sequence[_Row]
    following: str | None
    """The cursor of the next page; None behind the last one."""
    ended_early: bool = False
    """Whether more may be found further on, because only so many were looked through."""

    @classmethod
    def of(cls, found: Sequence[_Row], limit: int, *, cursor: Callable[[_Row], str]) -> Self:
        """The first ``limit`` rows of what was found when one more was asked for."""
        rows = found[:limit]
        return cls(rows=rows, following=cursor(rows[-1]) if len(found) > limit else None)

"""What steps of runs have done, in numbers that add up (R27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TALLY_COUNTS = ("done", "found", "agreed", "created", "updated", "deleted", "skipped", "failed")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTally:
    """What steps of a run have done."""

    done: int = 0
    found: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    """All for which nothing was done: what agreed already, and what was passed over."""
    failed: int = 0
    agreed: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """The rest of what was skipped, by the codes that say why."""

    @property
    def made(self) -> int:
        """Where something came of it."""
        return self.created + self.updated + self.deleted + self.failed

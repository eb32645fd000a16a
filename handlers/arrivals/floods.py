"""So much at once that a person is asked first: deletions, events that are not new (R11, R36). Pure."""

from datetime import datetime

from contracts.cronofy import CronofyEvent

MOST_FREE_DELETIONS = 10
MOST_FREE_IMPORTS = 10
LARGEST_FREE_SHARE = 3
"""One in so many of the pairs may go without a question."""


def is_doubtful(event: CronofyEvent, known_until: datetime | None) -> bool:
    """Whether the event was made before the last complete reading, which did not show it under this id."""
    if known_until is None or event.created is None:
        return False
    return event.created < known_until.replace(microsecond=0)


def too_many_imports(*, new: int, pairs: int) -> bool:
    """Whether a read finds so many events that nobody knew that a person must be asked first (R36)."""
    return new > MOST_FREE_IMPORTS and new * LARGEST_FREE_SHARE > pairs


def too_many_deletions(*, new: int, recent: int, pairs: int) -> bool:
    """Whether the deletions of a day are so many that a person must be asked first (R11).

    ``recent`` were carried out within 24 hours, ``pairs`` counts the links before any of them.
    """
    together = new + recent
    return together > MOST_FREE_DELETIONS and together * LARGEST_FREE_SHARE > pairs

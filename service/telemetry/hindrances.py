"""What hinders a chore, or one of those whom it is for: the others go on, and it is tried again."""

import structlog

from contracts.errors import SyncError

log = structlog.get_logger(__name__)


def say_hindered(chore: str, error: Exception, **whose: str) -> None:
    """One line about it."""
    log.warning("keeper.hindered", chore=chore, reason=reason_of(error), **whose)


def say_abandoned(error: Exception, **whose: str) -> None:
    """A grant that nobody needs lives on: who could end it is asked no more."""
    log.warning("grant.abandoned", reason=reason_of(error), **whose)


def reason_of(error: Exception) -> str:
    """What may be told of the error: the text of ours, of any other its kind alone."""
    return str(error) if isinstance(error, SyncError) else type(error).__name__

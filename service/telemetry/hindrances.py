"""What hinders a chore, or one of those whom it is for: the others go on, and it is tried again."""

import structlog

from contracts.errors import SyncError

log = structlog.get_logger(__name__)


def say_hindered(chore: str, error: Exception, **whose: str) -> None:
    """One line with what may be told of the error: the text of ours, of any other its kind alone."""
    reason = str(error) if isinstance(error, SyncError) else type(error).__name__
    log.warning("keeper.hindered", chore=chore, reason=reason, **whose)

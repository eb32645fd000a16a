"""Events in whose place another one stands: a copy was written anew, because they were removed. Pure."""

from contracts.calendar import Link
from contracts.cronofy import CronofyEvent
from handlers.echo import LATE_SECONDS
from handlers.judgement import Reading


def is_to_go(event: CronofyEvent, link: Link, reading: Reading) -> bool:
    """Whether a living row of a link's former event is from before its removal, which is still on its way.

    Nobody touched it since it was read last; a removal that did not come within 24 hours comes no more (R38).
    """
    # Taken off on Monday at 9:00 and sent again at 9:01. A row of 9:02 that nobody touched since is of before
    # 9:00; one that was touched at 9:02 was fetched back by its owner, and is an event of its own (R6).
    known, accepted = link.event_updated, link.accepted_at
    untouched = event.updated is None or (known is not None and event.updated <= known)
    return untouched and accepted is not None and reading.asked_at - accepted < LATE_SECONDS

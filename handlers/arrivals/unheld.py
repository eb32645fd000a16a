"""Events whose times no clock can hold: passed over, and said once.

Pure. Nothing of them is taken: an appointment of the year 9999 could not be told, stored or sent again.
"""

from collections.abc import Iterable

from contracts.calendar import (
    Code,
    Direction,
    Integration,
    Link,
    LogAction,
    LogEntry,
    Outcome,
)
from contracts.cronofy import UnheldEvent
from handlers import link_states
from handlers.judgement import Reading

UNHELD_REASON = "Its start or end lies beyond what a clock can hold; it is passed over."


def unheld_key(event: UnheldEvent) -> str:
    """The key under which is remembered that it was said."""
    return f"unheld:{event.event_uid}"


def said_once(
    events: Iterable[UnheldEvent], integration: Integration, reading: Reading, *, said: Iterable[str]
) -> dict[str, LogEntry]:
    """What is to be said of these events and was not yet, by the key that remembers it."""
    told = {unheld_key(event): _entry(event, integration, reading) for event in events}
    return {key: entry for key, entry in told.items() if key not in {*said}}


def _entry(event: UnheldEvent, integration: Integration, reading: Reading) -> LogEntry:
    return LogEntry(
        integration_id=integration.id,
        trigger=reading.trigger,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.SKIPPED,
        code=Code.NOT_POSSIBLE,
        reason=UNHELD_REASON,
        title=event.title,
        message_id=reading.message_id,
        run_id=reading.run_id,
    )


def unheld_links(events: Iterable[UnheldEvent], links: Iterable[Link], reading: Reading) -> list[Link]:
    """The links of these events: they are there, and otherwise than their items, which stay."""
    rows = [*events]
    ids = {event.event_id for event in rows if event.event_id}
    uids = {event.event_uid for event in rows if event.event_id is None}
    return [
        link_states.differ(link_states.passed_over(link, reading))
        for link in links
        if (link.event_id in ids or link.event_uid in uids) and link.exists_there
    ]

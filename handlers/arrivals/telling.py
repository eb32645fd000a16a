"""Which of several rows about one event tells how it stands. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from contracts.calendar import Link
from contracts.cronofy import CronofyEvent
from handlers.judgement import is_gone


def telling_of_link(link: Link, rows: Sequence[CronofyEvent]) -> CronofyEvent:
    """What the rows tell of a link: where the event that it knows is gone too, nothing newer lives."""
    telling = telling_row(rows)
    known = is_gone(telling) and any(row.event_uid == link.event_uid for row in rows)
    return replace(telling, event_uid=link.event_uid or telling.event_uid) if known else telling


def telling_row(rows: Sequence[CronofyEvent]) -> CronofyEvent:
    """The newest row of each event; of several events under one id a living one tells."""
    never = datetime.min.replace(tzinfo=UTC)
    newest: dict[str, CronofyEvent] = {}
    for event in sorted(rows, key=lambda event: (event.updated or never, not is_gone(event))):
        newest[event.event_uid] = event
    return max(newest.values(), key=lambda event: (not is_gone(event), event.updated or never))

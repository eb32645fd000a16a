"""What was on the calendar before Finish, and is not brought (R33). Pure."""

import hashlib

from contracts.calendar import KEY_SEPARATOR, Integration
from contracts.cronofy import CronofyEvent
from contracts.times import as_day
from handlers.judgement import days_to_read
from handlers.matching import MatchKey


def slid_in(event: CronofyEvent, integration: Integration) -> bool:
    """Whether the event was there at Finish, outside what the reading at Finish could see (R33)."""
    finished = integration.finished_at
    if finished is None or event.created is None or event.created >= finished:
        return False
    first, beyond = days_to_read(finished)
    return as_day(event.start) >= beyond or as_day(event.end) < first


def was_there_before(event: CronofyEvent, integration: Integration) -> bool:
    """Whether a row of the reading at Finish was on the calendar before Finish (R33)."""
    if event.event_id is not None or integration.finished_at is None:
        return False
    return event.created is None or event.created < integration.finished_at.replace(microsecond=0)


def event_keys(event: CronofyEvent) -> list[str]:
    """The keys under which an event, and its series, is remembered as not to be brought (R33)."""
    keys = [f"uid:{event.event_uid}"]
    return [*keys, f"series:{event.series_identifier}"] if event.series_identifier else keys


def alike_key(event: CronofyEvent) -> str:
    """The key under which is remembered that it was passed over, as long as it looks like what is there."""
    return f"alike:{event.event_uid}"


def look_key(look: MatchKey) -> str:
    """The key under which is remembered that something that looks so was passed over."""
    whole = hashlib.sha256(KEY_SEPARATOR.join(look).encode()).hexdigest()
    return f"look:{whole[:32]}"


def undecided_key(event: CronofyEvent) -> str:
    """The key under which is remembered that nobody can say whether it is something that is known."""
    return f"undecided:{event.event_uid}"


def remembered_keys(event: CronofyEvent) -> list[str]:
    """All keys under which anything is remembered of an event that is not brought."""
    return [*event_keys(event), alike_key(event)]

"""Instants and whole days: the lengths that are taken for granted, and how Cronofy is told them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias

InstantOrDay: TypeAlias = datetime | date
"""An instant in UTC, or a whole day."""

ONE_DAY = timedelta(days=1)
HALF_HOUR = timedelta(minutes=30)
EARLIEST_YEAR, LATEST_YEAR = 2, 9998
"""Every instant between can be told in any time zone and be lengthened by a day."""


def usual_length(*, all_day: bool) -> timedelta:
    """How long an event without an end lasts (R14)."""
    return ONE_DAY if all_day else HALF_HOUR


def can_be_held(moment: date) -> bool:
    """Whether every clock and every store can hold the instant or day."""
    return EARLIEST_YEAR <= moment.year <= LATEST_YEAR


def as_instant(moment: InstantOrDay) -> datetime:
    """A whole day counts from midnight UTC; who shows days widens the question by one."""
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


def as_day(moment: InstantOrDay) -> date:
    """The day of an instant in UTC."""
    return moment.date() if isinstance(moment, datetime) else moment


def wire_time(moment: InstantOrDay) -> str:
    """A day as it is, an instant in UTC with ``Z`` and whole seconds; Cronofy refuses fractions (R12)."""
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
    return moment.isoformat()


def read_time(text: str) -> InstantOrDay:
    """The inverse of ``wire_time``; raises ValueError for what it never writes."""
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)

"""Times as a clock shows them, which a change of the clock may skip or show twice (R49)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from contracts.fields import rfc3339


@dataclass(frozen=True, kw_only=True, slots=True)
class OddTime:
    """A time that is no single moment, and the two moments that may be meant."""

    kind: Literal["skipped", "doubled"]
    choices: tuple[datetime, datetime]
    """In UTC, the earlier one first."""

    def chosen(self, choice: str) -> datetime | None:
        """The moment that was chosen, written as ``rfc3339`` writes it; None where it is neither."""
        return next((one for one in self.choices if rfc3339(one) == choice), None)


def odd_time(day: date, at: time, zone: ZoneInfo) -> OddTime | None:
    """What is odd about that time on that day; None where it comes just once."""
    first, second = (_instant(day, at, zone, fold) for fold in (0, 1))
    if first == second:
        return None
    back = first.astimezone(zone)
    skipped = (back.date(), back.time()) != (day, at)
    earlier, later = sorted((first, second))
    return OddTime(kind="skipped" if skipped else "doubled", choices=(earlier, later))


def instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment in UTC; of a time that comes twice the first."""
    return _instant(day, at, zone, 0)


def _instant(day: date, at: time, zone: ZoneInfo, fold: int) -> datetime:
    return datetime.combine(day, at.replace(fold=fold), zone).astimezone(UTC)

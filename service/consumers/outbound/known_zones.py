"""Zones that a calendar refused, and the names under which it took them: remembered for a while."""

from collections import OrderedDict

MOST_ZONES_KNOWN = 1_000
ZONE_LIFE_SECONDS = 86_400.0
"""Seconds after which a zone is tried under its own name again: Cronofy may know it by then."""


class KnownZones:
    """By calendar: whether a name is known may be its provider's affair. A process learns anew for itself.

    That is enough: what is forgotten costs a request or three, once for each calendar and process.
    """

    def __init__(self) -> None:
        self._taken: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def learn(self, calendar_id: str, refused: str, taken: str, *, now: float) -> None:
        """The calendar took an event in the one zone after it had refused it in the other."""
        self._taken[calendar_id, refused] = taken, now + ZONE_LIFE_SECONDS
        self._taken.move_to_end((calendar_id, refused))
        if len(self._taken) > MOST_ZONES_KNOWN:
            self._taken.popitem(last=False)

    def instead(self, calendar_id: str, zone: str | None, *, now: float) -> str | None:
        """What to call the zone on that calendar; None: by its name."""
        taken, until = self._taken.get((calendar_id, zone or ""), ("", 0.0))
        return taken if now < until else None

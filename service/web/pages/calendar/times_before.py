"""When an appointment was before it was moved, as addresses carry it to the undo of that (R50)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from contracts.calendar import Item
from contracts.times import InstantOrDay, read_time, wire_time
from service.integrations.refusals import Unknown
from service.web.catalogue import Texts
from service.web.paths import MY_CALENDAR_PATH

MARK = "~"
LONGEST_TIMES, LONGEST_VERSION = 400, 18
MOVE_NOTICES = Texts({"put_back": "It is back at its former time."})
MOVE_COMPLAINTS = Texts(
    {"moved_since": "Somebody changed it since, here or on a linked calendar, so it stays as it is now."}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimesBefore:
    """Start, end and zone as they were, and the version of the appointment that was moved away from them."""

    version: int
    start: InstantOrDay
    end: InstantOrDay | None
    time_zone: str | None
    """None where the note that leads here was made before it told the zone."""

    @classmethod
    def of(cls, before: Item, after: Item) -> "TimesBefore | None":
        """None where the times are the same."""
        was, now = before.content, after.content
        if was is None or now is None or was.start is None or (was.start, was.end) == (now.start, now.end):
            return None
        return cls(version=after.version, start=was.start, end=was.end, time_zone=was.time_zone)

    @classmethod
    def read(cls, word: str) -> "TimesBefore":
        """The inverse of ``word``; raises Unknown for anything else."""
        version, start, end, zone = (*word[:LONGEST_TIMES].split(MARK, 3), "", "", "")[:4]
        if not (version.isascii() and version.isdecimal() and len(version) <= LONGEST_VERSION):
            raise Unknown("There is no such page.")
        try:
            found = [read_time(one) for one in ([start, end] if end else [start])]
        except ValueError:
            found = []
        odd = any(isinstance(one, datetime) and one.tzinfo is None for one in found)
        if not found or odd:
            raise Unknown("There is no such page.")
        ends = found[1] if end else None
        return cls(version=int(version), start=found[0], end=ends, time_zone=zone or None)

    @property
    def word(self) -> str:
        """No text of the appointment is in it."""
        end = wire_time(self.end) if self.end else ""
        return MARK.join((str(self.version), wire_time(self.start), end, self.time_zone or ""))

    def address(self, key: str) -> str:
        """Where a form is sent that undoes it."""
        return f"{MY_CALENDAR_PATH}/item/put-back?{urlencode({'key': key, 'times': self.word})}"

    def content(self, item: Item) -> Mapping[str, Any]:
        """The appointment as it is now, at these times."""
        assert item.content is not None
        return {
            **item.content.to_json_dict(),
            "all_day": not isinstance(self.start, datetime),
            "start": wire_time(self.start),
            "end": wire_time(self.end) if self.end else None,
            "time_zone": self.time_zone or item.content.time_zone,
        }

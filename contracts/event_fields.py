"""What an event says: composed once, and compared, stored and sent as this one value."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self, TypeAlias

import orjson

from contracts.times import InstantOrDay, read_time, wire_time

Transparency: TypeAlias = Literal["opaque", "transparent"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFields:
    """An event without its id: whole, or of a foreign one its title and time and what changed (R4, R10).

    A field that is None is left as it is in the calendar; an empty text empties it there.
    """

    summary: str = field(repr=False)
    start: InstantOrDay
    end: InstantOrDay
    """Exclusive for whole days."""
    tzid: str | None
    """The zone in which the times are shown; None for a change that has whole days, which carry none."""
    description: str | None = field(default=None, repr=False)
    location: str | None = field(default=None, repr=False)
    transparency: Transparency | None = None
    event_private: bool | None = None
    _form: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)
    """Kept once made: an event is hashed, stored and sent in it."""

    @property
    def whole(self) -> bool:
        """Whether no field is left out, as must be in an event of ours."""
        return None not in {self.tzid, self.description, self.location, self.transparency, self.event_private}

    def only(self, names: Collection[str]) -> Self:
        """Title and time, and of the other fields those named."""
        timed = isinstance(self.start, datetime)
        part = replace(
            self,
            description=self.description if "description" in names else None,
            location=self.location if "location" in names else None,
            transparency=self.transparency if "transparency" in names else None,
            event_private=self.event_private if "event_private" in names else None,
        )
        return part if timed or part.whole else replace(part, tzid=None)

    def to_wire_dict(self) -> dict[str, Any]:
        """The fields in Cronofy's form, in which links store them too; ``from_wire_dict`` gives them back."""
        if self._form is None:
            object.__setattr__(self, "_form", self._made_form())
        return dict(self._form or {})

    def _made_form(self) -> dict[str, Any]:
        form = {"summary": self.summary, "start": self._time(self.start), "end": self._time(self.end)}
        if self.description is not None:
            form["description"] = self.description
        if self.location is not None:
            form["location"] = {"description": self.location}
        if self.transparency is not None:
            form["transparency"] = self.transparency
        if self.event_private is not None:
            form["event_private"] = self.event_private
        if self.whole:
            form["tzid"] = self.tzid
        return form

    @classmethod
    def from_wire_dict(cls, form: Mapping[str, Any]) -> Self:
        """What a link stored; raises KeyError and ValueError for what ``to_wire_dict`` never made."""
        start, end, location = form["start"], form["end"], form.get("location")
        timed = isinstance(start, dict)
        return cls(
            summary=form["summary"],
            start=read_time(start["time"] if timed else start),
            end=read_time(end["time"] if timed else end),
            tzid=form.get("tzid") or (start["tzid"] if timed else None),
            description=form.get("description"),
            location=None if location is None else location["description"],
            transparency=form.get("transparency"),
            event_private=form.get("event_private"),
        )

    def _time(self, moment: InstantOrDay) -> Any:
        text = wire_time(moment)
        return {"time": text, "tzid": self.tzid} if isinstance(moment, datetime) else text


@dataclass(frozen=True, kw_only=True, slots=True)
class EventDetails:
    """What events of ours are given beside their fields, where their provider takes it (R13)."""

    url: bool = False
    """The address of the item's record."""
    color: bool = False
    """A colour for each type of item."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdviceWish:
    """In which language copies say what doing something to them does, and the boxes that it depends on."""

    language: str
    update: bool
    delete: bool


NO_DETAILS = EventDetails()
TAKES_DETAILS = frozenset({"apple", "google"})
"""The providers that keep an address and a colour of an event (CRONOFY.md C59, C60)."""


def fields_hash(fields: EventFields | None) -> str:
    """Equal for equal fields, and for events that should not exist; 32 hex digits, kept by links."""
    form = orjson.dumps(fields and fields.to_wire_dict(), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(form).hexdigest()[:32]

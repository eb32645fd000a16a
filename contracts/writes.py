"""What is sent to Cronofy: whole upserts, deletes and edits of foreign events (R4, R10, R12)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from contracts.event_fields import EventFields
from contracts.limits import LONGEST_NAME, cut

Method: TypeAlias = Literal["POST", "DELETE"]

SAFE_IN_PATH = "@:!$&'()*+,;=~"
MOST_ERRORS = 20
FIRST_SUCCESS, BEYOND_SUCCESS = 200, 300


def events_path(calendar_id: str) -> str:
    return f"/v1/calendars/{quote(calendar_id, safe=SAFE_IN_PATH)}/events"


@dataclass(frozen=True, kw_only=True, slots=True)
class Upsert:
    """The whole of an event that is ours; raises ValueError where a field is left out (R4)."""

    calendar_id: str
    event_id: str
    fields: EventFields
    shade: str | None = None
    """What kind of busy or free its owner made of it, which is kept (R37)."""
    details: Mapping[str, str | None] = field(default_factory=dict)
    """What is written beside the fields and compared with nothing (CRONOFY.md C59, C60)."""
    description: str | None = None
    """The fields' description with the copy's last line (R52); None: without."""

    method: Method = field(default="POST", init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.fields.whole:
            raise ValueError("an event of ours is written whole")

    @property
    def key(self) -> tuple[str, str]:
        """Names the event; one batch carries each key once."""
        return (self.calendar_id, self.event_id)

    @property
    def zone(self) -> str | None:
        """The zone that it names."""
        return self.fields.tzid

    def body(self) -> dict[str, Any]:
        shade = {"extended_transparency": self.shade} if self.shade else {}
        form = {"event_id": self.event_id, **self.fields.to_wire_dict(), **shade, **self.details}
        return form if self.description is None else form | {"description": self.description}


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignEdit:
    """A change to an event that is not ours: its title and time, and of the rest what changed (R10)."""

    calendar_id: str
    event_uid: str
    fields: EventFields
    shade: str | None = None

    method: Method = field(default="POST", init=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        return (self.calendar_id, self.event_uid)

    @property
    def zone(self) -> str | None:
        return self.fields.tzid

    def body(self) -> dict[str, Any]:
        form = self.fields.to_wire_dict()
        form.pop("tzid", None)
        shade = {"extended_transparency": self.shade} if self.shade and "transparency" in form else {}
        return {"event_uid": self.event_uid, **form, **shade}


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """The end of one event: ours by ``event_id``, a foreign one by ``event_uid``, never both."""

    calendar_id: str
    event_id: str | None = None
    event_uid: str | None = None

    method: Method = field(default="DELETE", init=False, repr=False)
    zone: None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if (self.event_id is None) == (self.event_uid is None):
            raise ValueError("a delete names event_id or event_uid, one of them")

    @property
    def key(self) -> tuple[str, str]:
        return (self.calendar_id, self.event_id or self.event_uid or "")

    def body(self) -> dict[str, Any]:
        return {"event_id": self.event_id} if self.event_id is not None else {"event_uid": self.event_uid}


EventWrite: TypeAlias = Upsert | ForeignEdit | Delete


def batch_entry(write: EventWrite) -> dict[str, Any]:
    """The write as one entry of ``POST /v1/batch``."""
    return {
        "method": write.method,
        "relative_url": events_path(write.calendar_id),
        "data": write.body(),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What Cronofy said to one write. 202 is acceptance, not arrival."""

    status: int
    errors: Mapping[str, str] = field(default_factory=dict)
    """For each refused field the broken rule's key; never the field's value."""

    @property
    def accepted(self) -> bool:
        return FIRST_SUCCESS <= self.status < BEYOND_SUCCESS

    @classmethod
    def parse(cls, status: int, data: Any) -> "Answer":
        errors = data.get("errors") if isinstance(data, Mapping) else None
        if not isinstance(errors, Mapping):
            return cls(status=status)
        told = islice(errors.items(), MOST_ERRORS)
        return cls(status=status, errors={cut(name, LONGEST_NAME): _rule(said) for name, said in told})


def _rule(said: Any) -> str:
    first = said[0] if isinstance(said, list) and said else said
    key = first.get("key") if isinstance(first, Mapping) else None
    told = key.removeprefix("errors.") if isinstance(key, str) else ""
    return cut(told, LONGEST_NAME) or "invalid"

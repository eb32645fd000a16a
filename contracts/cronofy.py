"""What Cronofy sends, read tolerantly: unknown attributes are ignored, optional ones may be absent.

Rows of events are read by hand, not by a model: a full read brings thousands of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self

from contracts.errors import Malformed
from contracts.limits import LONGEST_EVENT_ID, LONGEST_LINE, LONGEST_NAME, LONGEST_TEXT, MOST_PAGES
from contracts.times import EARLIEST_YEAR, LATEST_YEAR, InstantOrDay, can_be_held, usual_length, wire_time
from contracts.tolerant import (
    read_cut,
    read_flag,
    read_id,
    read_join_url,
    read_moment,
    read_object,
    read_people,
    read_required,
    read_rows,
    read_sane_instant,
    read_text,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOptions:
    """What Cronofy lets us do to an event; nothing unless it says so (R10)."""

    update: bool = False
    delete: bool = False


NO_OPTIONS = EventOptions()
UNSAID_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Start and end of a deleted row that names none: when it was, its link knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CronofyEvent:
    """One row of ``GET /v1/events``. None: the row did not say.

    A row without description, place or transparency has an empty one, or is busy: so they are read. Of an
    event of ours that has no title the row does not say it, for ours always have one.
    """

    calendar_id: str
    event_uid: str
    event_id: str | None = None
    """Ours, for the events that this application manages."""
    start: InstantOrDay
    end: InstantOrDay
    deleted: bool = False
    created: datetime | None = None
    updated: datetime | None = None
    summary: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    location: str | None = field(default=None, repr=False)
    """The location's description."""
    transparency: str | None = None
    extended_transparency: str | None = None
    """What kind of busy or free: tentative, out of office, working elsewhere."""
    status: str | None = None
    participation_status: str | None = None
    event_private: bool | None = None
    recurring: bool = False
    series_identifier: str | None = None
    options: EventOptions = NO_OPTIONS
    people: tuple[str, ...] = field(default=(), repr=False)
    """The e-mail addresses of all who are invited, and of who invites; empty for one without (R40)."""
    online: bool = False
    """Whether there is an online meeting behind it (R40)."""
    join_url: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Raises Malformed where an attribute that is always there is not."""
        get = raw.get
        calendar_id = read_required(raw, "calendar_id", longest=LONGEST_EVENT_ID)
        event_uid = read_required(raw, "event_uid", longest=LONGEST_EVENT_ID)
        name, (start, end), join_url = read_id(raw, "event_id"), _span(raw), read_join_url(raw)
        untitled = None if name else ""
        return cls(
            calendar_id=calendar_id,
            event_uid=event_uid,
            event_id=name,
            start=start,
            end=end,
            deleted=get("deleted") is True,
            created=read_sane_instant(get("created")),
            updated=read_sane_instant(get("updated")),
            summary=untitled if get("summary") is None else read_cut(raw, "summary", LONGEST_LINE),
            description=read_cut(raw, "description", LONGEST_TEXT) or "",
            location=read_cut(read_object(raw, "location"), "description", LONGEST_LINE) or "",
            transparency=read_cut(raw, "transparency", LONGEST_NAME) or "opaque",
            extended_transparency=read_cut(raw, "extended_transparency", LONGEST_NAME),
            status=read_cut(raw, "status", LONGEST_NAME),
            participation_status=read_cut(raw, "participation_status", LONGEST_NAME),
            event_private=read_flag(raw, "event_private"),
            recurring=get("recurring") is True,
            series_identifier=read_id(raw, "series_identifier"),
            options=_options(get("options")),
            people=read_people(raw),
            online=join_url is not None or bool(read_object(raw, "conferencing")),
            join_url=join_url,
        )

    @property
    def names_its_times(self) -> bool:
        """Whether the row says when the event is; only one that is deleted may not."""
        return self.start != UNSAID_TIME


def _span(raw: Mapping[str, Any]) -> tuple[InstantOrDay, InstantOrDay]:
    """When the event begins and ends; one without an end has the usual length.

    Of what is deleted the times do not count, and are let go where they cannot be read.
    """
    try:
        return _living_span(raw)
    except Malformed:
        if raw.get("deleted") is not True:
            raise
        return UNSAID_TIME, UNSAID_TIME


def _living_span(raw: Mapping[str, Any]) -> tuple[InstantOrDay, InstantOrDay]:
    start = read_moment(raw, "start")
    usual = start + usual_length(all_day=not isinstance(start, datetime))
    if not can_be_held(usual):
        raise Malformed("start", f"must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}")
    return start, usual if raw.get("end") is None else read_moment(raw, "end")


def _options(raw: Any) -> EventOptions:
    if not isinstance(raw, Mapping):
        return NO_OPTIONS
    return EventOptions(
        update=raw.get("update") is True,
        delete=raw.get("delete") is True,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class UnheldEvent:
    """A living event whose start or end no clock can hold, and which is passed over therefore."""

    event_uid: str
    event_id: str | None
    created: datetime | None
    title: str | None = field(repr=False)
    """None for a private one."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self | None:
        """None where the row does not even say which event it is."""
        try:
            uid = read_required(raw, "event_uid", longest=LONGEST_EVENT_ID)
        except Malformed:
            return None
        return cls(
            event_uid=uid,
            event_id=read_id(raw, "event_id"),
            created=read_sane_instant(raw.get("created")),
            title=None if read_flag(raw, "event_private") else read_cut(raw, "summary", LONGEST_LINE),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsPage:
    """One page of events; a row that cannot be read is counted and never hides its neighbours."""

    events: tuple[CronofyEvent, ...]
    next_page: str | None = None
    unreadable: tuple[str, ...] = ()
    """For each unreadable row, the field and the rule."""
    unheld: tuple[UnheldEvent, ...] = ()
    """Those of them that say which event they are."""
    pages: int | None = field(default=None, compare=False)
    """How many pages there are, by Cronofy's word."""
    first: date | None = field(default=None, compare=False)
    """From which day on was read; None where Cronofy's window decided that."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        events: list[CronofyEvent] = []
        unreadable: list[str] = []
        unheld: list[UnheldEvent | None] = []
        for row in read_rows(raw, "events", dict):
            try:
                events.append(CronofyEvent.parse(row))
            except Malformed as error:
                unreadable.append(str(error))
                unheld.append(UnheldEvent.parse(row))
        following = read_text(read_object(raw, "pages"), "next_page") or None  # absent or "": the last page
        said = read_object(raw, "pages").get("total")
        return cls(
            events=tuple(events),
            next_page=following,
            unreadable=tuple(unreadable),
            unheld=tuple(each for each in unheld if each is not None),
            pages=said if type(said) is int and 0 < said <= MOST_PAGES else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """A calendar of a connected account; deleted ones stay listed (CRONOFY.md C12)."""

    calendar_id: str
    name: str
    read_only: bool
    deleted: bool
    primary: bool
    permission_level: str
    profile_id: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any], profile: Mapping[str, Any] | None = None) -> Self:
        owner = raw if profile is None else profile
        return cls(
            calendar_id=read_required(raw, "calendar_id", longest=LONGEST_EVENT_ID),
            name=read_cut(raw, "calendar_name", LONGEST_NAME) or "",
            read_only=raw.get("calendar_readonly") is True,
            deleted=raw.get("calendar_deleted") is True,
            primary=raw.get("calendar_primary") is True,
            permission_level=read_cut(raw, "permission_level", LONGEST_NAME) or "sandbox",
            profile_id=read_id(owner, "profile_id") or "",
        )


def parse_calendars(raw: Any) -> tuple[Calendar, ...]:
    """Every calendar of the answer to ``GET /v1/calendars``."""
    return read_rows(raw, "calendars", Calendar.parse)


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """Where Cronofy pushes notices."""

    channel_id: str
    callback_url: str
    calendar_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        ids = read_object(raw, "filters").get("calendar_ids")
        return cls(
            channel_id=read_required(raw, "channel_id", longest=LONGEST_EVENT_ID),
            callback_url=read_text(raw, "callback_url") or "",
            calendar_ids=tuple(one for one in ids if isinstance(one, str)) if isinstance(ids, list) else (),
        )


def parse_channels(raw: Any) -> tuple[Channel, ...]:
    """Every open channel of the answer to ``GET /v1/channels``."""
    return read_rows(raw, "channels", Channel.parse)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsQuery:
    """Which events to read. Without from and to: Cronofy's whole window, and our own events of all time."""

    calendar_ids: Sequence[str] = ()
    tzid: str = "Etc/UTC"
    from_: date | None = None
    to: date | None = None
    last_modified: datetime | None = None
    include_deleted: bool = False
    include_managed: bool = False
    include_moved: bool = False

    def pairs(self) -> tuple[tuple[str, str], ...]:
        plain = {
            "tzid": self.tzid,
            "from": self.from_.isoformat() if self.from_ else None,
            "to": self.to.isoformat() if self.to else None,
            "last_modified": wire_time(self.last_modified) if self.last_modified else None,
            "include_deleted": "true" if self.include_deleted else None,
            "include_managed": "true" if self.include_managed else None,
            "include_moved": "true" if self.include_moved else None,
        }
        ids = (("calendar_ids[]", one) for one in self.calendar_ids)
        return (*((name, value) for name, value in plain.items() if value is not None), *ids)

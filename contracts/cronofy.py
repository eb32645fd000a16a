"""What Cronofy sends, read tolerantly: unknown attributes are ignored, optional ones may be absent.

Rows of events are read by hand, not by a model: a full read brings thousands of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

from contracts.errors import Malformed
from contracts.times import InstantOrDay, wire_time
from contracts.tolerant import (
    read_flag,
    read_moment,
    read_object,
    read_required,
    read_rows,
    read_sane_instant,
    read_text,
)

LONGEST_LINE, LONGEST_TEXT = 4096, 32_768
"""Characters taken of a title or place, and of a description: a fact with all of them, each escaped as six
bytes, still fits into a message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOptions:
    """What Cronofy lets us do to an event; nothing unless it says so (R10)."""

    update: bool = False
    delete: bool = False


NO_OPTIONS = EventOptions()


@dataclass(frozen=True, kw_only=True, slots=True)
class CronofyEvent:
    """One row of ``GET /v1/events``. None: the row did not say, which is not the same as empty."""

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
    status: str | None = None
    participation_status: str | None = None
    event_private: bool | None = None
    recurring: bool = False
    series_identifier: str | None = None
    options: EventOptions = NO_OPTIONS

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Raises Malformed where an attribute that is always there is not."""
        get = raw.get
        return cls(
            calendar_id=read_required(raw, "calendar_id"),
            event_uid=read_required(raw, "event_uid"),
            event_id=read_text(raw, "event_id") or None,
            start=read_moment(raw, "start"),
            end=read_moment(raw, "end"),
            deleted=get("deleted") is True,
            created=read_sane_instant(get("created")),
            updated=read_sane_instant(get("updated")),
            summary=_short(read_text(raw, "summary"), LONGEST_LINE),
            description=_short(read_text(raw, "description"), LONGEST_TEXT),
            location=_short(read_text(read_object(raw, "location"), "description"), LONGEST_LINE),
            transparency=read_text(raw, "transparency"),
            status=read_text(raw, "status"),
            participation_status=read_text(raw, "participation_status"),
            event_private=read_flag(raw, "event_private"),
            recurring=get("recurring") is True,
            series_identifier=read_text(raw, "series_identifier"),
            options=_options(get("options")),
        )


def _short(value: str | None, longest: int) -> str | None:
    return value if value is None or len(value) <= longest else f"{value[: longest - 1]}…"


def _options(raw: Any) -> EventOptions:
    if not isinstance(raw, Mapping):
        return NO_OPTIONS
    return EventOptions(
        update=raw.get("update") is True,
        delete=raw.get("delete") is True,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsPage:
    """One page of events; a row that cannot be read is counted and never hides its neighbours."""

    events: tuple[CronofyEvent, ...]
    next_page: str | None = None
    unreadable: tuple[str, ...] = ()
    """For each unreadable row, the field and the rule."""
    pages: int | None = field(default=None, compare=False)
    """How many pages there are, by Cronofy's word."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        events: list[CronofyEvent] = []
        unreadable: list[str] = []
        for row in read_rows(raw, "events", dict):
            try:
                events.append(CronofyEvent.parse(row))
            except Malformed as error:
                unreadable.append(str(error))
        following = read_text(read_object(raw, "pages"), "next_page") or None  # absent or "": the last page
        said = read_object(raw, "pages").get("total")
        return cls(
            events=tuple(events),
            next_page=following,
            unreadable=tuple(unreadable),
            pages=said if isinstance(said, int) else None,
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
            calendar_id=read_required(raw, "calendar_id"),
            name=read_text(raw, "calendar_name") or "",
            read_only=raw.get("calendar_readonly") is True,
            deleted=raw.get("calendar_deleted") is True,
            primary=raw.get("calendar_primary") is True,
            permission_level=read_text(raw, "permission_level") or "sandbox",
            profile_id=read_text(owner, "profile_id") or "",
        )


def parse_calendars(raw: Any) -> tuple[Calendar, ...]:
    """Every calendar of the answer to ``GET /v1/calendars``."""
    return read_rows(raw, "calendars", Calendar.parse)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One calendar service account under a Cronofy account."""

    profile_id: str
    profile_name: str
    provider_name: str
    provider_service: str
    connected: bool
    initial_sync_required: bool
    """True while Cronofy still reads the calendar for the first time (R24)."""
    calendars: tuple[Calendar, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Only a plain ``false`` says that the profile is not connected (R23)."""
        listed = raw.get("profile_calendars")
        calendars = listed if isinstance(listed, list) else []
        return cls(
            profile_id=read_required(raw, "profile_id"),
            profile_name=read_text(raw, "profile_name") or "",
            provider_name=read_text(raw, "provider_name") or "",
            provider_service=read_text(raw, "provider_service") or "",
            connected=raw.get("profile_connected") is not False,
            initial_sync_required=raw.get("profile_initial_sync_required") is True,
            calendars=tuple(Calendar.parse(row, raw) for row in calendars if isinstance(row, Mapping)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class UserInfo:
    """Who the account is and which profiles it has."""

    sub: str
    profiles: tuple[Profile, ...]

    def profile(self, profile_id: str) -> Profile | None:
        """The profile of that id; None where the account has lost it."""
        return next((known for known in self.profiles if known.profile_id == profile_id), None)

    @classmethod
    def parse(cls, raw: Any) -> Self:
        return cls(
            sub=read_required(raw if isinstance(raw, Mapping) else {}, "sub"),
            profiles=read_rows(read_object(raw, "cronofy.data"), "profiles", Profile.parse),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenGrant:
    """What the token endpoint grants; ``sub`` and ``profile`` only at a code exchange."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float
    scope: str = ""
    sub: str | None = None
    profile: Profile | None = None
    """The profile that the person has just allowed."""

    @classmethod
    def parse(cls, raw: Any) -> Self:
        answer = raw if isinstance(raw, Mapping) else {}
        lasts = answer.get("expires_in")
        profile = read_object(answer, "linking_profile")
        return cls(
            access_token=read_required(answer, "access_token"),
            refresh_token=read_text(answer, "refresh_token") or None,
            expires_in=float(lasts) if isinstance(lasts, int | float) and lasts > 0 else UNSAID_LIFETIME,
            scope=read_text(answer, "scope") or "",
            sub=read_text(answer, "sub") or read_text(answer, "account_id"),
            profile=Profile.parse(profile) if profile else None,
        )


UNSAID_LIFETIME = 600.0
"""Seconds that a token is trusted whose lifetime was not said; too long costs one 401."""


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
            channel_id=read_required(raw, "channel_id"),
            callback_url=read_text(raw, "callback_url") or "",
            calendar_ids=tuple(str(one) for one in ids) if isinstance(ids, Iterable) else (),
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

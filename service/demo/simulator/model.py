"""What there is: people's mailboxes at the providers, and what Cronofy keeps for each application."""

from dataclasses import dataclass, field
from typing import Any

from service.demo.simulator.limits import Traffic
from service.demo.simulator.times import Moment

PROVIDERS = {
    "office365": ("exchange", "office365", "Office 365"),
    "exchange": ("exchange", "exchange", "Exchange"),
    "outlook_com": ("live_connect", "outlook_com", "Outlook.com"),
    "google": ("google", "gsuite", "Google"),
    "icloud": ("apple", "icloud", "iCloud"),
    "cronofy": ("cronofy", "cronofy", "Cronofy"),
}
"""What a person picks → provider_name, provider_service (fact sheet 3), the word on the page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The application and account whose managed event this is, and the id it gave."""

    client_id: str
    account_id: str
    event_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event as it stands in the provider's calendar; a change makes a new one."""

    uid: str
    summary: str
    start: Moment
    end: Moment
    created: float
    updated: float
    description: str = ""
    location: dict[str, Any] | None = None
    transparency: str = "opaque"
    status: str = "confirmed"
    private: bool = False
    attendees: tuple[dict[str, Any], ...] = ()
    organizer: dict[str, Any] | None = None
    participation_status: str = "needs_action"
    categories: tuple[str, ...] = ()
    series: str | None = None
    options: dict[str, bool] | None = None
    owner: Owner | None = None
    deleted: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """url, color, reminders, conferencing and the like: kept, not understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An event as Cronofy's cache has it."""

    event: Event
    modified: float
    earlier: tuple[tuple[Moment, Moment], ...] = ()
    """Where the event used to be, for include_moved."""


@dataclass(slots=True, kw_only=True, eq=False)
class Calendar:
    """A calendar at the provider: the truth."""

    key: str
    mailbox: "Mailbox"
    name: str
    primary: bool = False
    read_only: bool = False
    deleted: bool = False
    permission: str = "sandbox"
    events: dict[str, Event] = field(default_factory=dict)
    bindings: list["Binding"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Mailbox:
    """A person's account at a calendar provider."""

    provider: str
    email: str
    name: str
    zone: str
    calendars: dict[str, Calendar] = field(default_factory=dict)
    profiles: list["Profile"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Application:
    """A customer of Cronofy; the newest secret first."""

    client_id: str
    secrets: list[str]
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(slots=True, kw_only=True, eq=False)
class Binding:
    """One account's view of one calendar: its id, its permission, its cache, its managed events."""

    calendar_id: str
    calendar: Calendar
    profile: "Profile"
    permission: str
    rows: dict[str, Row] = field(default_factory=dict)
    """By event_uid, the one modified last at the end."""
    managed: dict[str, str] = field(default_factory=dict)
    """event_id → event_uid."""


@dataclass(slots=True, kw_only=True, eq=False)
class Profile:
    profile_id: str
    mailbox: Mailbox
    account: "Account"
    connected: bool = True
    syncing: bool = False
    bindings: list[Binding] = field(default_factory=list)
    held: list["Write"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    channel_id: str
    account: "Account"
    callback_url: str
    filters: dict[str, Any]
    changes_since: float | None = None
    """Of the notice that is being gathered, if there is one."""
    failing_since: float | None = None
    closed: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"channel_id": self.channel_id, "callback_url": self.callback_url, "filters": self.filters}


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """What an application knows a person by (``sub``)."""

    account_id: str
    application: Application
    email: str
    name: str
    zone: str
    scope: str
    kind: str = "account"
    revoked: bool = False
    application_calendar_id: str | None = None
    profiles: list[Profile] = field(default_factory=list)
    bindings: dict[str, Binding] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class Grant:
    """What a token stands for."""

    account: Account
    scope: str
    expires: float


@dataclass(slots=True, kw_only=True, eq=False)
class Code:
    """An authorization code: short-lived, used once."""

    account: Account
    profile: Profile
    scope: str
    redirect_uri: str
    expires: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Write:
    """A write that was answered with 202."""

    at: float
    kind: str
    """upsert, delete, edit, remove (of an external event) or participation."""
    binding: Binding
    key: str
    """event_id or event_uid."""
    data: dict[str, Any]
    """As it was sent."""
    changes: dict[str, Any]
    """Checked and in the fields of Event."""

"""What there is: people's mailboxes at the providers, and what Cronofy keeps for each application."""

from dataclasses import dataclass, field
from typing import Any

from service.demo.simulator.limits import Traffic
from service.demo.simulator.times import EventTime

PROVIDER_KINDS = {
    "office365": ("exchange", "office365", "Office 365"),
    "exchange": ("exchange", "exchange", "Exchange"),
    "outlook_com": ("live_connect", "outlook_com", "Outlook.com"),
    "google": ("google", "gsuite", "Google"),
    "icloud": ("apple", "icloud", "iCloud"),
    "cronofy": ("cronofy", "cronofy", "Cronofy"),
}
"""What a person picks → provider_name, provider_service (CRONOFY.md C11), the word on the page."""

EXTERNAL_UID_PREFIX = "evt_external_"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOwner:
    """The application and account whose managed event this is, and the id it gave."""

    client_id: str
    account_id: str
    event_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderEvent:
    """An event as it stands in the provider's calendar; a change makes a new one."""

    uid: str
    summary: str
    start: EventTime
    end: EventTime
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
    owner: EventOwner | None = None
    deleted: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """url, color, reminders, conferencing and the like: kept, not understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedEvent:
    """An event as Cronofy's cache has it."""

    event: ProviderEvent
    modified: float
    earlier: tuple[tuple[EventTime, EventTime], ...] = ()
    """Where the event used to be, for include_moved."""


@dataclass(slots=True, kw_only=True, eq=False)
class ProviderCalendar:
    """A calendar at the provider: the truth."""

    key: str
    mailbox: "Mailbox"
    name: str
    primary: bool = False
    read_only: bool = False
    deleted: bool = False
    permission: str = "sandbox"
    events: dict[str, ProviderEvent] = field(default_factory=dict)
    bin: dict[str, ProviderEvent] = field(default_factory=dict)
    """What was deleted, and may be restored by its owner."""
    bindings: list["CalendarBinding"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Mailbox:
    """A person's account at a calendar provider."""

    provider: str
    email: str
    name: str
    zone: str
    legacy: bool = False
    """Whether it is reached by Exchange's old protocol, which Office 365 has given up (CRONOFY.md C58)."""
    calendars: dict[str, ProviderCalendar] = field(default_factory=dict)
    profiles: list["MailboxProfile"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Application:
    """A customer of Cronofy; the newest secret first."""

    client_id: str
    secrets: list[str]
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(slots=True, kw_only=True, eq=False)
class CalendarBinding:
    """One account's view of one calendar: its id, its permission, its cache, its managed events."""

    calendar_id: str
    calendar: ProviderCalendar
    profile: "MailboxProfile"
    permission: str
    rows: dict[str, CachedEvent] = field(default_factory=dict)
    """By event_uid, the one modified last at the end."""
    managed: dict[str, str] = field(default_factory=dict)
    """event_id → event_uid."""


@dataclass(slots=True, kw_only=True, eq=False)
class MailboxProfile:
    profile_id: str
    mailbox: Mailbox
    account: "Account"
    connected: bool = True
    lost_at: float | None = None
    """Since when nothing of it is authorised."""
    syncing: bool = False
    bindings: list[CalendarBinding] = field(default_factory=list)
    held: list["AcceptedWrite"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class PushChannel:
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
    erased: bool = False
    """Its data were to be erased with the grant (CRONOFY.md C10)."""
    application_calendar_id: str | None = None
    provider: str = ""
    """Of a company's account: whose mailboxes it speaks for."""
    delegated_scope: str = ""
    """Of a company's account: what it may allow for a person (CRONOFY.md C61)."""
    granted_by: "Account | None" = None
    """The company's account through which it was authorised, where it was not by a person."""
    profiles: list[MailboxProfile] = field(default_factory=list)
    bindings: dict[str, CalendarBinding] = field(default_factory=dict)
    channels: dict[str, PushChannel] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class TokenScope:
    """What a token stands for."""

    account: Account
    scope: str
    expires: float


@dataclass(slots=True, kw_only=True, eq=False)
class AuthorizationCode:
    """An authorization code: short-lived, used once."""

    account: Account
    profile: MailboxProfile | None
    """None for a company's account, which has no calendars of its own."""
    scope: str
    redirect_uri: str
    expires: float
    challenge: str = ""
    """What PKCE told of the verifier, where anything."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AcceptedWrite:
    """A write that was answered with 202."""

    at: float
    kind: str
    """upsert, delete, edit, remove (of an external event) or participation."""
    binding: CalendarBinding
    key: str
    """event_id or event_uid."""
    data: dict[str, Any]
    """As it was sent."""
    changes: dict[str, Any]
    """Checked and in the fields of ProviderEvent."""

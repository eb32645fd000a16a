"""Our own words: items, links, integrations and log entries as values."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from contracts.event_fields import EventFields
from contracts.vorex import ItemContent, ItemType

ItemRef = NewType("ItemRef", str)
LinkId = NewType("LinkId", str)
IntegrationId = NewType("IntegrationId", str)

UNRESTRICTED = "unrestricted"
"""Cronofy's word for a calendar whose owner's own events may be changed (R34)."""
KEY_SEPARATOR = "\x1f"
_ITEM_SPACE = uuid.UUID("5b0a4f0e-3f0f-5c53-9d2c-2f6f2f3f9a51")
_IMPORT_SPACE = uuid.UUID("c2b9a7c4-7d0e-5b1e-8a56-0f3b6c1d9e42")

Fingerprints = dict[str, str | bool]
"""The canonical form of what may come back from the calendar, field by field; texts as hashes."""


def item_ref(tenant_id: str, item_type: str, item_id: str) -> ItemRef:
    """The key of an item: the same everywhere, computed and never looked up."""
    return ItemRef(str(uuid.uuid5(_ITEM_SPACE, KEY_SEPARATOR.join((tenant_id, item_type, item_id)))))


def event_id(tenant_id: str, user_id: str, item_type: str, item_id: str) -> str:
    """The id under which an item is written to a user's linked calendar."""
    key = KEY_SEPARATOR.join((tenant_id, user_id, item_type, item_id))
    return "vcs-" + hashlib.sha256(key.encode()).hexdigest()[:32]


def imported_item_id(tenant_id: str, user_id: str, calendar_id: str, event_uid: str, *, turn: int) -> str:
    """The id of the appointment that a foreign event becomes, the first time or, after that, once more.

    Whoever does not know the calendar's and the event's ids, which Cronofy makes, cannot guess it.
    """
    key = KEY_SEPARATOR.join((tenant_id, user_id, calendar_id, event_uid, str(turn)))
    return str(uuid.uuid5(_IMPORT_SPACE, key))


class Origin(StrEnum):
    """Who made the event: this service, or the calendar's owner."""

    OURS = "ours"
    EXTERNAL = "external"


class LinkState(StrEnum):
    """How a link stands."""

    BEHIND = "behind"
    RETRYING = "retrying"
    FAILED = "failed"
    HELD = "held"
    LET_GO = "let_go"
    FROZEN = "frozen"
    AGREED = "agreed"


class Status(StrEnum):
    """Whether Cronofy and Vorex are connected for an integration (G16)."""

    SETUP = "setup"
    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"


class Reason(StrEnum):
    """Why an integration is not connected (R22, R41)."""

    PERMISSION_WITHDRAWN = "permission_withdrawn"
    CALENDAR_MISSING = "calendar_missing"
    CALENDAR_READ_ONLY = "calendar_read_only"
    ERASED = "erased"


class Trigger(StrEnum):
    RUN = "run"
    REAL_TIME = "real_time"
    OPERATOR = "operator"
    WATCHING = "watching"
    """What would have been done by an integration that only watches: nothing was."""


class Direction(StrEnum):
    TO_LINKED_CALENDAR = "to_linked_calendar"
    TO_MY_CALENDAR = "to_my_calendar"


class LogAction(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    LINK = "link"
    LET_GO = "let_go"
    NONE = "none"


class Outcome(StrEnum):
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    HELD = "held"


class Code(StrEnum):
    """Why a log entry says what it says: a closed set."""

    OK = "ok"
    STALE = "stale"
    SUPERSEDED = "superseded"
    INACTIVE = "inactive"
    NOT_CONNECTED = "not_connected"
    TYPE_OFF = "type_off"
    CREATE_OFF = "create_off"
    UPDATE_OFF = "update_off"
    DELETE_OFF = "delete_off"
    DIFFERS = "differs"
    NOT_POSSIBLE = "not_possible"
    SERIES = "series"
    PRIVATE = "private"
    CONFLICT_LOST = "conflict_lost"
    CLAIM_LOST = "claim_lost"
    SHARED_MAILBOX = "shared_mailbox"
    LOOP_STOPPED = "loop_stopped"
    REFUSED_BY_CALENDAR = "refused_by_calendar"
    HELD_DELETION = "held_deletion"
    HELD_IMPORT = "held_import"
    NOT_ARRIVED = "not_arrived"
    MEETING = "meeting"
    ALREADY_THERE = "already_there"
    OTHER_CONTENT = "other_content"
    QUESTIONED = "questioned"


ASKING_CODES = frozenset({Code.HELD_DELETION, Code.QUESTIONED})
"""Why a link is held until a person has answered: its owner (R11), or the dispatcher (R52)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTypes:
    """The boxes of *Linked Calendar*: what may come across (G7)."""

    create: bool = True
    update: bool = False
    delete: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """One user's connection to one linked calendar."""

    id: IntegrationId
    tenant_id: str
    user_id: str
    sub: str
    profile_id: str
    profile_name: str
    provider_name: str
    calendar_id: str | None
    calendar_name: str | None
    time_zone: str
    permission_level: str
    active: bool
    status: Status
    reason: Reason | None
    event_types: EventTypes
    item_types: frozenset[ItemType]
    finished_at: datetime | None
    baseline_at: datetime | None
    deleted_at: datetime | None = None
    known_since: datetime | None = None
    """Set while the identities of events are to be learnt anew: until when all of them are known (R36)."""
    watching_since: datetime | None = None
    """Since when it only watches: all is decided and logged, and nothing written on either side."""

    @property
    def unrestricted(self) -> bool:
        """Whether external events of the calendar may be edited (R10)."""
        return self.permission_level == UNRESTRICTED

    @property
    def sends(self) -> bool:
        """Whether writes may leave now: active, connected, and read once since Finish (R20, R22, R33)."""
        return self.active and self.status is Status.CONNECTED and self.baseline_at is not None

    @property
    def watching(self) -> bool:
        """Whether it only says what it would do: it is not active, and reads all the same."""
        return self.watching_since is not None and not self.active

    @property
    def at_work(self) -> bool:
        """Whether it does anything by itself: what is to rest must be neither active nor watching."""
        return self.active or self.watching

    @property
    def reads(self) -> bool:
        """Whether its calendar may be read now: to keep both sides alike, or to watch."""
        watches = self.watching and self.status is Status.CONNECTED and self.baseline_at is not None
        return self.sends or watches


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A thing on My Calendar with the counters that judge its changes."""

    ref: ItemRef
    tenant_id: str
    type: ItemType
    id: str
    version: int
    vorex_version: int
    sync_version: int
    revision: int
    deleted: bool
    content: ItemContent | None
    changed_at: datetime
    changed_by: IntegrationId | None = None
    """The integration whose calendar made the newest change; None when Vorex did."""
    imported_by: IntegrationId | None = None
    """The integration that brought the item from its calendar; None when Vorex made it."""
    read_only_reason: str | None = None

    @property
    def assignees(self) -> tuple[str, ...]:
        return self.content.assignees if self.content is not None and not self.deleted else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A write not read back yet."""

    prints: Fingerprints
    sent_at: float
    accepted_at: float | None = None
    copies: int = 1
    """How often it may yet arrive: it was sent so many times more than it was seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownText:
    """A text as a calendar shows it, where that is more or less than what was written (R37)."""

    written: str
    """The print of the text that was written."""
    shown: str
    """The print of what the calendar makes of it."""
    kept: int | None = None
    """Of a text that is shown cut: how many characters of its skeleton are left."""
    added: str = field(default="", repr=False)
    """What the provider put behind it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarForms:
    """What one calendar makes of what is written to it, as far as it was seen (R13, R37)."""

    texts: Mapping[str, ShownText] = field(default_factory=dict)
    """By the field's name."""
    keeps_private: bool = False
    """A private event was read there."""
    untitled: bool = False
    """The event was read without a title."""
    no_length: bool = False
    """The event was read with its end at its start."""
    shade: str | None = None
    """What kind of busy or free it is: out of office, tentative, working elsewhere."""
    accounts: tuple[str, ...] = ()
    """Names that may stand before its title, the newest last."""
    references: tuple[tuple[str, str], ...] = ()
    """Labels and addresses that may end its description, the newest last."""


NO_FORMS = CalendarForms()


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """The pairing of an item and an event within one integration and calendar."""

    id: LinkId
    integration_id: IntegrationId
    item_ref: ItemRef
    calendar_id: str
    origin: Origin
    event_id: str | None
    event_uid: str | None = None
    series_identifier: str | None = None
    state: LinkState
    code: Code | None = None
    differs: bool = False
    desired_revision: int = 0
    desired: EventFields | None = None
    """What the event should be; None: it should not exist."""
    applied_revision: int = 0
    applied_hash: str | None = None
    """Of the fields that were accepted last, or that the calendar is known to equal."""
    exists_there: bool = False
    agreed: Fingerprints | None = None
    last_read: Fingerprints | None = None
    writes: Sequence[Written] = ()
    """Oldest first: every write since the last one that was read back."""
    overtaken: Sequence[Written] = ()
    """Earlier writes that may yet arrive, although a newer one was read back."""
    forms: CalendarForms = NO_FORMS
    read_at: float | None = None
    accepted_at: float | None = None
    event_updated: datetime | None = None
    may_update: bool = True
    may_delete: bool = True
    guests: int = 0
    """How many people besides the calendar's owner are invited, or invite (R40)."""
    online: bool = False
    """Whether there is an online meeting behind the event (R40)."""
    join_url: str | None = None
    former_uid: str | None = None
    """The event that stood in this one's place before: its owner may fetch it back."""
    let_go_print: str | None = None
    rewrites: Sequence[float] = ()
    """When reads caused this link to be written, within the last hour."""
    claim_epoch: int = 0
    ended_at: datetime | None = None

    @property
    def is_meeting(self) -> bool:
        """Whether its provider would tell guests of a change, or lose the way into the meeting (R40)."""
        return self.origin is Origin.EXTERNAL and (self.guests > 0 or self.online)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """One thing that happened to one integration (R27); texts of private events never enter."""

    integration_id: IntegrationId
    trigger: Trigger = Trigger.REAL_TIME
    direction: Direction
    action: LogAction
    outcome: Outcome
    code: Code
    reason: str
    item_ref: ItemRef | None = None
    item_id: str | None = None
    item_type: ItemType | None = None
    title: str | None = None
    message_id: str | None = None
    trace_id: str | None = None
    attempt: int | None = None
    run_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

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

KEY_SEPARATOR = "\x1f"
_ITEM_SPACE = uuid.UUID("5b0a4f0e-3f0f-5c53-9d2c-2f6f2f3f9a51")

Fingerprints = dict[str, str | bool]
"""The canonical form of what may come back from the calendar, field by field; texts as hashes."""


def item_ref(tenant_id: str, item_type: str, item_id: str) -> ItemRef:
    """The key of an item: the same everywhere, computed and never looked up."""
    return ItemRef(str(uuid.uuid5(_ITEM_SPACE, KEY_SEPARATOR.join((tenant_id, item_type, item_id)))))


def event_id(tenant_id: str, user_id: str, item_type: str, item_id: str) -> str:
    """The id under which an item is written to a user's linked calendar."""
    key = KEY_SEPARATOR.join((tenant_id, user_id, item_type, item_id))
    return "vcs-" + hashlib.sha256(key.encode()).hexdigest()[:32]


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
    """Why an integration is not connected (R22)."""

    PERMISSION_WITHDRAWN = "permission_withdrawn"
    CALENDAR_MISSING = "calendar_missing"
    CALENDAR_READ_ONLY = "calendar_read_only"


class Trigger(StrEnum):
    RUN = "run"
    REAL_TIME = "real_time"
    OPERATOR = "operator"


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
    NOT_ARRIVED = "not_arrived"


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

    @property
    def unrestricted(self) -> bool:
        """Whether external events of the calendar may be edited (R10)."""
        return self.permission_level == "unrestricted"

    @property
    def sends(self) -> bool:
        """Whether writes may leave now: active, connected, and read once since Finish (R20, R22, R33)."""
        return self.active and self.status is Status.CONNECTED and self.baseline_at is not None


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
    read_at: float | None = None
    accepted_at: float | None = None
    event_updated: datetime | None = None
    may_update: bool = True
    may_delete: bool = True
    let_go_print: str | None = None
    rewrites: Sequence[float] = ()
    """When reads caused this link to be written, within the last hour."""
    claim_epoch: int = 0
    ended_at: datetime | None = None


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
    attempt: int | None = None
    run_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

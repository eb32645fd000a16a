"""The API's forms: what people and programs read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, WithJsonSchema

from contracts.calendar import Item, Reason, Status
from contracts.cronofy import Calendar
from contracts.fields import rfc3339
from service.integrations.accounts.held import HeldChange
from service.integrations.accounts.own_events import EditsOwnEvents, edits_own_events
from service.integrations.leavers.records import LeaverRecord
from service.integrations.my_calendar import read_only_reason
from service.integrations.settings_form import FIRST_DETAILS, DetailBoxes, EventBoxes, ItemBoxes
from service.integrations.undoing.whole_runs import UndoRow
from service.operations.letters.letter_filter import LetterState
from service.store.engine.paging import Page
from service.store.integrations.listing import IntegrationView
from service.store.items.my_calendar import NO_MEETING, Meeting
from service.store.runs.runs import RunRow

_Row = TypeVar("_Row")
InstantText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""An instant as it is told: a text that generators type."""

MOST_LETTERS = 1000
"""Chosen by their ids for one verb."""
FASTEST_REPLAY = 1000.0
"""Messages a second."""
LONGEST_DISCARD_REASON = 2000


class Listed(BaseModel, Generic[_Row]):
    """One page; ``next`` leads to the one after."""

    items: list[_Row]
    next: str | None = None


class Problem(BaseModel):
    """RFC 9457; ``errors`` with 422, ``code`` with 409."""

    type: str
    title: str
    status: int
    detail: str
    code: str | None = None
    errors: list[dict[str, str]] | None = None


class OptionShape(BaseModel):
    enabled: bool
    past: str
    future: str


class SettingsShape(BaseModel):
    calendar_id: str | None
    event_types: EventBoxes
    item_types: ItemBoxes
    event_details: DetailBoxes
    """What events carry beside their fields: the record's address, a colour for each item type."""
    retrieve: OptionShape
    send: OptionShape


class AgreementShape(BaseModel):
    """How many pairs of both sides agree, of how many, when the whole calendar was read last (R51)."""

    agree: int
    of: int
    checked_at: InstantText


class IntegrationShape(BaseModel):
    id: str
    user_id: str
    account_name: str
    calendar_id: str | None
    calendar_name: str | None
    active: bool
    watching_since: InstantText | None
    """Since when it only watches, and writes nothing on either side; null where it does not."""
    status: Status
    reason: Reason | None
    last_sync_at: InstantText | None
    last_checked_at: InstantText | None
    held_deletions: int
    held_imports: int
    """Events that appeared at once and wait for an answer (R36)."""
    status_since: InstantText | None
    """Since when the status is what it is; null where that was before anybody noted it."""
    waiting_changes: int
    """Changes that have not reached the linked calendar yet."""
    edits_own_events: EditsOwnEvents
    """Whether Vorex may change events that the person made in the linked calendar (R34)."""
    agreement: AgreementShape | None
    """Null where both sides were never compared whole."""
    settings: SettingsShape


class FinishedShape(IntegrationShape):
    run_id: str | None


class PermissionShape(BaseModel):
    url: str
    """Where the person answers."""


class StartedShape(BaseModel):
    run_id: str


class RangeShape(BaseModel):
    past: str
    future: str


class RunShape(BaseModel):
    id: str
    integration_id: str
    started_by: str
    kind: Literal["finish", "sync_now", "catch_up", "daily", "undo", "answer"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    retrieve: RangeShape | None
    send: RangeShape | None
    done: int
    total: int | None
    now: str | None
    found: int
    agreed: int
    created: int
    updated: int
    deleted: int
    skipped: int
    failed: int
    passed_over: dict[str, int]
    """Why those that were skipped were passed over: how many for each code."""
    started_at: InstantText | None
    ended_at: InstantText | None
    reason: str | None
    undoes: str | None
    """The run that this one puts back (R50)."""


class UndoShape(BaseModel):
    """What the undo of a run would do with one of its changes, or why it would leave it."""

    item_id: str | None
    item_type: str | None
    title: str | None
    direction: Literal["to_linked_calendar", "to_my_calendar"]
    action: Literal["create", "update", "delete", "link", "let_go", "none"]
    left: bool
    reason: str


class SettledShape(BaseModel):
    count: int
    run_id: str | None
    """The run whose undo takes the answer back (R50)."""


class HeldShape(BaseModel):
    kind: Literal["deletion", "import"]
    title: str
    start: str | None
    end: str | None
    count: int
    item_id: str | None


class CalendarShape(BaseModel):
    calendar_id: str
    name: str
    read_only: bool
    primary: bool


class LogEntryShape(BaseModel):
    at: InstantText
    trigger: Literal["run", "real_time", "operator"]
    direction: str
    action: str
    outcome: str
    code: str
    item_id: str | None
    item_type: str | None
    title: str | None
    reason: str
    message_id: str | None
    trace_id: str | None
    """Of the change in Vorex that it belongs to, 32 hex digits (W3C trace context)."""
    attempt: int | None
    run_id: str | None
    kept: dict[str, Any] | None = None
    """Only in the entry of a conflict: the values that won (R19)."""
    lost: dict[str, Any] | None = None


class CountShape(BaseModel):
    count: int


class DiscardedShape(BaseModel):
    count: int
    batch: str | None
    """By which all of them are taken back together; null after a dry run."""


class AttemptShape(BaseModel):
    at: InstantText
    error: str


class ActShape(BaseModel):
    at: InstantText
    who: str
    act: str
    note: str | None


class LetterShape(BaseModel):
    id: str
    queue: str
    message_id: str
    trace_id: str | None
    """Of the change in Vorex that it belongs to, 32 hex digits (W3C trace context); null where its message is
    not read, for it is another tenant's or too large."""
    source: str
    code: str
    field: str | None
    reason: str
    exception: str | None
    attempts: list[AttemptShape]
    first_failed_at: InstantText
    last_failed_at: InstantText
    tenant_id: str | None
    integration_id: str | None
    item_key: str | None
    group: str
    state: LetterState
    body: str
    body_encoding: Literal["utf-8", "base64"]
    acts: list[ActShape]


class LettersIntegrationShape(BaseModel):
    id: str
    user_id: str
    account_name: str
    calendar_name: str | None
    active: bool
    status: Literal["connected", "not_connected", "setup", "deleted"]
    reason: str | None


class ForecastShape(BaseModel):
    outcome: str
    integration_id: str | None
    said: str


class LetterContextShape(BaseModel):
    headers: dict[str, str | int]
    routing_key: str
    integration: LettersIntegrationShape | None
    forecast: list[ForecastShape]


class GroupShape(BaseModel):
    group: str
    count: int
    code: str
    queue: str
    reason: str
    first_failed_at: InstantText
    last_failed_at: InstantText


def page_form(page: Page[Any], form: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """A page of a list, each row in its form."""
    return {"items": [form(row) for row in page.rows], "next": page.following}


def integration_form(shown: IntegrationView) -> dict[str, Any]:
    """An integration with its settings (G10–G16)."""
    known = shown.integration
    return {
        "id": known.id,
        "user_id": known.user_id,
        "account_name": shown.account_name,
        "calendar_id": known.calendar_id,
        "calendar_name": known.calendar_name,
        "active": known.active,
        "watching_since": _moment(known.watching_since if known.watching else None),
        "status": known.status,
        "reason": known.reason,
        "last_sync_at": _moment(shown.last_sync_at),
        "last_checked_at": _moment(shown.last_checked_at),
        "held_deletions": shown.held_deletions,
        "held_imports": shown.held_imports,
        "status_since": _moment(shown.status_since),
        "waiting_changes": shown.waiting_changes,
        "edits_own_events": edits_own_events(shown),
        "agreement": agreement_form(shown),
        "settings": {
            "calendar_id": known.calendar_id,
            "event_types": dict(shown.event_types),
            "item_types": dict(shown.item_types),
            "event_details": dict(shown.event_details or FIRST_DETAILS),
            "retrieve": dict(shown.retrieve),
            "send": dict(shown.send),
        },
    }


def agreement_form(shown: IntegrationView) -> dict[str, Any] | None:
    """How many pairs agree (R51)."""
    told = shown.agreement
    if told is None:
        return None
    return {"agree": told.agree, "of": told.of, "checked_at": rfc3339(told.checked_at)}


def held_change_form(held: HeldChange) -> dict[str, Any]:
    """What waits for an answer (R11, R36)."""
    return {name: getattr(held, name) for name in HeldShape.model_fields}


def calendar_form(calendar: Calendar) -> dict[str, Any]:
    return {
        "calendar_id": calendar.calendar_id,
        "name": calendar.name,
        "read_only": calendar.read_only,
        "primary": calendar.primary,
    }


def log_form(entry: Mapping[Any, Any]) -> dict[str, Any]:
    """An entry; of a conflict with the values of both sides (R19, R27)."""
    both = entry["detail"] or {}
    values = {name: both[name] for name in ("kept", "lost") if name in both}
    form = {name: entry[name] for name in LogEntryShape.model_fields if name not in {"kept", "lost"}}
    return form | values | {"at": rfc3339(entry["at"])}


def run_form(row: RunRow) -> dict[str, Any]:
    """A run and how far it has come (R25, R27)."""
    form = {name: row[name] for name in RunShape.model_fields} | {"passed_over": row["passed_over"] or {}}
    return form | {name: _moment(row[name]) for name in ("started_at", "ended_at")}


def record_form(record: LeaverRecord) -> dict[str, Any]:
    """A record as the API and the command tell it (R54)."""
    names = ("id", "user_id", "said_by", "choice", "integrations", "document")
    return {name: getattr(record, name) for name in names} | {"left_at": rfc3339(record.left_at)}


def undo_form(row: UndoRow) -> dict[str, Any]:
    """What would become of one change of a run (R50)."""
    return {name: getattr(row, name) for name in UndoShape.model_fields}


def item_form(item: Item, meeting: Meeting = NO_MEETING, *, masked: bool = False) -> dict[str, Any]:
    """The item in its message form, and whether it can be edited here; masked for others."""
    form = item.content.to_json_dict() if item.content else {"id": item.id, "type": item.type}
    if masked and form.get("private"):
        form |= {"title": "Private", "description": "", "location": "", "account_name": None}
        form |= {"reference": None}
        meeting = NO_MEETING
    reason = read_only_reason(item)
    return {
        **form,
        "version": item.version,
        "read_only": reason is not None,
        "read_only_reason": reason,
        "guests": meeting.guests,
        "join_url": meeting.join_url,
    }


def _moment(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None

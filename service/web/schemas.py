"""The API's forms: what people and programs read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from contracts.calendar import Item, Reason, Status
from contracts.cronofy import Calendar
from contracts.fields import rfc3339
from service.integrations.my_calendar import read_only_reason
from service.integrations.settings_form import EventBoxes, ItemBoxes
from service.store.engine.paging import Page
from service.store.integrations.listing import IntegrationView
from service.store.runs.runs import RunRow

_Row = TypeVar("_Row")

LetterCode = Literal[
    "malformed", "refused", "not_allowed", "exhausted", "crash_loop", "delivery_limit", "bug"
]
LetterState = Literal["open", "replaying", "resolved", "discarded", "edited"]
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
    retrieve: OptionShape
    send: OptionShape


class IntegrationShape(BaseModel):
    id: str
    user_id: str
    account_name: str
    calendar_id: str | None
    calendar_name: str | None
    active: bool
    status: Status
    reason: Reason | None
    last_sync_at: str | None
    last_checked_at: str | None
    held_deletions: int
    settings: SettingsShape


class FinishedShape(IntegrationShape):
    run_id: str | None


class StartedShape(BaseModel):
    run_id: str


class RangeShape(BaseModel):
    past: str
    future: str


class RunShape(BaseModel):
    id: str
    integration_id: str
    started_by: str
    kind: Literal["finish", "sync_now", "catch_up", "daily"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    retrieve: RangeShape | None
    send: RangeShape | None
    done: int
    total: int | None
    now: str | None
    found: int
    created: int
    updated: int
    skipped: int
    failed: int
    started_at: str | None
    ended_at: str | None
    reason: str | None


class SettledShape(BaseModel):
    count: int


class CalendarShape(BaseModel):
    calendar_id: str
    name: str
    read_only: bool
    primary: bool


class LogEntryShape(BaseModel):
    at: str
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
    attempt: int | None
    run_id: str | None
    kept: dict[str, Any] | None = None
    """Only in the entry of a conflict: the values that won (R19)."""
    lost: dict[str, Any] | None = None


class CountShape(BaseModel):
    count: int


class AttemptShape(BaseModel):
    at: str
    error: str


class ActShape(BaseModel):
    at: str
    who: str
    act: str
    note: str | None


class LetterShape(BaseModel):
    id: str
    queue: str
    message_id: str
    source: str
    code: str
    field: str | None
    reason: str
    exception: str | None
    attempts: list[AttemptShape]
    first_failed_at: str
    last_failed_at: str
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
    first_failed_at: str
    last_failed_at: str


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
        "status": known.status,
        "reason": known.reason,
        "last_sync_at": _moment(shown.last_sync_at),
        "last_checked_at": _moment(shown.last_checked_at),
        "held_deletions": shown.held_deletions,
        "settings": {
            "calendar_id": known.calendar_id,
            "event_types": dict(shown.event_types),
            "item_types": dict(shown.item_types),
            "retrieve": dict(shown.retrieve),
            "send": dict(shown.send),
        },
    }


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
    form = {name: row[name] for name in RunShape.model_fields}
    return form | {name: _moment(row[name]) for name in ("started_at", "ended_at")}


def item_form(item: Item, *, masked: bool = False) -> dict[str, Any]:
    """The item in its message form, and whether it can be edited here; masked for others."""
    form = item.content.to_json_dict() if item.content else {"id": item.id, "type": item.type}
    if masked and form.get("private"):
        form |= {"title": "Private", "description": "", "location": "", "account_name": None}
        form |= {"reference": None}
    reason = read_only_reason(item)
    return {
        **form,
        "version": item.version,
        "read_only": reason is not None,
        "read_only_reason": reason,
    }


def _moment(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None

"""Where messages travel, and what they say but of items: notices, runs, integrations, people."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic import WithJsonSchema as Shown
from pydantic_core import PydanticCustomError

from contracts.fields import (
    ANY_TEXT,
    WHOLE_NUMBER,
    Identifier,
    Instant,
    JsonObject,
    Name,
    OlderIdentifier,
    Strict,
    broken_rule,
    instant,
    null_means,
)
from contracts.limits import LONGEST_NAME

ITEMS_EXCHANGE = "vorex.items"
FACTS_EXCHANGE = "calendar-sync.items"
NOTICES_EXCHANGE = "cronofy.notices"
COMMANDS_EXCHANGE = "calendar-sync.commands"
INTEGRATIONS_EXCHANGE = "calendar-sync.integrations"
PEOPLE_EXCHANGE = "vorex.people"
REPLAY_EXCHANGE = "calendar-sync.replay"
DEAD_EXCHANGE = "calendar-sync.dead"

QUEUE_OUTBOUND = "calendar-sync.outbound"
QUEUE_INBOUND = "calendar-sync.inbound"
QUEUE_RUNS = "calendar-sync.runs"
QUEUE_PEOPLE = "calendar-sync.people"
QUEUE_PARKED = "calendar-sync.parked"

CHANGE_NOTICE = "change"
NOTICES_PATH = "/cronofy/notices/"
"""Where Cronofy pushes notices, followed by the integration's id."""
_ADDRESSEE = re.compile(rf"{NOTICES_PATH}([0-9A-Fa-f-]{{36}})$")
ERASURE_NOTICE = "gdpr_requested"
FIRST_CHANGE = datetime(2000, 1, 1, tzinfo=UTC)
NOTICE_CLOCK_SLACK = timedelta(minutes=5)
PROFILE_NOTICES = frozenset({"profile_disconnected", "profile_initial_sync_completed"})
"""Notices that make us look at the account itself."""

_NOTIFICATION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": ANY_TEXT}
    },
    "required": ["type"],
    "additionalProperties": True,
}


class NoticeData(Strict):
    """A push notification of Cronofy's for one integration, as it was received."""

    integration_id: Identifier
    received_at: Instant
    notification: Annotated[JsonObject, Shown(dict(_NOTIFICATION_SCHEMA))]
    channel: Annotated[JsonObject, null_means({})] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Cronofy's word for the notification, known to us or not."""
        return str(self.notification["type"])

    @property
    def changes_since(self) -> datetime | None:
        """From when on there may be changes; None where the notification does not say it in earnest."""
        since = self.notification.get("changes_since") if self.kind == CHANGE_NOTICE else None
        try:
            said = instant(since)
        except (PydanticCustomError, ValueError):
            return None
        return said if FIRST_CHANGE <= said <= self.received_at + NOTICE_CLOCK_SLACK else None

    @property
    def channel_id(self) -> str | None:
        """The channel that Cronofy pushed this through; None where the body does not say."""
        given = self.channel.get("channel_id")
        return None if given is None else str(given)

    @property
    def addressee(self) -> str | None:
        """The integration that the body itself is addressed to, by its channel's callback address."""
        path = str(self.channel.get("callback_url", "")).partition("?")[0].partition("#")[0]
        found = _ADDRESSEE.search(path)
        return found[1].lower() if found else None

    @model_validator(mode="after")
    def _notification_is_readable(self) -> Self:
        kind = self.notification.get("type")
        if not isinstance(kind, str) or not kind or "\0" in kind:
            raise broken_rule("is required and must be a text", "notification", "type")
        if len(kind) > LONGEST_NAME:
            raise broken_rule(f"must have at most {LONGEST_NAME} characters", "notification", "type")
        return self


class RunData(Strict):
    """That the next step of a run is due (R24, R25)."""

    run_id: Identifier
    integration_id: Identifier
    step: Annotated[int, Field(ge=0), WHOLE_NUMBER]


class IntegrationChange(StrEnum):
    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    ERASED = "erased"
    QUESTION_WAITING = "question_waiting"
    RUN_FAILED = "run_failed"


class IntegrationData(Strict):
    """That an integration changed, for whoever in Vorex shows its state."""

    tenant_id: OlderIdentifier
    user_id: OlderIdentifier
    integration_id: Identifier
    change: Annotated[IntegrationChange, Field(strict=False)]
    reason: Name | None = None
    since: Instant | None = None
    """Since when it stands so; of an older service's fact nobody knows."""
    waiting_changes: Annotated[int, Field(ge=0)] | None = None
    """Changes that have not reached the linked calendar (R48)."""


class QuestionKind(StrEnum):
    """What a dispatcher is asked about (R52)."""

    DELETED = "deleted"
    """The technician deleted their copy of a service call."""
    MOVED = "moved"
    """The technician moved it out of the call's window."""
    OUT_OF_OFFICE = "out_of_office"
    """The call overlaps an out-of-office event of the technician's own."""


class QuestionData(Strict):
    """That a service call is in question for one of its technicians, and what was found (R52).

    ``start`` and ``end`` are the call's, ``found_start`` and ``found_end`` those of what was found: where the
    technician put it, or the absence; of a deletion there are none. Instants, or days.
    """

    question_id: Identifier
    tenant_id: OlderIdentifier
    user_id: OlderIdentifier
    integration_id: Identifier
    item_type: Name
    item_id: OlderIdentifier
    version: Annotated[int, Field(ge=1), WHOLE_NUMBER]
    kind: Annotated[QuestionKind, Field(strict=False)]
    start: Name | None = None
    end: Name | None = None
    found_start: Name | None = None
    found_end: Name | None = None


class PersonData(Strict):
    """Whom a message of Vorex's about a person means (R45)."""

    tenant_id: Identifier
    user_id: Identifier

"""Where messages travel, and what they say besides that an item changed: notices, runs, integrations."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from contracts.fields import Identifier, Instant, JsonObject, Strict, Text, broken_rule, instant, null_means

ITEMS_EXCHANGE = "vorex.items"
FACTS_EXCHANGE = "calendar-sync.items"
NOTICES_EXCHANGE = "cronofy.notices"
COMMANDS_EXCHANGE = "calendar-sync.commands"
INTEGRATIONS_EXCHANGE = "calendar-sync.integrations"
REPLAY_EXCHANGE = "calendar-sync.replay"
DEAD_EXCHANGE = "calendar-sync.dead"

QUEUE_OUTBOUND = "calendar-sync.outbound"
QUEUE_INBOUND = "calendar-sync.inbound"
QUEUE_RUNS = "calendar-sync.runs"
QUEUE_PARKED = "calendar-sync.parked"

CHANGE_NOTICE = "change"
ERASURE_NOTICE = "gdpr_requested"
PROFILE_NOTICES = frozenset({"profile_disconnected", "profile_initial_sync_completed"})
"""Notices that make us look at the account itself."""


class NoticeData(Strict):
    """A push notification of Cronofy's for one integration, as it was received."""

    integration_id: Identifier
    received_at: Instant
    notification: JsonObject
    channel: Annotated[JsonObject, null_means({})] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Cronofy's word for the notification, known to us or not."""
        return str(self.notification["type"])

    @property
    def changes_since(self) -> datetime | None:
        """From when on there may be changes; None where the notification does not say."""
        since = self.notification.get("changes_since")
        return None if since is None or self.kind != CHANGE_NOTICE else instant(since)

    @model_validator(mode="after")
    def _notification_is_readable(self) -> Self:
        kind = self.notification.get("type")
        if not isinstance(kind, str) or not kind or "\0" in kind:
            raise broken_rule("is required and must be a text", "notification", "type")
        try:
            _ = self.changes_since
        except ValueError:
            rule = "must be a time with an offset, such as 2026-12-03T09:00:00Z"
            raise broken_rule(rule, "notification", "changes_since") from None
        return self


class RunData(Strict):
    """That the next step of a run is due (R24, R25)."""

    run_id: Identifier
    integration_id: Identifier
    step: Annotated[int, Field(ge=0)]


class IntegrationChange(StrEnum):
    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


class IntegrationData(Strict):
    """That an integration changed, for whoever in Vorex shows its state."""

    tenant_id: Identifier
    user_id: Identifier
    integration_id: Identifier
    change: Annotated[IntegrationChange, Field(strict=False)]
    reason: Text | None = None

"""Items of My Calendar, and what a message says when one changed."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import WithJsonSchema as Shown

from contracts.fields import (
    Identifier,
    Identifiers,
    OptionalText,
    SeenVersion,
    Strict,
    Switch,
    Text,
    Version,
    Zone,
    broken_rule,
    calendar_day,
    instant,
    is_visible,
    null_means,
    rfc3339,
)
from contracts.times import usual_length


class ItemType(StrEnum):
    """The five kinds of item (G8)."""

    APPOINTMENT = "appointment"
    CRM_ACTIVITY = "crm_activity"
    SERVICE_CALL = "service_call"
    TASK = "task"
    TODO = "todo"


class Action(StrEnum):
    """What happened to the item; only deleted or not deleted counts."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class ActorKind(StrEnum):
    """Who made the change."""

    USER = "user"
    SYSTEM = "system"
    CALENDAR_SYNC = "calendar_sync"


class ShowAs(StrEnum):
    BUSY = "busy"
    FREE = "free"


class DescriptionFormat(StrEnum):
    TEXT = "text"
    HTML = "html"


class Reference(Strict):
    """The ticket or record behind an item."""

    label: Text
    url: Text


def _as_it_comes(value: object) -> object:
    """``ItemContent`` reads start and end itself: what they may be depends on ``all_day``."""
    return value


ItemTime = Annotated[
    datetime | date | None,
    PlainValidator(_as_it_comes),
    PlainSerializer(rfc3339, when_used="json-unless-none"),
    Shown(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
                {"type": "null"},
            ]
        }
    ),
]


class ItemContent(Strict):
    """A whole item, cleaned: UTC, whole seconds, an end after its start or none at all.

    ``start`` and ``end`` are dates when ``all_day`` (the end exclusive), else instants, or None.
    """

    id: Identifier
    type: Annotated[ItemType, Field(strict=False)]
    title: Text = ""
    description: OptionalText = ""
    description_format: Annotated[
        DescriptionFormat, Field(strict=False), null_means(DescriptionFormat.TEXT)
    ] = DescriptionFormat.TEXT
    location: OptionalText = ""
    all_day: Switch = False
    start: ItemTime = None
    end: ItemTime = None
    time_zone: Zone = "UTC"
    private: Switch = False
    show_as: Annotated[ShowAs, Field(strict=False), null_means(ShowAs.BUSY)] = ShowAs.BUSY
    completed: Switch = False
    account_name: Text | None = None
    reference: Reference | None = None
    assignees: Identifiers = ()

    @field_validator("start", "end", mode="after")
    @classmethod
    def _read_moment(cls, value: object, info: ValidationInfo) -> datetime | date | None:
        all_day = info.data.get("all_day")
        if value is None or all_day is None:
            return None
        return calendar_day(value) if all_day else instant(value).replace(microsecond=0)

    @field_validator("end", mode="after")
    @classmethod
    def _end_follows_start(cls, end: datetime | date | None, info: ValidationInfo) -> datetime | date | None:
        if end is None or "start" not in info.data:
            return end
        start = info.data["start"]
        if start is None:
            raise broken_rule("must be left out where there is no start")
        if end < start:
            raise broken_rule("must not be before start")
        return end if end > start else start + usual_length(all_day=info.data["all_day"])

    def to_json_dict(self) -> dict[str, Any]:
        """The item in its message form, to be stored or sent; ``from_json_dict`` gives an equal item back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json_dict(cls, form: Mapping[str, Any]) -> Self:
        return cls.model_validate(form)


class Actor(Strict):
    """Who made a change; for calendar_sync ``id`` is the integration's."""

    kind: Annotated[ActorKind, Field(strict=False)]
    id: Identifier | None = None

    @model_validator(mode="after")
    def _integration_is_named(self) -> Self:
        if self.kind is ActorKind.CALENDAR_SYNC and self.id is None:
            raise broken_rule("is required where kind is calendar_sync", "id")
        return self


class ItemChangedData(Strict):
    """That an item reached a version, with the whole item as it then was."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"action": {"const": Action.DELETED.value}}},
            "else": {"properties": {"item": {"required": ["title", "assignees"]}}},
        }
    )

    tenant_id: Identifier
    action: Annotated[Action, Field(strict=False)]
    version: Version
    seen_version: Annotated[SeenVersion | None, Field(exclude_if=lambda value: value is None)] = None
    actor: Actor
    item: ItemContent

    @property
    def deleted(self) -> bool:
        return self.action is Action.DELETED

    @property
    def last_seen(self) -> int:
        """The highest version by calendar_sync that the author knew."""
        return self.version - 1 if self.seen_version is None else self.seen_version

    @field_validator("item", mode="before")
    @classmethod
    def _deleted_item_may_be_bare(cls, form: object, info: ValidationInfo) -> object:
        if info.data.get("action") is not Action.DELETED or not isinstance(form, dict):
            return form
        return {name: value for name, value in form.items() if value is not None}

    @model_validator(mode="after")
    def _living_item_is_whole(self) -> Self:
        if self.deleted:
            return self
        for name in ("title", "assignees"):
            if name not in self.item.model_fields_set:
                raise broken_rule("is required unless the item is deleted", "item", name)
        if not is_visible(self.item.title):
            raise broken_rule("must have a visible character", "item", "title")
        return self

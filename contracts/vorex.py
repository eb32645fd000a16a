"""Items of My Calendar, and what a message says when one changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import WithJsonSchema as Shown
from pydantic_core import CoreSchema, PydanticCustomError

from contracts.fields import (
    DAY_PATTERN,
    INSTANT_PATTERN,
    Identifier,
    Identifiers,
    Instant,
    Line,
    LinkAddress,
    Name,
    OlderIdentifier,
    OlderIdentifiers,
    OptionalLine,
    OptionalLongText,
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
from contracts.limits import LONGEST_LINE, LONGEST_NAME, LONGEST_TEXT, LONGEST_TIME, cut
from contracts.times import usual_length

DAY_FIELDS = ("start_date", "end_date")


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

    label: Name
    url: LinkAddress


def _as_it_comes(value: object) -> object:
    """``ItemContent`` reads start and end itself: what they may be depends on ``all_day``."""
    return value


ItemTime = Annotated[
    datetime | date | None,
    PlainValidator(_as_it_comes),
    PlainSerializer(rfc3339, when_used="json-unless-none"),
    Shown({"anyOf": [{"type": "string", "maxLength": LONGEST_TIME}, {"type": "null"}]}),
]
"""A text to whoever generates types: it is an instant, or a day where ``all_day``."""
_GIVEN = {"type": "string"}
_ABSENT = {"type": "null"}
_DAY = {"anyOf": [{"type": "string", "format": "date", "pattern": DAY_PATTERN}, _ABSENT]}


def _times_are(pattern: str) -> dict[str, Any]:
    one = {"anyOf": [{"type": "string", "pattern": pattern}, _ABSENT]}
    return {"properties": {"start": one, "end": one}}


def _where(*conditions: Mapping[str, Any]) -> dict[str, Any]:
    """A condition of a schema: these fields are there and are so."""
    merged = {name: rule for each in conditions for name, rule in each.items()}
    return {"properties": merged, "required": [*merged]}


_TIMES_SCHEMA: dict[str, Any] = {
    "if": _where({"all_day": {"const": True}}),
    "then": _times_are(DAY_PATTERN),
    "else": _times_are(INSTANT_PATTERN),
    "allOf": [
        {"if": _where({"end": _GIVEN}), "then": _where({"start": _GIVEN})},
        {"if": _where({"end_date": _GIVEN}), "then": _where({"start_date": _GIVEN})},
        {
            "if": _where({"start_date": _GIVEN}),
            "then": {"properties": {"start": _ABSENT, "end": _ABSENT, "all_day": {"enum": [True, None]}}},
        },
    ],
}
"""How the times of an item go together (R14)."""


def _describe_times(schema: dict[str, Any]) -> None:
    schema["properties"] |= {
        name: {
            **_DAY,
            "default": None,
            "description": f"The same as all_day and {name.removesuffix('_date')}, typed.",
        }
        for name in DAY_FIELDS
    }
    schema |= _TIMES_SCHEMA


def _day_given(form: Mapping[str, Any], name: str) -> date | None:
    value = form.get(name)
    try:
        return None if value is None else calendar_day(value)
    except PydanticCustomError as error:
        raise broken_rule(str(error.context["rule"]) if error.context else "must be a date", name) from None


class _NullWhereDeleted:
    """What a deleted item may leave out it may also say null of; ``ItemChangedData`` refuses it elsewhere."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = handler(schema)
        return {"anyOf": [shown, _ABSENT]} if handler.mode == "validation" else shown


_NULL_WHERE_DELETED = _NullWhereDeleted()


def _whole_seconds(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)


WindowEdge = Annotated[
    Instant | None, AfterValidator(_whole_seconds), Field(exclude_if=lambda value: value is None)
]
"""An edge of the time within which a service call may be moved; None where it has none (R52)."""


@dataclass(frozen=True, slots=True)
class ItemTraits:
    """What of an item decides what its event is given beside its fields (R13, R52)."""

    type: ItemType
    completed: bool
    reference: Reference | None


class ItemContent(Strict):
    """A whole item, cleaned: UTC, whole seconds, an end after its start or none at all.

    ``start`` and ``end`` are dates when ``all_day`` (the end exclusive), else instants, or None. A publisher
    whose types cannot say that gives ``start_date`` and ``end_date`` instead.
    """

    model_config = ConfigDict(json_schema_extra=_describe_times)

    id: Identifier
    type: Annotated[ItemType, Field(strict=False)]
    title: Annotated[Line, _NULL_WHERE_DELETED] = ""
    description: OptionalLongText = ""
    description_format: Annotated[
        DescriptionFormat, Field(strict=False), null_means(DescriptionFormat.TEXT)
    ] = DescriptionFormat.TEXT
    location: OptionalLine = ""
    all_day: Switch = False
    start: ItemTime = None
    end: ItemTime = None
    time_zone: Zone = "UTC"
    private: Switch = False
    show_as: Annotated[ShowAs, Field(strict=False), null_means(ShowAs.BUSY)] = ShowAs.BUSY
    completed: Switch = False
    account_name: Name | None = None
    reference: Reference | None = None
    assignees: Annotated[Identifiers, _NULL_WHERE_DELETED] = ()
    not_before: WindowEdge = None
    not_after: WindowEdge = None

    @property
    def traits(self) -> ItemTraits:
        """For whoever waits with its event, and needs no more of it."""
        return ItemTraits(self.type, self.completed, self.reference)

    @model_validator(mode="before")
    @classmethod
    def _days_are_times(cls, form: object) -> object:
        if not isinstance(form, dict) or all(form.get(name) is None for name in DAY_FIELDS):
            return form
        start, end = (_day_given(form, name) for name in DAY_FIELDS)
        if start is None:
            raise broken_rule("must be left out where there is no start_date", "end_date")
        for name in ("start", "end"):
            if form.get(name) is not None:
                raise broken_rule("must be left out where there is a start_date", name)
        if form.get("all_day") is False:
            raise broken_rule("must be true or left out where there is a start_date", "all_day")
        all_day = form.get("all_day")
        return {**form, "all_day": True if all_day is None else all_day, "start": start, "end": end}

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

    @field_validator("not_after", mode="after")
    @classmethod
    def _window_is_open(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        begin = info.data.get("not_before")
        if end is not None and begin is not None and end < begin:
            raise broken_rule("must not be before not_before")
        return end

    def to_json_dict(self) -> dict[str, Any]:
        """The item in its message form, to be stored or sent; ``from_json_dict`` gives an equal item back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json_dict(cls, form: Mapping[str, Any]) -> "ItemContent":
        """A stored item; texts longer than R43 allows, stored before it, are cut."""
        try:
            return cls.model_validate(form)
        except ValidationError:
            older = _OlderContent.model_validate(form)
        return cls.model_construct(_fields_set=older.model_fields_set, **older.within_limits())


class _OlderReference(Strict):
    label: Text
    url: Text

    def within_limits(self) -> Reference | None:
        """None where the address is too long, for a cut one leads nowhere, or one that no page links to."""
        try:
            return Reference(label=cut(self.label, LONGEST_NAME), url=self.url)
        except ValidationError:
            return None


class _OlderContent(ItemContent):
    """An item that was stored before its texts and ids were limited (R43)."""

    id: OlderIdentifier
    title: Text = ""
    description: Annotated[Text, null_means("")] = ""
    location: Annotated[Text, null_means("")] = ""
    account_name: Text | None = None
    reference: _OlderReference | None = None  # type: ignore[assignment]
    assignees: OlderIdentifiers = ()

    def within_limits(self) -> dict[str, Any]:
        """The fields as an item of today has them; ids cannot be cut, and stay."""
        reference, account_name = self.reference, self.account_name
        return dict(self) | {
            "title": cut(self.title, LONGEST_LINE),
            "description": cut(self.description, LONGEST_TEXT),
            "location": cut(self.location, LONGEST_LINE),
            "account_name": account_name and cut(account_name, LONGEST_NAME),
            "reference": reference and reference.within_limits(),
        }


class Actor(Strict):
    """Who made a change; for calendar_sync ``id`` is the integration's."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": _where({"kind": {"const": ActorKind.CALENDAR_SYNC.value}}),
            "then": _where({"id": _GIVEN}),
        }
    )

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
            "else": {"properties": {"item": _where({"title": _GIVEN, "assignees": {"type": "array"}})}},
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

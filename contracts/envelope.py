"""CloudEvents 1.0 around every message: bytes to checked values and back."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError

from contracts.errors import Malformed
from contracts.fields import ANY_TEXT, ONE_LINE, Identifier, Instant, Strict, Text
from contracts.messages import IntegrationData, NoticeData, RunData
from contracts.vorex import ItemChangedData

CLOUD_EVENT_TYPE = "application/cloudevents+json"
OWN_SOURCE = "/calendar-sync"
LARGEST_BODY = 256 * 1024
_TYPE_WORD = re.compile(r"[a-z_]{1,64}")


def _absent(value: object) -> bool:
    return value is None


class _Envelope(Strict):
    """The attributes that all messages share."""

    exchange: ClassVar[str]
    """Where this service publishes such messages."""

    specversion: Literal["1.0"]
    type: str
    id: Identifier
    source: Identifier
    subject: Annotated[Text | None, Field(exclude_if=_absent)] = None
    time: Instant
    datacontenttype: Annotated[Text | None, Field(exclude_if=_absent)] = "application/json"

    @classmethod
    def of(cls, data: Strict, *, id: str, time: datetime, source: str = OWN_SOURCE) -> Self:  # noqa: A002
        """The message that carries ``data``, with its subject where such messages have one."""
        return cls.model_validate(
            {
                "specversion": "1.0",
                "type": cls.type_word(),
                "id": id,
                "source": source,
                "subject": cls._subject_of(data),
                "time": time,
                "data": data,
            }
        )

    @classmethod
    def type_word(cls) -> str:
        """The CloudEvents type of such messages."""
        (word,) = get_args(cls.model_fields["type"].annotation)
        return str(word)

    @classmethod
    def _subject_of(cls, _data: Any) -> str | None:
        return None


class ItemChanged(_Envelope):
    """An item reached a version: from Vorex on ``vorex.items``, as a fact of ours on ``exchange``."""

    exchange = "calendar-sync.items"

    type: Literal["com.vorex.calendar.item.changed.v1"]
    data: ItemChangedData

    @property
    def routing_key(self) -> str:
        return f"{self.data.item.type}.{self.data.action}"

    @classmethod
    def _subject_of(cls, data: ItemChangedData) -> str:
        return f"{data.item.type}/{data.item.id}"


class NoticeReceived(_Envelope):
    """Cronofy pushed a notification to the relay."""

    exchange = "cronofy.notices"

    type: Literal["com.cronofy.notice.received.v1"]
    data: NoticeData

    @property
    def routing_key(self) -> str:
        kind = self.data.kind
        return kind if _TYPE_WORD.fullmatch(kind) else "unknown"


class RunRequested(_Envelope):
    """The next step of a run is due."""

    exchange = "calendar-sync.commands"

    type: Literal["com.vorex.calendarsync.run.requested.v1"]
    data: RunData

    @property
    def routing_key(self) -> str:
        return "run.requested"


class IntegrationChanged(_Envelope):
    """An integration was connected, lost its connection, was switched, or deleted."""

    exchange = "calendar-sync.integrations"

    type: Literal["com.vorex.calendarsync.integration.changed.v1"]
    data: IntegrationData

    @property
    def routing_key(self) -> str:
        return f"integration.{self.data.change}"

    @classmethod
    def _subject_of(cls, data: IntegrationData) -> str:
        return f"integration/{data.integration_id}"


Message = ItemChanged | NoticeReceived | RunRequested | IntegrationChanged
MessageT = TypeVar("MessageT", bound=_Envelope)


@cache
def _adapter(expected: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(expected)


def decode(body: bytes, *, expected: type[MessageT]) -> MessageT:
    """The message in these bytes; raises Malformed naming the first field at fault and its rule."""
    if len(body) > LARGEST_BODY:
        raise Malformed("body", f"must be at most {LARGEST_BODY} bytes")
    try:
        message: MessageT = _adapter(expected).validate_json(body)
    except ValidationError as error:
        raise malformed_message(error) from None
    return message


def encode(message: Message) -> bytes:
    """The message as its body on the broker."""
    return message.model_dump_json().encode()


def malformed_message(error: ValidationError) -> Malformed:
    """The first of pydantic's complaints, in the words that a publisher of messages is told."""
    return complaint(error.errors(include_url=False, include_input=False)[0])


def complaint(detail: Mapping[str, Any]) -> Malformed:
    """One of pydantic's complaints, as it gives them in ``errors()``."""
    context: Mapping[str, Any] = detail.get("ctx", {})
    path = (*detail["loc"], *context.get("at", ()))
    field = ".".join(str(part) for part in path) or "body"
    rule = _RULES.get(context.get("pattern", detail["type"]), detail["msg"]).format(**context)
    return Malformed(field, rule[:1].lower() + rule[1:])


_RULES: Mapping[str, str] = {
    ANY_TEXT: "must not contain U+0000",
    ONE_LINE: "must not contain U+0000 or another control character",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "enum": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "json_invalid": "is not JSON: {error}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_type": "must be an object",
    "rule": "{rule}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
}

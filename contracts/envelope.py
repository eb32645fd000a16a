"""CloudEvents 1.0 around every message: bytes to checked values and back."""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from contracts.errors import Malformed
from contracts.fields import ANY_TEXT, ONE_LINE, WEB_ADDRESS, Identifier, Instant, Line, Name, Source, Strict
from contracts.framing import misframed
from contracts.limits import LONGEST_LINE
from contracts.messages import IntegrationData, NoticeData, PersonData, QuestionData, RunData
from contracts.tracing import can_be_followed, trace_id_of
from contracts.vorex import ItemChangedData

JSON_TYPE = "application/json"
CLOUD_EVENT_TYPE = "application/cloudevents+json"
OWN_SOURCE = "/calendar-sync"
LARGEST_BODY = 256 * 1024
_NO_HEADERS: Mapping[str, object] = MappingProxyType({})
_TYPE_WORD = re.compile(r"[a-z_]{1,64}")


def _absent(value: object) -> bool:
    return value is None


def _said(media_type: str | None) -> str:
    """Null says as little as leaving it out, and is told on in the same way."""
    return media_type or JSON_TYPE


def _usable(value: object) -> object:
    """None of what is no text, or cannot be kept: no message is worth less for it (R43)."""
    kept = isinstance(value, str) and len(value) <= LONGEST_LINE and "\0" not in value
    return value if kept else None


def _usable_parent(value: object) -> object:
    return _usable(value) if can_be_followed(value) else None


class _Envelope(Strict):
    """The attributes that all messages share."""

    exchange: ClassVar[str]
    """Where this service publishes such messages."""

    specversion: Literal["1.0"]
    type: str
    id: Identifier
    source: Source
    subject: Annotated[Line | None, Field(exclude_if=_absent)] = None
    time: Instant
    datacontenttype: Annotated[Name | None, AfterValidator(_said)] = JSON_TYPE
    traceparent: Annotated[Line | None, BeforeValidator(_usable_parent), Field(exclude_if=_absent)] = None
    tracestate: Annotated[Line | None, BeforeValidator(_usable), Field(exclude_if=_absent)] = None

    @property
    def trace_id(self) -> str:
        """Of the change that the message belongs to, the same at every attempt."""
        return trace_id_of(self.source, self.id, self.traceparent)

    @classmethod
    def of(
        cls,
        data: Strict,
        *,
        id: str,  # noqa: A002
        time: datetime,
        source: str = OWN_SOURCE,
        traceparent: str | None = None,
    ) -> Self:
        """The message that carries ``data``, with its subject where such messages have one."""
        return cls.model_validate(
            {
                "specversion": "1.0",
                "type": cls.type_word(),
                "id": id,
                "source": source,
                "subject": cls._subject_of(data),
                "time": time,
                "traceparent": traceparent,
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


class AssignmentQuestioned(_Envelope):
    """A technician deleted or moved a service call, or is out of office: its dispatcher is asked (R52)."""

    exchange = "calendar-sync.integrations"

    type: Literal["com.vorex.calendarsync.assignment.questioned.v1"]
    data: QuestionData

    @property
    def routing_key(self) -> str:
        return "assignment.questioned"

    @classmethod
    def _subject_of(cls, data: QuestionData) -> str:
        return f"{data.item_type}/{data.item_id}"


class PersonChanged(_Envelope):
    """Vorex tells of a person: ``session.revoked`` or ``person.left``, on ``vorex.people`` (R45)."""

    exchange = "vorex.people"

    type: Literal["com.vorex.session.revoked.v1", "com.vorex.person.left.v1"]
    data: PersonData

    @property
    def routing_key(self) -> str:
        return self.type.removeprefix("com.vorex.").removesuffix(".v1")

    @classmethod
    def _subject_of(cls, data: PersonData) -> str:
        return f"person/{data.user_id}"


class SessionRevoked(PersonChanged):
    """A person is signed out everywhere, by Vorex: sessions and tokens from before open nothing."""

    type: Literal["com.vorex.session.revoked.v1"]


class PersonLeft(PersonChanged):
    """A person works there no longer: signed out everywhere, and their integrations stop."""

    type: Literal["com.vorex.person.left.v1"]


Message = (
    ItemChanged | NoticeReceived | RunRequested | IntegrationChanged | AssignmentQuestioned | PersonChanged
)
MessageT = TypeVar("MessageT", bound=_Envelope)


@cache
def _adapter(expected: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(expected)


def decode(body: bytes, *, expected: type[MessageT], headers: Mapping[str, object] = _NO_HEADERS) -> MessageT:
    """The message in these bytes; raises Malformed naming the first field at fault and its rule.

    ``headers`` of the message tell of one that is no event in structured mode what it is instead.
    """
    message = _decoded(body, expected, headers)
    if isinstance(message, list):
        raise message[0]
    return message


def faults_of(body: bytes, *, expected: type[MessageT]) -> Sequence[Malformed]:
    """Every field at fault with its rule; empty where the message can be decoded.

    What fields say of each other (``end`` before ``start``) is judged once each is right by itself.
    """
    message = _decoded(body, expected, _NO_HEADERS)
    return message if isinstance(message, list) else ()


def _decoded(
    body: bytes, expected: type[MessageT], headers: Mapping[str, object]
) -> MessageT | list[Malformed]:
    if len(body) > LARGEST_BODY:
        return [Malformed("body", f"must be at most {LARGEST_BODY} bytes")]
    try:
        message: MessageT = _adapter(expected).validate_json(body.removeprefix(BOM_UTF8))
    except ValidationError as error:
        instead = misframed(body, headers)
        details = error.errors(include_url=False, include_input=False)
        return [instead] if instead else [complaint(detail) for detail in details]
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
    WEB_ADDRESS: "must be a web address, such as https://vorex.example/t/7, without control characters",
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
    "too_long": "must have at most {max_length} entries",
    "tuple_type": "must be a list",
}

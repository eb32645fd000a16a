"""The kinds of value that messages are made of, each with its rule in words."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, TypeGuard, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic import WithJsonSchema as Shown
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from contracts.limits import (
    LONGEST_ADDRESS,
    LONGEST_ID,
    LONGEST_LINE,
    LONGEST_NAME,
    LONGEST_TEXT,
    LONGEST_TIME,
    MOST_ASSIGNEES,
)
from contracts.times import EARLIEST_YEAR, LATEST_YEAR, can_be_held
from contracts.zones import iana_zone

LARGEST_VERSION = 2**53 - 1
ANY_TEXT = r"^[^\x00]*$"
ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
WEB_ADDRESS = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x1f\x7f]+$"
_DAY_FORM = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_INSTANT_FORM = (
    rf"{_DAY_FORM}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_YEARS = "(?!000[01]|9999)"
INSTANT_PATTERN, DAY_PATTERN = f"^{_YEARS}{_INSTANT_FORM}$", f"^{_YEARS}{_DAY_FORM}$"
"""As schemas tell them; which days a month has they leave to ``format``."""
_INSTANT = re.compile(_INSTANT_FORM)
_DATE = re.compile(_DAY_FORM)
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Characters that Unicode counts as letters or signs and every font shows as nothing."""
_WINDOWS_NAME = re.compile(r"[A-Za-z.()+-]+(?: [A-Za-z.()+-]+)* (?:Standard|Daylight|Summer) Time")
_LONGEST_TOLD = 60
_NOT_ZONES = frozenset({"localtime", "Factory"})


class Strict(BaseModel):
    """A value that takes no lookalikes (``"1"`` is not 1) and overlooks fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def broken_rule(rule: str, *at: str) -> PydanticCustomError:
    """The error for a broken rule; ``at`` leads from the value being checked to the field at fault."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "at": at})


@dataclass(frozen=True, slots=True)
class NullMeans:
    """An explicit null says the same as leaving the field out; schemas of what is read say so too."""

    default: object

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._filled, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = handler(schema)
        return {"anyOf": [shown, {"type": "null"}]} if handler.mode == "validation" else shown

    def _filled(self, value: object) -> object:
        return self.default if value is None else value


def null_means(default: object) -> NullMeans:
    """An explicit null says the same as leaving the field out."""
    return NullMeans(default)


def _whole(value: object) -> object:
    """A whole number however JSON writes it: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Moment = TypeVar("_Moment", bound=date)


def _bounded(moment: _Moment) -> _Moment:
    if can_be_held(moment):
        return moment
    raise broken_rule(f"must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}")


def instant(value: object) -> datetime:
    """The moment in UTC, from RFC 3339 text or an aware datetime; refuses a time without an offset."""
    if isinstance(value, str) and len(value) <= LONGEST_TIME and _INSTANT.fullmatch(value):
        value = _or_none(datetime.fromisoformat, value.upper())
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise broken_rule("must be a time with an offset, such as 2026-12-03T09:00:00Z")
    try:
        return _bounded(value.astimezone(UTC))
    except OverflowError:
        raise broken_rule(f"must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}") from None


def calendar_day(value: object) -> date:
    """The calendar day, from ``YYYY-MM-DD`` or a date; refuses a time."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        value = _or_none(date.fromisoformat, value)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise broken_rule("must be a date, such as 2026-12-03")
    return _bounded(value)


def rfc3339(moment: date) -> str:
    """A day, or a UTC instant with ``Z``."""
    return moment.isoformat().removesuffix("+00:00") + "Z" * isinstance(moment, datetime)


def _or_none(parse: Callable[[str], date], text: str) -> date | None:
    try:
        return parse(text)
    except ValueError:
        return None


def is_visible(text: str) -> bool:
    """Whether a reader would see anything at all."""
    return any(
        unicodedata.category(character)[0] not in "ZC" and character not in _BLANK_LETTERS
        for character in text
    )


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_ZONES


def is_zone(value: object) -> bool:
    """Whether it is the name of a time zone, and so tells nothing but that."""
    return isinstance(value, str) and value in _zones()


def _known_zone(name: str) -> str:
    if name in _zones():
        return name
    windows = iana_zone(name)
    if windows is not None:
        return windows
    # what is said as Windows says it is a name; anything else may be somebody's text, and is not repeated
    if len(name) <= _LONGEST_TOLD and _WINDOWS_NAME.fullmatch(name):
        raise broken_rule(f"must be an IANA time zone, such as Europe/London, not {name}")
    raise broken_rule("must be an IANA time zone, such as Europe/London")


def _without_repeats(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


Text = Annotated[str, StringConstraints(pattern=ANY_TEXT)]
"""Free text without U+0000, which PostgreSQL cannot hold."""
Line = Annotated[str, StringConstraints(max_length=LONGEST_LINE, pattern=ANY_TEXT)]
OptionalLine = Annotated[Line, null_means("")]
OptionalLongText = Annotated[
    str, StringConstraints(max_length=LONGEST_TEXT, pattern=ANY_TEXT), null_means("")
]
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=ANY_TEXT)]
LinkAddress = Annotated[str, StringConstraints(max_length=LONGEST_ADDRESS, pattern=WEB_ADDRESS)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=ONE_LINE)]
"""A name that others gave to a thing. U+001F, which separates the parts of event ids, cannot be in it."""
OlderIdentifier = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=ONE_LINE)]
"""One that may have been stored before ids were limited to 200 characters (R43)."""
Source = OlderIdentifier
"""Where a message comes from: an address that has a tenant's id in it."""
OlderIdentifiers = Annotated[
    tuple[OlderIdentifier, ...], Field(strict=False), AfterValidator(_without_repeats)
]
Identifiers = Annotated[
    tuple[Identifier, ...],
    Field(strict=False, max_length=MOST_ASSIGNEES),
    AfterValidator(_without_repeats),
]
Switch = Annotated[bool, null_means(default=False)]
WHOLE_NUMBER = BeforeValidator(_whole)
Version = Annotated[int, Field(ge=1, le=LARGEST_VERSION), WHOLE_NUMBER]
SeenVersion = Annotated[int, Field(ge=0, le=LARGEST_VERSION), WHOLE_NUMBER]
Zone = Annotated[Name, AfterValidator(_known_zone), null_means("UTC")]
Instant = Annotated[
    datetime,
    Field(strict=False),
    BeforeValidator(instant),
    Shown({"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN, "maxLength": LONGEST_TIME}),
]
JsonObject = Annotated[dict[str, Any], Field(strict=False)]
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier, config=ConfigDict(strict=True))
_SOURCE: TypeAdapter[str] = TypeAdapter(Source, config=ConfigDict(strict=True))


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether a message may call something so; for what is named in a message that cannot be decoded."""
    return _is_valid(_IDENTIFIER, value)


def is_source(value: object) -> TypeGuard[str]:
    """Whether a message may say that it comes from there."""
    return _is_valid(_SOURCE, value)


def _is_valid(rule: TypeAdapter[str], value: object) -> bool:
    try:
        rule.validate_python(value)
    except ValidationError:
        return False
    return True

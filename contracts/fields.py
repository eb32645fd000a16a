"""The kinds of value that messages are made of, each with its rule in words."""

import re
import unicodedata
from collections.abc import Callable
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
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic import WithJsonSchema as Shown
from pydantic_core import PydanticCustomError

LARGEST_VERSION = 2**53 - 1
LONGEST_ID = 255
ANY_TEXT = r"^[^\x00]*$"
ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
_FIRST_YEAR, _LAST_YEAR = 2, 9998
"""Every instant between can be told in any time zone and be lengthened by a day."""
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Characters that Unicode counts as letters or signs and every font shows as nothing."""
_NOT_ZONES = frozenset({"localtime", "Factory"})


class Strict(BaseModel):
    """A value that takes no lookalikes (``"1"`` is not 1) and overlooks fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def broken_rule(rule: str, *at: str) -> PydanticCustomError:
    """The error for a broken rule; ``at`` leads from the value being checked to the field at fault."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "at": at})


def null_means(default: object) -> BeforeValidator:
    """An explicit null says the same as leaving the field out."""
    return BeforeValidator(lambda value: default if value is None else value)


_Moment = TypeVar("_Moment", bound=date)


def _bounded(moment: _Moment) -> _Moment:
    if _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        return moment
    raise broken_rule(f"must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")


def instant(value: object) -> datetime:
    """The moment in UTC, from RFC 3339 text or an aware datetime; refuses a time without an offset."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        value = _or_none(datetime.fromisoformat, value.upper())
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise broken_rule("must be a time with an offset, such as 2026-12-03T09:00:00Z")
    try:
        return _bounded(value.astimezone(UTC))
    except OverflowError:
        raise broken_rule(f"must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}") from None


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


def _known_zone(name: str) -> str:
    if name in _zones():
        return name
    raise broken_rule("must be an IANA time zone, such as Europe/London")


def _without_repeats(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


Text = Annotated[str, StringConstraints(pattern=ANY_TEXT)]
"""Free text without U+0000, which PostgreSQL cannot hold."""
OptionalText = Annotated[Text, null_means("")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=ONE_LINE)]
"""A name that others gave to a thing. U+001F, which separates the parts of event ids, cannot be in it."""
Identifiers = Annotated[tuple[Identifier, ...], Field(strict=False), AfterValidator(_without_repeats)]
Switch = Annotated[bool, null_means(default=False)]
Version = Annotated[int, Field(ge=1, le=LARGEST_VERSION)]
SeenVersion = Annotated[int, Field(ge=0, le=LARGEST_VERSION)]
Zone = Annotated[Text, AfterValidator(_known_zone), null_means("UTC")]
Instant = Annotated[
    datetime, Field(strict=False), BeforeValidator(instant), Shown({"type": "string", "format": "date-time"})
]
JsonObject = Annotated[dict[str, Any], Field(strict=False)]
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier, config=ConfigDict(strict=True))


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether a message may call something so; for what is named in a message that cannot be decoded."""
    try:
        _IDENTIFIER.validate_python(value)
    except ValidationError:
        return False
    return True

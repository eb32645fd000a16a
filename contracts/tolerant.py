"""Reading another party's JSON without trusting its shape: what is absent or odd is None or empty."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from contracts.errors import Malformed
from contracts.times import InstantOrDay

_Read = TypeVar("_Read")

LENGTH_OF_A_DAY = len("2026-12-03")


def read_required(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(name, "must be a non-empty text")
    if _whole(value) != value:
        raise Malformed(name, "must be a text of whole characters")
    return value


def read_text(raw: Mapping[str, Any], name: str) -> str | None:
    value = raw.get(name)
    return _whole(value) if isinstance(value, str) else None


def _whole(value: str) -> str:
    """Without U+0000, and without half a surrogate pair, which JSON can escape and nobody can store."""
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value.replace("\0", "")


def read_flag(raw: Mapping[str, Any], name: str) -> bool | None:
    value = raw.get(name)
    return value if isinstance(value, bool) else None


def read_object(raw: Any, name: str) -> Mapping[str, Any]:
    """The value as an object; an absent or odd one is empty."""
    value = raw.get(name) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def read_rows(raw: Any, name: str, read: Callable[[Mapping[str, Any]], _Read]) -> tuple[_Read, ...]:
    """Every row of a list that the answer must have."""
    listed = raw.get(name) if isinstance(raw, Mapping) else None
    if not isinstance(listed, list):
        raise Malformed(name, "must be a list")
    return tuple(read(row) for row in listed if isinstance(row, Mapping))


def read_sane_instant(value: Any) -> datetime | None:
    """An instant in UTC and whole seconds where the value is one; Cronofy's stamps may be nonsense."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is None or read.tzinfo is None:
            return read and read.replace(tzinfo=UTC, microsecond=0)
        return read.astimezone(UTC).replace(microsecond=0)
    except (OverflowError, ValueError):
        return None


def read_moment(raw: Mapping[str, Any], name: str) -> InstantOrDay:
    """A day, or an instant as ``read_sane_instant`` reads it; raises Malformed where there is neither."""
    value = raw.get(name)
    if isinstance(value, Mapping):
        value = value.get("time")
    read = (
        _day(value) if isinstance(value, str) and len(value) == LENGTH_OF_A_DAY else read_sane_instant(value)
    )
    if read is None:
        raise Malformed(name, "must be a time or a date")
    return read


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None

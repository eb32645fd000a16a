"""Reading another party's JSON without trusting its shape: what is absent or odd is None or empty."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from contracts.errors import Malformed
from contracts.limits import LONGEST_ADDRESS, LONGEST_EVENT_ID, cut
from contracts.times import InstantOrDay, can_be_held

_Read = TypeVar("_Read")

LONGEST_UNNAMED = 16_384
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
LENGTH_OF_A_DAY = len("2026-12-03")


def read_required(raw: Mapping[str, Any], name: str, *, longest: int | None = None) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(name, "must be a non-empty text")
    if longest is not None and len(value) > longest:
        raise Malformed(name, f"must have at most {longest} characters")
    if _whole(value) != value:
        raise Malformed(name, "must be a text of whole characters")
    return value


def read_text(raw: Mapping[str, Any], name: str) -> str | None:
    """None for a text that is longer than any token or address."""
    value = raw.get(name)
    return _whole(value) if isinstance(value, str) and len(value) <= LONGEST_UNNAMED else None


def read_id(raw: Mapping[str, Any], name: str) -> str | None:
    """None for an empty id, and for one that is too long to be known again: no id can be cut."""
    value = raw.get(name)
    sane = isinstance(value, str) and len(value) <= LONGEST_EVENT_ID
    return _whole(value) or None if sane and isinstance(value, str) else None


def read_cut(raw: Mapping[str, Any], name: str, longest: int) -> str | None:
    """A text of at most so many characters, cut where it has more (R43)."""
    value = raw.get(name)
    return cut(_whole(value[: 2 * longest]), longest) if isinstance(value, str) else None


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
            return read and _bounded(read.replace(tzinfo=UTC, microsecond=0))
        return _bounded(read.astimezone(UTC).replace(microsecond=0))
    except (OverflowError, ValueError):
        return None


_Moment = TypeVar("_Moment", bound=date)


def _bounded(moment: _Moment) -> _Moment | None:
    """None beyond the years in which every moment can be told in any zone and be lengthened by a day."""
    return moment if can_be_held(moment) else None


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
        return _bounded(date.fromisoformat(value))
    except ValueError:
        return None


def read_people(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses of all who are invited, and of who invites; none where nobody is (R40)."""
    listed = raw.get("attendees")
    if not isinstance(listed, list) or not listed:
        return ()
    rows = [*listed, raw.get("organizer")]
    found = (read_text(row, "email") or "" for row in rows if isinstance(row, Mapping) and row)
    return tuple(dict.fromkeys(address.strip().lower() for address in found))


def read_join_url(raw: Mapping[str, Any]) -> str | None:
    """Where the online meeting is joined; nothing but a web address, for it becomes a link."""
    said = read_text(read_object(raw, "conferencing"), "join_url") or read_text(raw, "meeting_url") or ""
    found = _WEB_ADDRESS.fullmatch(said.strip()[: LONGEST_ADDRESS + 1])
    return found[0] if found and len(found[0]) <= LONGEST_ADDRESS else None

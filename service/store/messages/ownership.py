"""Whose a message is, told from its bytes however large or broken they are (R46).

Not here: what of a message may be shown, which ``operations`` decides.
"""

import asyncio
import json
import re
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from contracts.envelope import LARGEST_BODY
from contracts.fields import is_identifier
from contracts.tracing import trace_id_of

_WRAPPED_AT_MOST = 2
"""So often may a message be the text of a JSON text."""
MOST_CLAIMS = 1000
"""A message that says more often whose it is says it of nobody."""
SLICE = 1 << 18
"""Bytes or characters that are looked at in one go: some milliseconds for the worst of them (R43)."""
_READ_AT_ONCE = 1 << 14
"""Bytes of a message up to which many may be read in one go."""
_FEW_BLANKS = 4096
_LONGEST_NAME_AND_BLANKS = 6 * len("integration_id") + 2 + _FEW_BLANKS + 1
_VALUE = re.compile(r'"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f]){1,1530}+"')
_BLANKS = re.compile(r"\s*+")


def _spelt(name: str) -> str:
    """Each letter as it is or escaped: taking all escapes out of a text takes longer than reading it."""
    return "".join(rf"(?:{letter}|\\u00(?i:{ord(letter):02x}))" for letter in name)


_NAMES = {
    name: re.compile(rf'"{_spelt(name)}"\s{{0,{_FEW_BLANKS}}}+(?=[:\s])')
    for name in ("tenant_id", "integration_id")
}
"""Each with blanks behind it, and then the colon, or more blanks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyOwner:
    """Tenant and integration as far as the bytes name them without a contradiction."""

    tenant_id: str | None = None
    integration_id: str | None = None


def read_document(body: bytes) -> Any:
    """The JSON in these bytes; None where it is none, is ambiguous, or is too large to be taken apart.

    Ambiguous are names that come twice: one reader takes the first of them, another the last.
    """
    if len(body) > LARGEST_BODY:
        return None
    try:
        return json.loads(
            body.removeprefix(BOM_UTF8).decode(), object_pairs_hook=_once, parse_constant=_refused
        )
    except (ValueError, RecursionError):
        return None


def trace_of(body: bytes, key: tuple[str, str]) -> str:
    """The trace of the message with this source and id, as its bytes name it; else the one it always has."""
    document = read_document(body)
    return trace_id_of(*key, document.get("traceparent") if isinstance(document, dict) else None)


def owner_of(body: bytes) -> BodyOwner:
    """Whose the message is, in one pass over its bytes.

    Where it is well-formed its data say so. Of anything else every claim in it must name the same.
    """
    reading = owner_by_slices(body)
    while True:
        try:
            next(reading)
        except StopIteration as found:
            return cast("BodyOwner", found.value)


async def owner_in_turns(body: bytes) -> BodyOwner:
    """The same on an event loop, which gets its turn after every slice (R43)."""
    reading = owner_by_slices(body)
    while True:
        try:
            next(reading)
        except StopIteration as found:
            return cast("BodyOwner", found.value)
        await asyncio.sleep(0)


def owner_by_slices(body: bytes) -> Generator[None, None, BodyOwner]:
    """The same again, in steps: after each no more than some slices of it were looked at."""
    document = read_document(body)
    if len(body) > _READ_AT_ONCE:
        yield
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, dict):
        told = {name: data.get(name) for name in ("tenant_id", "integration_id")}
        if any(is_identifier(value) for value in told.values()):
            return BodyOwner(**{name: value for name, value in told.items() if is_identifier(value)})
    text = yield from _text_of(body, document)
    agreed = {}
    for name, pattern in _NAMES.items():
        agreed[name] = yield from _agreed(text, pattern)
    return BodyOwner(**agreed)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _text_of(body: bytes, document: Any) -> Generator[None, None, str]:
    """The bytes as the text that they most likely are, out of the quotation marks around it."""
    for _ in range(_WRAPPED_AT_MOST):
        if not isinstance(document, str):
            break
        body = document.encode(errors="replace")
        document = read_document(body)
        yield
    encoding = json.detect_encoding(body)
    if encoding.startswith("utf-8"):
        return (yield from _decoded(body, encoding, errors="replace"))
    try:
        return (yield from _decoded(body, encoding, errors="strict"))
    except UnicodeDecodeError:  # what is no such text is still read by its bytes, for what they say in ASCII
        return (yield from _decoded(body, "latin-1", errors="strict", without=b"\0"))


def _decoded(body: bytes, encoding: str, *, errors: str, without: bytes = b"") -> Generator[None, None, str]:
    decoder = getincrementaldecoder(encoding)(errors)
    parts = []
    for begin in range(0, len(body), SLICE):
        parts.append(decoder.decode(body[begin : begin + SLICE].translate(None, without)))
        yield
    return "".join(parts) + decoder.decode(b"", final=True)


def _agreed(text: str, name: re.Pattern[str]) -> Generator[None, None, str | None]:
    """What all claims under this name agree on; one that cannot be read contradicts every other."""
    named, number = set(), 0
    place = turn = 0
    while place < len(text) and number <= MOST_CLAIMS:
        if place >= turn + SLICE:
            turn = place
            yield
        end = place + SLICE
        found = name.search(text, place, end + _LONGEST_NAME_AND_BLANKS)
        if found is None or found.start() >= end:
            place = end
            continue
        after = yield from _behind_colon(text, found.end())
        value = None if after is None else _VALUE.match(text, after)
        place = found.start() + 1 if after is None else after if value is None else value.end()
        if after is None:
            continue
        number += 1
        if text[found.start() - 1 : found.start()] != "\\":
            named.add(_unquoted(value and value[0]))
    return named.pop() if len(named) == 1 and number <= MOST_CLAIMS else None


def _behind_colon(text: str, place: int) -> Generator[None, None, int | None]:
    """Where the value begins, after blanks, a colon and blanks; None where there is no colon."""
    place = yield from _behind_blanks(text, place)
    if text[place : place + 1] != ":":
        return None
    return (yield from _behind_blanks(text, place + 1))


def _behind_blanks(text: str, place: int) -> Generator[None, None, int]:
    while True:
        end = min(place + SLICE, len(text))
        found = _BLANKS.match(text, place, end)
        place = found.end() if found else place
        if place < end or end == len(text):
            return place
        yield


def _unquoted(token: str | None) -> str | None:
    try:
        value = json.loads(token) if token else None
    except ValueError:
        return None
    return value if is_identifier(value) else None

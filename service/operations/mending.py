"""Mending a malformed message: a checked copy under an id of its own, and what was changed (R30)."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from contracts.envelope import OWN_SOURCE, ItemChanged, Message, NoticeReceived, RunRequested, decode
from contracts.errors import Malformed
from contracts.fields import LONGEST_ID, rfc3339
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_RUNS
from service.operations.letter_form import PRIVATE_MASK, PRIVATE_TEXTS, says_private

LONGEST_CHANGE_NOTE = 2000
_NOTHING = object()
MendableMessage = ItemChanged | NoticeReceived | RunRequested
MESSAGE_OF_QUEUE: Mapping[str, type[MendableMessage]] = {
    QUEUE_OUTBOUND: ItemChanged,
    QUEUE_INBOUND: NoticeReceived,
    QUEUE_RUNS: RunRequested,
}


def mend_message(
    original: bytes, data: Mapping[str, Any], *, queue: str, message_id: str, first_failed_at: datetime
) -> tuple[bytes, str, str]:
    """The message with other data and a new id, its source, and what was changed.

    Texts that were shown masked and come back so stay as they were. Of the envelope what is wrong is
    made anew. Raises Malformed naming the field that is still wrong.
    """
    before = _read(original)
    old = before.get("data")
    old = old if isinstance(old, dict) else {}
    new = _unmasked(data, old)
    expected = MESSAGE_OF_QUEUE[queue]
    form = before | {
        "specversion": "1.0",
        "type": expected.type_word(),
        "id": message_id,
        "source": before.get("source") or OWN_SOURCE,
        "time": before.get("time") or rfc3339(first_failed_at),
        "data": new,
    }
    body, message = _checked(form, expected, first_failed_at)
    return body, message.source, describe_changes(old, new)


def describe_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The difference in a line, without a word of a private item."""
    secret = any(isinstance(one.get("item"), dict) and says_private(one["item"]) for one in (old, new))
    lines = [f"{path}: {before} → {after}" for path, before, after in _changes("", old, new, secret=secret)]
    return ("; ".join(lines) or "nothing but the envelope")[:LONGEST_CHANGE_NOTE]


def _read(original: bytes) -> dict[str, Any]:
    try:
        form = json.loads(original)
    except (ValueError, RecursionError):
        return {}
    return form if isinstance(form, dict) else {}


def _checked(
    form: dict[str, Any], expected: type[Message], first_failed_at: datetime
) -> tuple[bytes, Message]:
    """The form as bytes; parts of the envelope that cannot be used are replaced, its data never."""
    for _ in form:
        body = json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        try:
            return body, decode(body, expected=expected)
        except Malformed as error:
            form = _without(form, error, first_failed_at)
    raise Malformed("body", "cannot be mended")


def _without(form: dict[str, Any], error: Malformed, first_failed_at: datetime) -> dict[str, Any]:
    repaired = {"source": OWN_SOURCE, "time": rfc3339(first_failed_at)}
    if error.field in repaired and form[error.field] != repaired[error.field]:
        return form | {error.field: repaired[error.field]}
    if error.field in {"subject", "datacontenttype"} and error.field in form:
        return {name: value for name, value in form.items() if name != error.field}
    raise error


def _unmasked(data: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    item, was = data.get("item"), old.get("item")
    if not isinstance(item, dict) or not isinstance(was, dict):
        return dict(data)
    kept = {name: was[name] for name in PRIVATE_TEXTS if item.get(name) == PRIVATE_MASK and name in was}
    return {**data, "item": {**item, **kept}}


def _changes(path: str, old: Any, new: Any, *, secret: bool) -> Iterator[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            inner = f"{path}.{name}" if path else str(name)
            yield from _changes(inner, old.get(name, _NOTHING), new.get(name, _NOTHING), secret=secret)
    elif old != new:
        hidden = secret and any(part in PRIVATE_TEXTS for part in path.split("."))
        yield path or "data", _shown(old, hidden=hidden), _shown(new, hidden=hidden)


def _shown(value: object, *, hidden: bool) -> str:
    if value is _NOTHING:
        return "nothing"
    return PRIVATE_MASK if hidden else json.dumps(value, ensure_ascii=False)[:LONGEST_ID]

"""Mending a malformed message: a checked copy under an id of its own, and what was changed (R30, R46)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.envelope import (
    OWN_SOURCE,
    ItemChanged,
    NoticeReceived,
    PersonChanged,
    PersonLeft,
    RunRequested,
    SessionRevoked,
    decode,
)
from contracts.errors import Malformed
from contracts.fields import rfc3339
from contracts.limits import LONGEST_NAME
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PEOPLE, QUEUE_RUNS
from service.operations.masking import PRIVATE_MASK, LetterReader, masked_document
from service.store.messages.ownership import read_document

LONGEST_CHANGE_NOTE = 2000
_NOTHING = object()
FieldPath = tuple[str, ...]
MendableMessage = ItemChanged | NoticeReceived | RunRequested | PersonChanged
MESSAGE_OF_QUEUE: Mapping[str, type[MendableMessage]] = {
    QUEUE_OUTBOUND: ItemChanged,
    QUEUE_INBOUND: NoticeReceived,
    QUEUE_RUNS: RunRequested,
    QUEUE_PEOPLE: PersonChanged,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MendedMessage:
    """A message with other data and an id of its own."""

    body: bytes
    message: MendableMessage
    note: str
    """What was changed, in words that every reader of the letter may read."""


def mend_message(
    original: bytes,
    data: Mapping[str, Any],
    *,
    queue: str,
    message_id: str,
    first_failed_at: datetime,
    reader: LetterReader | None,
    owner: str | None,
) -> MendedMessage:
    """The message with other data; of the original the reader saw what is public, or nothing of it.

    ``owner`` is the tenant whose operators read the original and the note, None where it is nobody's.

    What was shown masked and comes back so stays as it was, provided that tenant, item and assignees
    are the same and it stays masked (R46). The envelope is made anew around source and time. Raises
    Malformed naming the field that is still wrong.
    """
    readable = owner is not None and (reader is None or reader.tenant_id == owner)
    before = _object(read_document(original) if readable else None)
    expected = MESSAGE_OF_QUEUE[queue]
    kept = {name: before[name] for name in ("source", "time", "traceparent") if before.get(name)}
    form = {"source": OWN_SOURCE, "time": rfc3339(first_failed_at), **kept} | {
        "specversion": "1.0",
        "type": _type_word(expected, before),
        "id": message_id,
    }
    form["data"] = _unmasked(data, before, form, reader)
    note = _note(before, form, told=owner is None or form["data"].get("tenant_id") == owner)
    body, message = _checked(form, expected, first_failed_at)
    return MendedMessage(body=body, message=message, note=note)


def _type_word(expected: type[MendableMessage], before: Mapping[str, Any]) -> str:
    """Of a message about a person the weaker kind, unless it said that the person has left."""
    if expected is not PersonChanged:
        return expected.type_word()
    left = PersonLeft.type_word()
    return left if before.get("type") == left else SessionRevoked.type_word()


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _checked(
    form: dict[str, Any], expected: type[MendableMessage], first_failed_at: datetime
) -> tuple[bytes, MendableMessage]:
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
    raise error


# -- what was shown masked -----------------------------------------------------------------------


def _unmasked(
    data: Mapping[str, Any], before: Mapping[str, Any], form: Mapping[str, Any], reader: LetterReader | None
) -> dict[str, Any]:
    """The data with what the reader did not see put back. Raises Malformed where that may not be."""
    old = _object(before.get("data"))
    restoring = _Restoring()
    whole = _object(restoring.restored(("data",), data, _data_of(before, reader), old))
    again = _data_of({**form, "data": whole}, reader)
    for path, told in restoring.kept.items():
        if _whose(whole) != _whose(old):
            raise _anew(told, "must be written anew where tenant, item or assignees are others")
        if _at(again, path) != PRIVATE_MASK:
            raise _anew(told, "must be written anew where it would no longer be private")
    return whole


def _anew(path: FieldPath, rule: str = "must be written anew") -> Malformed:
    return Malformed(".".join(path), rule)


def _data_of(form: Mapping[str, Any], reader: LetterReader | None) -> dict[str, Any]:
    return _object(_object(masked_document(form, reader=reader)).get("data"))


def _whose(data: Mapping[str, Any]) -> tuple[Any, ...]:
    item = _object(data.get("item"))
    return *(data.get(name) for name in ("tenant_id", "integration_id")), *(
        item.get(name) for name in ("type", "id", "assignees")
    )


def _at(shown: Any, path: FieldPath) -> Any:
    for name in path[1:]:
        if isinstance(shown, dict):
            shown = shown.get(name, PRIVATE_MASK)
    return shown


@dataclass(kw_only=True, slots=True)
class _Restoring:
    """Puts back what was masked, noting where."""

    kept: dict[FieldPath, FieldPath] = field(default_factory=dict)
    """By its place, under which name the reader saw it masked."""

    def restored(self, path: FieldPath, given: Any, shown: Any, old: Any) -> Any:
        if isinstance(given, dict):
            return self._object(path, given, _object(shown), _object(old))
        if given == shown and shown == PRIVATE_MASK != old:
            self.kept[path] = path
            return old
        if given != old and (given == PRIVATE_MASK or (isinstance(given, list) and PRIVATE_MASK in given)):
            raise _anew(path)
        return given

    def _object(
        self, path: FieldPath, given: Mapping[str, Any], shown: Mapping[str, Any], old: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One mask stands for all names that were not shown, where there was one."""
        if PRIVATE_MASK in given and PRIVATE_MASK not in shown:
            raise _anew((*path, PRIVATE_MASK))
        whole: dict[str, Any] = {}
        for name, value in given.items():
            if name == PRIVATE_MASK:
                unknown = {each: old[each] for each in old.keys() - shown.keys()}
                whole |= unknown
                self.kept |= {(*path, each): (*path, PRIVATE_MASK) for each in unknown}
            else:
                inner = shown.get(name, _NOTHING), old.get(name, _NOTHING)
                whole[name] = self.restored((*path, name), value, *inner)
        return whole


# -- what was changed ----------------------------------------------------------------------------


def _note(before: Mapping[str, Any], after: Mapping[str, Any], *, told: bool) -> str:
    """The difference in a line, without a word that is not known to be public, or not to its readers."""
    shown = _data_of(after, None) if told else {}
    changes = _changes("", _object(before.get("data")), after["data"], _data_of(before, None), shown)
    lines = [f"{path}: {was} → {now}" for path, was, now in changes]
    return ("; ".join(lines) or "nothing but the envelope")[:LONGEST_CHANGE_NOTE]


def _changes(path: str, old: Any, new: Any, old_shown: Any, new_shown: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        seen = _object(old_shown), _object(new_shown)
        for name in sorted({*old, *new}):
            told = name if any(name in one for one in seen) else PRIVATE_MASK
            yield from _changes(
                f"{path}.{told}" if path else told,
                old.get(name, _NOTHING),
                new.get(name, _NOTHING),
                *(one.get(name, PRIVATE_MASK) for one in seen),
            )
    elif old != new:
        yield path or "data", _told(old, old_shown), _told(new, new_shown)


def _told(value: object, shown: object) -> str:
    if value is _NOTHING:
        return "nothing"
    return PRIVATE_MASK if shown == PRIVATE_MASK else json.dumps(shown, ensure_ascii=False)[:LONGEST_NAME]

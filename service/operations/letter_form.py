"""Dead letters as people and programs read them; texts of private items stay hidden (R27)."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.fields import rfc3339

PRIVATE_MASK = "[private]"
PRIVATE_TEXTS = ("title", "description", "location", "account_name", "reference")
_SHOWN = (
    "id", "queue", "message_id", "source", "code", "field", "reason", "exception", "attempts",
    "first_failed_at", "last_failed_at", "tenant_id", "integration_id", "item_key", "group", "state",
)  # fmt: skip
_SAYS_PRIVATE = re.compile(r'"private"\s*:\s*(?!false\b|null\b)')
_TEXT = re.compile(rf'("(?:{"|".join(PRIVATE_TEXTS)}|label|url)"\s*:\s*)"(?:\\.|[^"\\])*"?', re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterReader:
    """Who reads; to the owner of an item nothing of it is hidden."""

    tenant_id: str
    user_id: str


def letter_form(
    row: Mapping[Any, Any], acts: Sequence[Mapping[Any, Any]], *, reader: LetterReader | None = None
) -> dict[str, Any]:
    """The API's form of a dead letter."""
    body, encoding = _body(row["body"], reader)
    shown = {name: _plain(row[name]) for name in _SHOWN}
    shown["attempts"] = [
        {"at": rfc3339(datetime.fromisoformat(each["at"])), "error": each["error"]}
        for each in row["attempts"]
    ]
    told = [{name: _plain(act[name]) for name in ("at", "who", "act", "note")} for act in acts]
    return shown | {"body": body, "body_encoding": encoding, "acts": told}


def group_form(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One cause, how often it happened, and the newest letter as its example."""
    names = ("group", "count", "code", "queue", "reason", "first_failed_at", "last_failed_at")
    return {name: _plain(row[name]) for name in names}


def says_private(item: Mapping[Any, Any]) -> bool:
    """Whether an item calls itself private, in whatever words."""
    return item.get("private") not in (False, None)


def _plain(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value


def _body(original: bytes, reader: LetterReader | None) -> tuple[str, str]:
    """The bytes as text where they are text, masked."""
    try:
        text = original.decode()
    except UnicodeDecodeError:
        hidden = _blotted(original.decode("latin-1")).encode("latin-1")
        return base64.b64encode(hidden).decode(), "base64"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _blotted(text), "utf-8"
    masked = _masked(document, reader)
    return (text if masked == document else json.dumps(masked, ensure_ascii=False)), "utf-8"


def _blotted(text: str) -> str:
    """What cannot be read as JSON but says that it is private."""
    return _TEXT.sub(rf'\1"{PRIVATE_MASK}"', text) if _SAYS_PRIVATE.search(text) else text


def _masked(document: object, reader: LetterReader | None) -> object:
    """Hides the texts of whatever says that it is private, however wrong the rest of it is."""
    if not isinstance(document, dict) or not isinstance(data := document.get("data"), dict):
        return document
    item = data.get("item")
    if not isinstance(item, dict) or not says_private(item) or _owns(reader, data, item):
        return document
    hidden = {name: PRIVATE_MASK for name in PRIVATE_TEXTS if item.get(name)}
    return {**document, "data": {**data, "item": {**item, **hidden}}}


def _owns(reader: LetterReader | None, data: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    if reader is None or data.get("tenant_id") != reader.tenant_id:
        return False
    assignees = item.get("assignees")
    return isinstance(assignees, list) and reader.user_id in assignees

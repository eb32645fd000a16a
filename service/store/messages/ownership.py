"""Whose a message is, told from its bytes however large or broken they are (R46).

Not here: what of a message may be shown, which ``operations`` decides.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from contracts.envelope import LARGEST_BODY
from contracts.fields import is_identifier

_WRAPPED_AT_MOST = 2
"""So often may a message be the text of a JSON text."""
MOST_CLAIMS = 1000
"""A message that says more often whose it is says it of nobody."""
_VALUE = r'"\s*+:\s*+(?P<value>"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f]){1,1530}+")?+'
_CLAIMS = {name: re.compile(f'"{name}{_VALUE}') for name in ("tenant_id", "integration_id")}
_ESCAPED_LETTER = re.compile(r"(?<!\\)\\u00(5[fF]|[46][1-9a-fA-F]|[57][0-9aA])")


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
        return json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def owner_of(body: bytes) -> BodyOwner:
    """Whose the message is, in one pass over its bytes.

    Where it is well-formed its data say so. Of anything else every claim in it must name the same.
    """
    document = read_document(body)
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, dict):
        told = {name: data.get(name) for name in ("tenant_id", "integration_id")}
        if any(is_identifier(value) for value in told.values()):
            return BodyOwner(**{name: value for name, value in told.items() if is_identifier(value)})
    return _claimed(_text_of(body, document))


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _text_of(body: bytes, document: Any) -> str:
    """The bytes as the text that they most likely are, out of the quotation marks around it."""
    for _ in range(_WRAPPED_AT_MOST):
        if not isinstance(document, str):
            break
        body = document.encode(errors="replace")
        document = read_document(body)
    return body.decode(json.detect_encoding(body), errors="replace")


def _claimed(text: str) -> BodyOwner:
    """What all claims agree on; one that cannot be read contradicts every other."""
    if "\\u00" in text:
        text = _ESCAPED_LETTER.sub(lambda found: chr(int(found[1], 16)), text)
    return BodyOwner(**{name: _agreed(text, claim) for name, claim in _CLAIMS.items()})


def _agreed(text: str, claim: re.Pattern[str]) -> str | None:
    found = [*islice(claim.finditer(text), MOST_CLAIMS + 1)]
    named = {_unquoted(one["value"]) for one in found if text[one.start() - 1 : one.start()] != "\\"}
    return named.pop() if len(named) == 1 and len(found) <= MOST_CLAIMS else None


def _unquoted(token: str | None) -> str | None:
    try:
        value = json.loads(token) if token else None
    except ValueError:
        return None
    return value if is_identifier(value) else None

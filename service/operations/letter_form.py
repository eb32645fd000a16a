"""Dead letters as people and programs read them: what is not known to be public stays hidden (R46)."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.fields import rfc3339
from service.operations.masking import PRIVATE_MASK, LetterReader, masked_document, plain_json
from service.store.messages.burying import ACTS_OF_SERVICE
from service.store.messages.ownership import owner_in_turns, read_document, trace_of

_SHOWN = (
    "id", "queue", "message_id", "source", "code", "field", "reason", "exception", "attempts",
    "first_failed_at", "last_failed_at", "tenant_id", "integration_id", "item_key", "group", "state",
)  # fmt: skip


async def letter_form(
    row: Mapping[Any, Any], acts: Sequence[Mapping[Any, Any]], *, reader: LetterReader | None = None
) -> dict[str, Any]:
    """The API's form of a dead letter; of one that is not the reader's no more than R46 allows."""
    mine = await may_be_read(row, reader)
    size = row["size"] if row["body"] is None else len(row["body"])
    body, encoding = _body(row["body"], size, reader, mine=mine)
    shown = {name: _plain(row[name]) for name in _SHOWN}
    key = (row["source"], row["message_id"])
    shown["trace_id"] = None if row["body"] is None else trace_of(row["body"], key)
    if not mine:
        shown |= {"integration_id": None, "item_key": None}
    shown["attempts"] = [
        {"at": rfc3339(datetime.fromisoformat(each["at"])), "error": each["error"]}
        for each in row["attempts"]
    ]
    told = [_act(act, reader, mine=mine) for act in acts]
    return shown | {"body": body, "body_encoding": encoding, "acts": told}


def group_form(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One cause, how often it happened, and the newest letter as its example."""
    names = ("group", "count", "code", "queue", "reason", "first_failed_at", "last_failed_at")
    return {name: _plain(row[name]) for name in names}


async def tenant_of(row: Mapping[Any, Any]) -> str | None:
    """Whose the letter is, None where nobody can tell.

    What the message says of itself comes first; of one that names an integration alone, and of one
    whose body was not read, the row knows.
    """
    said = None if row["body"] is None else (await owner_in_turns(row["body"])).tenant_id
    named: str | None = said or row["tenant_id"]
    return named


async def may_be_read(row: Mapping[Any, Any], reader: LetterReader | None) -> bool:
    """Whether it is found out whose the letter is, and the reader is one of them."""
    owner = await tenant_of(row)
    return owner is not None and (reader is None or owner == reader.tenant_id)


def _plain(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value


def _act(act: Mapping[Any, Any], reader: LetterReader | None, *, mine: bool) -> dict[str, Any]:
    """What was done; the words of another tenant's operator are not for everybody, whatever their id."""
    told = {name: _plain(act[name]) for name in ("at", "who", "act", "note")}
    who = LetterReader(tenant_id=act["tenant_id"], user_id=act["who"])
    own = reader in {None, who} or act["act"] in ACTS_OF_SERVICE
    return told if mine or own or told["note"] is None else told | {"note": PRIVATE_MASK}


def _body(original: bytes | None, size: int, reader: LetterReader | None, *, mine: bool) -> tuple[str, str]:
    """What may be read of the bytes; their number where that is nothing, in base64 where they are no text."""
    hidden = f"[hidden: {size} bytes]"
    if original is None:
        return hidden, "utf-8"
    document = read_document(original) if mine else None
    shown = masked_document(document, reader=reader)
    if shown is not None:
        return (original.decode() if shown == document else plain_json(shown)), "utf-8"
    try:
        original.decode()
    except UnicodeDecodeError:
        return base64.b64encode(hidden.encode()).decode(), "base64"
    return hidden, "utf-8"

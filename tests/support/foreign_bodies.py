"""Bodies of messages with one and the same text in every place, and who reads them (R43)."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from contracts.envelope import ItemChanged
from contracts.errors import Malformed
from service.operations import masking, mending
from service.store.messages import ownership

BODIES = 16
"""So many are made of one text."""
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def raw(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def bodies(text: str) -> Iterator[bytes]:
    """The text as a body, and in a body in every place that a person or Vorex could put it."""
    yield raw(text)
    for path in (("id",), ("source",), ("subject",), ("time",), ("data",), ("data", "tenant_id")):
        yield message_with(text, *path)
    for name in ("id", "type", "title", "description", "location", "account_name", "start", "time_zone"):
        yield message_with(text, "data", "item", name)
    yield message_with([text], "data", "item", "assignees")
    yield message_with({"label": text, "url": f"https://{text}"}, "data", "item", "reference")
    yield message_with({text: text}, "data", "item", text)


def message_with(value: object, *path: str) -> bytes:
    message: dict[str, Any] = {
        "specversion": "1.0", "id": "m-1", "type": ItemChanged.type_word(), "source": "/vorex/acme",
        "time": "2026-12-01T08:00:00Z",
        "data": {
            "tenant_id": "acme", "action": "created", "version": 1, "actor": {"kind": "user", "id": "u-17"},
            "item": {"id": "5512", "type": "appointment", "title": "x", "assignees": ["u-17"]},
        },
    }  # fmt: skip
    place = message
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return json.dumps(message, ensure_ascii=False).encode(errors="surrogatepass")


def each_body(read: Callable[[bytes], object], *refusals: type[Exception]) -> Callable[[str], object]:
    def feed(text: str) -> None:
        for body in bodies(text):
            try:
                read(body)
            except refusals:
                continue

    return feed


def document(text: str) -> Iterator[Any]:
    for body in bodies(text):
        yield ownership.read_document(body)


def masked(text: str) -> None:
    for one in document(text):
        shown = masking.masked_document(one, reader=masking.LetterReader(tenant_id="a", user_id="u"))
        masking.plain_json(shown)


def mended(text: str) -> None:
    reader = masking.LetterReader(tenant_id="acme", user_id="u")
    for body in bodies(text):
        data = ownership.read_document(body)
        data = data.get("data") if isinstance(data, dict) else None
        try:
            mending.mend_message(
                body, data if isinstance(data, dict) else {text: text}, queue="calendar-sync.outbound",
                message_id="m", first_failed_at=NOW, reader=reader, owner="acme",
            )  # fmt: skip
        except Malformed:
            continue

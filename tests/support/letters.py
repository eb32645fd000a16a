"""Dead letters as tests bury them: an item-changed message with a version that it may not have."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from contracts.messages import QUEUE_OUTBOUND
from service.operations.letters.letter_filter import LETTER_FILTER_WORDS, WrongFilter, parse_letter_filter
from service.store.messages.burying import NewDeadLetter

ITEM = {"id": "1", "type": "task", "title": "Call", "start": "2026-12-03T09:00:00Z", "assignees": ["u-17"]}
DATA: dict[str, Any] = {
    "tenant_id": "acme",
    "action": "created",
    "version": 0,
    "actor": {"kind": "user", "id": "u-17"},
    "item": ITEM,
}


def a_body(number: int = 1, **data: Any) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "type": "com.vorex.calendar.item.changed.v1",
        "source": "/vorex/acme",
        "time": "2026-12-01T08:00:00Z",
        "data": DATA | data,
    }
    return json.dumps(event).encode()


def a_letter(number: int = 1, **different: Any) -> NewDeadLetter:
    given: dict[str, Any] = {
        "queue": QUEUE_OUTBOUND,
        "source": "/vorex/acme",
        "message_id": f"e-{number}",
        "code": "malformed",
        "field": "data.version",
        "reason": "data.version: must be at least 1",
        "routing_key": "task.created",
        "headers": {},
        "body": a_body(number),
        "tenant_id": "acme",
    }
    return NewDeadLetter(**(given | different))


def letter_filter_of(text: str) -> None:
    """Read that text as each of a filter's words."""
    for name in LETTER_FILTER_WORDS:
        with suppress(WrongFilter):
            parse_letter_filter({name: text}, now=datetime(2026, 12, 1, 8, tzinfo=UTC))

"""What travels in the properties of a message: ours go out, the broker's stay behind, nobody is believed."""

import hashlib
from collections.abc import Mapping
from typing import Any

from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER

OWN_HEADERS = (ATTEMPT_HEADER, REPLAY_HEADER)


LARGEST_HEADERS = 16_384
"""Bytes of names and values: all headers of a message, with ours added, must fit one frame (T27)."""
LARGEST_ATTEMPT = 1_000_000
"""Beyond it nobody has counted."""
LONGEST_PROPERTY = 255
"""Bytes of a message's id on the wire."""


def id_on_the_wire(message_id: str) -> str:
    """The id, or a digest of one that has more bytes than a property holds."""
    told = message_id.encode(errors="replace")
    return message_id if len(told) <= LONGEST_PROPERTY else hashlib.sha256(told).hexdigest()


def own_headers(headers: Mapping[str, Any]) -> dict[str, str | int]:
    """Application headers only: the broker writes ``x-`` headers and sometimes believes a client's.

    Of a publisher's own as many are kept as have room beside this service's; texts with U+0000 never,
    for no PostgreSQL would look them up.
    """
    plain = {
        name: value
        for name, value in headers.items()
        if not name.lower().startswith("x-") and isinstance(value, str | int) and "\0" not in str(value)
    }
    kept: dict[str, str | int] = {}
    room = LARGEST_HEADERS
    for name in sorted(plain, key=lambda name: name not in OWN_HEADERS):
        room -= _size(name, plain[name])
        if room >= 0:
            kept[name] = plain[name]
    return kept


def _size(name: str, value: str | int) -> int:
    words = [name, value] if isinstance(value, str) else [name]
    return sum(len(word.encode(errors="replace")) for word in words) + 16


def attempt_of(headers: Mapping[str, Any]) -> int:
    """Our own counter, from 1; a value that is no such number counts as the first attempt."""
    try:
        counted = int(headers.get(ATTEMPT_HEADER, 1))
    except (TypeError, ValueError, OverflowError):
        return 1
    return counted if 1 <= counted <= LARGEST_ATTEMPT else 1


def returns_of(headers: Mapping[str, Any], *, redelivered: bool) -> int:
    """How often the message came back, by RabbitMQ's count of it where there is one.

    Of a message that comes for the first time any count is its publisher's, and says nothing (R44).
    """
    counted = headers.get("x-delivery-count") if redelivered else 0
    return max(counted if isinstance(counted, int) else 0, int(redelivered))


def origin_of(headers: Mapping[str, Any]) -> str | None:
    """The queue that the broker itself took the message out of, the last time.

    The broker writes its entry before all others; a publisher may have written those.
    """
    queue = _latest_death(headers).get("queue")
    return queue if isinstance(queue, str) else None


def has_expired(headers: Mapping[str, Any]) -> bool:
    """Whether the broker took it out there for its time to live, by the same entry."""
    return _latest_death(headers).get("reason") == "expired"


def _latest_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    return latest if isinstance(latest, dict) else {}

"""What travels in the headers of a message: ours go out, the broker's stay behind."""

from collections.abc import Mapping
from typing import Any

from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER

OWN_HEADERS = (ATTEMPT_HEADER, REPLAY_HEADER)


LARGEST_HEADERS = 16_384
"""Bytes of names and values: all headers of a message, with ours added, must fit one frame (T27)."""
LARGEST_ATTEMPT = 1_000_000
"""Beyond it nobody has counted."""


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
    """How often the message came back; RabbitMQ counts it where it can and at least admits it elsewhere."""
    counted = headers.get("x-delivery-count")
    return max(counted if isinstance(counted, int) else 0, int(redelivered))


def origin_of(headers: Mapping[str, Any]) -> str | None:
    """The queue that the broker itself took the message out of as a dead letter."""
    queue = headers.get("x-first-death-queue")
    return queue if isinstance(queue, str) else None

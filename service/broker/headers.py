"""What travels in the headers of a message: ours go out, the broker's stay behind."""

from collections.abc import Mapping
from typing import Any

from contracts.ports import ATTEMPT_HEADER

CONTENT_TYPE = "application/cloudevents+json"


def ours(headers: Mapping[str, Any]) -> dict[str, str | int]:
    """Application headers only: the broker writes ``x-`` headers and sometimes believes a client's."""
    return {
        name: value
        for name, value in headers.items()
        if not name.lower().startswith("x-") and isinstance(value, str | int)
    }


def attempt_of(headers: Mapping[str, Any]) -> int:
    """Our own counter, from 1; a value that is no such number counts as the first attempt."""
    try:
        return max(1, int(headers.get(ATTEMPT_HEADER, 1)))
    except (TypeError, ValueError):
        return 1


def returns_of(headers: Mapping[str, Any], *, redelivered: bool) -> int:
    """How often the message came back; RabbitMQ counts it where it can and at least admits it elsewhere."""
    counted = headers.get("x-delivery-count")
    return max(counted if isinstance(counted, int) else 0, int(redelivered))


def origin_of(headers: Mapping[str, Any]) -> str | None:
    """The queue that the broker itself took the message out of as a dead letter."""
    queue = headers.get("x-first-death-queue")
    return queue if isinstance(queue, str) else None

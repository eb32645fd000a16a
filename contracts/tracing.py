"""Which change of Vorex's a message belongs to, by W3C trace context; without any, by the message itself."""

import hashlib
import re

_PARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_NOBODY = "0" * 32
SPAN_DIGITS = 16


def can_be_followed(traceparent: object) -> bool:
    """Whether it is one that can be gone on with."""
    return isinstance(traceparent, str) and _PARENT.match(traceparent) is not None


def parent_of(traceparent: str | None) -> tuple[str, str, str] | None:
    """Its trace, span and flags, in hex digits; None where it names none."""
    found = _PARENT.match(traceparent) if traceparent else None
    if found is None or _NOBODY in {found["trace"], found["span"] * 2}:
        return None
    return found["trace"], found["span"], found["flags"]


def trace_id_of(source: str, message_id: str, traceparent: object = None) -> str:
    """32 hex digits: the publisher's; where it gave none that can be read, the same at every attempt."""
    found = _PARENT.match(traceparent) if isinstance(traceparent, str) else None
    if found and found["trace"] != _NOBODY:
        return found["trace"]
    return hashlib.sha256(f"{source}\x1f{message_id}".encode(errors="replace")).hexdigest()[:32]


def traceparent_of(trace_id: str, message_id: str, *, sampled: bool = True) -> str:
    """What a message of ours is given that goes on with a trace; its span is named after the message."""
    return f"00-{trace_id}-{span_id_of(message_id)}-{sampled:02x}"


def span_id_of(message_id: str) -> str:
    """16 hex digits, by which whoever goes on with a message of ours names what made it."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:SPAN_DIGITS]

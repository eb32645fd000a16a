"""The message that is being worked on: every log line from there carries its id and its trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from service.telemetry.spans import goes_on

_TRACE: ContextVar[str | None] = ContextVar("trace", default=None)


@contextmanager
def concerning(*, message_id: str, trace_id: str) -> Iterator[None]:
    """Whatever is done inside concerns this message."""
    token = _TRACE.set(trace_id)
    try:
        with structlog.contextvars.bound_contextvars(message_id=message_id, trace_id=trace_id):
            yield
    finally:
        _TRACE.reset(token)


def current_trace() -> str | None:
    """The trace of the message that is being worked on; None where there is none, or are several."""
    return _TRACE.get()


def going_on(message_id: str, *, kind: str = "fact") -> str | None:
    """The traceparent of a message of ours that comes of the one that is being worked on."""
    trace_id = current_trace()
    return None if trace_id is None else goes_on(trace_id, message_id, kind=kind)

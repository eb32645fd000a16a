"""Spans of what is being done, for whoever switched tracing on; without that next to nothing happens here.

What a span is made of stands behind a port, so that nothing of the service needs the library that makes
them. No text of an item, no name of a person and no token ever enters one.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from contracts.tracing import traceparent_of

SpanFact = str | int | bool


class SpanKind(StrEnum):
    """What a span is in OpenTelemetry's words."""

    STEP = "internal"
    RECEIVE = "consumer"
    SEND = "producer"
    ASK = "client"
    SERVE = "server"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanOrigin:
    """Where a span stands that no other span of this process is around."""

    trace_id: str
    traceparent: str | None = None
    """What its sender was doing; None: nothing is known, and the span begins the trace."""


class Span(Protocol):
    """Something that takes time; it is told once it has ended."""

    @property
    def trace_id(self) -> str:
        """32 hex digits; empty where nothing is traced."""

    @property
    def sampled(self) -> bool:
        """Whether others are to trace what comes of it as well."""

    def note(self, **facts: SpanFact) -> None:
        """Add to what is told of it."""

    def fail(self, kind: str) -> None:
        """It went wrong; the kind of what did, never its words."""

    def end(self) -> None:
        """It is over."""


class SpanMaker(Protocol):
    """Makes spans and hands them on, without ever keeping anybody waiting."""

    def begin(
        self,
        name: str,
        kind: SpanKind,
        *,
        inside: Span | None,
        origin: SpanOrigin | None,
        links: Sequence[Span],
        since: int | None,
        named_after: str | None,
        facts: Mapping[str, SpanFact],
    ) -> Span:
        """A span that has begun, now or at ``since`` (nanoseconds since 1970).

        ``named_after``: the message that other processes take the span to be, by its id.
        """


class _NoSpan:
    """What stands for a span while nothing is traced."""

    trace_id = ""
    sampled = True

    def note(self, **facts: SpanFact) -> None: ...

    def fail(self, kind: str) -> None: ...

    def end(self) -> None: ...


NO_SPAN: Span = _NoSpan()
_NOTHING: AbstractContextManager[Span] = nullcontext(NO_SPAN)
_CURRENT: ContextVar[Span] = ContextVar("span", default=NO_SPAN)
_COMPANY: ContextVar[Sequence[Span]] = ContextVar("company", default=())
_makers: list[SpanMaker] = []


@contextmanager
def traced_by(maker: SpanMaker) -> Iterator[None]:
    """Have spans made by this maker until the end; of several by the last."""
    _makers.append(maker)
    try:
        yield
    finally:
        _makers.remove(maker)


def tracing() -> bool:
    """Whether anybody wants to know."""
    return bool(_makers)


def begin(
    name: str,
    kind: SpanKind = SpanKind.STEP,
    *,
    inside: Span | None = None,
    origin: SpanOrigin | None = None,
    since: int | None = None,
    named_after: str | None = None,
    **facts: SpanFact,
) -> Span:
    """A span that whoever asked for it ends, within ``inside`` or else what is being done now.

    ``since`` and ``named_after`` as those who make spans take them.
    """
    if not _makers:
        return NO_SPAN
    return _begun(name, kind, facts, inside=inside, origin=origin, since=since, named_after=named_after)


def _begun(
    name: str,
    kind: SpanKind,
    facts: Mapping[str, SpanFact],
    *,
    inside: Span | None,
    origin: SpanOrigin | None,
    since: int | None = None,
    named_after: str | None = None,
) -> Span:
    around = inside or (None if origin else _CURRENT.get())
    return _makers[-1].begin(
        name,
        kind,
        inside=None if around is NO_SPAN else around,
        origin=origin,
        links=_COMPANY.get() if kind is SpanKind.ASK else (),
        since=since,
        named_after=named_after,
        facts=facts,
    )


def doing(
    name: str,
    kind: SpanKind = SpanKind.STEP,
    *,
    inside: Span | None = None,
    origin: SpanOrigin | None = None,
    **facts: SpanFact,
) -> AbstractContextManager[Span]:
    """What is done inside is a span, around all that begin there."""
    if not _makers:
        return _NOTHING
    return _around(_begun(name, kind, facts, inside=inside, origin=origin))


@contextmanager
def _around(span: Span) -> Iterator[Span]:
    with within([span]):
        try:
            yield span
        except BaseException as error:
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()


@contextmanager
def within(spans: Sequence[Span]) -> Iterator[None]:
    """What is done inside is done for all of these: it stands in the first, a request tells of the others."""
    current = _CURRENT.set(spans[0] if spans else NO_SPAN)
    company = _COMPANY.set([one for one in spans[1:] if one is not NO_SPAN])
    try:
        yield
    finally:
        _COMPANY.reset(company)
        _CURRENT.reset(current)


def note(**facts: SpanFact) -> None:
    """Add to what is told of what is being done now."""
    if _makers:
        _CURRENT.get().note(**facts)


def moment() -> int | None:
    """Since when something that is told later went on; None while nothing is traced."""
    return time.time_ns() if _makers else None


def did(name: str, spans: Iterable[Span], *, since: int | None) -> None:
    """Tell of a step that has just ended, taken together for each of these."""
    if not _makers:
        return
    each = [one for one in spans if one is not NO_SPAN]
    for span in each:
        begin(name, inside=span, since=since, together=len(each)).end()


def goes_on(trace_id: str, message_id: str, *, kind: str, inside: Span | None = None) -> str:
    """The traceparent of a message of ours that comes of this trace: its span is the message's making."""
    made = NO_SPAN
    if _makers:
        origin = None if inside or _CURRENT.get() is not NO_SPAN else SpanOrigin(trace_id=trace_id)
        made = begin(
            f"create {kind}",
            SpanKind.SEND,
            inside=inside,
            origin=origin,
            named_after=message_id,
            message_id=message_id,
        )
        made.end()
    return traceparent_of(trace_id, message_id, sampled=made.sampled)

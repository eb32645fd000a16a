"""Spans by OpenTelemetry, sent to its collector by OTLP over HTTP.

The only module that needs the extra ``otel``; whoever imports it without learns so by an ImportError.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link as OtelLink
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind as OtelKind

from contracts.tracing import parent_of, span_id_of
from service.telemetry.spans import Span, SpanFact, SpanKind, SpanOrigin, traced_by
from service.version import DISTRIBUTION, VERSION

LAST_SPANS_SECONDS = 2.0
"""Seconds in which what has not been sent yet may still go out at the end."""
_KINDS = {
    SpanKind.STEP: OtelKind.INTERNAL,
    SpanKind.RECEIVE: OtelKind.CONSUMER,
    SpanKind.SEND: OtelKind.PRODUCER,
    SpanKind.ASK: OtelKind.CLIENT,
    SpanKind.SERVE: OtelKind.SERVER,
}

_NAMES = {
    "batch": "messaging.batch.message_count",
    "message_id": "messaging.message.id",
    "method": "http.request.method",
    "queue": "messaging.destination.name",
    "resends": "http.request.resend_count",
    "route": "url.template",
    "status": "http.response.status_code",
}
"""OpenTelemetry's own names; what it has no name for is ours."""


class MessageIds(RandomIdGenerator):
    """Ids by chance, unless the next span is to have those that messages already carry."""

    def __init__(self) -> None:
        self.trace: ContextVar[str | None] = ContextVar("trace", default=None)
        self.span: ContextVar[str | None] = ContextVar("span", default=None)

    def generate_trace_id(self) -> int:
        wanted = self.trace.get()
        return super().generate_trace_id() if wanted is None else int(wanted, 16)

    def generate_span_id(self) -> int:
        wanted = self.span.get()
        return super().generate_span_id() if wanted is None else int(wanted, 16)


class RecordedSpan:
    """A span of OpenTelemetry's."""

    def __init__(self, span: OtelSpan) -> None:
        self.span = span

    @property
    def trace_id(self) -> str:
        return f"{self.span.get_span_context().trace_id:032x}"

    @property
    def sampled(self) -> bool:
        return self.span.get_span_context().trace_flags.sampled

    def note(self, **facts: SpanFact) -> None:
        self.span.set_attributes(_attributes(facts))

    def fail(self, kind: str) -> None:
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        self.span.end()


class OtelSpans:
    """Makes spans for this processor, which must not keep anybody waiting.

    Sampling, limits and the resource are what OpenTelemetry's own variables say.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        self._ids = MessageIds()
        own = Resource({"service.name": "calendar-sync", "service.version": VERSION})
        self.provider = TracerProvider(
            resource=own.merge(OTELResourceDetector().detect()),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(processor)
        self._tracer = self.provider.get_tracer(DISTRIBUTION, VERSION)

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
        trace = self._ids.trace.set(origin.trace_id if origin else None)
        span = self._ids.span.set(span_id_of(named_after) if named_after else None)
        try:
            return RecordedSpan(
                self._tracer.start_span(
                    name,
                    context=_context(inside, origin),
                    kind=_KINDS[kind],
                    attributes=_attributes(facts),
                    links=[
                        OtelLink(one.span.get_span_context())
                        for one in links
                        if isinstance(one, RecordedSpan)
                    ],
                    start_time=since,
                )
            )
        finally:
            self._ids.span.reset(span)
            self._ids.trace.reset(trace)


def _attributes(facts: Mapping[str, SpanFact]) -> Mapping[str, SpanFact]:
    return {_NAMES.get(name, f"calendar_sync.{name}"): value for name, value in facts.items()}


def _context(inside: Span | None, origin: SpanOrigin | None) -> Context:
    if isinstance(inside, RecordedSpan):
        return set_span_in_context(inside.span, Context())
    sender = parent_of(origin.traceparent) if origin else None
    if sender is None:
        return Context()
    trace_id, span_id, flags = (int(one, 16) for one in sender)
    remote = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & 1))
    return set_span_in_context(NonRecordingSpan(remote), Context())


@asynccontextmanager
async def sending_spans() -> AsyncIterator[None]:
    """Have spans sent to where OpenTelemetry's variables say until the end, which waits a moment at most."""
    maker = OtelSpans(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        with traced_by(maker):
            yield
    finally:
        # a thread that ends with the process: a collector that does not answer keeps nobody
        farewell = Thread(target=maker.provider.shutdown, daemon=True)
        farewell.start()
        await asyncio.to_thread(farewell.join, LAST_SPANS_SECONDS)

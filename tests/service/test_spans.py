"""Tracing: the whole way of one change is one trace, nothing private is in it, and nobody waits for it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from contracts.errors import Unanswered
from contracts.messages import QUEUE_OUTBOUND
from contracts.tracing import span_id_of, trace_id_of
from service.store.engine.store import Store
from service.store.tables import log_entries
from service.telemetry import spans
from service.telemetry.otlp import OtelSpans
from service.tracing_settings import tracing_secrets
from tests.support.calendars import Outbound, changed, outbound, raw
from tests.support.clock import ManualClock
from tests.support.repository import ROOT

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SENDER}-01"
PROCESS = f"process {QUEUE_OUTBOUND}"


@pytest.fixture
def told() -> Iterator[InMemorySpanExporter]:
    """Where all spans of the test arrive."""
    exporter = InMemorySpanExporter()
    maker = OtelSpans(SimpleSpanProcessor(exporter))
    with spans.traced_by(maker):
        yield exporter
    maker.provider.shutdown()


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[Outbound]:
    clock = ManualClock()
    store = Store(sqlite_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as opened:
        await opened.integration()
        yield opened
    await store.close()


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def span_of(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


def named(told: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in told.get_finished_spans() if span.name == name]


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_message_is_a_span_of_its_publishers_trace(
    world: Outbound, told: InMemorySpanExporter
) -> None:
    """Received, planned, written and settled, each inside the message's own."""
    await world.start()
    await world.send(changed("5512", id="m-1", traceparent=PARENT))
    await world.settled()

    (whole,) = named(told, PROCESS)
    assert (trace_of(whole), parent_of(whole), whole.kind) == (TRACE, SENDER, SpanKind.CONSUMER)
    assert facts(whole) == {
        "messaging.destination.name": QUEUE_OUTBOUND,
        "messaging.message.id": "m-1",
        "calendar_sync.attempt": 1,
        "calendar_sync.outcome": "done",
    }
    inside = [span for span in told.get_finished_spans() if parent_of(span) == span_of(whole)]
    assert [span.name for span in inside] == ["plan", "write", "settle"]
    assert {trace_of(span) for span in inside} == {TRACE}


async def test_the_ids_of_spans_are_those_of_log_lines_and_log_entries(
    world: Outbound, told: InMemorySpanExporter
) -> None:
    """Also where the publisher gave no trace: then the message begins it."""
    await world.start()
    with capture_logs() as lines:
        await world.send(changed("5512", id="m-1", traceparent=PARENT), changed("5513", id="m-2"))
        await world.send(raw(b"nonsense", "m-3"))
        await world.settled()

    seen = {facts(span)["messaging.message.id"]: trace_of(span) for span in named(told, PROCESS)}
    assert seen == {
        "m-1": TRACE, "m-2": trace_id_of("/vorex/acme", "m-2"), "m-3": trace_id_of("", "m-3"),
    }  # fmt: skip
    entries = {row["message_id"]: row["trace_id"] for row in await world.rows(log_entries)}
    assert entries == {name: seen[name] for name in ("m-1", "m-2")}
    settled = {line["message_id"]: line["trace_id"] for line in lines if line["event"] == "message.settled"}
    assert settled == seen
    assert [parent_of(span) for span in named(told, PROCESS)].count(None) == 2


async def test_what_goes_wrong_is_told_by_its_kind_alone(world: Outbound, told: InMemorySpanExporter) -> None:
    """A retry, and a dead letter: both attempts of the one are spans of the same trace."""
    world.calendars.refused["bad v1"] = 422
    world.calendars.faults.append(Unanswered("no answer to Anne"))
    await world.start()
    await world.send(changed("slow", id="m-1", traceparent=PARENT, title="Dentist"))
    await world.send(changed("bad", id="m-2"))
    await world.settled()

    ends = [facts(span) for span in named(told, PROCESS)]
    outcomes = [
        (one["messaging.message.id"], one["calendar_sync.outcome"], one.get("error.type")) for one in ends
    ]
    assert ("m-1", "retry", "exhausted") in outcomes
    assert ("m-2", "dead", "refused") in outcomes
    assert all(
        word not in span.to_json() for word in ("Anne", "Dentist") for span in told.get_finished_spans()
    )


async def test_a_request_for_many_messages_names_each_of_them(
    world: Outbound, told: InMemorySpanExporter
) -> None:
    """Each message has the write that it waited for in its own trace; the status of each is its own."""
    world.calendars.refused["bad v1"] = 422
    await world.publish(*(changed(f"i-{number}", id=f"m-{number}") for number in range(20)), changed("bad"))
    await world.start()
    await world.settled()

    writes = named(told, "write")
    assert len({trace_of(span) for span in writes}) == 21
    statuses = [facts(span)["http.response.status_code"] for span in writes]
    assert statuses.count(202) == 20
    assert 422 in statuses


def test_a_message_of_ours_is_made_by_the_span_that_its_traceparent_names(told: InMemorySpanExporter) -> None:
    """So whoever consumes it stands below what made it, without another word on the wire."""
    with spans.doing("work", origin=spans.SpanOrigin(trace_id=TRACE)) as work:
        traceparent = spans.goes_on(work.trace_id, "fact-1", kind="fact")

    (made,) = named(told, "create fact")
    assert traceparent == f"00-{TRACE}-{span_id_of('fact-1')}-01"
    assert (trace_of(made), span_of(made), made.kind) == (TRACE, span_id_of("fact-1"), SpanKind.PRODUCER)
    assert parent_of(made) == span_of(named(told, "work")[0])


async def test_what_its_publisher_left_out_stays_out(world: Outbound, told: InMemorySpanExporter) -> None:
    """Nothing is told of it, and what comes of it says so on the wire."""
    await world.start()
    await world.send(changed("5512", id="m-1", traceparent=f"00-{TRACE}-{SENDER}-00"))
    await world.settled()
    parent = f"00-{TRACE}-{SENDER}-00"
    with spans.doing("work", origin=spans.SpanOrigin(trace_id=TRACE, traceparent=parent)):
        fact = spans.goes_on(TRACE, "fact-1", kind="fact")

    assert told.get_finished_spans() == ()
    assert fact == f"00-{TRACE}-{span_id_of('fact-1')}-00"


OFF = """
import asyncio, sys
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Barred())
import service.cli, service.app, service.consumers.outbound.engine
from service.app.tracing import look_at_tracing
print(look_at_tracing())
"""


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "off"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, "off"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, "off"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "install vorex-calendar-sync[otel]"),
    ],
)
def test_the_service_does_not_need_the_extra(environment: dict[str, str], said: str) -> None:
    """Everything is there without it; who asks for traces is told what to install."""
    ended = subprocess.run(
        [sys.executable, "-c", OFF], env={"PATH": "/usr/bin:/bin"} | environment, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert said in ended.stdout


async def test_without_tracing_a_message_costs_a_handful_of_calls(world: Outbound) -> None:
    """Counted, not timed: the same few for every message, none of which goes on to a library."""
    calls: list[str] = []
    await world.start()

    def count(frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and "spans.py" in frame.f_code.co_filename:
            calls.append(frame.f_code.co_name)

    sys.setprofile(count)
    try:
        await world.send(*(changed(f"i-{number}") for number in range(50)))
        await world.settled()
    finally:
        sys.setprofile(None)

    assert len(calls) <= 50 * 16, {name: calls.count(name) for name in set(calls)}


@pytest.mark.parametrize(
    ("name", "said", "word"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Basic c2VjcmV0", "Basic c2VjcmV0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,x-api-key=top%20secret", "top secret"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-api-key topsecret", "x-api-key topsecret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:password@collector.example", "password"),
    ],
)
def test_r46_what_the_collector_of_traces_is_shown_is_hidden_in_logs(
    name: str, said: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its library says a malformed header whole."""
    monkeypatch.setenv(name, said)
    assert word in tracing_secrets()

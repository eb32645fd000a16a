"""Tracing as whoever runs it has it: a real process, and OTLP over HTTP to a collector."""

import json
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.collector import ArrivedSpan, Collector, collecting
from tests.support.processes import run, started
from tests.support.repository import ROOT

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLE = ROOT / "contracts" / "samples" / "appointment-created.json"
REQUEST = "POST /v1/calendars/{calendar_id}/events"
WEBHOOK = "POST /cronofy/notices/{integration_id}"
FACT = "send calendar-sync.items"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


def _hangs_together(spans: list[ArrivedSpan], *, roots: set[str]) -> None:
    """Each stands inside another one of the same trace, or begins it."""
    known = {span.span_id for span in spans}
    assert {span.name for span in spans if span.parent not in known} == roots


def _traces(collector: Collector, *names: str) -> set[str]:
    """Those that have a span of each of these names."""
    spans = list(collector.spans)
    return set.intersection(*({span.trace_id for span in spans if span.name == name} for name in names))


@pytest.mark.says("a sign-in token")
def test_the_whole_way_of_a_change_is_one_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out: published, sent, processed, written at Cronofy. In: webhook, message, read, fact.

    The ids are those of the log; of what the change says, nothing is told.
    """
    event = json.loads(SAMPLE.read_text()) | {"traceparent": f"00-{TRACE}-{SENDER}-01"}
    event["data"]["item"] |= {"title": "Oncologist", "description": "second opinion", "private": True}
    (tmp_path / "event.json").write_text(json.dumps(event))
    settings = {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/demo.db"}
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of-the-collector")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "sync-of-vorex")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        with started("up", "--demo", settings=settings, folder=tmp_path) as up:
            up.said("ready http")
            published = run("publish", "event.json", settings=settings, folder=tmp_path)
            assert published.returncode == 0, published.stderr
            collector.await_(lambda: any(one.name == REQUEST for one in collector.trace(TRACE)), REQUEST)
            collector.await_(lambda: bool(_traces(collector, WEBHOOK, FACT)), FACT)
            assert up.stop(signal.SIGINT) == 0
            lines = list(map(json.loads, up.err))

    out = collector.trace(TRACE)
    assert {"send vorex.items", "process calendar-sync.outbound", "plan", "write", REQUEST, "settle"} <= {
        span.name for span in out
    }
    _hangs_together(out, roots={"send vorex.items", "process calendar-sync.outbound"})
    (asked,) = (span for span in out if span.name == REQUEST)
    assert (asked.kind, asked.facts["http.response.status_code"]) == (CLIENT, "202")
    assert any(line.get("trace_id") == TRACE and line["event"] == "message.settled" for line in lines)

    back = collector.trace(_traces(collector, WEBHOOK, FACT).pop())
    kinds = {span.name: span.kind for span in back}
    assert (kinds[WEBHOOK], kinds["create notice"]) == (SERVER, PRODUCER)
    assert (kinds["process calendar-sync.inbound"], kinds["GET /v1/events"]) == (CONSUMER, CLIENT)
    assert kinds["create fact"] == kinds[FACT] == PRODUCER
    _hangs_together(back, roots={WEBHOOK})

    assert {span.resource["service.name"] for span in collector.spans} == {"sync-of-vorex"}
    assert {(one["path"], one["api-key"]) for one in collector.headers} == {
        ("/v1/traces", "of-the-collector")
    }
    everything = b"".join(collector.bodies)
    for private in (b"Oncologist", b"second opinion", b"Lunch with", b"Site visit", b"Bearer", b"@example"):
        assert private not in everything
    assert not any(span.name.endswith("/…") for span in collector.spans)


@pytest.mark.says("a sign-in token")
def test_a_collector_that_is_away_or_silent_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is done and told as without it, and the process ends in its time."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        with started("up", "--demo", settings={}, folder=tmp_path) as up:
            up.said("ready http")
            assert sum(line.startswith("[ok]") for line in up.out) == 5
            assert not any(line.startswith("[failed]") for line in up.out)
            assert up.stop(signal.SIGINT) == 0

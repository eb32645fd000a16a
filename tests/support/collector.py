"""Where spans arrive: OTLP over HTTP on this machine, as a collector takes it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

LATEST_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrivedSpan:
    """A span as it was on the wire."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    facts: Mapping[str, str]
    resource: Mapping[str, str]


@dataclass(kw_only=True)
class Collector:
    """All that has arrived."""

    address: str = ""
    spans: list[ArrivedSpan] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[ArrivedSpan]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def await_(self, condition: Callable[[], bool], what: str) -> None:
        """Return as soon as it holds."""
        deadline = time.monotonic() + LATEST_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not arrive; {sorted({one.name for one in self.spans})} did")
            time.sleep(0.02)

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        asked = ExportTraceServiceRequest.FromString(body)
        for resource in asked.resource_spans:
            about = {one.key: _text(one.value) for one in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                self.spans.append(
                    ArrivedSpan(
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        kind=span.kind,
                        facts={one.key: _text(one.value) for one in span.attributes},
                        resource=about,
                    )
                )


def _text(value: object) -> str:
    kind = value.WhichOneof("value")  # type: ignore[attr-defined]
    return str(getattr(value, kind))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector at an address of its own until the block is left."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append({"path": self.path} | dict(self.headers.items()))
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

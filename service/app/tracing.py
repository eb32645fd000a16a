"""Tracing, for whoever asked for it by OpenTelemetry's own variables and installed the extra."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import structlog

from service.app.check_results import CheckResult, failed, well
from service.tracing_settings import tracing_asked, tracing_protocol

log = structlog.get_logger(__name__)

SPANS = "service.telemetry.otlp"
"""Named, not imported: whoever does not trace needs neither the library nor the time to load it."""
ON_THE_WIRE = "http/protobuf"
NOT_INSTALLED = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but what traces are made with is not installed",
    "install vorex-calendar-sync[otel], or unset it",
)
OTHER_PROTOCOL = (
    "OTEL_EXPORTER_OTLP_PROTOCOL is another than " + ON_THE_WIRE,
    "unset it, and name the port that takes OTLP over HTTP, usually 4318",
)


@asynccontextmanager
async def tracing_if_asked() -> AsyncIterator[None]:
    """Spans go out until the end; where they cannot, one line says why, and all else goes on."""
    if trouble := _trouble():
        log.warning("tracing.unavailable", reason=" – ".join(trouble))
    if trouble or not tracing_asked():
        yield
        return
    async with import_module(SPANS).sending_spans():
        log.info("tracing.started")
        yield


def look_at_tracing() -> CheckResult:
    """Whether spans go out as asked; whether anybody takes them is not tried."""
    if trouble := _trouble():
        return failed("tracing", *trouble)
    return well("tracing", "spans go out" if tracing_asked() else "off")


def _trouble() -> tuple[str, str] | None:
    if not tracing_asked():
        return None
    if tracing_protocol() not in {"", ON_THE_WIRE}:
        return OTHER_PROTOCOL
    try:
        import_module(SPANS)
    except ImportError:
        return NOT_INSTALLED
    return None

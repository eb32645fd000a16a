"""A request to Cronofy as whoever traces sees it: method, route and status, never whose or what it says."""

import ast
import json
import re
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from contracts.errors import Throttled
from contracts.ports import Turn
from service.cronofy.transport import OTHER_ROUTE, route_of
from service.telemetry import spans
from service.telemetry.otlp import OtelSpans
from tests.support.repository import ROOT
from tests.support.scripted import GatewayUnderTest, an_upsert, answered

EVENTS = "/v1/calendars/{calendar_id}/events"
TURN = Turn(integration_id="i-1", tenant_id="acme")


@pytest.fixture
def told() -> Iterator[InMemorySpanExporter]:
    """Where all spans of the test arrive."""
    exporter = InMemorySpanExporter()
    maker = OtelSpans(SimpleSpanProcessor(exporter))
    with spans.traced_by(maker):
        yield exporter
    maker.provider.shutdown()


def the(told: InMemorySpanExporter, name: str) -> ReadableSpan:
    (span,) = (one for one in told.get_finished_spans() if one.name == name)
    return span


async def test_a_request_is_a_span_of_method_route_and_status(told: InMemorySpanExporter) -> None:
    """No id of a calendar, no token, no text."""
    await GatewayUnderTest(httpx.Response(202)).gateway.write("acc_1", [an_upsert()], turn=TURN)

    span = the(told, f"POST {EVENTS}")
    assert span.kind is SpanKind.CLIENT
    assert span.status.is_ok
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "url.template": EVENTS,
        "http.response.status_code": 202,
        "calendar_sync.integration_id": "i-1",
        "calendar_sync.tenant_id": "acme",
        "calendar_sync.urgency": "live",
        "calendar_sync.cost": 1,
    }
    for private in ("cal_1", "acc_1", "token-1", an_upsert().fields.summary):
        assert private not in json.dumps(json.loads(span.to_json()))


async def test_a_repeat_with_a_new_token_and_a_429_are_seen(told: InMemorySpanExporter) -> None:
    """What is not an answer fails by its status."""
    bench = GatewayUnderTest(answered(401), answered(429))
    with pytest.raises(Throttled):
        await bench.gateway.write("acc_1", [an_upsert()], turn=TURN)

    span = the(told, f"POST {EVENTS}")
    facts = dict(span.attributes or {})
    assert (facts["http.response.status_code"], facts["http.request.resend_count"]) == (429, 1)
    assert facts["error.type"] == "429"
    assert not span.status.is_ok


async def test_a_request_for_several_names_those_in_whose_trace_it_does_not_stand(
    told: InMemorySpanExporter,
) -> None:
    """It stands in the first, and is linked to each of the others."""
    works = [spans.begin("write", origin=spans.SpanOrigin(trace_id=f"{n:032x}")) for n in (1, 2, 3)]
    with spans.within(works):
        await GatewayUnderTest(httpx.Response(202)).gateway.write("acc_1", [an_upsert()], turn=TURN)

    span = the(told, f"POST {EVENTS}")
    assert span.context.trace_id == 1
    assert [link.context.trace_id for link in span.links] == [2, 3]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/calendars/cal_1/events", EVENTS),
        ("/v1/channels/chn_1", "/v1/channels/{channel_id}"),
        ("/v1/profiles/pro%2F1/revoke", "/v1/profiles/{profile_id}/revoke"),
        ("/v1/events/pages/08a07b034306679e", "/v1/events/pages/{page}"),
        ("https://api.cronofy.com/v1/events/pages/08a0?x=secret", "/v1/events/pages/{page}"),
        ("/v1/anything/else?token=secret", OTHER_ROUTE),
        ("https://api.cronofy.com", OTHER_ROUTE),
        ("", OTHER_ROUTE),
    ],
)
def test_a_route_names_nothing(path: str, route: str) -> None:
    assert route_of(path) == route


def test_every_path_that_is_asked_for_has_a_route() -> None:
    """A new one is placed in the table, or its spans would not say what is asked."""
    folder = ROOT / "service" / "cronofy"
    texts = [
        node.value
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    fixed = {one for one in texts if re.fullmatch(r"/(v1|oauth)(/[a-z_]+)+", one)}
    assert "/v1/userinfo" in fixed
    assert [one for one in fixed if route_of(one) == OTHER_ROUTE] == []

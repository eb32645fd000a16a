"""``/healthz``, ``/readyz`` and ``/metrics``: what whoever runs this process asks of it."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.demo.simulator.routing import route
from service.demo.simulator.state import Json
from service.demo.simulator.world import SimulatedWorld


def health_routes(world: SimulatedWorld) -> list[Route]:
    """Whoever gets an answer knows that it is ready, for it needs nothing and nobody."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"healthy": True})

    async def ready(_: Request) -> Response:
        return JSONResponse({"ready": True, "because": []})

    async def metrics(_: Request) -> Response:
        return Response(_exposition(world.stats()), media_type=CONTENT_TYPE_LATEST)

    return [route("/healthz", alive), route("/readyz", ready), route("/metrics", metrics)]


class _Figures:
    """Figures of one moment as Prometheus wants them; apart from those of a process around it."""

    def __init__(self, stats: Json) -> None:
        self._stats = stats

    def collect(self) -> list[Metric]:
        answered = CounterMetricFamily("simulator_requests", "Requests by status.", labels=["status"])
        for status, count in self._stats["statuses"].items():
            answered.add_metric([status], count)
        waiting = GaugeMetricFamily("simulator_waiting", "Writes and notices that are still to come.")
        waiting.add_metric([], self._stats["waiting"])
        return [answered, waiting]


def _exposition(stats: Json) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Figures(stats))
    return generate_latest(registry)

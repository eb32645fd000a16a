"""``/healthz``, ``/readyz`` and ``/metrics``: what whoever runs this process asks of it."""

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.demo.simulator.state import Json
from service.demo.simulator.world import SimulatedWorld


def add_health(app: FastAPI, world: SimulatedWorld) -> None:
    """Whoever gets an answer knows that it is ready, for it needs nothing and nobody."""

    async def alive() -> Response:
        return JSONResponse({"healthy": True})

    async def ready() -> Response:
        return JSONResponse({"ready": True, "because": []})

    async def metrics() -> Response:
        return Response(_exposition(world.stats()), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", alive, methods=["GET"])
    app.add_api_route("/readyz", ready, methods=["GET"])
    app.add_api_route("/metrics", metrics, methods=["GET"])


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

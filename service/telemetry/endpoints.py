"""``/healthz``, ``/readyz`` and ``/metrics`` of every long-running process."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ReadinessProbe = Callable[[], Awaitable[Sequence[str]]]
"""Names what keeps the process from being ready; empty when nothing does."""


async def nothing_wrong() -> Sequence[str]:
    return ()


def health_routes(because: ReadinessProbe, *, private: bool = True) -> list[Route]:
    """Alive as soon as the loop turns; ready when nothing stands in the way.

    Where it is not ``private`` the world asks: it learns neither why, nor what is measured.
    """

    async def ready(_: Request) -> Response:
        reasons = list(await because())
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        why = {"because": reasons} if private else {}
        return JSONResponse({"ready": not reasons, **why}, status)

    measured = [Route("/metrics", _metrics)] if private else []
    return [Route("/healthz", _alive), Route("/readyz", ready), *measured]


async def _alive(_: Request) -> Response:
    return JSONResponse({"healthy": True})


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

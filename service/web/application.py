"""Pages and API as one application."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from service.telemetry.endpoints import ReadinessProbe, health_routes, nothing_wrong
from service.web import pages
from service.web.api import (
    company,
    dead_letters,
    integrations,
    leavers,
    logs,
    my_calendar,
    operations,
    questions,
    runs,
    sessions,
    watching,
    weather,
)
from service.web.api.description import describe, operation_id
from service.web.catalogue.files import translations
from service.web.dependencies import WebServices
from service.web.locales import LANGUAGES
from service.web.middleware import ResponseGuard
from service.web.problems import add_error_handlers
from service.web.schemas import Problem

API_PATH = "/api/v1"
STATIC_FOLDER = Path(__file__).parent / "static"
REFRESH_SECONDS, REFRESH_BESIDE_SECONDS = 10, 2
"""Seconds after which My Calendar is fetched anew; sooner where both calendars are seen side by side."""
_PROBLEM_STATUSES = (401, 404, 409, 422, 429, 503)


def create_web(
    services: WebServices,
    *,
    because: ReadinessProbe = nothing_wrong,
    beside: Iterable[BaseRoute] = (),
    framed: bool = False,
    private: bool = True,
) -> FastAPI:
    """Pages and API; ``beside`` adds routes of another part, the relay's where one process is everything.

    ``private``: metrics, and why it is not ready, may be shown to whoever reaches it.
    """
    app = FastAPI(
        title="Vorex Calendar Sync",
        version="1",
        openapi_url=f"{API_PATH}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever Host the request names
    )
    for language in LANGUAGES:
        translations(language)  # before anybody waits for it
    app.state.live = REFRESH_BESIDE_SECONDS if framed else REFRESH_SECONDS
    app.state.services = services
    app.router.routes.extend([*_routes(), *health_routes(because, private=private), *beside])
    app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")
    describe(app)
    add_error_handlers(app)
    dead_letters.add_letter_error_handlers(app)
    app.add_middleware(ResponseGuard, https=services.https, framed=framed)
    return app


@cache
def _routes() -> Sequence[BaseRoute]:
    """Built once in a process, which takes a tenth of a second; each request's app says whose services."""
    whole = APIRouter()
    whole.include_router(_api())
    whole.include_router(pages.router)
    return tuple(whole.routes)


def _api() -> APIRouter:
    api = APIRouter(
        prefix=API_PATH,
        generate_unique_id_function=operation_id,
        dependencies=[Security(HTTPBearer(auto_error=False, bearerFormat="JWT"))],
        responses={status: {"model": Problem} for status in _PROBLEM_STATUSES},
    )
    for part in (
        logs,
        runs,
        integrations,
        my_calendar,
        dead_letters,
        operations,
        questions,
        leavers,
        weather,
        company,
        sessions,
        watching,
    ):
        api.include_router(part.router)
    return api

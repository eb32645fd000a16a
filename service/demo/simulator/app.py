"""The simulator's web application: Cronofy's documented addresses, its pages, and ``/_control``."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from starlette.applications import Starlette
from starlette.routing import Route

from service.demo.simulator.api import routes
from service.demo.simulator.api.batch import run_batch
from service.demo.simulator.api.call import ApiHandler
from service.demo.simulator.api.gate import guarded
from service.demo.simulator.clock import SteppedClock
from service.demo.simulator.control import control_routes
from service.demo.simulator.health import health_routes
from service.demo.simulator.pages.company import company_routes
from service.demo.simulator.pages.consent import consent_routes
from service.demo.simulator.pages.owner_pages import owner_routes
from service.demo.simulator.routing import route
from service.demo.simulator.world import SimulatedWorld

_EVENTS = "/v1/calendars/{calendar_id}/events"
_OPEN: list[tuple[str, str, ApiHandler]] = [
    ("POST", "/oauth/token", routes.token),
    ("POST", "/oauth/token/revoke", routes.revoke_token),
    ("POST", "/v1/application_calendars", routes.application_calendar),
]
_BEHIND_A_TOKEN: list[tuple[str, str, ApiHandler]] = [
    ("POST", "/v1/batch", run_batch),
    ("POST", _EVENTS, routes.upsert),
    ("DELETE", _EVENTS, routes.delete),
    ("POST", f"{_EVENTS}/{{event_uid}}/participation_status", routes.participate),
    ("GET", "/v1/events", routes.read_events),
    ("DELETE", "/v1/events", routes.delete_all),
    ("GET", "/v1/events/pages/{token}", routes.next_page),
    ("GET", "/v1/free_busy", routes.read_free_busy),
    ("GET", "/v1/free_busy/pages/{token}", routes.next_page),
    ("GET", "/v1/account", routes.account),
    ("GET", "/v1/userinfo", routes.userinfo),
    ("GET", "/v1/profiles", routes.profiles),
    ("POST", "/v1/profiles/{profile_id}/revoke", routes.revoke_profile),
    ("GET", "/v1/calendars", routes.calendars),
    ("POST", "/v1/calendars", routes.create_calendar),
    ("POST", "/v1/permissions", routes.permissions),
    ("POST", "/v1/channels", routes.create_channel),
    ("GET", "/v1/channels", routes.list_channels),
    ("DELETE", "/v1/channels/{channel_id}", routes.close_channel),
    ("POST", "/v1/link_tokens", routes.link_token),
    ("POST", "/v1/service_account_authorizations", routes.service_account_authorizations),
]


def create_app(world: SimulatedWorld) -> Starlette:
    """Both of Cronofy's hosts on one; under the computer's clock the world lives as long as the app."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if isinstance(world.clock, SteppedClock):
            yield
            return
        async with world.running():
            yield

    pages = [*consent_routes(world), *company_routes(world), *owner_routes(world)]
    own = [*control_routes(world), *health_routes(world)]
    return Starlette(routes=[*_api_routes(world), *pages, *own], lifespan=lifespan)


def _api_routes(world: SimulatedWorld) -> Iterator[Route]:
    """Starlette's own: each takes a request as it is, and a world is made for nearly every test."""
    for method, path, handler in _BEHIND_A_TOKEN:
        yield route(path, guarded(world, handler), methods=(method,))
    for method, path, handler in _OPEN:
        yield route(path, guarded(world, handler, open_to_all=True), methods=(method,))

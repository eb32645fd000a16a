"""The simulator's web application: Cronofy's documented addresses, its pages, and ``/_control``."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from service.simulator import api
from service.simulator.batch import run_batch
from service.simulator.clock import ManualClock
from service.simulator.consent import add_consent_pages
from service.simulator.control import add_control
from service.simulator.gate import Handler, guarded
from service.simulator.health import add_health
from service.simulator.owner_pages import add_owner_pages
from service.simulator.world import World

_EVENTS = "/v1/calendars/{calendar_id}/events"
_OPEN: list[tuple[str, str, Handler]] = [
    ("POST", "/oauth/token", api.token),
    ("POST", "/oauth/token/revoke", api.revoke_token),
    ("POST", "/v1/application_calendars", api.application_calendar),
]
_BEHIND_A_TOKEN: list[tuple[str, str, Handler]] = [
    ("POST", "/v1/batch", run_batch),
    ("POST", _EVENTS, api.upsert),
    ("DELETE", _EVENTS, api.delete),
    ("POST", f"{_EVENTS}/{{event_uid}}/participation_status", api.participate),
    ("GET", "/v1/events", api.read_events),
    ("DELETE", "/v1/events", api.delete_all),
    ("GET", "/v1/events/pages/{token}", api.next_page),
    ("GET", "/v1/free_busy", api.read_free_busy),
    ("GET", "/v1/free_busy/pages/{token}", api.next_page),
    ("GET", "/v1/account", api.account),
    ("GET", "/v1/userinfo", api.userinfo),
    ("GET", "/v1/profiles", api.profiles),
    ("POST", "/v1/profiles/{profile_id}/revoke", api.revoke_profile),
    ("GET", "/v1/calendars", api.calendars),
    ("POST", "/v1/calendars", api.create_calendar),
    ("POST", "/v1/permissions", api.permissions),
    ("POST", "/v1/channels", api.create_channel),
    ("GET", "/v1/channels", api.list_channels),
    ("DELETE", "/v1/channels/{channel_id}", api.close_channel),
    ("POST", "/v1/link_tokens", api.link_token),
]


def create_app(world: World) -> FastAPI:
    """Both of Cronofy's hosts on one; under the computer's clock the world lives as long as the app."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if isinstance(world.clock, ManualClock):
            yield
            return
        async with world.running():
            yield

    app = FastAPI(title="Cronofy simulator", openapi_url=None, lifespan=lifespan)
    for method, path, handler in _BEHIND_A_TOKEN:
        app.add_api_route(path, guarded(world, handler), methods=[method])
    for method, path, handler in _OPEN:
        app.add_api_route(path, guarded(world, handler, open_to_all=True), methods=[method])
    add_consent_pages(app, world)
    add_owner_pages(app, world)
    add_control(app, world)
    add_health(app, world)
    return app

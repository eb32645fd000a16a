"""Who may turn the simulator's switches."""

import re

import httpx
import pytest
from starlette.routing import Route

from service.demo.simulator.app import create_app
from service.demo.simulator.world import SimulatedWorld

HERE = "http://127.0.0.1:8402"


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("127.0.0.1", {"Origin": HERE}, 200),
        ("127.0.0.1", {"Host": "[::1]:8402"}, 200),
        ("127.0.0.1", {"Host": "sim.localhost:8402"}, 200),
        ("127.0.0.1", {"Host": "rebound.example:8402", "Origin": "http://rebound.example:8402"}, 404),
        ("127.0.0.1", {"Host": "rebound.example:8402"}, 404),
        ("127.0.0.1", {"Host": "192.0.2.7:8402"}, 404),
        ("127.0.0.1", {"Host": "[::"}, 404),
        ("10.0.0.7", {}, 404),
        ("192.168.1.20", {"X-Forwarded-For": "127.0.0.1", "Host": "127.0.0.1:8402"}, 404),
        ("fe80::1", {}, 404),
        ("127.0.0.1", {"Origin": "https://evil.example"}, 404),
        ("127.0.0.1", {"Origin": "null"}, 404),
    ],
)
async def test_the_switches_are_for_this_machine(peer: str, headers: dict[str, str], status: int) -> None:
    """Wherever it listens; a page of another site in this machine's browser is not this machine."""
    transport = httpx.ASGITransport(create_app(SimulatedWorld()), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=HERE, headers=headers) as client:
        answers = [
            await client.get("/_control/stats"),
            await client.post("/_control/faults", content=b'{"per_second": 1}'),
            await client.post("/_control/advance", content=b'{"seconds": 0}'),
        ]
    assert [answer.status_code in {200, 422} for answer in answers] == [status == 200] * 3
    assert all(answer.status_code == 404 for answer in answers) is (status == 404)


SIMULATOR_ROUTES = [route for route in create_app(SimulatedWorld()).routes if isinstance(route, Route)]


@pytest.mark.parametrize("route", SIMULATOR_ROUTES, ids=lambda route: f"{sorted(route.methods)} {route.path}")
async def test_a_route_is_asked_by_the_methods_that_it_names_alone(route: Route) -> None:
    """A HEAD presses no button and counts as no request."""
    world = SimulatedWorld()
    path = re.sub("{[^}]+}", "some", route.path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world)), base_url=HERE) as client:
        assert (await client.head(path)).status_code == 405
    assert world.stats()["statuses"] == {}

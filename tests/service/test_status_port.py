"""What a process says of itself to the world, and what to its own operators alone."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from contracts.ports import Credentials
from service import app as root
from service.app.server import with_bound_port
from service.relay import relay_app
from service.settings import Settings
from service.store.engine.store import Store
from service.store.integrations.credentials import CredentialsTable
from service.web.application import create_web
from tests.service.test_app import asking, settings_at
from tests.support.clock import ManualClock
from tests.support.office import Office

PUBLIC = {"public_url": "https://sync.example.com"}
PATHS = ("/metrics", "/metrics/", "/Metrics", "/%6detrics", "/readyz/../metrics")


@pytest.mark.parametrize(
    ("given", "private"),
    [
        ({}, True),
        ({"host": "::1", "public_url": "http://[::1]:8400"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "::"}, False),
        ({"host": "192.0.2.7"}, False),
        ({"public_url": "https://sync.example.com"}, False),
        ({"notices_url": "https://sync.example.com"}, False),
        ({"notices_url": "http://localhost:8401"}, True),
    ],
)
def test_a_process_is_private_where_nobody_but_this_machine_is_meant_to_reach_it(
    given: dict[str, str], private: bool
) -> None:
    """By where it listens, and by the addresses that others are told."""
    assert Settings(_env_file=None).model_copy(update=given).private is private


class Silent:
    """Takes everything and keeps nothing."""

    async def publish(self, message: object) -> None:
        return None


async def _because() -> Sequence[str]:
    return ["database", "brake of calendar-sync.outbound"]


@pytest.fixture(params=["web", "relay"])
async def outside(request: pytest.FixtureRequest, office: Office) -> AsyncIterator[httpx.AsyncClient]:
    """At the port that the world reaches."""
    app: Any = (
        create_web(office.app.state.services, because=_because, private=False)
        if request.param == "web"
        else relay_app(Silent(), ["one"], clock=ManualClock(), because=_because, private=False)
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sync.test") as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_the_world_is_shown_no_metrics(outside: httpx.AsyncClient, path: str) -> None:
    """They tell how many customers there are, how busy they are and what goes wrong."""
    answer = await outside.get(path)

    assert answer.status_code == 404
    assert "calendar_sync_" not in answer.text


async def test_the_world_learns_whether_it_is_ready_and_not_why(outside: httpx.AsyncClient) -> None:
    """A balancer needs no more."""
    alive, ready = await outside.get("/healthz"), await outside.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"healthy": True})
    assert (ready.status_code, ready.json()) == (503, {"ready": False})


@pytest.mark.parametrize("kind", ["web", "up"])
async def test_a_process_that_the_world_reaches_tells_its_operators_on_the_status_port(
    sqlite_url: str, kind: str
) -> None:
    """Whole, and named in the log."""
    opened = {"web": root.web, "up": root.everything}[kind]
    settings = with_bound_port(settings_at(sqlite_url, **PUBLIC))
    with capture_logs() as said:
        async with opened(settings) as running:
            (started,) = [line for line in said if line["event"] == "process.starting"]
            async with asking(running.address) as world, asking(started["address"]) as inside:
                assert (await world.get("/metrics")).status_code == 404
                assert (await world.get("/readyz")).json() == {"ready": True}
                assert b"calendar_sync_" in (await inside.get("/metrics")).content
                assert (await inside.get("/readyz")).json() == {"ready": True, "because": []}
                assert (await inside.get("/calendar-sync")).status_code == 404


async def test_a_process_of_this_machine_alone_needs_no_second_port(sqlite_url: str) -> None:
    """So a demonstration and a first look are served at one address."""
    with capture_logs() as said:
        async with root.web(settings_at(sqlite_url)) as running, asking(running.address) as client:
            assert b"calendar_sync_" in (await client.get("/metrics")).content

    (started,) = [line for line in said if line["event"] == "process.starting"]
    assert "port" not in started


@pytest.mark.parametrize(("kind", "because"), [("web", []), ("up", ["encryption keys"])])
async def test_r30_a_token_that_no_key_opens_keeps_nobody_from_the_pages(
    sqlite_url: str, kind: str, because: Sequence[str]
) -> None:
    """What takes messages is not ready; pages alone are shown all the while."""
    store = Store(sqlite_url)
    foreign = Fernet.generate_key().decode()
    tokens = Credentials(sub="acc_1", access_token="a", refresh_token="r", expires_at=1, saved_at=0)
    await CredentialsTable(store, [foreign]).save(tokens)
    await store.close()
    opened = {"web": root.web, "up": root.everything}[kind]
    with capture_logs() as said:
        settings = with_bound_port(settings_at(sqlite_url))
        async with opened(settings) as running, asking(running.address) as client:
            assert (await client.get("/readyz")).json()["because"] == because
            assert (await client.get("/docs")).status_code == 200

    assert "keys.wrong" in {line["event"] for line in said}

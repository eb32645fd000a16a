"""A world whose clock stands still, a person linked to it, and an application that asks."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from service.demo.simulator.app import create_app
from service.demo.simulator.clock import SteppedClock
from service.demo.simulator.world import FULL_SCOPE, LinkedAccount, SimulatedWorld

OLIVIA = "olivia@example.test"


@dataclass
class Receiver:
    """Takes notices as an application's relay would, and answers what it is told to."""

    status: int = 202
    got: list[dict[str, Any]] = field(default_factory=list)
    raw: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.raw.append((url, body, headers))
        self.got.append(json.loads(body))
        return self.status

    def types(self) -> list[str]:
        return [document["notification"]["type"] for document in self.got]

    def changes(self) -> list[dict[str, Any]]:
        return [d["notification"] for d in self.got if d["notification"]["type"] == "change"]


class Api:
    """An application with a token, in process."""

    def __init__(self, world: SimulatedWorld, linked: LinkedAccount, transport: httpx.ASGITransport) -> None:
        self.world = world
        self.linked = linked
        self.calendar = next(iter(linked.calendar_ids.values()))
        self.http = httpx.AsyncClient(
            transport=transport,
            base_url="http://cronofy.test",
            headers={"Authorization": f"Bearer {linked.access_token}"},
        )

    def event(self, **changes: Any) -> dict[str, Any]:
        return {
            "event_id": "e-1",
            "summary": "Replace firewall",
            "description": "Bring the spare.",
            "start": "2026-12-03T09:00:00Z",
            "end": "2026-12-03T11:00:00Z",
            "tzid": "Europe/London",
            **changes,
        }

    async def upsert(self, calendar: str | None = None, **changes: Any) -> httpx.Response:
        url = f"/v1/calendars/{calendar or self.calendar}/events"
        return await self.http.post(url, json=self.event(**changes))

    async def delete(self, calendar: str | None = None, **body: Any) -> httpx.Response:
        url = f"/v1/calendars/{calendar or self.calendar}/events"
        return await self.http.request("DELETE", url, json=body or {"event_id": "e-1"})

    async def read(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.page(**query)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["events"]
        return rows

    async def page(self, **query: Any) -> httpx.Response:
        named = {name.rstrip("_"): value for name, value in query.items()}
        return await self.http.get("/v1/events", params={"tzid": "Etc/UTC", **named})

    async def own(self, **query: Any) -> list[dict[str, Any]]:
        return await self.read(include_managed=True, include_deleted=True, **query)

    async def batch(self, *entries: tuple[str, dict[str, Any]]) -> httpx.Response:
        url = f"/v1/calendars/{self.calendar}/events"
        listed = [{"method": method, "relative_url": url, "data": data} for method, data in entries]
        return await self.http.post("/v1/batch", json={"batch": listed})

    async def watch(self, **filters: Any) -> dict[str, Any]:
        body = {"callback_url": "https://app.test/notices", **({"filters": filters} if filters else {})}
        answer = await self.http.post("/v1/channels", json=body)
        assert answer.status_code == 200, answer.text
        await self.world.rest()
        channel: dict[str, Any] = answer.json()["channel"]
        return channel


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def world(receiver: Receiver) -> SimulatedWorld:
    made = SimulatedWorld(clock=SteppedClock(), post=receiver.post)
    made.add_mailbox(email=OLIVIA, provider="office365", name="Olivia", calendars=("Work", "Home"))
    return made


@pytest.fixture
def transport(world: SimulatedWorld) -> httpx.ASGITransport:
    return httpx.ASGITransport(app=create_app(world))


@pytest.fixture
async def api(world: SimulatedWorld, transport: httpx.ASGITransport) -> AsyncIterator[Api]:
    """The first application, let at Olivia's mailbox with all event scopes."""
    scope = f"{FULL_SCOPE} create_calendar change_participation_status"
    made = Api(world, world.link(OLIVIA, scope=scope), transport)
    async with made.http:
        yield made


@pytest.fixture
async def other(world: SimulatedWorld, transport: httpx.ASGITransport) -> AsyncIterator[Api]:
    """Another application at the same mailbox."""
    world.add_application("other", ["other-secret"])
    made = Api(world, world.link(OLIVIA, client_id="other"), transport)
    async with made.http:
        yield made

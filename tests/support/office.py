"""The web application with a real store, the simulator as Cronofy, and people who sign in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import jwt
from cryptography.fernet import Fernet
from fastapi import FastAPI
from sqlalchemy import Table, select

from contracts.envelope import IntegrationChanged, decode
from contracts.errors import Unavailable
from contracts.ports import Outgoing, Permit, Turn
from service.app.pages import make_web_services
from service.app.parts import ProcessParts
from service.cronofy.credentials import StoredTokens
from service.cronofy.gateway import CronofyGateway
from service.demo.simulator.app import create_app
from service.demo.simulator.clock import SteppedClock as SimulatedTime
from service.demo.simulator.world import SimulatedWorld
from service.integrations import Integrations
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.changes_made import ChangesMade
from service.store.tables import integrations, items, links, outbox, runs
from service.web.application import create_web
from tests.support.choices import ALL_TYPES, OFF, form
from tests.support.clock import ManualClock
from tests.support.pages import ShownPage
from tests.support.wiring import access_to, parts_of, simulated_cronofy

__all__ = ["ALL_TYPES", "OFF", "Office", "Unwritable", "form", "open_office"]
CRONOFY = "http://cronofy.test"
HERE = "http://sync.test"
SECRET = "the key with which Vorex signs its users in"
CLIENT_SECRET = "a client secret"
EMAIL = "sam@contoso.example"


class NoLimit:
    """A budget that is never short."""

    most = None

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        return Permit(until=float("inf"))

    async def penalise(self, turn: Turn) -> None: ...


class Breakable(httpx.AsyncBaseTransport):
    """The way to Cronofy, which a test may cut for some paths."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.broken: set[str] = set()
        self.asked: list[str] = []
        self.meanwhile: dict[str, Callable[[], Awaitable[object]]] = {}
        """What happens once between such a request and its answer."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url.path}"
        self.asked.append(asked)
        if asked in self.broken:
            raise httpx.ConnectError("cut", request=request)
        answer = await self._inner.handle_async_request(request)
        if (meanwhile := self.meanwhile.pop(asked, None)) is not None:
            await meanwhile()
        return answer


class Unwritable:
    """A store that reads, and does not write while it is away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        if self.away:
            raise Unavailable("the database is away")
        async with self._store.begin() as connection:
            yield connection


@dataclass(kw_only=True)
class Office:
    """Everything that a test of the pages and the API works with."""

    app: FastAPI
    store: Store
    parts: ProcessParts
    accounts: Integrations
    gateway: CronofyGateway
    tokens: StoredTokens
    world: SimulatedWorld
    wire: Breakable
    clock: ManualClock
    client: httpx.AsyncClient
    key: str
    """Under which tokens are encrypted."""
    woken: list[None] = field(default_factory=list)

    def token(self, user: str = "u-17", tenant: str = "acme", *, key: str = SECRET, **claims: Any) -> str:
        """What Vorex signs; a claim that is None is left out."""
        given = {
            "sub": user,
            "tenant": tenant,
            "name": "Sam",
            "exp": self.clock.now().timestamp() + 300,
            "jti": uuid4().hex,
            **claims,
        }
        return jwt.encode({name: value for name, value in given.items() if value is not None}, key)

    def bearer(self, user: str = "u-17", tenant: str = "acme", **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(user, tenant, **claims)}"}

    async def sign_in(self, user: str = "u-17", tenant: str = "acme", **claims: Any) -> None:
        """The session cookie stays with ``client``."""
        token = self.token(user, tenant, **claims)
        answer = await self.client.get("/sign-in", params={"token": token})
        if answer.status_code == 200:  # somebody else is signed in, and it asks
            given = ShownPage(answer).forms[0].fields
            answer = await self.client.post("/sign-in", data=given)
        assert answer.status_code == 303, answer.text

    async def authorise(self, state_address: str, choice: str = EMAIL) -> str:
        """What the person does at Cronofy; where they are sent back to."""
        cronofy = httpx.ASGITransport(create_app(self.world))
        async with httpx.AsyncClient(transport=cronofy, base_url=CRONOFY) as browser:
            answer = await browser.get(f"{state_address}&_approve={choice}")
        back = answer.headers["Location"]
        assert back.startswith(f"{HERE}/calendar-sync/callback"), back
        return str(back)

    async def connect(self, user: str = "u-17", tenant: str = "acme", *, email: str = EMAIL) -> str:
        """All the way to Cronofy and back; the integration's id."""
        headers = self.bearer(user, tenant)
        away = await self.client.get("/calendar-sync/connect", headers=headers)
        back = await self.authorise(away.headers["Location"], email)
        answer = await self.answered(await self.client.get(back, headers=headers), headers=headers)
        assert answer.status_code == 303, answer.text
        return str(urlsplit(answer.headers["Location"]).path.split("/")[2])

    async def answered(
        self, asked: httpx.Response, answer: str = "link", *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """What *Link it*, or another answer, to the question in that page leads to."""
        assert asked.status_code == 200, asked.text
        form, _ = ShownPage(asked).form("Link it")
        given = {**form.fields, "answer": answer}
        return await self.client.post(form.action, data=given, headers=headers)

    async def calendars(self, integration_id: str, user: str = "u-17") -> dict[str, str]:
        """The ids of the account's calendars by their names."""
        address = f"/api/v1/integrations/{integration_id}/calendars"
        answer = await self.client.get(address, headers=self.bearer(user))
        return {one["name"]: one["calendar_id"] for one in answer.json()["items"]}

    async def put(
        self, integration_id: str, form: dict[str, Any], user: str = "u-17", tenant: str = "acme"
    ) -> httpx.Response:
        address = f"/api/v1/integrations/{integration_id}/settings"
        return await self.client.put(address, json=form, headers=self.bearer(user, tenant))

    async def finished(self, user: str = "u-17", *, calendar: str = "Calendar", **changes: Any) -> str:
        """A new integration that is set up."""
        integration_id = await self.connect(user)
        await self.finish(integration_id, user, calendar=calendar, **changes)
        return integration_id

    async def finish(
        self, integration_id: str, user: str = "u-17", *, calendar: str = "Calendar", **changes: Any
    ) -> None:
        """*Finish* with these settings."""
        calendar_id = (await self.calendars(integration_id, user))[calendar]
        answer = await self.put(integration_id, form(calendar_id, **changes), user)
        assert answer.status_code == 200, answer.text

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        async with self.store.read() as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]

    async def unfinished(self, kind: str) -> list[str]:
        """The states of the runs of that kind that have not ended."""
        rows = [row for row in await self.rows(runs) if row["kind"] == kind and row["ended_at"] is None]
        return [row["state"] for row in rows]

    async def sent(self, exchange: str) -> list[Outgoing]:
        """What the outbox holds for that exchange, in its order."""
        rows = sorted(await self.rows(outbox), key=lambda row: row["id"])
        names = ("exchange", "routing_key", "body", "message_id", "mandatory")
        return [
            Outgoing(**{name: row[name] for name in names}) for row in rows if row["exchange"] == exchange
        ]

    async def add_link(
        self, integration_id: str, calendar_id: str, state: str, *, code: str | None = None, item: str = "1"
    ) -> None:
        """An item with a copy of ours on that calendar."""
        now, ref = self.clock.now(), f"item-{item}"
        async with self.store.begin() as connection:
            await connection.execute(
                items.insert().values(
                    ref=ref, tenant_id="acme", item_type="task", item_id=item, version=1, vorex_version=1,
                    sync_version=0, revision=1, deleted=False, changed_at=now, stored_at=now,
                )
            )  # fmt: skip
            await connection.execute(
                links.insert().values(
                    id=f"link-{item}", integration_id=integration_id, item_ref=ref, calendar_id=calendar_id,
                    origin="ours", state=state, code=code, created_at=now,
                )
            )  # fmt: skip

    async def calendar_of(self, integration_id: str) -> str | None:
        """The id of the calendar that it links."""
        wanted = select(integrations.c.calendar_id).where(integrations.c.id == integration_id)
        async with self.store.read() as connection:
            found: str | None = await connection.scalar(wanted)
        return found

    async def facts(self) -> list[tuple[str, str | None]]:
        """What was told of integrations: the change and its reason."""
        sent = await self.sent("calendar-sync.integrations")
        told = [decode(message.body, expected=IntegrationChanged) for message in sent]
        assert [message.routing_key for message in sent] == [one.routing_key for one in told]
        assert not any(message.mandatory for message in sent)
        return [(one.data.change.value, one.data.reason) for one in told]

    def count_no_changes(self) -> None:
        """Let people make more changes than one may (R43)."""
        changes = ChangesMade(self.store, limits=())
        self.app.state.services = replace(self.app.state.services, changes=changes)

    async def get(self, path: str, user: str = "u-17", **claims: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.bearer(user, **claims))

    async def post(self, path: str, user: str = "u-17", **claims: Any) -> httpx.Response:
        return await self.client.post(path, headers=self.bearer(user, **claims))


@asynccontextmanager
async def open_office(
    url: str, *, public_url: str = HERE, vorex_url: str | None = None, secrets: Sequence[str] = (SECRET,)
) -> AsyncIterator[Office]:
    """An office on that database; Sam's account has two calendars, one of them read-only."""
    clock = ManualClock()
    world = SimulatedWorld(clock=SimulatedTime(), client_id="sync", client_secret=CLIENT_SECRET)
    holidays = {"name": "Holidays", "read_only": True}
    world.add_mailbox(email=EMAIL, calendars=("Calendar", "Second", holidays))
    woken: list[None] = []
    store = Store(url, clock=clock, on_enqueued=lambda: woken.append(None))
    await store.upgrade()
    wire = Breakable(httpx.ASGITransport(create_app(world)))
    access = access_to(CRONOFY, ("sync", CLIENT_SECRET))
    key = Fernet.generate_key().decode()
    cronofy = simulated_cronofy(store, clock, world, access=access, wire=wire, key=key)
    parts = parts_of(store, cronofy, clock, here=public_url)
    services = make_web_services(
        parts, clock, sign_in_secrets=secrets, public_url=public_url, data_centre="us", vorex_url=vorex_url
    )
    app = create_web(services)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=public_url) as client:
            yield Office(
                app=app,
                store=store,
                parts=parts,
                accounts=parts.integrations,
                gateway=cronofy.gateway,
                tokens=cronofy.tokens,
                world=world,
                wire=wire,
                clock=clock,
                client=client,
                key=key,
                woken=woken,
            )
    finally:
        await cronofy.close()
        await store.close()

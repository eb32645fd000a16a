"""A company whose administrator connects its people at once, over the simulator."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.demo.simulator.app import create_app
from service.store.people.companies import add_company
from service.store.tables import company_people
from tests.support.office import CLIENT_SECRET, CRONOFY, HERE, Office, open_office
from tests.support.pages import ShownPage

COMPANY = "/administration/company-calendar"
DOMAIN = "office365/fabrikam.example"
ADMINISTRATOR = {"role": "administrator"}
EVENTS = {"create": True, "update": False, "delete": False}
ITEMS = dict.fromkeys(("appointment", "crm_activity", "service_call", "task", "todo"), True)
COMPANY_FORMS: Mapping[str, Any] = {
    "/company-calendar/people": {"people": [{"user_id": "u-97", "email": "u@fabrikam.example"}]},
    "/company-calendar/defaults": {"event_types": EVENTS, "item_types": ITEMS, "locked": []},
    "/company-calendar/end": {"copies": "keep"},
}
"""What the API takes, by the end of its path."""
SIGNATURE = "Cronofy-HMAC-SHA256"


def signature(body: bytes, secret: str = CLIENT_SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


@dataclass
class Company:
    """An office of fabrikam.example: mailboxes of Ann, Bob and Eve, and the administrator vera of acme."""

    office: Office
    calls: list[tuple[str, bytes]] = field(default_factory=list)
    """What Cronofy posted: address and body."""
    deaf: bool = False
    """Nothing of it arrives."""

    async def hear(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """What Cronofy posts comes to the pages of this office."""
        self.calls.append((url, body))
        if self.deaf:
            return 503
        return (await self.office.client.post(url, content=body, headers=headers)).status_code

    async def connect(
        self, *, user: str = "vera", tenant: str = "acme", choice: str = DOMAIN
    ) -> httpx.Response:
        """To Cronofy's page and back; the administrator stays signed in."""
        await self.office.sign_in(user, tenant, **ADMINISTRATOR)
        away = await self.office.client.get(f"{COMPANY}/connect")
        return await self.office.client.get(await self.allowed(away.headers["Location"], choice))

    async def allowed(self, address: str, choice: str = DOMAIN) -> str:
        """What the administrator answers there; where it sends them."""
        cronofy = httpx.ASGITransport(create_app(self.office.world))
        async with httpx.AsyncClient(transport=cronofy, base_url=CRONOFY) as browser:
            answer = await browser.get(f"{address}&_approve={choice}")
        back = str(answer.headers["Location"])
        assert back.startswith(f"{HERE}{COMPANY}/callback"), back
        return back

    async def choose(self, *lines: str) -> httpx.Response:
        """Paste this list."""
        return await self.send(f"{COMPANY}/people", people="\n".join(lines))

    async def send(self, action: str, **fields: Any) -> httpx.Response:
        """The form of the page that leads there, with these fields."""
        page = await self.office.client.get(COMPANY)
        (form,) = [one for one in ShownPage(page).forms if one.action == action]
        return await self.office.client.post(action, data={**form.fields, **fields})

    async def page(self) -> str:
        """What the administrator sees."""
        return (await self.office.client.get(COMPANY)).text

    async def steps(self, rounds: int = 8) -> None:
        """Rounds of the keeper, with what Cronofy answers in between."""
        for _ in range(rounds):
            await self.office.parts.company_steps.round()
            await self.office.world.rest()

    async def stages(self) -> dict[str, tuple[str, str | None]]:
        """Stage and reason of each person."""
        rows = await self.office.rows(company_people)
        return {row["user_id"]: (row["stage"], row["reason"]) for row in rows}

    async def person(self, user: str) -> dict[str, Any]:
        (row,) = [row for row in await self.office.rows(company_people) if row["user_id"] == user]
        return row

    async def tell(
        self, person_id: str, said: Any, *, secret: str = CLIENT_SECRET, raw: bytes | None = None
    ) -> httpx.Response:
        """What somebody who has that secret posts as Cronofy's answer."""
        body = json.dumps({"authorization": said}).encode() if raw is None else raw
        address = f"/calendar-sync/company-answers/{person_id}"
        headers = {SIGNATURE: signature(body, secret)}
        return await self.office.client.post(address, content=body, headers=headers)

    def code_of(self, call: int = -1) -> dict[str, Any]:
        """What Cronofy said in that call."""
        said: dict[str, Any] = json.loads(self.calls[call][1])["authorization"]
        return said


@asynccontextmanager
async def open_company(url: str, *, people: Sequence[str] = ("ann", "bob", "eve")) -> AsyncIterator[Company]:
    async with open_office(url) as office:
        office.count_no_changes()
        for name in people:
            office.world.add_mailbox(email=f"{name}@fabrikam.example", provider="office365")
        company = Company(office=office)
        office.world.post = company.hear
        yield company


async def connect_acme(office: Office) -> None:
    """A company calendar of acme that is connected, without Cronofy."""
    async with office.store.begin() as connection:
        await add_company(
            connection, tenant_id="acme", stage="connected", sub="ser_1", provider_name="exchange",
            domain="fabrikam.example", connected_by="boss", connected_at=office.clock.now(),
            event_types=EVENTS, item_types=ITEMS, locked=[],
        )  # fmt: skip

"""Nobody waits for a person who asks for very much at once (R43)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from service.integrations.ownership import Person
from service.web.pace.peoples_requests import REQUESTS_AT_ONCE, REQUESTS_WAITING
from tests.support.office import Office
from tests.support.pages import BROWSER

API = "/api/v1/my-calendar/items"
AGENDA = "/my-calendar?agenda=2026-12-03"
MOST = REQUESTS_AT_ONCE + REQUESTS_WAITING
PATIENCE_SECONDS = 20.0
Answers = Sequence[httpx.Response]


@dataclass
class SlowCalendar:
    """Items of u-17 of acme are not found before they may be."""

    inner: Any
    may: asyncio.Event = field(default_factory=asyncio.Event)
    looking: int = 0
    most: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def items(self, person: Person, *given: Any, **more: Any) -> Any:
        if person.owner == Person(tenant_id="acme", user_id="u-17").owner:
            self.looking += 1
            self.most = max(self.most, self.looking)
            await self.may.wait()
            self.looking -= 1
        return await self.inner.items(person, *given, **more)


@pytest.fixture
def slow(office: Office) -> SlowCalendar:
    services = office.app.state.services
    made = SlowCalendar(inner=services.my_calendar)
    office.app.state.services = replace(services, my_calendar=made)
    return made


async def _answered(
    tasks: Sequence["asyncio.Task[httpx.Response]"], number: int
) -> tuple[Sequence["asyncio.Task[httpx.Response]"], Answers]:
    """Those that wait still, and the answers, once there are so many of them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(one.done() for one in tasks) < number:
            waiting = [one for one in tasks if not one.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    return [one for one in tasks if not one.done()], [one.result() for one in tasks if one.done()]


async def test_r43_of_one_person_few_requests_are_worked_on_at_once(
    office: Office, slow: SlowCalendar
) -> None:
    """Some more wait, others are told to come again, by pages and API together; who else asks is served."""
    await office.sign_in()
    session = office.client.cookies
    bearer = office.bearer(jti=None)
    office.client.cookies = httpx.Cookies()
    pages = {**BROWSER, "Cookie": "; ".join(f"{name}={value}" for name, value in session.items())}
    tasks = [
        asyncio.create_task(office.client.get(AGENDA if at % 2 else API, headers=pages if at % 2 else bearer))
        for at in range(MOST + 6)
    ]
    waiting, refused = await _answered(tasks, 6)
    assert [one.status_code for one in refused] == [429] * 6
    assert {one.headers["Retry-After"] for one in refused} == {"1"}
    assert all("Too many of your requests" in one.text for one in refused)
    for who in (("u-22", "acme"), ("u-17", "globex")):
        assert (await office.client.get(API, headers=office.bearer(*who))).status_code == 200
    assert (slow.looking, slow.most) == (REQUESTS_AT_ONCE, REQUESTS_AT_ONCE)
    slow.may.set()
    assert {one.status_code for one in await asyncio.gather(*waiting)} == {200}
    assert (slow.most, slow.looking) == (REQUESTS_AT_ONCE, 0)


async def test_r43_whatever_becomes_of_a_request_its_place_is_free_again(office: Office) -> None:
    """Refused, unknown, broken, of a form, or of somebody who has gone: others come after it."""
    await office.sign_in()
    broken = SlowCalendar(inner=None)
    broken.may.set()
    services = office.app.state.services
    async with asyncio.timeout(PATIENCE_SECONDS):
        for calendar in (services.my_calendar, broken):
            office.app.state.services = replace(services, my_calendar=calendar)
            for address in (API, f"{API}?limit=0", "/api/v1/runs/none", "/my-calendar/item?key=none"):
                answers = [await office.client.get(address) for _ in range(REQUESTS_AT_ONCE + 1)]
                assert len({one.status_code for one in answers}) == 1, address
        office.app.state.services = services
        for _ in range(REQUESTS_AT_ONCE + 1):
            assert (await office.client.post("/sessions/end-all", data={})).status_code == 403
    gone = asyncio.create_task(office.client.get(API))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = await asyncio.gather(*(office.client.get(API) for _ in range(MOST)))
    assert {one.status_code for one in answers} == {200}

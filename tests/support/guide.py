"""The guide walked in a real browser: somebody's windows, the product as ``up --demo``, and the provider."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

PATIENT_MILLISECONDS = 60_000
ACCOUNT = "Gustav Google (gustav.google@example.test)"
WIDE_SCREEN, PHONE_SCREEN = (1440, 900), (360, 740)
TORN = """[...document.querySelectorAll('p')].filter((one) => one.children.length
  && getComputedStyle(one).display.endsWith('flex')
  && [...one.childNodes].some((part) => part.nodeType === Node.TEXT_NODE && part.data.trim()))
  .map((one) => one.textContent.trim())"""
"""Sentences that a flexible row tears apart at each element in them."""
expect.set_options(timeout=PATIENT_MILLISECONDS)


@dataclass(frozen=True, kw_only=True)
class GuideAddresses:
    """Where the product and the provider's side are."""

    product: str
    provider: str
    database: Path

    @property
    def secret(self) -> str:
        """The one that the demonstration made for itself."""
        with closing(sqlite3.connect(self.database, timeout=60)) as database:
            found = database.execute("SELECT value FROM demo_secrets WHERE name = 'sign_in_secret'")
            return str(found.fetchone()[0])

    def sign_in(self, user: str, **more: str) -> str:
        claims = {
            "sub": user, "tenant": "demo", "name": "Dana", "tz": "Europe/London", "jti": uuid4().hex,
            "exp": time.time() + 300, **more,
        }  # fmt: skip
        return f"{self.product}/sign-in?token={jwt.encode(claims, self.secret)}"

    async def control(self, method: str, path: str, **body: Any) -> Any:
        """What only a test can do at the provider."""
        async with httpx.AsyncClient(base_url=self.provider, trust_env=False, timeout=60) as client:
            answer = await client.request(method, f"/_control{path}", json=body or None)
        answer.raise_for_status()
        return answer.json()

    async def delete_all(self, calendar_id: str, titles: Collection[str]) -> None:
        """What the person deletes in one go, told in one notice."""
        there = (await self.control("GET", f"/events?calendar_id={calendar_id}"))["events"]
        uids = [event["event_uid"] for event in there if event["summary"] in titles]
        await self.control("POST", "/faults", notice_delay=10.0)
        await asyncio.gather(
            *(self.control("DELETE", f"/calendars/{calendar_id}/events/{uid}") for uid in uids)
        )
        await self.control("POST", "/faults", notice_delay=0.2)

    def let_a_minute_pass(self) -> None:
        """Cronofy's word about an account is believed for so long."""
        with closing(sqlite3.connect(self.database, timeout=60)) as database, database:
            database.execute("UPDATE integration_state SET looked_at = NULL")

    def change(self, statement: str, *values: str) -> None:
        """What has befallen an integration, where waiting for it would take long."""
        with closing(sqlite3.connect(self.database, timeout=60)) as database, database:
            database.execute(statement, values)


@asynccontextmanager
async def window(
    browser: Browser,
    *,
    size: tuple[int, int] = WIDE_SCREEN,
    script: bool = True,
    scheme: str = "light",
    locale: str = "en-GB",
    state: Path | None = None,
) -> AsyncIterator[BrowserContext]:
    opened = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        java_script_enabled=script,
        color_scheme="dark" if scheme == "dark" else "light",
        locale=locale,
        storage_state=state,
    )
    opened.set_default_timeout(PATIENT_MILLISECONDS)
    try:
        yield opened
    finally:
        await opened.close()


def listening(page: Page, town: GuideAddresses) -> list[str]:
    """What the browser complains of on our pages: faults of script, and what their policy forbade."""
    said: list[str] = []

    def told(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(town.product):
            said.append(message.text)

    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", told)
    return said


async def press(page: Page, name: str, *, role: str = "button") -> None:
    """Once nothing is on its way that would move the button from under the pointer."""
    await expect(page.locator(".waiting")).to_have_count(0)
    await page.get_by_role("link" if role == "link" else "button", name=name, exact=True).click()


async def set_up(
    page: Page, town: GuideAddresses, user: str, *, account: str = ACCOUNT, deletes: bool = False
) -> str:
    """From sign-in to Finish (G4–G10); the linked calendar's id."""
    await page.goto(town.sign_in(user))
    await expect(page.get_by_text("It takes three steps")).to_be_visible()
    await press(page, "Click to Connect", role="link")
    await press(page, account)
    await press(page, "Link it")
    await expect(page.get_by_role("heading", name="Calendar Sync Settings")).to_be_visible()
    calendar_id = await page.get_by_label("Linked calendar").input_value()
    await page.get_by_label("Update").check()
    if deletes:
        await page.get_by_label("Delete").check()
    await press(page, "Next")
    await page.get_by_label("To Dos").uncheck()
    await press(page, "Next")
    sending = page.get_by_role("group", name="Send my calendar items:")
    await sending.get_by_label("Enable").check()
    await sending.get_by_label("Get Future Items").select_option(value="1_week")
    await press(page, "Next")
    boxes = "Create, Update, Delete" if deletes else "Create, Update"
    for words in (boxes, "Appointments, CRM Activities, Service Calls, Tasks", "Disabled"):
        await expect(page.get_by_text(words, exact=True)).to_be_visible()
    await press(page, "Finish")
    await press(page, "Not now", role="link")
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    await expect(page.get_by_role("switch", name="Active: Calendar")).to_be_checked()
    return calendar_id


async def events(town: GuideAddresses, calendar_id: str) -> list[str]:
    async with httpx.AsyncClient(base_url=town.provider, trust_env=False, timeout=60) as control:
        answer = await control.get("/_control/events", params={"calendar_id": calendar_id})
    return [event["summary"] for event in answer.json()["events"]]


async def add_event(town: GuideAddresses, calendar_id: str, title: str, day: date) -> None:
    """What the person does on their phone."""
    times = {"start": f"{day}T12:00:00Z", "end": f"{day}T13:00:00Z", "tzid": "Europe/London"}
    async with httpx.AsyncClient(base_url=town.provider, trust_env=False, timeout=60) as control:
        address = f"/_control/calendars/{calendar_id}/events"
        (await control.post(address, json={"summary": title, **times})).raise_for_status()


async def appeared(page: Page, town: GuideAddresses, calendar_id: str, title: str) -> None:
    """The event is on the linked calendar, or will be within the patience."""
    deadline = time.monotonic() + PATIENT_MILLISECONDS / 1000
    while title not in await events(town, calendar_id):
        assert time.monotonic() < deadline, f"{title} did not arrive"
        await page.wait_for_timeout(100)


async def fill_in(page: Page, title: str) -> None:
    await page.get_by_label("Subject").fill(title)
    await page.get_by_label("Description").fill("Bring the spare part.")
    await press(page, "Add")
    await expect(page.get_by_role("status").filter(has_text="was added")).to_be_visible()


async def open_to_all(page: Page, address: str) -> None:
    """axe-core finds nothing on that page, light or dark; nothing is wider than desk or phone, or torn."""
    await page.goto(address)
    for size, schemes in ((WIDE_SCREEN, ("light", "dark")), (PHONE_SCREEN, ("dark",))):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{address} at {size[0]}"
        assert not (torn := await page.evaluate(TORN)), f"{address} at {size[0]}: {torn}"
        for scheme in schemes:
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = await Axe().run(page)
            assert found.violations_count == 0, f"{address}, {scheme}\n{found.generate_report()}"

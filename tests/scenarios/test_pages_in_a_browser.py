"""The guide followed click by click in a real browser, with the product as ``up --demo`` (G4–G18)."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import httpx
import jwt
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from service.web.rendering import long_day
from tests.support.chromium import chromium, open_chromium
from tests.support.processes import SECRETS, started

PATIENT = 20_000
ACCOUNT = "Gustav Google (gustav.google@example.test)"
WIDE, PHONE = (1440, 900), (360, 740)

pytestmark = pytest.mark.says("a sign-in token")


@dataclass(frozen=True, kw_only=True)
class Town:
    """Where the product and the provider's side are."""

    product: str
    provider: str

    def sign_in(self, user: str) -> str:
        claims = {
            "sub": user, "tenant": "demo", "name": "Dana", "tz": "Europe/London", "jti": uuid4().hex,
            "exp": time.time() + 300,
        }  # fmt: skip
        return f"{self.product}/sign-in?token={jwt.encode(claims, SECRETS['SIGN_IN_SECRET'])}"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    chromium()
    folder = tmp_path_factory.mktemp("town")
    settings = {**SECRETS, "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'calendar-sync.db'}"}
    with started("up", "--demo", settings=settings, folder=folder) as up:
        product = up.said("ready ").removeprefix("ready ")
        provider = up.said("stand-in shows it: ").rpartition("it: ")[2]
        yield Town(product=product, provider=provider)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as opened:
        yield opened


@asynccontextmanager
async def window(
    browser: Browser, *, size: tuple[int, int] = WIDE, script: bool = True, scheme: str = "light"
) -> AsyncIterator[BrowserContext]:
    opened = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        java_script_enabled=script,
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
    )
    opened.set_default_timeout(PATIENT)
    try:
        yield opened
    finally:
        await opened.close()


def listening(page: Page, town: Town) -> list[str]:
    """What the browser complains of on our pages: faults of script, and what their policy forbade."""
    said: list[str] = []

    def told(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(town.product):
            said.append(message.text)

    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", told)
    return said


async def press(page: Page, name: str, *, role: str = "button") -> None:
    await page.get_by_role("link" if role == "link" else "button", name=name, exact=True).click()


async def set_up(page: Page, town: Town, user: str) -> str:
    """From sign-in to Finish (G4–G10); the linked calendar's id."""
    await page.goto(town.sign_in(user))
    await expect(page.get_by_text("It takes three steps")).to_be_visible()
    await press(page, "Click to Connect", role="link")
    await press(page, ACCOUNT)
    await expect(page.get_by_role("heading", name="Calendar Sync Settings")).to_be_visible()
    calendar_id = await page.get_by_label("Linked calendar").input_value()
    await page.get_by_label("Update").check()
    await press(page, "Next")
    await page.get_by_label("To Dos").uncheck()
    await press(page, "Next")
    sending = page.get_by_role("group", name="Send my calendar items:")
    await sending.get_by_label("Enable").check()
    await sending.get_by_label("Get Future Items").select_option(label="1 week")
    await press(page, "Next")
    for words in ("Create, Update", "Appointments, CRM Activities, Service Calls, Tasks", "Disabled"):
        await expect(page.get_by_text(words, exact=True)).to_be_visible()
    await press(page, "Finish")
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    await expect(page.get_by_role("switch", name="Active: Calendar")).to_be_checked()
    return calendar_id


async def events(town: Town, calendar_id: str) -> list[str]:
    async with httpx.AsyncClient(base_url=town.provider, trust_env=False) as control:
        answer = await control.get("/_control/events", params={"calendar_id": calendar_id})
    return [event["summary"] for event in answer.json()["events"]]


async def add_event(town: Town, calendar_id: str, title: str, day: date) -> None:
    """What the person does on their phone."""
    times = {"start": f"{day}T12:00:00Z", "end": f"{day}T13:00:00Z", "tzid": "Europe/London"}
    async with httpx.AsyncClient(base_url=town.provider, trust_env=False) as control:
        address = f"/_control/calendars/{calendar_id}/events"
        (await control.post(address, json={"summary": title, **times})).raise_for_status()


async def appeared(page: Page, town: Town, calendar_id: str, title: str) -> None:
    """The event is on the linked calendar, or will be within the patience."""
    deadline = time.monotonic() + PATIENT / 1000
    while title not in await events(town, calendar_id):
        assert time.monotonic() < deadline, f"{title} did not arrive"
        await page.wait_for_timeout(100)


async def fill_in(page: Page, title: str) -> None:
    await page.get_by_label("Subject").fill(title)
    await page.get_by_label("Description").fill("Bring the spare part.")
    await press(page, "Add")
    await expect(page.get_by_role("status").filter(has_text="was added")).to_be_visible()


async def test_the_guide_click_by_click(town: Town, browser: Browser) -> None:
    """G4–G18, with script: right-click, progress and arriving events without a reload."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        calendar_id = await set_up(page, town, "u-guide")
        await press(page, "My Calendar", role="link")
        await page.goto(f"{town.product}/my-calendar?month={tomorrow:%Y-%m}")
        await page.locator(f'td[data-day="{tomorrow}"]').click(button="right", position={"x": 60, "y": 80})
        await page.get_by_role("menuitem", name="Add appointment").click()
        await expect(page.get_by_label("Start", exact=True)).to_have_value(tomorrow.isoformat())
        await fill_in(page, "Site visit")
        await appeared(page, town, calendar_id, "Site visit")
        await add_event(town, calendar_id, "Lunch with Contoso", tomorrow)
        await expect(page.get_by_title("Lunch with Contoso")).to_be_visible(timeout=PATIENT)
        await press(page, "Calendar Sync", role="link")
        await press(page, "Logs: Calendar", role="link")
        await expect(page.get_by_text("Done", exact=True)).to_be_visible()
        await press(page, "Real-time changes", role="link")
        await expect(page.get_by_text("Lunch with Contoso").first).to_be_visible()
        assert complaints == []


async def test_the_guide_without_script_on_a_phone(town: Town, browser: Browser) -> None:
    """G4–G18 by links and forms alone, then deleted with its copies (G13, R21)."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    async with window(browser, size=PHONE, script=False) as opened:
        page = await opened.new_page()
        calendar_id = await set_up(page, town, "u-plain")
        await page.goto(f"{town.product}/my-calendar?day={tomorrow}")
        await press(page, "Add appointment", role="link")
        await fill_in(page, "Plain visit")
        await appeared(page, town, calendar_id, "Plain visit")
        await add_event(town, calendar_id, "Plain lunch", tomorrow)
        deadline = time.monotonic() + PATIENT / 1000
        while not await page.get_by_text("Plain lunch").count():
            assert time.monotonic() < deadline, "the event did not arrive"
            await page.reload()
        await press(page, "Calendar Sync", role="link")
        await press(page, "Delete: Calendar", role="link")
        await expect(
            page.get_by_text("1 copy that this sync added is on the linked calendar.")
        ).to_be_visible()
        await page.get_by_label(re.compile("Remove what this sync added")).check()
        await press(page, "Delete")
        await expect(page.get_by_text("No calendar is linked yet")).to_be_visible()


async def test_keys_do_what_the_mouse_does(town: Town, browser: Browser) -> None:
    """Arrows move over the days, N adds an appointment; ranges wait for their option (G9)."""
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await page.goto(town.sign_in("u-keys"))
        await page.goto(f"{town.product}/my-calendar?month=2026-12")
        await page.get_by_role("link", name=re.compile(f"^{long_day(date(2026, 12, 2))}")).focus()
        for key in ("ArrowRight", "ArrowDown"):
            await page.keyboard.press(key)
        await page.keyboard.press("n")
        await expect(page.get_by_label("Start", exact=True)).to_have_value("2026-12-10")
        await expect(page.get_by_label("Start time")).to_be_visible()
        await page.get_by_label("All day").check()
        await expect(page.get_by_label("Start time")).to_be_hidden()
        await page.goto(f"{town.product}/my-calendar?month=2026-12")
        await page.locator("#d2026-12-09").focus()
        await page.keyboard.press("Shift+F10")
        await expect(page.get_by_role("menuitem", name="Add appointment")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#d2026-12-09")).to_be_focused()
        await page.goto(f"{town.product}/calendar-sync/connect")
        await press(page, ACCOUNT)
        await page.wait_for_url("**/settings/linked-calendar")
        await page.keyboard.press("Tab")
        await page.goto(page.url.replace("linked-calendar", "sync-options"))
        bringing = page.get_by_role("group", name="Retrieve linked calendar items:")
        await expect(bringing.get_by_label("Get Past Items")).to_be_disabled()
        await bringing.get_by_label("Enable").check()
        await expect(bringing.get_by_label("Get Past Items")).to_be_enabled()
        assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_no_page_is_wider_than_the_screen_or_shuts_anybody_out(
    size: tuple[int, int], scheme: str, town: Town, browser: Browser
) -> None:
    """axe-core finds nothing; at 360 and 1440 pixels, light and dark."""
    user = f"u-look-{size[0]}-{scheme}"
    day = datetime.now(UTC).date()
    async with window(browser, size=size, scheme=scheme) as opened:
        page = await opened.new_page()
        await set_up(page, town, user)
        await page.goto(f"{town.product}/my-calendar/new?day={day}")
        await fill_in(page, "A rather long subject that does not fit into a day of the month")
        await page.goto(f"{town.product}/calendar-sync")
        at = (await page.get_by_role("link", name="Logs: Calendar").get_attribute("href") or "").removesuffix(
            "/logs"
        )
        await page.goto(f"{town.product}{at}/logs")
        run = await page.locator("#log td a").first.get_attribute("href")
        tabs = ("linked-calendar", "your-calendar", "sync-options", "confirmation")
        for path in (
            "/calendar-sync", *(f"{at}/settings/{tab}" for tab in tabs), f"{at}/logs", run,
            f"{at}/logs?trigger=real_time", f"{at}/delete", "/calendar-sync/exchange-help", "/my-calendar",
            f"/my-calendar?day={day}", "/my-calendar/new", "/nowhere",
        ):  # fmt: skip
            await page.goto(f"{town.product}{path}")
            wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, path
            found = await Axe().run(page)
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"


async def test_each_mistake_is_told_beside_its_field(town: Town, browser: Browser) -> None:
    """A screen reader hears it with the field."""
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-slip"))
        await page.goto(f"{town.product}/my-calendar/new")
        await press(page, "Add")
        subject = page.get_by_label("Subject")
        await expect(subject).to_have_attribute("aria-invalid", "true")
        await expect(subject).to_have_accessible_description("Give the appointment a subject.")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

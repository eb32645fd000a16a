"""Operators in a real browser: dead letters replayed with script and without, nobody shut out (R30)."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import jwt
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from service.store.engine.store import Store
from service.store.messages.burying import bury
from tests.support.chromium import chromium, open_chromium
from tests.support.letters import DATA, a_body, a_letter
from tests.support.processes import SECRETS, started

PATIENT = 60_000
WIDE, PHONE = (1440, 900), (360, 740)


class Place:
    """The product as ``up`` runs it, and its database."""

    def __init__(self, product: str, database: str) -> None:
        self.product = product
        self._database = database

    async def sign_in(self, page: Page) -> None:
        claims = {
            "sub": "olga", "tenant": "acme", "name": "Olga", "tz": "Europe/London", "role": "operator",
            "jti": uuid4().hex,
        }  # fmt: skip
        token = jwt.encode({**claims, "exp": time.time() + 300}, SECRETS["SIGN_IN_SECRET"])
        await page.goto(f"{self.product}/sign-in?token={token}&next=/operations")

    async def bury(self, *names: str, good: bool = True) -> None:
        """Dead letters; a good one goes well when it is replayed, for its message is well by now."""
        store = Store(self._database)
        try:
            async with store.begin() as connection:
                given = [
                    a_letter(
                        0, message_id=name, item_key=f"task/{name}",
                        code="exhausted" if good else "malformed",
                        reason="Cronofy did not answer" if good else "data.version: must be at least 1",
                        body=a_body(0, version=1 if good else 0).replace(b'"e-0"', json.dumps(name).encode()),
                    )
                    for name in names
                ]  # fmt: skip
                await bury(connection, given, now=await store.moment(connection))
        finally:
            await store.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    chromium()
    folder = tmp_path_factory.mktemp("operators")
    database = f"sqlite+aiosqlite:///{folder / 'calendar-sync.db'}"
    with started("up", settings={**SECRETS, "DATABASE_URL": database}, folder=folder) as up:
        yield Place(up.said("ready ").removeprefix("ready "), database)


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


@pytest.mark.parametrize("script", [True, False])
async def test_dead_letters_are_replayed_and_the_end_is_seen(
    script: bool, place: Place, browser: Browser
) -> None:
    """From the sentence on Operations to *Went well*; without script by looking again."""
    names = [uuid4().hex for _ in range(2)]
    await place.bury(*names)
    async with window(browser, script=script, size=WIDE if script else PHONE) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        await page.get_by_role("link", name="Open dead letters").click()
        for name in names:
            await page.get_by_role("checkbox", name=f"Choose task/{name}").check()
        await page.get_by_role("button", name="Replay chosen…").click()
        await expect(page.get_by_role("heading", name="Replay 2 messages?")).to_be_visible()
        await expect(page.get_by_text("Nothing has been written or sent for this.")).to_be_visible()
        await page.get_by_label("Messages a second").fill("50")
        await page.get_by_role("button", name="Replay 2", exact=True).click()
        await expect(page.get_by_text("All 2 are done with.")).to_be_visible(timeout=PATIENT)
        await page.get_by_role("link", name="Back to the dead letters").click()
        await page.get_by_role("link", name="Resolved").click()
        for name in names:
            await expect(page.get_by_role("link", name=f"task/{name}")).to_be_visible()


async def test_a_malformed_message_is_mended_by_hand(place: Place, browser: Browser) -> None:
    """The rule stands beside the text for those who hear it; the copy goes well (R30)."""
    name = uuid4().hex
    await place.bury(name, good=False)
    async with window(browser) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        await page.goto(f"{place.product}/operations/dead-letters")
        await page.get_by_role("link", name=f"task/{name}").click()
        await page.get_by_role("link", name="Edit…").click()
        await page.get_by_role("button", name="Replay the mended copy").click()
        field = page.get_by_label("The message's data, as JSON")
        await expect(field).to_have_accessible_description("Still wrong: data.version: must be at least 1")
        await field.fill(json.dumps(DATA | {"version": 1}))
        await page.get_by_role("button", name="Replay the mended copy").click()
        await expect(page.get_by_text("Resolved", exact=True)).to_be_visible(timeout=PATIENT)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_of_operators_is_wider_than_the_screen_or_shuts_anybody_out(
    scheme: str, place: Place, browser: Browser
) -> None:
    """axe-core finds nothing; at 360 and 1440 pixels, light and dark."""
    good, bad = uuid4().hex, uuid4().hex
    await place.bury(good)
    await place.bury(bad, good=False)
    letters = "/operations/dead-letters"
    async with window(browser, scheme=scheme) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        await page.goto(f"{place.product}{letters}")
        at = await page.get_by_role("link", name=f"task/{bad}").get_attribute("href")
        assert at is not None
        for path in (
            "/operations", letters, f"{letters}?code=bug&since=1h", at, f"{at}/edit", f"{letters}/replay",
            f"{letters}/replaying", f"{letters}/discard?letter={at.rpartition('/')[2]}",
        ):  # fmt: skip
            await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
            await page.goto(f"{place.product}{path}")
            for size in (WIDE, PHONE):
                await page.set_viewport_size({"width": size[0], "height": size[1]})
                wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wider <= 0, (path, size)
                found = await Axe().run(page)
                assert found.violations_count == 0, f"{path} {size}\n{found.generate_report()}"

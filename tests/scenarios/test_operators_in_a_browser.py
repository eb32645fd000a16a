"""Operators in a real browser: dead letters replayed with script and without, nobody shut out (R30)."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import jwt
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from service.monitoring.alerts import ALERTS
from service.store.engine.store import Store
from service.store.messages.burying import bury
from tests.support.chromium import chromium, open_chromium
from tests.support.letters import DATA, ITEM, a_body, a_letter
from tests.support.processes import SECRETS, started

PATIENT = 60_000
WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] : ["the page",
  ...[...document.querySelectorAll("body :not(thead *)")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth)
    .map((one) => one.outerHTML.slice(0, 200))]"""
"""What of a page reaches beyond its right edge."""
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
                        body=a_body(
                            0, version=1 if good else 0, item=ITEM | {"title": f"Call {name}"}
                        ).replace(b'"e-0"', json.dumps(name).encode()),
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
            await page.get_by_role("checkbox", name=f"Choose Call {name}").check()
        await page.get_by_role("button", name="Replay chosen…").click()
        await expect(page.get_by_role("heading", name="Replay 2 messages?")).to_be_visible()
        await expect(page.get_by_text("Nothing has been written or sent for this.")).to_be_visible()
        await page.get_by_label("Messages a second").fill("50")
        await page.get_by_role("button", name="Replay 2", exact=True).click()
        await expect(page.get_by_text("All 2 are done with.")).to_be_visible(timeout=PATIENT)
        await page.get_by_role("link", name="Back to the dead letters").click()
        await page.get_by_role("link", name="Resolved").click()
        for name in names:
            await expect(page.get_by_role("link", name=f"Call {name}")).to_be_visible()


async def test_a_malformed_message_is_mended_by_hand(place: Place, browser: Browser) -> None:
    """The rule stands beside the text for those who hear it; the copy goes well (R30)."""
    name = uuid4().hex
    await place.bury(name, good=False)
    async with window(browser) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        await page.goto(f"{place.product}/operations/dead-letters")
        await page.get_by_role("link", name=f"Call {name}").click()
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
        at = await page.get_by_role("link", name=f"Call {bad}").get_attribute("href")
        assert at is not None
        for path in (
            "/operations", letters, f"{letters}?code=bug&since=1h", at, f"{at}/edit", f"{letters}/replay",
            f"{letters}/replaying", f"{letters}/discard?letter={at.rpartition('/')[2]}",
        ):  # fmt: skip
            await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
            await page.goto(f"{place.product}{path}")
            for size in (WIDE, PHONE):
                await page.set_viewport_size({"width": size[0], "height": size[1]})
                assert await page.evaluate(WIDER) == [], (path, size)
                found = await Axe().run(page)
                assert found.violations_count == 0, f"{path} {size}\n{found.generate_report()}"


@pytest.mark.parametrize("script", [True, False])
async def test_r50_one_cause_is_discarded_and_taken_back_from_the_note(
    script: bool, place: Place, browser: Browser
) -> None:
    """With script and without, wide and on a phone; whoever cannot use a mouse is not shut out."""
    names = [uuid4().hex for _ in range(3)]
    await place.bury(*names, good=False)
    async with window(browser, script=script, size=WIDE if script else PHONE) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        await page.goto(f"{place.product}/operations/dead-letters?code=malformed")
        await page.get_by_role("link", name="Discard all").first.click()
        await expect(page.get_by_role("heading", name="messages?")).to_contain_text("Discard")
        await expect(page.get_by_text("Malformed", exact=True)).to_be_visible()
        if script:
            await _nobody_is_shut_out(page)
        await page.get_by_label("Reason").fill("Sent by mistake")
        await page.get_by_role("button", name="Discard").click()
        await expect(page.get_by_role("status")).to_contain_text("they can be taken back")
        if script:
            await _nobody_is_shut_out(page)
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_role("status")).to_contain_text("Open again.")
        await page.goto(f"{place.product}/operations/dead-letters?code=malformed")
        for name in names:
            await expect(_letter(page, name)).to_be_visible()


async def test_all_that_match_are_chosen_with_one_tick(place: Place, browser: Browser) -> None:
    """The tick takes along every box that is seen, and what lies beyond the page (R30)."""
    names = [uuid4().hex for _ in range(2)]
    await place.bury(*names, good=False)
    async with window(browser) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        await page.goto(f"{place.product}/operations/dead-letters?code=malformed")
        await page.get_by_role("checkbox", name="that match").check()
        await expect(
            page.get_by_role("row").filter(has_text=f"task/{names[0]}").get_by_role("checkbox")
        ).to_be_checked()
        await page.get_by_role("button", name="Discard chosen…").click()
        await expect(page.get_by_text("All open messages that match:")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
async def test_operators_look_back_in_pictures_and_in_a_table(
    script: bool, place: Place, browser: Browser
) -> None:
    """What the pictures show stands in the table too, which stays open while the page looks again."""
    async with window(browser, script=script, size=WIDE if script else PHONE) as opened:
        page = await opened.new_page()
        await place.sign_in(page)
        day = page.get_by_role("region", name="Last 24 hours")
        await expect(day.locator("svg")).to_have_count(5)
        await expect(page.get_by_role("region", name="Last 14 days").locator("svg")).to_have_count(5)
        await day.get_by_text("The same as a table").click()
        await expect(day.get_by_role("row")).to_have_count(25)
        alerts = page.get_by_role("region", name="Alerts")
        await expect(alerts.get_by_role("row")).to_have_count(1 + len(ALERTS))
        if script:
            await _nobody_is_shut_out(page)
        if script:
            async with page.expect_response(lambda answer: answer.url.endswith("/operations")):
                pass
            await expect(day.get_by_role("row")).to_have_count(25)


def _letter(page: Page, name: str) -> Locator:
    """The link to a letter, in the row that names its item."""
    return page.get_by_role("row").filter(has_text=f"task/{name}").get_by_role("link").first


async def _nobody_is_shut_out(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

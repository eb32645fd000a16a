"""The documentation in a real browser: for every eye, width and light, with nothing from outside."""

import pytest
from playwright.async_api import Browser, Request, expect

from tests.support.guide import PHONE_SCREEN, open_to_all, window
from tests.support.office import open_office
from tests.support.served import listening

pytestmark = pytest.mark.timeout(300)
ADDRESSES = ("/docs", "/docs/messages", "/docs/search?q=dead+letter", "/docs/user-guide", "/docs/operating")
"""One of each kind of page."""


async def test_no_page_is_wider_than_the_screen_or_shuts_anybody_out(
    sqlite_url: str, browser: Browser
) -> None:
    """axe-core finds nothing; at 360 and 1440 pixels, light and dark; nothing is asked of any other host."""
    async with open_office(sqlite_url) as office, listening(office) as at, window(browser) as opened:
        page = await opened.new_page()
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 -- a method of list is refused
        for path in ADDRESSES:
            await open_to_all(page, f"{at}{path}")
        assert [one.url for one in asked if not one.url.startswith((at, "data:"))] == []


async def test_somebody_finds_their_way_without_script_on_a_phone(sqlite_url: str, browser: Browser) -> None:
    """From the first page by search to a section, and by the folded list to the next page."""
    phone = window(browser, size=PHONE_SCREEN, script=False)
    async with open_office(sqlite_url) as office, listening(office) as at, phone as opened:
        page = await opened.new_page()
        await page.goto(f"{at}/docs")
        await page.get_by_role("searchbox").fill("not connected")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="When it is Not Connected").first.click()
        await expect(page).to_have_url(f"{at}/docs/user-guide#when-it-is-not-connected")
        await expect(page.get_by_role("heading", name="When it is Not Connected")).to_be_in_viewport()
        await page.get_by_text("All pages and what is on this one").click()
        await page.get_by_role("link", name="Operating Calendar Sync").first.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Operating Calendar Sync")

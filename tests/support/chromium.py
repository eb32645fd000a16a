"""A real browser: Debian's Chromium, driven by Playwright, with a fresh profile each time."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.support.servers import absent

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Where it is; without it the test is left out, loudly."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        absent("Chromium", "install chromium")
    return found


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    """The browser, closed with all of its windows when the block is left."""
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()

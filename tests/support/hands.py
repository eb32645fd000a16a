"""What a hand does in a browser while requests of the page are on their way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from playwright.async_api import Locator, Page, Route

from tests.support.guide import PATIENT_MILLISECONDS


class HeldUp:
    """A request of the page on its way, until it is let through; those after it pass."""

    def __init__(self, page: Page, method: str) -> None:
        self._page, self._method = page, method
        self._came, self._passed = asyncio.Event(), asyncio.Event()

    @classmethod
    async def on(cls, page: Page, address: str, *, method: str) -> Self:
        """The next of that method to this address."""
        held = cls(page, method)
        await page.route(address, held._hold)
        return held

    async def _hold(self, route: Route) -> None:
        if route.request.method == self._method and not self._came.is_set():
            self._came.set()
            await self._passed.wait()
        await route.continue_()

    async def come(self) -> None:
        async with asyncio.timeout(PATIENT_MILLISECONDS / 1000):
            await self._came.wait()

    async def let_through(self) -> None:
        """Its answer has come whole."""
        async with self._page.expect_response(lambda it: it.request.method == self._method) as answer:
            self._passed.set()
        await (await answer.value).finished()


async def drag(page: Page, what: Locator, at: tuple[float, float], *, by: tuple[float, float]) -> None:
    """With the pointer, in steps, as a hand does."""
    drop = await taken_up(page, what, at, by=by)
    await drop()


async def taken_up(
    page: Page, what: Locator, at: tuple[float, float], *, by: tuple[float, float]
) -> Callable[[], Awaitable[None]]:
    """It is carried so far; what is given back lets it go."""
    await what.wait_for()
    await page.wait_for_load_state()  # before its script runs, a hand is not heard
    await what.scroll_into_view_if_needed()
    box = await what.bounding_box()
    assert box is not None
    x, y = box["x"] + at[0], box["y"] + at[1]
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + by[0] / 2, y + by[1] / 2, steps=4)
    await page.mouse.move(x + by[0], y + by[1], steps=4)
    return page.mouse.up


async def hour(page: Page) -> float:
    return float(await page.locator(".slot").first.evaluate("slot => slot.offsetHeight"))


async def column(page: Page) -> float:
    return float(await page.locator(".column").first.evaluate("column => column.offsetWidth"))

"""What a hand does in a browser while requests of the page are on their way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from playwright.async_api import Locator, Page, Route, expect

from tests.support.guide import PATIENT_MILLISECONDS


class HeldUp:
    """A request of the page on its way, until it is let through; those after it pass."""

    def __init__(self, page: Page, method: str, *, passing: int, answered: bool) -> None:
        self._page, self._method = page, method
        self._passing, self._answered = passing, answered
        self._came, self._passed = asyncio.Event(), asyncio.Event()

    @classmethod
    async def on(
        cls, page: Page, address: str, *, method: str, passing: int = 0, answered: bool = False
    ) -> Self:
        """The next of that method to this address, behind so many that pass; or the answer to it.

        The page waits for it without an end, however slow the machine is.
        """
        held = cls(page, method, passing=passing, answered=answered)
        await page.evaluate("AbortSignal.timeout = () => new AbortController().signal")
        await page.route(address, held._hold)
        return held

    async def _hold(self, route: Route) -> None:
        if route.request.method != self._method or self._came.is_set():
            await route.continue_()
        elif self._passing:
            self._passing -= 1
            await route.continue_()
        else:
            answer = await route.fetch() if self._answered else None
            self._came.set()
            await self._passed.wait()
            await (route.fulfill(response=answer) if answer else route.continue_())

    async def come(self) -> None:
        async with asyncio.timeout(PATIENT_MILLISECONDS / 1000):
            await self._came.wait()

    async def let_through(self) -> None:
        """Its answer has come whole."""
        async with self._page.expect_response(lambda it: it.request.method == self._method) as answer:
            self._passed.set()
        await (await answer.value).finished()


async def drag(page: Page, what: Locator, at: tuple[float, float], *, by: tuple[float, float]) -> None:
    """With the pointer, in steps, as a hand does, once no other move is under way."""
    await expect(page.locator("body[data-moving]")).to_have_count(0)
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

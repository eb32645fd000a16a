"""My Calendar under quick hands: what comes while they hold something, and what they do meanwhile."""

import re
from datetime import date

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.support.guide import GuideAddresses, listening, press, window
from tests.support.hands import HeldUp, column, drag, hour, taken_up

pytestmark = pytest.mark.says("a sign-in token")
DAY = date(2027, 2, 10)


async def test_r49_what_is_in_the_hand_stays_there_whatever_comes(
    town: GuideAddresses, browser: Browser
) -> None:
    """A look that began before it was taken up shows what is new once it is let go."""
    async with window(browser) as opened:
        page, elsewhere = await opened.new_page(), await opened.new_page()
        block = await _begun(page, town, "u-held", "Held")
        look = await HeldUp.on(page, f"**/my-calendar?week={DAY}", method="GET")
        await look.come()
        await _added(elsewhere, town, "New", at="14:00")
        drop = await taken_up(page, block, (40, 8), by=(0, 2 * await hour(page)))
        await look.let_through()
        await page.evaluate("fetch(location.href).then(answer => answer.text())")
        await drop()
        await expect(page.locator("#told")).to_contain_text("Moved: Wednesday, 10 February 2027, 12:00")
        await expect(page.locator(".block").filter(has_text="New")).to_be_visible()


async def test_r49_keys_pressed_faster_than_the_server_answers_all_count(
    town: GuideAddresses, browser: Browser
) -> None:
    """Also where the first of them takes the appointment out of the view."""
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        block = await _begun(page, town, "u-quick", "Quick")
        await _pressed_at_once(page, block, "ArrowDown", times=4)
        await expect(block).to_contain_text("11:00 – 12:00")

        await page.goto(f"{town.product}/my-calendar?day={DAY}")
        await _pressed_at_once(page, block, "ArrowRight", times=3)
        await expect(page.locator("#told")).to_contain_text("Moved: Saturday, 13 February 2027, 11:00")
        assert complaints == []


async def test_r49_nothing_is_taken_up_while_a_move_is_under_way(
    town: GuideAddresses, browser: Browser
) -> None:
    """Where it stands then is not sure yet; afterwards it is."""
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-again", "Again")
        moved = await HeldUp.on(page, "**/item/move?*", method="POST")
        await drag(page, block, (40, 8), by=(0, await hour(page)))
        await moved.come()
        drop = await taken_up(page, block, (40, 8), by=(0, 3 * await hour(page)))
        await drop()
        await moved.let_through()
        await expect(page.locator("#told")).to_contain_text("11:00 – 12:00")
        await drag(page, block, (40, 8), by=(0, await hour(page)))
        await expect(page.locator("#told")).to_contain_text("12:00 – 13:00")
        await expect(block).to_contain_text("12:00 – 13:00")
        await expect(block).not_to_have_class(re.compile("carried"))


async def test_r49_what_another_changed_between_two_steps_is_not_overwritten(
    town: GuideAddresses, browser: Browser
) -> None:
    """The first is made, the second was on its way; a third that is pressed behind the refusal is made."""
    async with window(browser) as opened:
        page, elsewhere = await opened.new_page(), await opened.new_page()
        block = await _begun(page, town, "u-overtaken", "Shared")
        answers = list[int]()
        page.on("response", lambda it: answers.append(it.status) if "item/move" in it.url else None)
        second = await HeldUp.on(page, "**/item/move?*", method="POST", passing=1)
        await _pressed_at_once(page, block, "ArrowDown", times=2)
        await second.come()
        await elsewhere.goto(f"{town.product}/my-calendar?day={DAY}")
        await elsewhere.locator(".block").get_by_role("link").click()
        await elsewhere.get_by_label("Start time").fill("14:00")
        await press(elsewhere, "Save")
        await expect(elsewhere.locator(".block")).to_contain_text("14:00 – 15:00")
        await second.let_through()
        await expect(page.locator("#told")).to_contain_text("It was changed meanwhile")
        await expect(block).to_contain_text("14:00 – 15:00")
        await _pressed_at_once(page, block, "ArrowDown", times=1)
        await expect(block).to_contain_text("14:15 – 15:15")
        assert answers == [200, 409, 200]


async def test_r49_an_older_look_that_answers_later_shows_nothing_older(
    town: GuideAddresses, browser: Browser
) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-late", "Late")
        await block.wait_for()
        look = await HeldUp.on(page, f"**/my-calendar?week={DAY}", method="GET", answered=True)
        await look.come()
        await _pressed_at_once(page, block, "ArrowDown", times=1)
        await expect(block).to_contain_text("10:15 – 11:15")
        await look.let_through()
        await page.evaluate("fetch(location.href).then(answer => answer.text())")
        assert "10:15 – 11:15" in await block.inner_text()


async def test_r49_days_that_are_added_one_by_one_and_fast_are_all_added(
    town: GuideAddresses, browser: Browser
) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-longer"))
        await _all_day(page, town, "Fair", last="2027-02-08")
        bar = page.locator(".bars .item").filter(has_text="Fair")
        await _pressed_at_once(page, bar, "ArrowRight", times=4, shift=True)
        await expect(bar).to_have_attribute("data-version", "3")
        await bar.click()
        await expect(page.get_by_label("End", exact=True)).to_have_value("2027-02-12")


async def test_r49_moves_behind_one_that_is_not_answered_are_not_made(
    town: GuideAddresses, browser: Browser
) -> None:
    """Said once; all stands where it was."""
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-unanswered", "Still")
        asked: list[Route] = []

        async def lose(route: Route) -> None:
            asked.append(route)
            await route.abort()

        await page.route("**/item/move?*", lose)
        await _pressed_at_once(page, block, "ArrowDown", times=3)
        await expect(page.locator("#told.bad")).to_be_visible()
        await page.unroute("**/item/move?*")
        await drag(page, block, (40, 8), by=(0, await hour(page)))
        await expect(block).to_contain_text("11:00 – 12:00")
        assert len(asked) == 1


async def test_r49_a_bar_goes_as_many_days_as_the_hand_wherever_it_was_taken(
    town: GuideAddresses, browser: Browser
) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-bar"))
        await _all_day(page, town, "Fair", last="2027-02-10")
        bar = page.locator(".bars .item").filter(has_text="Fair")
        day = await column(page)
        await drag(page, bar, (2.5 * day, 6), by=(day, 0))
        await expect(page.get_by_role("status")).to_contain_text("Moved: Tuesday, 9 February 2027")
        await expect(bar).to_have_attribute("data-version", "2")
        await drag(page, bar, (1.5 * day, 6), by=(-day, 0))
        await expect(page.get_by_role("status")).to_contain_text("Moved: Monday, 8 February 2027")


async def _pressed_at_once(page: Page, block: Locator, key: str, *, times: int, shift: bool = False) -> None:
    """With Alt, in one moment, as keys repeat that are held."""
    await block.wait_for()
    await page.wait_for_load_state()
    link = (
        block if "item" in (await block.get_attribute("class") or "").split() else block.get_by_role("link")
    )
    await link.focus()
    await page.evaluate(
        """([key, shiftKey, times]) => {
            const pressed = { key, shiftKey, altKey: true, bubbles: true };
            for (let each = 0; each < times; each += 1)
                document.activeElement.dispatchEvent(new KeyboardEvent("keydown", pressed));
        }""",
        [key, shift, times],
    )


async def _all_day(page: Page, town: GuideAddresses, subject: str, *, last: str) -> None:
    """From Monday on, shown in its week."""
    await page.goto(f"{town.product}/my-calendar/new?day=2027-02-08&view=week")
    await page.get_by_label("Subject").fill(subject)
    await page.get_by_label("All day").check()
    await page.get_by_label("End", exact=True).fill(last)
    await press(page, "Add")


async def _begun(page: Page, town: GuideAddresses, user: str, subject: str) -> Locator:
    """Somebody who is signed in and has one appointment, at ten."""
    await page.goto(town.sign_in(user))
    await _added(page, town, subject, at="10:00")
    return page.locator(".block").filter(has_text=subject)


async def _added(page: Page, town: GuideAddresses, subject: str, *, at: str) -> None:
    await page.goto(f"{town.product}/my-calendar/new?day={DAY}&at={at}&view=week")
    await page.get_by_label("Subject").fill(subject)
    await press(page, "Add")

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
        await expect(page.locator("#told")).to_contain_text("Moved: Tuesday, 9 February 2027")
        await expect(bar).to_have_attribute("data-version", "2")
        await drag(page, bar, (1.5 * day, 6), by=(-day, 0))
        await expect(page.locator("#told")).to_contain_text("Moved: Monday, 8 February 2027")


async def test_r49_an_item_that_left_the_view_is_moved_on_by_the_next_key(
    town: GuideAddresses, browser: Browser
) -> None:
    """Pressed one by one: Alt and an arrow are not the browser's meanwhile; all of it is one Undo each."""
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-away", "Away")
        await page.goto(f"{town.product}/my-calendar?day={DAY}")
        await block.get_by_role("link").focus()
        for day in ("Tuesday, 9", "Monday, 8", "Sunday, 7"):
            await page.keyboard.press("Alt+ArrowLeft")
            await expect(page.locator("#told")).to_contain_text(f"Moved: {day} February 2027, 10:00")
            await expect(page.locator("body[data-moving]")).to_have_count(0)
        await expect(page.locator("#main")).to_be_focused()
        assert page.url.endswith(f"day={DAY}")


async def test_r49_what_was_moved_although_no_answer_came_is_shown_and_not_denied(
    town: GuideAddresses, browser: Browser
) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-lost", "Lost")

        async def lose(route: Route) -> None:
            await route.fetch()
            await route.fulfill(status=502, body="<h1>Bad gateway</h1>")

        await page.route("**/item/move?*", lose)
        await drag(page, block, (40, 8), by=(0, await hour(page)))
        await expect(page.locator("#told.bad")).to_contain_text("it may have been moved or not")
        await expect(block).to_contain_text("11:00 – 12:00")
        await page.unroute("**/item/move?*")
        await drag(page, block, (40, 8), by=(0, await hour(page)))
        await expect(page.locator("#told")).to_contain_text("12:00 – 13:00")


async def test_r49_what_goes_together_is_undone_together(town: GuideAddresses, browser: Browser) -> None:
    """Also where the last of it was refused."""
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-together", "Whole")
        await _pressed_at_once(page, block, "ArrowDown", times=3)
        await expect(page.locator("#told")).to_contain_text("10:45 – 11:45")
        await expect(page.locator("body[data-moving]")).to_have_count(0)
        await page.locator("#told").get_by_role("button", name="Undo").click()
        await expect(block).to_contain_text("10:00 – 11:00")

        await block.wait_for()
        await page.wait_for_load_state()
        await _refused_from_the_second_on(page)
        await _pressed_at_once(page, block, "ArrowDown", times=3)
        await expect(page.locator("#told.bad")).to_contain_text("It was not moved. It was changed meanwhile")
        await page.locator("#told").get_by_role("button", name="Undo").click()
        await expect(block).to_contain_text("10:00 – 11:00")


async def test_r49_a_hand_gives_up_beside_the_hours_and_by_escape(
    town: GuideAddresses, browser: Browser
) -> None:
    """Nothing is sent, and nothing is opened by letting go."""
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-back", "Back")
        sent = _posts(page)
        drop = await taken_up(page, block, (40, 8), by=(40, 60))
        await page.mouse.move(300, 5)
        await drop()
        drop = await taken_up(page, block, (40, 8), by=(0, 3))
        await page.mouse.move(*await _middle(block), steps=6)
        await page.keyboard.press("Escape")
        await drop()
        await expect(block).not_to_have_class(re.compile("carried"))
        await expect(block).to_contain_text("10:00 – 11:00")
        assert (sent, "/item?" in page.url) == ([], False)


async def test_r49_a_page_that_is_scrolled_meanwhile_carries_what_is_held_along(
    town: GuideAddresses, browser: Browser
) -> None:
    """It is let go under the pointer; what was done is in sight there."""
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.set_viewport_size({"width": 1200, "height": 500})
        block = await _begun(page, town, "u-scrolled", "Far")
        one = await hour(page)
        drop = await taken_up(page, block, (40, 8), by=(0, one))
        before = await page.evaluate("scrollY")
        await page.evaluate("far => scrollBy(0, far)", 3 * one)
        hours = 1 + (await page.evaluate("scrollY") - before) / one
        await drop()
        assert hours > 2
        at, quarter = divmod(40 + round(4 * hours), 4)
        await expect(page.locator("#told")).to_contain_text(f"{at}:{15 * quarter:02} –")
        await expect(page.locator("#told")).to_be_in_viewport()


async def test_r49_a_step_that_waits_goes_along_where_the_page_is_left(
    town: GuideAddresses, browser: Browser
) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-leaves", "Left")
        moved = await HeldUp.on(page, "**/item/move?*", method="POST")
        await _pressed_at_once(page, block, "ArrowDown", times=3)
        await moved.come()
        look = await HeldUp.on(page, f"**/my-calendar?week={DAY}", method="GET")
        await moved.let_through()
        await look.come()
        await page.goto(f"{town.product}/my-calendar/deleted")
        await page.goto(f"{town.product}/my-calendar?day={DAY}")
        await expect(block).to_contain_text("10:45 – 11:45")


async def test_r49_what_is_not_done_because_a_move_is_under_way_is_said(
    town: GuideAddresses, browser: Browser
) -> None:
    """By keys and by pointer; the move's own note stays."""
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-busy", "First")
        await _added(page, town, "Second", at="14:00")
        second = page.locator(".block").filter(has_text="Second")
        moved = await HeldUp.on(page, "**/item/move?*", method="POST")
        await _pressed_at_once(page, block, "ArrowDown", times=1)
        await moved.come()
        await _pressed_at_once(page, second, "ArrowDown", times=1)
        await expect(page.locator("#told")).to_contain_text("so this was not done")
        drop = await taken_up(page, second, (40, 8), by=(0, await hour(page)))
        await moved.let_through()
        await expect(page.locator("#told")).to_contain_text("Moved:")
        await drop()
        await expect(page.locator("#told")).to_contain_text("Moved: Wednesday, 10 February 2027, 10:15")
        await expect(page.locator("#told")).to_contain_text("so this was not done")
        await expect(second).to_contain_text("14:00 – 15:00")


async def test_r49_steps_that_cancel_each_other_are_not_sent(town: GuideAddresses, browser: Browser) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        block = await _begun(page, town, "u-zero", "Zero")
        sent = _posts(page)
        moved = await HeldUp.on(page, "**/item/move?*", method="POST")
        await _pressed_at_once(page, block, "ArrowLeft", times=1, shift=True)
        await _pressed_at_once(page, block, "ArrowDown", times=1)
        await moved.come()
        for key in ("ArrowDown", "ArrowUp"):
            await _pressed_at_once(page, block, key, times=1)
        await moved.let_through()
        await expect(block).to_contain_text("10:15 – 11:15")
        await expect(page.locator("body[data-moving]")).to_have_count(0)
        assert len(sent) == 1


def _posts(page: Page) -> list[str]:
    """Where the page sends something from now on."""
    sent: list[str] = []
    page.on("request", lambda it: sent.append(it.url) if it.method == "POST" else None)
    return sent


async def _refused_from_the_second_on(page: Page) -> None:
    passed: list[Route] = []

    async def refuse(route: Route) -> None:
        passed.append(route)
        said = {"detail": "It was changed meanwhile."}
        await (route.continue_() if len(passed) == 1 else route.fulfill(status=409, json=said))

    await page.route("**/item/move?*", refuse)


async def _middle(block: Locator) -> tuple[float, float]:
    box = await block.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


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

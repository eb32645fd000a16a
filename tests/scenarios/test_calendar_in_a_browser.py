"""My Calendar in a real browser: by pointer, by keys, and all of it without script (G17, R49, R50)."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.support.guide import (
    PATIENT_MILLISECONDS,
    PHONE_SCREEN,
    GuideAddresses,
    appeared,
    events,
    listening,
    open_to_all,
    press,
    set_up,
    window,
)
from tests.support.hands import column, drag, hour
from tests.support.waiting import until

pytestmark = pytest.mark.says("a sign-in token")
DAY = date(2027, 2, 10)
VIEWS = ("month=2027-02", f"week={DAY}", f"day={DAY}", f"agenda={DAY}")


async def test_r49_an_appointment_is_drawn_moved_and_stretched(
    town: GuideAddresses, browser: Browser
) -> None:
    """By pointer on free hours, on the appointment and on its edge; by keys with Alt; refused, it returns."""
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await page.goto(town.sign_in("u-drawn"))
        await page.goto(f"{town.product}/my-calendar?week={DAY}")
        wednesday = page.locator(f'.column[data-day="{DAY}"]')
        await drag(page, wednesday.locator('[data-hour="10"]'), (40, 5), by=(0, 1.3 * await hour(page)))
        await expect(page.get_by_label("Start time")).to_have_value("10:00")
        await expect(page.get_by_label("End time")).to_have_value("11:30")
        await expect(page.get_by_label("Subject")).to_be_focused()
        await page.get_by_label("Subject").fill("Drawn")
        await press(page, "Add")
        block = page.locator(".block").filter(has_text="Drawn")
        await expect(block).to_contain_text("10:00 – 11:30")

        await drag(page, block, (40, 8), by=(await column(page), await hour(page)))
        await expect(page.locator("#told")).to_contain_text(
            "Moved: Thursday, 11 February 2027, 11:00 – 12:30"
        )
        thursday = page.locator(f'.column[data-day="{DAY + timedelta(days=1)}"] .block')
        await expect(thursday).to_contain_text("11:00 – 12:30")

        await drag(page, block.locator(".stretch"), (4, 4), by=(0, -0.5 * await hour(page)))
        await expect(block).to_contain_text("11:00 – 12:00")

        await _a_refused_move_returns(page, block)

        link = block.get_by_role("link")
        await link.focus()
        for keys, shown in (
            ("Alt+ArrowDown", "11:15 – 12:15"), ("Alt+Shift+ArrowDown", "11:15 – 12:30"),
            ("Alt+ArrowLeft", "11:15 – 12:30"),
        ):  # fmt: skip
            await page.keyboard.press(keys)
            await expect(block).to_contain_text(shown)
            await expect(link).to_be_focused()
        await expect(wednesday.locator(".block")).to_contain_text("11:15 – 12:30")
        await page.locator("#told").get_by_role("button", name="Undo").click()
        await expect(page.get_by_role("status")).to_have_text("It is back at its former time.")
        await expect(thursday).to_contain_text("11:15 – 12:30")
        assert all("409" in one for one in complaints), complaints


async def _a_refused_move_returns(page: Page, block: Locator) -> None:
    before = await block.bounding_box()
    await page.route("**/item/move?*", _overtaken)
    await drag(page, block, (40, 8), by=(0, 2 * await hour(page)))
    await expect(page.get_by_role("alert")).to_contain_text("It was not moved. It was changed meanwhile")
    await page.unroute("**/item/move?*")
    await expect(block).not_to_have_class(re.compile("carried"))
    await expect(block).to_contain_text("11:00 – 12:00")
    after = await block.bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"], after["height"]) == (before["x"], before["height"])


async def test_a_bar_of_the_month_is_moved_and_hours_are_walked_by_keys(
    town: GuideAddresses, browser: Browser
) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-month"))
        await page.goto(f"{town.product}/my-calendar?week={DAY}")
        await page.locator(f"#d{DAY}").focus()
        for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
            await page.keyboard.press(key)
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Start", exact=True)).to_have_value("2027-02-11")
        await expect(page.get_by_label("Start time")).to_have_value("08:00")
        await page.get_by_label("Subject").fill("Fair")
        await page.get_by_label("All day").check()
        await page.get_by_label("End", exact=True).fill("2027-02-12")
        await press(page, "Add")
        await page.goto(f"{town.product}/my-calendar?month=2027-02")
        bar = page.locator('td[data-day="2027-02-11"] .item')
        target = await page.locator('td[data-day="2027-02-16"]').bounding_box()
        start = await bar.bounding_box()
        assert target is not None
        assert start is not None
        await drag(page, bar, (30, 6), by=(target["x"] - start["x"], target["y"] - start["y"] + 20))
        await expect(page.locator("#told")).to_have_text("Moved: Tuesday, 16 February 2027Undo")
        await expect(page.locator('td[data-day="2027-02-17"] .item')).to_have_attribute("title", "Fair")
        await page.reload()
        await page.locator("body").press("n")
        await expect(page.get_by_label("Start", exact=True)).to_have_value("2027-02-01")


async def test_the_end_follows_the_start_as_it_is_typed(town: GuideAddresses, browser: Browser) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-end"))
        await page.goto(f"{town.product}/my-calendar/new?day={DAY}&at=22:00")
        await page.get_by_label("Start time").fill("23:30")
        await expect(page.get_by_label("End time")).to_have_value("00:30")
        await expect(page.get_by_label("End", exact=True)).to_have_value("2027-02-11")
        await page.get_by_label("Start", exact=True).fill("2027-02-12")
        await expect(page.get_by_label("End", exact=True)).to_have_value("2027-02-13")


async def test_r50_what_is_deleted_and_undone_is_there_once_on_both_sides(
    town: GuideAddresses, browser: Browser
) -> None:
    """Through the usual way out: it goes from the linked calendar and comes back as it was."""
    day = datetime.now(UTC).date() + timedelta(days=2)
    async with window(browser) as opened:
        page = await opened.new_page()
        calendar_id = await set_up(page, town, "u-undo")
        await page.goto(f"{town.product}/my-calendar/new?day={day}&view=day")
        await page.get_by_label("Subject").fill("Back again")
        await press(page, "Add")
        await appeared(page, town, calendar_id, "Back again")
        block = page.locator(".block").get_by_role("link", name=re.compile("Back again"))
        await block.click()
        await press(page, "Delete", role="link")
        await press(page, "Delete")
        await expect(page.get_by_role("status")).to_contain_text("The appointment was deleted.")
        await until_listed(town, calendar_id, "Back again", times=0)
        await press(page, "Undo")
        await expect(block).to_be_visible()
        await until_listed(town, calendar_id, "Back again", times=1)
        assert await block.count() == 1


async def until_listed(town: GuideAddresses, calendar_id: str, title: str, *, times: int) -> None:
    """The linked calendar has it so many times."""

    async def listed() -> bool:
        return (await events(town, calendar_id)).count(title) == times

    await until(listed, what=f"{title} {times} times")


async def test_all_of_it_without_script_on_a_phone(town: GuideAddresses, browser: Browser) -> None:
    """Added at an hour, moved by its form, found, hidden by a filter, deleted and undone."""
    async with window(browser, size=PHONE_SCREEN, script=False) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-forms"))
        await page.goto(f"{town.product}/my-calendar?day={DAY}")
        await page.locator('.slot[data-hour="14"]').click()
        await page.get_by_label("Subject").fill("By form")
        await press(page, "Add")
        block = page.locator(".block").filter(has_text="By form")
        await expect(block).to_contain_text("14:00 – 15:00")
        await block.get_by_role("link").click()
        await page.get_by_label("Start time").fill("16:30")
        await press(page, "Save")
        await expect(block).to_contain_text("16:30 – 17:30")
        await expect(page.get_by_role("link", name="Refresh")).to_be_visible()
        await page.get_by_text("Filter", exact=True).click()
        await page.get_by_label("Appointments").uncheck()
        await press(page, "Show these")
        await expect(block).to_have_count(0)
        await press(page, "Show everything", role="link")
        await page.get_by_label("Search My Calendar").fill("BY F")
        await press(page, "Search")
        await page.get_by_role("link", name="By form", exact=True).click()
        await press(page, "Delete", role="link")
        await press(page, "Delete")
        await press(page, "Undo")
        await expect(page.get_by_text("The appointment is there again, as it was.")).to_be_visible()


async def test_no_view_is_wider_than_the_screen_or_shuts_anybody_out(
    town: GuideAddresses, browser: Browser
) -> None:
    """axe-core finds nothing on any view, light, dark and in forced colours, on a desk and on a phone."""
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-views"))
        for title, start, end, last in (
            ("Long", "09:00", "12:00", DAY), ("Short", "10:00", "10:30", DAY),
            ("Night", "22:00", "06:00", DAY + timedelta(days=1)),
            ("Trip", "08:00", "18:00", DAY + timedelta(days=3)),
        ):  # fmt: skip
            await page.goto(f"{town.product}/my-calendar/new?day={DAY}")
            await page.get_by_label("Subject").fill(f"{title} and a rather long subject to be cut")
            for label, value in (("Start time", start), ("End time", end)):
                await page.get_by_label(label).fill(value)
            await page.get_by_label("End", exact=True).fill(str(last))
            await page.get_by_label("Private").check()
            await press(page, "Add")
        paths = [f"?{view}" for view in VIEWS] + [f"?week={DAY}&type=task", "?q=long", "/deleted"]
        for path in paths:
            await open_to_all(page, f"{town.product}/my-calendar{path}")
            await page.emulate_media(forced_colors="active")
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            await page.emulate_media(forced_colors="none")
            await page.set_viewport_size({"width": 768, "height": 900})
            wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, path


async def test_a_lost_server_is_told_and_a_found_one_too(town: GuideAddresses, browser: Browser) -> None:
    async with window(browser) as opened:
        page = await opened.new_page()
        await page.goto(town.sign_in("u-lost"))
        await page.goto(f"{town.product}/my-calendar?month=2027-02")
        await opened.set_offline(True)
        told = page.get_by_role("alert").filter(has_text="Calendar Sync does not answer since")
        await expect(told).to_be_visible(timeout=PATIENT_MILLISECONDS)
        await opened.set_offline(False)
        await expect(told).to_have_count(0, timeout=PATIENT_MILLISECONDS)


async def _overtaken(route: Route) -> None:
    """Let it come as from a page that was opened before the last changes."""
    await route.continue_(post_data=re.sub(r"version=\d+", "version=1", route.request.post_data or ""))

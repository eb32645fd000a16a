"""The guide followed click by click in a real browser, with the product as ``up --demo`` (G4–G18)."""

import re
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Route, expect

from service.web.locales import DEFAULT_PREFERENCES
from tests.support.guide import (
    ACCOUNT,
    PATIENT_MILLISECONDS,
    PHONE_SCREEN,
    GuideAddresses,
    add_event,
    appeared,
    fill_in,
    listening,
    open_to_all,
    press,
    set_up,
    window,
)
from tests.support.waiting import until

pytestmark = pytest.mark.says("a sign-in token")

LIVE = """<!doctype html><title>Live</title><script src="/static/comfort.js" defer></script><main id="main">
<div id="part" data-live="0.2"><p>{said}</p>
<details><summary>Both values</summary>one and the other</details></div></main>"""


async def test_the_guide_click_by_click(town: GuideAddresses, browser: Browser) -> None:
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
        await expect(page.get_by_title("Lunch with Contoso")).to_be_visible(timeout=PATIENT_MILLISECONDS)
        await press(page, "Calendar Sync", role="link")
        await press(page, "Logs: Calendar", role="link")
        await expect(page.locator("#log").get_by_text("Done", exact=True)).to_be_visible()
        await press(page, "Real-time changes", role="link")
        await expect(page.get_by_text("Lunch with Contoso").first).to_be_visible()
        assert complaints == []


async def test_the_guide_without_script_on_a_phone(town: GuideAddresses, browser: Browser) -> None:
    """G4–G18 by links and forms alone, then deleted with its copies (G13, R21)."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    async with window(browser, size=PHONE_SCREEN, script=False) as opened:
        page = await opened.new_page()
        calendar_id = await set_up(page, town, "u-plain")
        await page.goto(f"{town.product}/my-calendar?day={tomorrow}")
        await press(page, "Add appointment", role="link")
        await fill_in(page, "Plain visit")
        await appeared(page, town, calendar_id, "Plain visit")
        await add_event(town, calendar_id, "Plain lunch", tomorrow)
        deadline = time.monotonic() + PATIENT_MILLISECONDS / 1000
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


async def test_keys_do_what_the_mouse_does(town: GuideAddresses, browser: Browser) -> None:
    """Arrows move over the days, N adds an appointment; ranges wait for their option (G9)."""
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await page.goto(town.sign_in("u-keys"))
        await page.goto(f"{town.product}/my-calendar?month=2026-12")
        await page.get_by_role(
            "link", name=re.compile(f"^{DEFAULT_PREFERENCES.long_day(date(2026, 12, 2))}")
        ).focus()
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
        await press(page, "Link it")
        await page.wait_for_url("**/settings/linked-calendar")
        await page.keyboard.press("Tab")
        await page.goto(page.url.replace("linked-calendar", "sync-options"))
        bringing = page.get_by_role("group", name="Retrieve linked calendar items:")
        await expect(bringing.get_by_label("Get Past Items")).to_be_disabled()
        await bringing.get_by_label("Enable").check()
        await expect(bringing.get_by_label("Get Past Items")).to_be_enabled()
        assert complaints == []


async def test_no_page_is_wider_than_the_screen_or_shuts_anybody_out(
    town: GuideAddresses, browser: Browser
) -> None:
    """axe-core finds nothing; at 360 and 1440 pixels, light and dark."""
    day = datetime.now(UTC).date()
    async with window(browser) as opened:
        page = await opened.new_page()
        await set_up(page, town, "u-look")
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
            f"/my-calendar?day={day}", "/my-calendar/new", "/sessions", "/signed-out", "/nowhere",
        ):  # fmt: skip
            await open_to_all(page, f"{town.product}{path}")


async def test_each_mistake_is_told_beside_its_field(town: GuideAddresses, browser: Browser) -> None:
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


async def test_nobody_loses_their_place_or_what_they_typed(town: GuideAddresses, browser: Browser) -> None:
    """The focus returns to the button that was pressed, a form is sent once, a session's end is told."""
    day = datetime.now(UTC).date() + timedelta(days=3)
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await set_up(page, town, "u-place")
        switch = page.get_by_role("switch", name="Active: Calendar")
        await page.keyboard.press("Tab")
        for key, checked in (("Space", "false"), ("Enter", "true")):
            await switch.focus()
            await page.keyboard.press(key)
            await expect(switch).to_have_attribute("aria-checked", checked)
            await expect(switch).to_be_focused()
        await page.goto(f"{town.product}/my-calendar/new?day={day}&view=day")
        subject = page.get_by_label("Subject")
        await subject.press("Enter")
        await expect(page.get_by_text("Give the appointment a subject.")).to_be_visible()
        await expect(subject).to_be_focused()
        await subject.fill("Typed once")
        await page.get_by_role("button", name="Add", exact=True).dblclick()
        await expect(page.locator(".block a").filter(has_text="Typed once")).to_have_count(1)
        assert all("422" in one for one in complaints), complaints
        await opened.clear_cookies()
        await expect(page.get_by_role("alert").filter(has_text="Your session has ended")).to_be_visible()
        await page.goto(town.sign_in("u-place"))
        await page.goto(f"{town.product}/my-calendar/new?day={day}&view=day")
        await subject.fill("Typed before the end")
        await opened.clear_cookies()
        await subject.press("Enter")
        await expect(page.get_by_text("What you entered is kept in this window.")).to_be_visible()
        other = await opened.new_page()
        await other.goto(town.sign_in("u-place", name="Pat Place"))
        await press(page, "Send it again")
        await expect(page.get_by_text("Pat Place", exact=True).first).to_be_visible()
        await press(page, "Add the appointment")
        await expect(page.locator('.block a[title^="Typed before the end"]')).to_be_visible()


async def test_what_is_opened_stays_the_same_until_something_changes(
    town: GuideAddresses, browser: Browser
) -> None:
    """A reader is not thrown out of it by an answer that says nothing new."""
    said, asked = ["before"], []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(content_type="text/html", body=LIVE.format(said=said[0]))

    async with window(browser) as opened:
        page = await opened.new_page()
        await page.route("**/live", answer)
        await page.goto(f"{town.product}/live")
        await page.get_by_text("Both values").click()
        await page.evaluate("window.seen = document.getElementById('part')")
        before = len(asked)
        await until(lambda: len(asked) > before + 2, what="the third answer")
        assert await page.evaluate("window.seen.isConnected")
        said[0] = "after"
        await expect(page.get_by_text("after")).to_be_visible()
        await expect(page.get_by_text("one and the other")).to_be_visible()

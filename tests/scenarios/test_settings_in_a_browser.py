"""Settings, the list and what needs the person, in a real browser with and without script (G6, G11, R48)."""

import pytest
from playwright.async_api import Browser, Dialog, Page, expect

from tests.support.guide import (
    PHONE_SCREEN,
    GuideAddresses,
    listening,
    open_to_all,
    press,
    set_up,
    window,
)

pytestmark = pytest.mark.says("a sign-in token")

SMALLEST_TARGET = 24
INSIDE_A_SENTENCE = "p:not(.acts), .rows li, .unseen"
TARGETS = """([sentence, smallest]) =>
  [...document.querySelectorAll("main a, main button, main input, main select, header a, header button")]
    .filter((one) => one.checkVisibility() && !one.closest(sentence))
    .filter((one) => !one.matches(".unseen, .skip, [type=hidden]"))
    .map((one) => [one.outerHTML.slice(0, 80), (one.closest("label") ?? one).getBoundingClientRect()])
    .filter(([, box]) => box.height < smallest || box.width < smallest).map(([said]) => said)"""


async def _settings_of(page: Page, town: GuideAddresses) -> str:
    address = await page.get_by_role("link", name="Settings: Calendar").get_attribute("href")
    return f"{town.product}{address}".removesuffix("/linked-calendar")


@pytest.mark.parametrize("script", [True, False])
async def test_g6_what_is_left_unsaved_is_asked_about(
    script: bool, town: GuideAddresses, browser: Browser
) -> None:
    """On coming back; with script on leaving, too, where something was typed and not sent."""
    asked: list[str] = []

    async def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    async with window(browser, script=script) as opened:
        page = await opened.new_page()
        page.on("dialog", leave)
        complaints = listening(page, town)
        await set_up(page, town, f"u-unsaved-{script}")
        at = await _settings_of(page, town)
        await page.goto(f"{at}/your-calendar")
        await page.get_by_label("Tasks").uncheck()
        await press(page, "Next")
        await page.get_by_role("group", name="Retrieve linked").get_by_label("Enable").check()
        await page.goto(f"{at}/linked-calendar")
        assert asked == (["beforeunload"] if script else [])
        await expect(
            page.get_by_role("heading", name="These settings were changed, and not saved")
        ).to_be_visible()
        await press(page, "Resume", role="link")
        await page.get_by_role("button", name="Your Calendar", exact=True).click()
        await expect(page.get_by_label("Tasks")).not_to_be_checked()
        await page.goto(f"{at}/your-calendar")
        await press(page, "Forget them")
        await page.get_by_role("button", name="Your Calendar", exact=True).click()
        await expect(page.get_by_label("Tasks")).to_be_checked()
        await page.get_by_label("Tasks").uncheck()
        await press(page, "Save")
        await expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        await page.reload()
        await expect(page.get_by_label("Tasks")).not_to_be_checked()
        await expect(page.get_by_text("Saved.", exact=True)).to_have_count(0)
        assert complaints == []


@pytest.mark.parametrize("script", [True, False])
async def test_g11_the_switch_is_undone_and_sync_now_says_what_it_does(
    script: bool, town: GuideAddresses, browser: Browser
) -> None:
    """From the note that confirms it; and the list follows the run, or offers to look again."""
    async with window(browser, script=script) as opened:
        page = await opened.new_page()
        await set_up(page, town, f"u-switch-{script}")
        switch = page.get_by_role("switch", name="Active: Calendar")
        await switch.click()
        await expect(switch).not_to_be_checked()
        await press(page, "Undo: activate Calendar again")
        await expect(switch).to_be_checked()
        if not script:
            await expect(page.get_by_role("link", name="Look again")).to_be_visible()


async def test_r48_what_needs_the_person_is_seen_and_a_silent_server_is_said(
    town: GuideAddresses, browser: Browser
) -> None:
    """The mark comes by itself; the list says when it can no longer follow, and when it can again."""
    async with window(browser) as opened:
        page = await opened.new_page()
        await set_up(page, town, "u-mark")
        at = await _settings_of(page, town)
        await page.goto(f"{town.product}/calendar-sync")
        await page.route("**/calendar-sync", lambda route: route.abort())
        await expect(page.get_by_role("alert").filter(has_text="does not answer since")).to_be_visible()
        await page.unroute("**/calendar-sync")
        await expect(page.locator("#silence")).to_have_count(0)
        await page.goto(f"{town.product}/my-calendar")
        await expect(page.locator("#sync-mark .alert")).to_have_count(0)
        await _lose(town, at.split("/")[-2])
        await expect(page.get_by_text(") is not connected")).to_be_visible()
        await expect(page.locator("#sync-mark .alert")).to_be_visible()
        for path in ("/my-calendar", "/calendar-sync"):
            await open_to_all(page, f"{town.product}{path}")


async def _lose(town: GuideAddresses, integration_id: str) -> None:
    town.change(
        "UPDATE integrations SET status = 'not_connected', reason = 'permission_withdrawn', "
        "grant_refused = 1 WHERE id = ?",
        integration_id,
    )


async def test_whoever_has_large_fingers_or_forced_colours_is_served(
    town: GuideAddresses, browser: Browser
) -> None:
    """Nothing to press is smaller than 24 pixels on a phone, no mark breaks, the switch shows its state."""
    async with window(browser, size=PHONE_SCREEN) as opened:
        page = await opened.new_page()
        await set_up(page, town, "u-fingers")
        at = await _settings_of(page, town)
        paths = [
            f"{at}/{tab}" for tab in ("linked-calendar", "your-calendar", "sync-options", "confirmation")
        ]
        for path in (f"{town.product}/calendar-sync", *paths, f"{at.removesuffix('/settings')}/logs"):
            await page.goto(path)
            small = await page.evaluate(TARGETS, [INSIDE_A_SENTENCE, SMALLEST_TARGET])
            assert small == [], path
            pills = "[...document.querySelectorAll('.pill')].filter((one) => one.offsetHeight > 40).length"
            assert await page.evaluate(pills) == 0, path
        await page.goto(f"{town.product}/calendar-sync")
        await page.emulate_media(forced_colors="active")
        looks = "(one) => [null, '::before'].map((part) => getComputedStyle(one, part).backgroundColor)"
        frame, knob = await page.locator(".knob").evaluate(looks)
        assert frame != knob

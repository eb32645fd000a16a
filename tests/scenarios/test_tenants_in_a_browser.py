"""The administrator's page, and the undo of a sync, in a real browser with and without script (R47, R50)."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.guide import (
    PATIENT_MILLISECONDS,
    PHONE_SCREEN,
    WIDE_SCREEN,
    GuideAddresses,
    events,
    fill_in,
    listening,
    open_to_all,
    press,
    set_up,
    window,
)
from tests.support.waiting import until

pytestmark = pytest.mark.says("a sign-in token")


@pytest.mark.parametrize(
    ("user", "size", "script"),
    [("u-undo", WIDE_SCREEN, True), ("u-plain-undo", PHONE_SCREEN, False)],
    ids=["with script", "without script on a phone"],
)
async def test_r50_a_sync_is_undone_and_r47_the_administrator_pauses(
    town: GuideAddresses, browser: Browser, user: str, size: tuple[int, int], script: bool
) -> None:
    """The copy that the sync sent leaves the calendar; then many are paused, told of, and resumed."""
    day = datetime.now(UTC).date() + timedelta(days=1)
    async with window(browser, size=size, script=script) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await page.goto(town.sign_in(user))
        await page.goto(f"{town.product}/my-calendar/new?day={day}&view=day")
        await fill_in(page, "Site visit")
        await page.goto(f"{town.product}/calendar-sync")
        calendar_id = await set_up(page, town, user)
        await press(page, "Logs: Calendar", role="link")
        await page.locator("#log td a").first.click()
        await _is_over(page)
        assert await events(town, calendar_id) == ["Site visit"]
        await press(page, "Undo this sync…", role="link")
        await expect(page.get_by_text("1 change will be put back.")).to_be_visible()
        if script:
            await open_to_all(page, page.url)
        await press(page, "Undo this sync")
        await expect(page.get_by_text("The sync is being undone.")).to_be_visible()
        await _is_over(page)
        await _until_gone(town, calendar_id)

        await opened.clear_cookies()
        await page.goto(town.sign_in("u-boss", role="administrator", name="Boss"))
        await page.goto(f"{town.product}/administration?person={user}")
        if script:
            await open_to_all(page, page.url)
        await page.get_by_label(f"Choose Calendar of {user}").check()
        await press(page, "Pause…")
        await press(page, "Pause 1 integration")
        await expect(page.get_by_text("1 integration was paused.", exact=True)).to_be_visible()
        await press(page, "Undo")
        await expect(page.get_by_text("1 integration was resumed.", exact=True)).to_be_visible()
        await page.goto(f"{town.product}/administration?person={user}")
        # it stands above the table too while its pairs do not all agree
        await page.get_by_role("link", name=f"Log: Calendar of {user}", exact=True).last.click()
        await expect(page.get_by_text("Paused by administrator u-boss.")).to_be_visible()
        if script:
            await open_to_all(page, page.url)
        if script:
            await open_to_all(page, f"{town.product}/administration/person?who={user}")
        assert complaints == []


async def _is_over(page: Page) -> None:
    """Without script the page is loaded anew until it says so."""
    done = page.get_by_role("status").filter(has_text="Done")

    async def over() -> bool:
        if await done.count():
            return True
        await page.reload()
        return bool(await done.count())

    await until(over, seconds=PATIENT_MILLISECONDS / 1000, what="the end of the sync")


async def _until_gone(town: GuideAddresses, calendar_id: str) -> None:
    async def gone() -> bool:
        return await events(town, calendar_id) == []

    await until(gone, seconds=PATIENT_MILLISECONDS / 1000, what="the copy's removal")

"""What people do on either side, in a real browser: options, answers, ways back, both calendars at once."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, FrameLocator, Page, expect

from service.web.labels import STANDING
from tests.support.guide import (
    PATIENT_MILLISECONDS,
    PHONE_SCREEN,
    GuideAddresses,
    add_event,
    appeared,
    listening,
    open_to_all,
    press,
    set_up,
    window,
)

pytestmark = pytest.mark.says("a sign-in token")
IRIS = "Iris iCloud (iris.icloud@example.test)"
EDGAR = "Edgar Exchange (edgar.exchange@example.test)"
ODETTE = "Odette Outlook (odette.outlook@example.test)"
PAST = ("Today", "1 week", "2 weeks", "1 month")
FUTURE = ("Today", "1 week", "1 month", "3 months", "6 months")
SEEN_THERE = re.compile(r"^On your calendar · \d\d? \w{3} \d{4}, \d\d:\d\d:\d\d$")
TYPES = ("Appointments", "CRM Activities", "Service Calls", "Tasks", "To Dos")

WIDTHS_OF_STANDINGS = """standings => Math.max(...standings.map(words => {
    document.querySelector("#story .pill > span").textContent = words;
    return document.documentElement.scrollWidth;
}))"""
"""The widest that a story makes its page, whatever it says of a copy."""


async def test_each_option_of_each_tab_reaches_the_confirmation(
    town: GuideAddresses, browser: Browser
) -> None:
    """G7–G10: every calendar, box and range, back and forth without losing one."""
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await page.goto(town.sign_in("u-options"))
        await press(page, "Click to Connect", role="link")
        await press(page, EDGAR)
        await press(page, "Link it")
        calendars = page.get_by_label("Linked calendar")
        await expect(calendars.locator("option")).to_have_text(
            ["Calendar", "Family", "Public holidays (read-only)"]
        )
        await calendars.select_option(label="Public holidays (read-only)")
        await press(page, "Next")
        await press(page, "Next")
        await expect(page.get_by_text(re.compile("is read-only: choose another calendar"))).to_be_visible()
        await press(page, "Back")
        await calendars.select_option(label="Family")
        await check_all(page, dict.fromkeys(("Create", "Update", "Delete"), False))
        await press(page, "Next")
        await check_all(page, dict.fromkeys(TYPES, False))
        await press(page, "Next")
        await expect(page.get_by_text(re.compile("Select at least one event type"))).to_be_visible()
        for word in TYPES:
            await page.get_by_label(word, exact=True).check()
        await press(page, "Linked Calendar")
        for word in ("Update", "Delete"):
            await page.get_by_label(word, exact=True).check()
        await press(page, "Sync Options")
        for at, future in enumerate((*FUTURE, "12 months")):
            await choose_ranges(page, PAST[at % len(PAST)], future)
            await press(page, "Next")
            await expect(page.locator(".summary")).to_contain_text(f"past: {PAST[at % 4]}, future: {future}")
            await press(page, "Back")
        await press(page, "Confirmation")
        for words in ("Family", "Update, Delete", ", ".join(TYPES)):
            await expect(page.get_by_text(words, exact=True)).to_be_visible()
        assert [said for said in complaints if "422" not in said] == []


async def check_all(page: Page, boxes: dict[str, bool]) -> None:
    for word, checked in boxes.items():
        await page.get_by_label(word, exact=True).set_checked(checked)


async def choose_ranges(page: Page, past: str, future: str) -> None:
    """Both directions where both have them; Send alone reaches twelve months ahead (R24)."""
    for legend in ("Retrieve linked calendar items:", "Send my calendar items:"):
        group = page.get_by_role("group", name=legend)
        await group.get_by_label("Enable").check()
        await group.get_by_label("Get Past Items").select_option(value=past.lower().replace(" ", "_"))
        if future in FUTURE or legend.startswith("Send"):
            await group.get_by_label("Get Future Items").select_option(value=future.lower().replace(" ", "_"))


async def test_each_reason_of_not_connected_has_the_button_that_mends_it(
    town: GuideAddresses, browser: Browser
) -> None:
    """R22: the calendar is gone, has become read-only, or the permission was withdrawn."""
    async with window(browser) as opened:
        page = await opened.new_page()
        first = await set_up(page, town, "u-broken", account=IRIS)
        await breaks(page, town, missing=[first])
        await expect(page.get_by_text("The linked calendar is no longer there.")).to_be_visible()
        family = await choose_another(page, "Calendar", "Family")
        await breaks(page, town, missing=[], read_only=[family])
        await expect(page.get_by_text("The linked calendar has become read-only.")).to_be_visible()
        await town.control("POST", "/faults", read_only=[])
        await choose_another(page, "Family", "Family")
        await breaks(page, town, revoke=["iris.icloud@example.test"])
        await expect(
            page.get_by_text("The permission to use this calendar account was withdrawn.")
        ).to_be_visible()
        await press(page, "Reconnect: Family", role="link")
        await press(page, IRIS)
        await press(page, "Link it")
        await page.goto(f"{town.product}/calendar-sync")
        await expect(page.get_by_text("Connected", exact=True)).to_be_visible()


async def breaks(page: Page, town: GuideAddresses, **fault: Any) -> None:
    """It is found out with the next item that is to be sent."""
    await town.control("POST", "/faults", **fault)
    town.let_a_minute_pass()
    await page.goto(f"{town.product}/my-calendar/new")
    await page.get_by_label("Subject").fill("Found out")
    await press(page, "Add")
    await until(page, f"{town.product}/calendar-sync", "Not Connected")


async def until(page: Page, address: str, words: str) -> None:
    """Open the page until it says so."""
    await page.goto(address)
    for _ in range(PATIENT_MILLISECONDS // 250):
        if await page.get_by_text(words, exact=True).count():
            return
        await page.wait_for_timeout(250)
        await page.goto(address)
    await expect(page.get_by_text(words, exact=True)).to_be_visible()


async def choose_another(page: Page, before: str, after: str) -> str:
    """By the button; the other calendar's id."""
    await press(page, f"Choose another calendar: {before}", role="link")
    calendars = page.get_by_label("Linked calendar")
    await calendars.select_option(label=after)
    calendar_id = await calendars.input_value()
    await press(page, "Confirmation")
    await press(page, "Finish")
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    return calendar_id


@pytest.mark.parametrize("answer", ["Keep them", "Delete them"])
async def test_many_deletions_wait_for_an_answer(answer: str, town: GuideAddresses, browser: Browser) -> None:
    """R11: nothing is deleted before, and both answers are carried out."""
    day = datetime.now(UTC).date() + timedelta(days=2)
    user = f"u-{answer.split(maxsplit=1)[0].lower()}"
    async with window(browser, size=PHONE_SCREEN, script=False) as opened:
        page = await opened.new_page()
        calendar_id = await set_up(page, town, user, account=ODETTE, deletes=True)
        titles = [f"Stand-up {user} {number}" for number in range(11)]
        for title in titles:
            await add_event(town, calendar_id, title, day)
        at = f"{town.product}/my-calendar?agenda={day}"
        await until(page, at, titles[-1])
        await town.delete_all(calendar_id, titles)
        await until(page, f"{town.product}/calendar-sync", "Needs your answer.")
        await page.get_by_role("link", name="See and answer what was deleted: Calendar").click()
        await press(page, f"{answer}: Calendar")
        if answer == "Delete them":
            await press(page, "Delete 11 items")
        await page.goto(at)
        if answer == "Keep them":
            for title in titles:
                await expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
        else:
            await until(page, at, "Nothing is on these days.")


async def test_both_sides_at_once(town: GuideAddresses, browser: Browser) -> None:
    """G17, G18 and G8 in the demonstration's own frames, and the story of what crossed."""
    async with window(browser) as opened:
        page = await opened.new_page()
        complaints = listening(page, town)
        await set_up(page, town, "u-stage")
        await page.goto(f"{town.product}/demo")
        mine, theirs = (
            page.frame_locator('[title="My Calendar"]'),
            page.frame_locator('[title="Linked calendar"]'),
        )
        await press(page, "Assign a service call")
        await seen(theirs, "Contoso – Replace the firewall")
        await seen(mine, "Replace the firewall")
        await press(page, "Complete: Replace the firewall")
        await press(page, "Reassign to Alex: Replace the firewall")
        await expect(theirs.get_by_title("Contoso – Replace the firewall")).to_have_count(
            0, timeout=PATIENT_MILLISECONDS
        )
        await press(page, "Assign back to me: Replace the firewall")
        await seen(theirs, "Contoso – Replace the firewall")
        await theirs.get_by_role("link", name="New event", exact=True).click()
        await theirs.get_by_label("Title").fill("Dinner with Fabrikam")
        await theirs.get_by_role("button", name="Save").click()
        await seen(mine, "Dinner with Fabrikam")
        await theirs.get_by_title("Dinner with Fabrikam").click()
        await theirs.get_by_label("Start time").fill("18:00")
        await theirs.get_by_label("End time").fill("21:00")
        await theirs.get_by_role("button", name="Save").click()
        await expect(mine.get_by_title("Dinner with Fabrikam")).to_contain_text(
            "18:00", timeout=PATIENT_MILLISECONDS
        )
        await press(page, "Delete: Replace the firewall")
        await expect(theirs.get_by_title("Contoso – Replace the firewall")).to_have_count(
            0, timeout=PATIENT_MILLISECONDS
        )
        await mine.get_by_title("Dinner with Fabrikam").click()
        await expect(mine.get_by_role("heading", name="Story")).to_be_visible()
        await expect(mine.get_by_text(SEEN_THERE)).to_be_visible()
        await expect(mine.get_by_text("Updated on My Calendar, from Calendar")).to_be_visible()
        assert complaints == []


async def seen(frame: FrameLocator, title: str) -> None:
    await expect(frame.get_by_title(title)).to_be_visible(timeout=PATIENT_MILLISECONDS)


async def test_a_copy_is_read_back_while_its_story_is_open(town: GuideAddresses, browser: Browser) -> None:
    """*On its way* until Cronofy shows it, then the moment at which it did."""
    async with window(browser) as opened:
        page = await opened.new_page()
        calendar_id = await set_up(page, town, "u-story")
        await page.goto(f"{town.product}/my-calendar/new")
        await page.get_by_label("Subject").fill("Seen there")
        await press(page, "Add")
        await appeared(page, town, calendar_id, "Seen there")
        await page.get_by_title("Seen there").click()
        await expect(page.get_by_text(SEEN_THERE)).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
async def test_finish_is_rehearsed_and_then_does_just_that(
    script: bool, town: GuideAddresses, browser: Browser
) -> None:
    """By itself with script, by a button without; each line opens."""
    day = datetime.now(UTC).date()
    async with window(browser, script=script) as opened:
        page = await opened.new_page()
        user = f"u-rehearse-{script}".lower()
        await page.goto(town.sign_in(user))
        await page.goto(f"{town.product}/my-calendar/new?day={day}")
        await page.get_by_label("Subject").fill(f"Firewall {user}")
        await press(page, "Add")
        await press(page, "Calendar Sync", role="link")
        await press(page, "Click to Connect", role="link")
        await press(page, EDGAR)
        await press(page, "Link it")
        await page.get_by_label("Linked calendar").select_option(label="Family")
        await press(page, "Sync Options")
        sending = page.get_by_role("group", name="Send my calendar items:")
        await sending.get_by_label("Enable").check()
        await press(page, "Next")
        if not script:
            await press(page, "Rehearse")
        line = page.get_by_text("Will add 1 to Family")
        await line.click()
        await expect(page.get_by_text(f"Firewall {user}")).to_be_visible()
        found = await Axe().run(page) if script else None
        assert not found or found.violations_count == 0, found.generate_report() if found else ""
        calendar_id = await family_of(town)
        await press(page, "Finish")
        await appeared(page, town, calendar_id, f"Firewall {user}")


async def family_of(town: GuideAddresses) -> str:
    """Edgar's, at the provider."""
    people = (await town.control("GET", "/accounts"))["accounts"]
    edgar = next(one for one in people if one["email"] == "edgar.exchange@example.test")
    return str(next(one["key"] for one in edgar["calendars"] if one["name"] == "Family"))


async def test_the_demonstrations_pages_shut_nobody_out(town: GuideAddresses, browser: Browser) -> None:
    """The stage, an item's story, the provider's side."""
    async with window(browser) as opened:
        page = await opened.new_page()
        calendar_id = await set_up(page, town, "u-sides")
        await page.goto(f"{town.product}/demo")
        await press(page, "Assign a service call")
        await appeared(page, town, calendar_id, "Contoso – Replace the firewall")
        await page.goto(f"{town.product}/my-calendar")
        story = await page.get_by_title("Replace the firewall").first.get_attribute("href")
        owner = f"{town.provider}/owner/{calendar_id}"
        for address in (
            f"{town.product}/demo", f"{town.product}{story}", town.provider, owner, f"{owner}/event",
        ):  # fmt: skip
            await open_to_all(page, address)
        await page.goto(f"{town.product}{story}")
        assert await page.evaluate(WIDTHS_OF_STANDINGS, list(STANDING.values())) <= PHONE_SCREEN[0]

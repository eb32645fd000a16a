"""Where a page cannot be shown: a sentence, a way on, and nothing lost that somebody typed (DESIGN 11)."""

import pytest

from service.store.tables import outbox
from service.web.passes import SESSION_COOKIE, SESSION_LIFE
from tests.support.office import Office
from tests.support.pages import Browser

HEADERS = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
DAY = "2026-12-03"
TYPED = {"title": "Visit \u202b<b>Łódź</b>", "start_day": DAY, "end_day": DAY, "all_day": "on"}


@pytest.fixture
async def browser(office: Office) -> Browser:
    office.client.headers.update(HEADERS)
    return Browser(client=office.client)


@pytest.mark.parametrize("address", ["/calendar-sync", "/my-calendar/new", "/sign-in?token=x.y.z"])
async def test_who_is_not_signed_in_is_told_how_and_led_to_nothing_that_refuses(
    address: str, browser: Browser
) -> None:
    page = await browser.open(address)
    assert page.status == 401
    assert "Open My Calendar in Vorex" in page.words
    assert "DecodeError" not in page.words
    assert [one.label for one in page.links] == ["Skip to the content"]


async def test_a_page_that_is_not_there_keeps_the_way_of_whoever_asked(
    browser: Browser, office: Office
) -> None:
    await office.sign_in(role="operator", name="Olga")
    page = await browser.open("/nowhere")
    assert (page.status, page.link("Operations")) == (404, "/operations")
    assert "There is no such page" in page.words
    assert "Not Found" not in page.words
    assert "404" in page.words
    await office.sign_in()
    page = await browser.open("/operations")
    assert (page.status, page.link("Calendar Sync")) == (404, "/calendar-sync")
    assert "Operations" not in [one.label for one in page.links]


async def test_a_return_from_cronofy_that_nobody_began_leads_back_to_the_list(
    browser: Browser, office: Office
) -> None:
    await office.sign_in()
    page = await browser.open("/calendar-sync/callback?state=x&code=y")
    assert page.status == 400
    assert "Click to Connect" in page.words
    assert "DecodeError" not in page.words


async def test_what_was_typed_outlives_the_session(browser: Browser, office: Office) -> None:
    """Nothing is written without a session, and nothing unasked under a new one."""
    await office.sign_in()
    await browser.open("/my-calendar/new")
    await office.clock.pass_time(SESSION_LIFE.total_seconds() + 1)
    page = await browser.press("Add", changes=dict(TYPED))
    assert page.status == 401
    assert "Nothing was saved" in page.words
    office.client.cookies.clear()
    await office.sign_in(name="Sam Smith")
    page = await browser.press("Send it again")
    assert page.status == 403
    assert "Sam Smith" in page.words
    assert await office.rows(outbox) == []
    page = await browser.press("Send it now")
    assert (page.status, "The appointment was added." in page.words) == (200, True)
    assert TYPED["title"] in (await office.rows(outbox))[-1]["body"].decode()


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
async def test_another_sites_form_is_never_handed_on(site: str, browser: Browser, office: Office) -> None:
    await office.sign_in()
    office.client.headers["Sec-Fetch-Site"] = site
    for status in (403, 401):
        answer = await office.client.post("/my-calendar/new", data=TYPED)
        assert (answer.status_code, "Visit" in answer.text) == (status, False)
        office.client.cookies.delete(SESSION_COOKIE)

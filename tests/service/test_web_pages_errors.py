"""Where a page cannot be shown: a sentence, a way on, and nothing lost that somebody typed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import httpx
import pytest

from contracts.envelope import LARGEST_BODY
from service.integrations.my_calendar import MyCalendar
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.tables import integrations, outbox
from service.web.tokens import SESSION_COOKIE, SESSION_LIFE
from tests.support.office import Office, Unwritable, open_office
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
    assert [one.label for one in page.links] == ["Skip to the content", "Help"]
    assert ("This link does not open now" in page.words) is address.startswith("/sign-in")


@pytest.mark.parametrize(
    ("address", "label"), [("/calendar-sync", "Sign in"), ("/sign-in?token=x.y.z", "Back to Vorex")]
)
async def test_who_is_not_signed_in_is_led_to_vorex(address: str, label: str, sqlite_url: str) -> None:
    """Where it is known where Vorex is."""
    async with open_office(sqlite_url, vorex_url="https://vorex.example") as office:
        office.client.headers.update(HEADERS)
        page = await Browser(client=office.client).open(address)
        assert (page.status, page.link(label)) == (401, "https://vorex.example")


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
    page = await browser.press("Add the appointment")
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


async def test_an_act_without_anything_typed_is_not_handed_on_to_whoever_signs_in(
    browser: Browser, office: Office
) -> None:
    """Nobody deletes or finishes for another person by a button that does not say so."""
    integration_id = await office.finished()
    for path, fields in (
        (f"/calendar-sync/{integration_id}/delete", {"copies": "remove"}),
        (f"/calendar-sync/{integration_id}/settings/confirmation", {"to": "finish", "seen": "x"}),
        ("/my-calendar/item/delete?key=appointment:1", {"view": "day"}),
        ("/operations/dead-letters/replay", {"letter": "x", "rate": "5"}),
    ):
        office.client.cookies.clear()
        told = await office.client.post(path, data=fields)
        assert (told.status_code, "<form" in told.text) == (401, False), path
        assert "Nothing was done. Sign in and open the page again." in told.text
        await office.sign_in(role="operator")
        told = await office.client.post(path, data=fields)
        assert (told.status_code, told.text.count("<form")) == (403, 1), path
        assert 'action="/sign-out"' in told.text
        assert "so nothing was done. Open the page again." in told.text
    (row,) = await office.rows(integrations)
    assert row["deleted_at"] is None


async def test_what_was_chosen_in_a_step_is_handed_on_without_what_was_pressed(
    browser: Browser, office: Office
) -> None:
    """Sync now and Finish are pressed where their settings are read."""
    integration_id = await office.finished()
    await office.sign_in()
    await browser.open(f"/calendar-sync/{integration_id}/settings/sync-options")
    await office.sign_in()
    page = await browser.press("Sync now", changes={"retrieve": "yes", "retrieve_past": "1_week"})
    assert page.status == 403
    page = await browser.press("Go on with the settings")
    assert page.path.endswith("/confirmation")
    assert "1 week" in page.words
    assert await office.unfinished("sync_now") == []


async def test_a_mended_message_outlives_the_session(browser: Browser, office: Office) -> None:
    """It is sent by a button that says so, as the operator who reads it."""
    path = f"/operations/dead-letters/{new_id()}/edit"
    told = await office.client.post(path, data={"data": "{}"})
    assert (told.status_code, "Send it again" in told.text) == (401, True)
    await office.sign_in(role="operator")
    told = await office.client.post(path, data={"data": "{}"})
    assert (told.status_code, "Send the mended copy" in told.text) == (403, True)


async def test_what_was_typed_outlives_a_database_that_is_away(browser: Browser, office: Office) -> None:
    """And is added once it is back; a form with nothing typed is sent again by its sender."""
    store = Unwritable(office.store)
    calendar = MyCalendar(cast("Store", store))
    office.app.state.services = replace(office.app.state.services, my_calendar=calendar)
    await office.sign_in()
    await browser.open("/my-calendar/new")
    page = await browser.press("Add", changes=dict(TYPED))
    assert (page.status, "It would be sent as Sam" in page.words) == (503, True)
    store.away = False
    page = await browser.press("Add the appointment")
    assert (page.status, "The appointment was added." in page.words) == (200, True)
    assert len(await office.rows(outbox)) == 1


@pytest.mark.parametrize("site", ["cross-site", "same-origin"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"no boundary"),
        ("application/x-www-form-urlencoded", b"title=" + b"x" * (LARGEST_BODY + 1)),
    ],
    ids=["malformed", "too long"],
)
async def test_who_is_not_signed_in_is_told_so_whatever_was_sent(
    site: str, kind: str, body: bytes, browser: Browser, office: Office
) -> None:
    headers = {"Sec-Fetch-Site": site, "Content-Type": kind}
    answer = await office.client.post("/my-calendar/new", content=body, headers=headers)
    assert answer.status_code == 401
    assert "Nothing was done" in answer.text


async def test_of_another_site_not_even_the_form_is_read(browser: Browser, office: Office) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"title=Visit")
        yield read[-1]

    headers = {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await office.client.post("/my-calendar/new", content=body(), headers=headers)
    assert (answer.status_code, read) == (401, [])


async def test_a_form_that_cannot_be_read_is_no_return_from_cronofy(browser: Browser, office: Office) -> None:
    await office.sign_in()
    kind = {"Content-Type": "multipart/form-data"}
    answer = await office.client.post("/my-calendar/new", content=b"no boundary", headers=kind)
    assert (answer.status_code, "Cronofy" in answer.text) == (400, False)


@pytest.mark.parametrize(
    ("method", "said"), [("GET", "Try once more in a moment."), ("POST", "Look whether it was done")]
)
async def test_after_a_bug_nothing_is_promised(method: str, said: str, office: Office) -> None:
    """It may have come after the save."""

    async def broken() -> None:
        raise ZeroDivisionError

    office.app.add_api_route("/broken", broken, methods=["GET", "POST"])
    answer: httpx.Response = await office.client.request(method, "/broken", headers=HEADERS)
    assert (answer.status_code, said in answer.text) == (500, True)
    assert "Nothing was saved" not in answer.text

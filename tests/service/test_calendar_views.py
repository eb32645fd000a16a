"""My Calendar's views by links and forms alone: hours, bars, filters, search, overlaps (G4, R49)."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from starlette.datastructures import FormData

from service.store.engine.store import Store
from service.store.tables import item_assignees, items
from service.web.pages.calendar.outlook import CalendarOutlook
from service.web.pages.form import FormSubmission
from service.web.tokens import Visitor
from tests.service.test_web_pages_calendar import GLYPHS, keep
from tests.support.office import Office, open_office
from tests.support.pages import Browser, ShownPage
from tests.support.processor_time import COUNTED, count, seconds_once

HOME = "/my-calendar"
WEEK = f"{HOME}?week=2026-12-03"
CROWD = 10_000
PAGE_COUNTS = 4_000_000
"""Counting so far takes about 100 ms."""


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz="Europe/Berlin", locale="en-GB")
    return Browser(client=office.client)


def classes_of(page: ShownPage, title: str) -> set[str]:
    """Those of the block or bar that holds the link of that title."""
    held: Mapping[str, str] = {}
    for tag, given in page.tags:
        held = given if tag == "li" else held
        if tag == "a" and given.get("title", "").startswith(title):
            return set(held.get("class", "").split())
    raise AssertionError(title)


async def test_each_view_leads_to_the_others_and_to_its_neighbours(browser: Browser) -> None:
    page = await browser.open(WEEK)
    assert "30 Nov – 6 Dec 2026" in page.words
    assert page.link("Week from Monday, 7 December 2026") == f"{HOME}?week=2026-12-10"
    assert "9 Dec" not in (await browser.follow("Day")).words
    assert "Thursday, 3 December 2026" in browser.page.words
    await browser.follow("Friday, 4 December 2026")
    page = await browser.follow("Agenda")
    assert "4 – 31 Dec 2026" in page.words
    assert "Nothing is on these days." in page.words
    page = await browser.follow("Month")
    assert "December 2026" in page.words
    assert page.link("Refresh") == f"{HOME}?month=2026-12"


def where(page: ShownPage) -> str:
    asked = urlsplit(page.address)
    return f"{asked.path}?{asked.query}"


@pytest.mark.parametrize("view", ["Day", "Week", "Agenda"])
async def test_a_month_leads_to_today_where_it_shows_it_and_else_to_its_first(
    view: str, office: Office
) -> None:
    await office.clock.pass_time(timedelta(days=14).total_seconds())
    await office.sign_in(tz="Europe/Berlin", locale="en-GB")
    browser = Browser(client=office.client)
    today = office.clock.now().date()
    await browser.open(HOME)
    assert where(await browser.follow(view)) == f"{HOME}?{view.lower()}={today}"
    await browser.open(f"{HOME}?month=2027-02")
    assert where(await browser.follow(view)) == f"{HOME}?{view.lower()}=2027-02-01"


@pytest.mark.parametrize(
    ("address", "day"),
    [
        (f"{HOME}?month=2026-12", "2026-12-01"),
        (f"{HOME}?month=2027-02", "2027-02-01"),
        (f"{HOME}?week=2027-02-10", "2027-02-10"),
        (f"{HOME}?day=2027-02-10", "2027-02-10"),
    ],
)
async def test_add_proposes_a_day_that_is_seen(address: str, day: str, browser: Browser) -> None:
    """Today where it is shown, and never today in another month."""
    await browser.open(address)
    page = await browser.follow("Add appointment")
    assert page.own_forms[0].fields["start_day"] == day


async def test_a_free_hour_is_a_link_to_a_form_with_that_hour(browser: Browser) -> None:
    await browser.open(f"{HOME}?day=2026-12-03")
    page = await browser.follow("Add at 14:00, Thursday, 3 December 2026")
    fields = page.own_forms[0].fields
    assert (fields["start_time"], fields["end_time"], fields["view"]) == ("14:00", "15:00", "day")
    page = await browser.press("Add", changes={"title": "Tea"})
    assert page.address.endswith("?day=2026-12-03&notice=added")
    assert {"from-29", "for-4", "lane-1-of-1"} <= classes_of(page, "Tea")


async def test_what_overlaps_stands_side_by_side_and_says_so(browser: Browser, office: Office) -> None:
    """What is free, completed or merely touches does not clash."""
    times = {"Long": (8, 12), "Short": (9, 10), "Next": (10, 11), "After": (12, 13)}
    for title, (start, end) in times.items():
        day = "2026-12-03T{:02}:00:00Z"
        await keep(office, "appointment", title, start=day.format(start), end=day.format(end))
    await keep(
        office,
        "appointment",
        "Free",
        start="2026-12-03T08:00:00Z",
        end="2026-12-03T09:00:00Z",
        show_as="free",
    )
    page = await browser.open(f"{HOME}?day=2026-12-03")
    assert "clashing" in classes_of(page, "Long") & classes_of(page, "Short") & classes_of(page, "Next")
    assert "clashing" not in classes_of(page, "After") | classes_of(page, "Free")
    assert classes_of(page, "Short") & {"lane-2-of-2"} == classes_of(page, "Next") & {"lane-2-of-2"}
    assert "overlaps with Short, Next" in page.words
    page = await browser.open(f"{HOME}?agenda=2026-12-03")
    assert "Overlaps with Short, Next" in page.words


async def test_days_are_filled_by_bars_and_nights_are_not(browser: Browser, office: Office) -> None:
    await keep(office, "appointment", "Fair", all_day=True, start="2026-12-03", end="2026-12-06")
    await keep(office, "appointment", "Trip", start="2026-11-29T08:00:00Z", end="2026-12-01T15:00:00Z")
    await keep(office, "appointment", "Night", start="2026-12-03T21:00:00Z", end="2026-12-04T05:00:00Z")
    page = await browser.open(WEEK)
    assert {"col-4", "wide-3", "line-1"} <= classes_of(page, "Fair")
    assert {"col-1", "wide-2", "line-1"} <= classes_of(page, "Trip")
    assert "block" in classes_of(page, "Night")
    assert "→ 06:00" in page.words
    page = await browser.open(f"{HOME}?agenda=2026-12-03")
    assert "22:00 –4 Dec 2026, 06:00" in " ".join(page.words.split())
    assert "until 5 Dec 2026" in page.words


async def test_private_items_have_a_lock(browser: Browser, office: Office) -> None:
    await keep(office, "appointment", "Doctor", private=True)
    for view in ("month=2026-12", "week=2026-12-03", "day=2026-12-03", "agenda=2026-12-03"):
        page = await browser.open(f"{HOME}?{view}")
        assert ", private" in page.words
        assert any(given.get("class") == "lock" for _, given in page.tags)


async def test_filters_by_kind_and_calendar_go_along(browser: Browser, office: Office) -> None:
    """Boxes of a form; what is unknown or chooses all hides nothing."""
    integration_id = await office.finished()
    await keep(office, "task", "Paint")
    await keep(office, "appointment", "Visit")
    await keep(office, "appointment", "Lunch", imported_by=integration_id)
    every = "".join(f"&type={kind}" for kind in sorted(GLYPHS))
    shown = {
        "": "Paint Visit Lunch", "&type=task": "Paint", every: "Paint Visit Lunch",
        "&type=x": "Paint Visit Lunch", "&source=vorex": "Paint Visit",
        f"&source={integration_id}": "Lunch", "&source=vorex&type=appointment": "Visit",
        f"&source=vorex&source={integration_id}": "Paint Visit Lunch",
    }  # fmt: skip
    for view in ("week=2026-12-03", "month=2026-12", "agenda=2026-12-03"):
        for query, titles in shown.items():
            page = await browser.open(f"{HOME}?{view}{query}")
            found = [one for one in ("Paint", "Visit", "Lunch") if any(one in a.label for a in page.links)]
            assert found == titles.split(), (view, query)
            assert ("Some items are hidden" in page.words) is (titles != shown[""])
    page = await browser.open(f"{WEEK}&type=task")
    assert page.link("Agenda").endswith("&type=task")
    assert page.link("Show everything") == WEEK
    page = await browser.open(WEEK)
    assert ", from Calendar" in page.words


async def test_view_and_filters_outlast_every_form(browser: Browser, office: Office) -> None:
    """Added, refused, changed, deleted, put back or given up: the calendar is as it was left."""
    integration_id = await office.finished()
    left = f"type=appointment&source={integration_id}&source=vorex&hours=all"
    day = f"{HOME}?day=2026-12-03&type=appointment&source={integration_id}&hours=all"
    await browser.open(f"{HOME}?day=2026-12-03&{left}&type=task")
    assert browser.page.link("Show the day's usual hours").endswith("&type=appointment&type=task")
    await browser.open(day)
    await browser.follow("Add appointment")
    assert browser.page.link("Cancel") == day
    await browser.press("Add")
    page = await browser.press("Add", changes={"title": "Visit", "source": "vorex"})
    day = day.replace(integration_id, "vorex")
    assert page.address.endswith(f"{day}&notice=added")
    for button in ("Save", "Delete"):
        label = next(one.label for one in browser.page.links if "Visit" in one.label)
        await browser.follow(label)
        await (browser.follow("Delete") if button == "Delete" else browser.press(button))
    assert browser.page.link("Cancel").endswith("&view=day&type=appointment&source=vorex&hours=all")
    page = await browser.press("Delete")
    assert f"{day}&notice=removed" in page.address
    page = await browser.press("Undo")
    assert page.address.endswith(f"{day}&notice=restored")


async def test_a_form_opened_from_a_search_leads_back_to_what_was_found(
    browser: Browser, office: Office
) -> None:
    await keep(office, "appointment", "Visit")
    await keep(office, "task", "Visit too")
    page = await browser.open(f"{HOME}?q=vis&type=appointment&type=task")
    assert "q=vis" not in page.link("Add appointment")
    await browser.open(page.link("Visit"))
    found = f"{HOME}?agenda=2026-12-03&type=appointment&type=task&q=vis"
    assert browser.page.link("Cancel") == found
    await browser.open(f"{HOME}?q=vis&type=appointment&type=task")
    page = await browser.follow("Visit too")
    assert page.link("Back to My Calendar") == found
    sent = FormData([("type", "task"), ("type", "appointment"), ("type", "x"), ("source", "x"), ("q", "\0")])
    form = FormSubmission(visitor=Visitor(tenant_id="a", user_id="u"), fields=sent)
    assert CalendarOutlook.sent(form).address_on(None) == f"{HOME}?type=appointment&type=task"


async def test_the_search_finds_titles_places_and_accounts(browser: Browser, office: Office) -> None:
    await keep(office, "task", "Paint 100%", start="2020-01-03T09:00:00Z")
    await keep(office, "appointment", "Visit", location="The paint shop")
    await keep(office, "appointment", "Call", account_name="Paintings Ltd")
    await keep(office, "appointment", "Lunch")
    found = {
        "PAINT": ["Paint 100%", "Visit", "Call"], "0%": ["Paint 100%"], "_aint": [], "nothing": [],
    }  # fmt: skip
    for word, titles in found.items():
        page = await browser.open(f"{HOME}?q={word.replace('%', '%25')}")
        shown = [
            one for one in ("Paint 100%", "Visit", "Call", "Lunch") if any(one in a.label for a in page.links)
        ]
        assert shown == titles, word
    assert "Nothing was found for “nothing”." in page.words
    assert (await browser.open(f"{HOME}?q={'x' * 201}")).status == 422


@pytest.mark.parametrize("view", ["day", "week", "agenda", "month"])
async def test_r49_one_clock_time_that_comes_twice_is_told_apart(
    view: str, browser: Browser, office: Office
) -> None:
    """In the night of 25 October two hours are called two o'clock; what lies in both is no overlap."""
    times = ("2026-10-25T00:00:00Z", "2026-10-25T00:45:00Z"), ("2026-10-25T01:00:00Z", "2026-10-25T01:45:00Z")
    for key, title, (start, end) in zip("12", ("First", "Second"), times, strict=True):
        await keep(office, "appointment", key, title=title, start=start, end=end)
    month = view == "month"

    page = await browser.open(f"{HOME}?{view}={'2026-10' if month else '2026-10-25'}")

    words = " ".join(page.words.split())
    assert ("02:00 again" if month else "02:00 again – 02:45 again") in words
    assert words.count("02:00 again") == 1
    assert words.index("First") < words.index("Second")
    assert "overlaps with" not in words
    if view in {"day", "week"}:
        places = [
            {name for name in classes_of(page, title) if name.startswith(("from-", "lane-"))}
            for title in ("First", "Second")
        ]
        assert places[0] != places[1]


async def test_the_record_and_vorex_are_links(sqlite_url: str) -> None:
    """Where the record says where it is, else where Vorex is."""
    async with open_office(sqlite_url, vorex_url="https://vorex.example") as office:
        reference = {"label": "T2026.0001", "url": "https://vorex.example/t/1"}
        await keep(office, "service_call", "1", reference=reference)
        await keep(office, "task", "2")
        await office.sign_in()
        browser = Browser(client=office.client)
        page = await browser.open(f"{HOME}/item?key=service_call:1")
        assert page.link("T2026.0001") == page.link("Open it in Vorex") == reference["url"]
        page = await browser.open(f"{HOME}/item?key=task:2")
        assert page.link("Open it in Vorex") == "https://vorex.example"


async def _crowd(store: Store) -> None:
    """Spread over a year and a half around the month that is looked at."""
    first, rows = datetime(2026, 4, 1, 8, tzinfo=UTC), []
    for number in range(CROWD):
        starts = first + timedelta(minutes=78 * number)
        times = {
            "start": f"{starts:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{starts + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        content = {
            "id": str(number), "type": "task", "title": f"Item {number}", "description": "d" * 200,
            "assignees": ["u-17"], "all_day": False, "time_zone": "UTC", **times,
        }  # fmt: skip
        rows.append(
            {
                "ref": str(uuid4()), "item_id": str(number), "tenant_id": "acme", "item_type": "task",
                "version": 1, "vorex_version": 1, "sync_version": 0, "revision": 1, "deleted": False,
                "changed_at": first, "stored_at": first, "starts_at": starts,
                "ends_at": starts + timedelta(hours=1), "content": content,
            }
        )  # fmt: skip
    owned = [{"item_ref": row["ref"], "tenant_id": "acme", "user_id": "u-17"} for row in rows]
    async with store.begin() as connection:
        await connection.execute(items.insert(), rows)
        await connection.execute(item_assignees.insert(), owned)


async def test_every_view_is_quick_with_ten_thousand_items(office: Office) -> None:
    """In processor time, beside what counting takes on this machine at that moment."""
    await _crowd(office.store)
    await office.sign_in()
    for query in ("month=2026-12", "week=2026-12-03", "day=2026-12-03", "agenda=2026-12-03", "q=Item 77"):
        took, counted = [], []
        for _ in range(3):
            began = time.process_time()
            answer = await office.client.get(f"{HOME}?{query}", headers={"Accept": "text/html"})
            took.append(time.process_time() - began)
            assert answer.status_code == 200
            counted.append(seconds_once(count))
        assert min(took) < PAGE_COUNTS / COUNTED * min(counted), (query, took)

"""Pages stay small however much a person has: what is shown is loaded, and no more (R43)."""

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import event

from service.store.engine.store import Store
from service.store.tables import item_assignees, items
from service.web.pages.calendar.hour_grid import MOST_LANES
from service.web.pages.calendar.views import AGENDA_PAGE, MOST_ITEMS_A_MONTH, MOST_ITEMS_IN_HOURS
from tests.support.clock import START
from tests.support.office import Office, open_office
from tests.support.pages import BROWSER, Browser

CROWD = MOST_ITEMS_A_MONTH + 100
DAY = "2026-12-03"
LONG = {"description": "d" * 2_000, "location": "l" * 1_024, "account_name": "a" * 255}
MIB = 1024 * 1024
API = "/api/v1/my-calendar/items"


async def _crowd(store: Store, number: int) -> None:
    """Items on one day, each with the longest texts but the description, which is as long as all the rest."""
    same = {
        "tenant_id": "acme", "item_type": "task", "version": 1, "vorex_version": 1, "sync_version": 0,
        "revision": 1, "deleted": False, "changed_at": START, "stored_at": START,
        "starts_at": START.replace(day=3), "ends_at": START.replace(day=3, hour=9),
    }  # fmt: skip
    for first in range(0, number, 1000):
        rows = [
            same | {"ref": str(uuid4()), "item_id": str(each), "content": _content(each)}
            for each in range(first, min(number, first + 1000))
        ]
        async with store.begin() as connection:
            await connection.execute(items.insert(), rows)
            owned = [{"item_ref": row["ref"], "tenant_id": "acme", "user_id": "u-17"} for row in rows]
            await connection.execute(item_assignees.insert(), owned)


def _content(each: int) -> dict[str, object]:
    known = {"id": str(each), "type": "task", "time_zone": "UTC", "assignees": ["u-17"], "all_day": False}
    times = {"start": f"{DAY}T08:00:00Z", "end": f"{DAY}T09:00:00Z"}
    return {**known, **times, **LONG, "title": f"{each:05} ".ljust(1_024, "t")}


@contextmanager
def _statements(store: Store) -> Iterator[list[str]]:
    told: list[str] = []

    def note(*given: object) -> None:
        told.append(str(given[2]))

    event.listen(store.engine.sync_engine, "before_cursor_execute", note)
    yield told
    event.remove(store.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "page", ["day=2026-12-03", "week=2026-12-03", "agenda=2026-12-03", "q=00002", "month=2026-12"]
)
async def test_r43_no_page_of_days_loads_a_description(page: str, database_url: str) -> None:
    async with open_office(database_url) as office:
        await _crowd(office.store, 3)
        await office.sign_in()
        with _statements(office.store) as told:
            shown = await office.client.get(f"/my-calendar?{page}", headers=BROWSER)
        assert (shown.status_code, "00002" in shown.text) == (200, True)
        (asked,) = [one for one in told if "FROM items" in one]
        assert "description" not in asked
        assert not re.search(r"(SELECT |, )items\.(content|message_body)", asked)


async def test_r43_ten_thousand_items_on_a_day_are_seen_page_by_page(office: Office) -> None:
    """Each page small, and as little memory taken for it; the month says that it counts no further."""
    await _crowd(office.store, CROWD)
    await office.sign_in()
    browser = Browser(client=office.client)
    tracemalloc.start()
    page = await browser.open(f"/my-calendar?agenda={DAY}")
    _, peak = tracemalloc.get_traced_memory()
    assert (page.status, len(page.text) < MIB, peak < 8 * MIB) == (200, True, True)
    seen: list[str] = []
    for _ in range(3):
        titles = [one.label[:5] for one in page.links if re.match(r"\d{5} t+$", one.label)]
        assert len(titles) == AGENDA_PAGE
        seen += titles
        page = await browser.follow("More")
    assert len(set(seen)) == 3 * AGENDA_PAGE
    assert (await browser.follow("From the start")).words.count("tttt") > 0
    tracemalloc.reset_peak()
    page = await browser.open("/my-calendar?month=2026-12")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (page.status, len(page.text) < MIB // 4, peak < 32 * MIB) == (200, True, True), peak / MIB
    assert f"these are the first {MOST_ITEMS_A_MONTH:,}" in page.words
    page = await browser.open(f"/my-calendar?day={DAY}")
    assert (page.status, len(page.text) < MIB // 4) == (200, True)
    assert f"these are the first {MOST_ITEMS_IN_HOURS:,}" in page.words
    assert page.text.count('<li class="block') == MOST_LANES


async def test_r43_the_last_page_of_a_day_ends_it(office: Office) -> None:
    await _crowd(office.store, AGENDA_PAGE + 1)
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"/my-calendar?agenda={DAY}")
    page = await browser.follow("More")
    assert not [one for one in page.links if one.label == "More"]
    assert page.link("From the start") == f"/my-calendar?agenda={DAY}"
    await _crowd_gone(office.store)
    page = await browser.open(page.address)
    assert "There is nothing more." in page.words


async def _crowd_gone(store: Store) -> None:
    async with store.begin() as connection:
        await connection.execute(items.update().values(deleted=True))


async def test_r43_the_api_hands_out_two_hundred_at_most(office: Office) -> None:
    await _crowd(office.store, 250)
    assert (await office.get(f"{API}?limit=201")).status_code == 422
    page = (await office.get(f"{API}?limit=200")).json()
    assert (len(page["items"]), page["next"] is not None) == (200, True)
    rest = (await office.get(f"{API}?limit=200&after={page['next']}")).json()
    assert (len(rest["items"]), rest["next"]) == (50, None)

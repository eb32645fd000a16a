"""Where people, administrators and operators read whether both sides agree (R51)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from contracts.calendar import ItemRef, LinkId
from contracts.fields import rfc3339
from service.monitoring.gauges import Gauges
from service.monitoring.vitals import Vitals
from service.store.links import agreement
from service.store.links.agreement import FoundDifference
from service.store.tables import items, links
from service.telemetry.metrics import AGREEMENT_RATIO, UNEXPLAINED_PAIRS
from tests.support.office import Office, open_office
from tests.support.pages import Browser
from tests.support.processes import SECRETS, run

LIST = "/calendar-sync"
CHECKED = datetime(2026, 12, 3, 4, 0, tzinfo=UTC)


@pytest.fixture
async def office(new_sqlite_url: str) -> AsyncIterator[Office]:
    async with open_office(new_sqlite_url) as opened:
        yield opened


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


async def checked(office: Office, *found: str, of: int = 212) -> str:
    """A finished integration, of whose pairs these differ: ``why``, or ``why×times``."""
    mine = await office.finished()
    calendar = await office.calendar_of(mine)
    assert calendar is not None
    rows = []
    for number, one in enumerate(found):
        why, _, times = one.partition("×")
        state = "failed" if why == "refused" else "agreed"
        await office.add_link(mine, calendar, state, item=str(number))
        link, item = LinkId(f"link-{number}"), ItemRef(f"item-{number}")
        rows.append(FoundDifference(link_id=link, item_ref=item, why=why, times=int(times or 0)))
    async with office.store.begin() as connection:
        await agreement.note(connection, mine, "run", rows)
        agree = of - len(found)
        await agreement.conclude(connection, mine, "run", agree=agree, of=of, at=CHECKED)
    return mine


async def test_r51_the_list_says_how_many_agree(browser: Browser, office: Office) -> None:
    """In the person's own time, with the way to those that do not."""
    assert "agree" not in (await browser.open(LIST)).words
    mine = await checked(office)
    page = await browser.open(LIST)
    assert "212 of 212 agree, checked 3 Dec 2026, 04:00." in page.words
    assert page.link("Which pairs agree: Calendar") == f"{LIST}/{mine}/agreement"


async def test_r51_the_page_says_which_do_not_and_why(browser: Browser, office: Office) -> None:
    mine = await checked(office, "refused", "unexplained×2")
    page = await browser.open(f"{LIST}/{mine}/agreement")
    assert "210 of 212 agree" in page.words
    assert "Not possible, because the linked calendar refused it." in page.words
    assert "Both sides differ, and nothing here says why. 2 checks in a row found it so." in page.words


async def test_r51_what_was_accepted_since_the_check_is_on_its_way_and_not_out_of_reach(
    browser: Browser, office: Office
) -> None:
    """Such as a replay of what was refused then: no read has seen it yet, and the next one will."""
    mine = await checked(office, "refused")
    now = office.clock.now()
    start, end = (rfc3339(now + timedelta(days=days)) for days in (1, 2))
    form = {"id": "0", "type": "task", "title": "Call", "start": start, "end": end, "assignees": ["u-17"]}
    accepted = {"state": "agreed", "exists_there": True, "accepted_at": now.timestamp()}
    async with office.store.begin() as connection:
        await connection.execute(update(items).values(content=form))
        await connection.execute(update(links).values(**accepted))
    page = await browser.open(f"{LIST}/{mine}/agreement")
    assert "On its way since" in page.words
    assert "Outside" not in page.words


async def test_r51_what_was_never_compared_says_so(browser: Browser, office: Office) -> None:
    mine = await office.finished()
    page = await browser.open(f"{LIST}/{mine}/agreement")
    assert "Both sides have not been compared yet." in page.words
    form = (await office.get(f"/api/v1/integrations/{mine}/agreement")).json()
    assert form == {"agree": None, "of": None, "checked_at": None, "differ": [], "next": None}
    assert (await office.get(f"/api/v1/integrations/{mine}")).json()["agreement"] is None


@pytest.mark.parametrize("where", ["", "/agreement"], ids=["card", "page"])
async def test_r44_r51_check_now_compares_once_a_minute(browser: Browser, office: Office, where: str) -> None:
    mine = await checked(office)
    button = "Check now" if where else "Check now: Calendar"
    address = f"{LIST}/{mine}{where}" if where else LIST

    await browser.open(address)
    page = await browser.press(button)

    assert "Both sides are being compared" in page.words
    assert await office.unfinished("catch_up") == ["waiting"]
    answer = await office.post(f"/api/v1/integrations/{mine}/agreement")
    assert (answer.status_code, answer.json()["code"]) == (409, "looked_just_now")


async def test_r51_the_api_tells_the_same(office: Office) -> None:
    mine = await checked(office, "refused", "unexplained×1")
    told = {"agree": 210, "of": 212, "checked_at": "2026-12-03T04:00:00Z"}
    assert (await office.get(f"/api/v1/integrations/{mine}")).json()["agreement"] == told

    first = (await office.get(f"/api/v1/integrations/{mine}/agreement?limit=1")).json()
    whole = (await office.get(f"/api/v1/integrations/{mine}/agreement")).json()

    refused = "Not possible, because the linked calendar refused it."
    of_item = {"item_id": "0", "item_type": "task", "title": ""}  # its text is not kept
    assert first == told | {"differ": [of_item | {"why": refused, "code": "refused"}], "next": "link-0"}
    assert [one["code"] for one in whole["differ"]] == ["refused", "unexplained"]
    assert whole["next"] is None
    started = await office.post(f"/api/v1/integrations/{mine}/agreement")
    assert started.status_code == 202
    assert list(started.json()) == ["run_id"]


async def test_r47_r51_administrators_see_the_sum_and_the_worst(browser: Browser, office: Office) -> None:
    mine = await checked(office, "refused", "unexplained×2")
    await office.sign_in("vera", role="administrator", tz="UTC")
    page = await browser.open("/administration")
    assert "210 of 212 pairs of one calendar agree, checked 3 Dec 2026, 04:00." in page.words
    worst, *_ = [one for one in page.links if one.label == "Log: Calendar of u-17"]
    assert worst.attributes["href"] == f"/administration/integrations/{mine}"
    await office.sign_in("nobody", "other", role="administrator", tz="UTC")
    assert "agree" not in (await browser.open("/administration")).words


async def test_r51_operations_begins_with_it(browser: Browser, office: Office) -> None:
    """And a pair that two checks in a row found to differ without a reason is a finding."""
    await office.sign_in("olga", role="operator", tz="UTC")
    page = await browser.open("/operations")
    assert "No calendar has been compared whole yet." in page.words
    mine = await checked(office, "refused", "unexplained×1", "unexplained×2")

    page = await browser.open("/operations")
    assert "209 of 212 pairs of one calendar agree, checked 3 Dec 2026, 04:00." in page.words
    assert page.words.index("209 of 212 pairs") < page.words.index("Needs a person")
    assert "1 pair differs without a reason, in two checks in a row" in page.words
    told = (await office.get("/api/v1/operations", "olga", role="operator")).json()
    assert told["agreement"] == {
        "integrations": 1,
        "agree": 209,
        "of": 212,
        "checked_at": "2026-12-03T04:00:00Z",
    }
    (finding,) = [one for one in told["findings"] if one["about"] == "agreement"]
    assert finding["key"] == mine
    other = (await office.get("/api/v1/operations", "olga", tenant="other", role="operator")).json()
    assert (other["agreement"], other["findings"]) == (None, [])


async def test_r51_the_metrics_tell_it(office: Office) -> None:
    vitals = Vitals(office.store, None)
    gauges = Gauges(store=office.store, vitals=vitals, clock=office.clock, holder="me", data_centre="")
    await gauges.agreement()
    assert (AGREEMENT_RATIO._value.get(), UNEXPLAINED_PAIRS._value.get()) == (1, 0)
    await checked(office, "refused", "unexplained×2", of=8)
    await gauges.agreement()
    assert (AGREEMENT_RATIO._value.get(), UNEXPLAINED_PAIRS._value.get()) == (0.75, 1)


async def test_r51_the_command_tells_it(office: Office, new_sqlite_url: str, tmp_path: Path) -> None:
    mine = await checked(office, "refused")
    settings = {**SECRETS, "DATABASE_URL": new_sqlite_url}

    said = await asyncio.to_thread(run, "integrations", "agreement", mine, settings=settings, folder=tmp_path)
    assert said.stdout.decode().splitlines() == [
        "211 of 212 agree, checked 2026-12-03T04:00:00Z",
        "task:0  Without a title  Not possible, because the linked calendar refused it.",
    ]
    words = ("integrations", "agreement", mine, "--check", "--json")
    asked = await asyncio.to_thread(run, *words, settings=settings, folder=tmp_path)
    assert list(json.loads(asked.stdout)) == ["run_id"]
    assert await office.unfinished("catch_up") == ["waiting"]

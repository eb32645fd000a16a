"""A series is one row, with its occurrences, wherever many things are listed (R39)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, Direction, IntegrationId, ItemRef, LogAction, LogEntry, Outcome, Trigger
from service.store.logs.logs import log
from service.store.tables import items, links, runs
from tests.support.office import Office
from tests.support.pages import Browser

LIST = "/calendar-sync"
OCCURRENCES = 8
ON = {"enabled": True, "past": "1_week", "future": "3_months"}


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


async def a_series(office: Office, integration_id: str) -> list[ItemRef]:
    """The items of a daily series that was brought, in their order."""
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    office.count_no_changes()
    day = office.clock.now().replace(hour=9, minute=0, second=0, microsecond=0)
    for at in range(OCCURRENCES):
        begin = day + timedelta(days=at)
        times = {"start": begin, "end": begin + timedelta(hours=1)}
        form = {"title": "Stand-up"} | {name: f"{one:%Y-%m-%dT%H:%M:%SZ}" for name, one in times.items()}
        added = await office.client.post("/api/v1/my-calendar/items", json=form, headers=office.bearer())
        assert added.status_code == 201, added.text
    refs = [row["ref"] for row in sorted(await office.rows(items), key=lambda row: row["starts_at"])]
    linked = [
        {
            "id": f"link-{at}", "integration_id": integration_id, "item_ref": ref, "calendar_id": calendar_id,
            "origin": "external", "state": "agreed", "series_identifier": "ser",
            "created_at": office.clock.now(),
        }
        for at, ref in enumerate(refs)
    ]  # fmt: skip
    async with office.store.begin() as connection:
        await connection.execute(links.insert(), linked)
    return [ItemRef(ref) for ref in refs]


async def told(
    office: Office, integration_id: str, entries: Sequence[tuple[ItemRef | None, str]], **more: Any
) -> None:
    """Entries of the log, in this order."""
    usual: dict[str, Any] = {
        "trigger": Trigger.REAL_TIME,
        "direction": Direction.TO_MY_CALENDAR,
        "action": LogAction.CREATE,
        "outcome": Outcome.DONE,
        "code": Code.OK,
        "reason": "Added to the linked calendar.",
    }
    rows = [
        LogEntry(integration_id=IntegrationId(integration_id), item_ref=ref, title=title, **usual | more)
        for ref, title in entries
    ]
    async with office.store.begin() as connection:
        await log(connection, rows, now=office.clock.now())


def summaries(text: str) -> int:
    return text.count(f"<summary>{OCCURRENCES} occurrences</summary>")


async def test_r39_a_series_is_one_row_of_the_log(browser: Browser, office: Office) -> None:
    """Wherever its entries stand among others, and on one page; done otherwise, it is another row."""
    integration_id = await office.finished()
    refs = await a_series(office, integration_id)
    singles: list[tuple[ItemRef | None, str]] = [(None, f"<{at:03}>") for at in range(52)]
    await told(office, integration_id, [*singles[:10], *((ref, "Stand-up") for ref in refs[:5])])
    await told(office, integration_id, [*singles[10:], *((ref, "Stand-up") for ref in refs[5:])])
    changed = [(ref, "Stand-up") for ref in refs[:1]]
    await told(office, integration_id, changed, action=LogAction.UPDATE, reason="Changed.")

    page = await browser.open(f"{LIST}/{integration_id}/logs?trigger=real_time")

    assert (page.words.count("Stand-up"), summaries(page.text)) == (2, 1)
    assert page.text.count('<tr role="row">') == 1 + 50
    assert "<004>" in page.words
    assert "<003>" not in page.words
    older = await browser.follow("Older")
    assert older.text.count('<tr role="row">') == 1 + 4
    assert "Stand-up" not in older.words


async def test_r39_a_series_is_one_row_of_a_run(browser: Browser, office: Office) -> None:
    """With when each occurrence begins."""
    integration_id = await office.finished(retrieve=ON)
    refs = await a_series(office, integration_id)
    (run,) = await office.rows(runs)
    of_run = {"trigger": Trigger.RUN, "run_id": run["id"]}
    await told(office, integration_id, [(ref, "Stand-up") for ref in refs], **of_run)
    await told(office, integration_id, [(None, "Alone")], **of_run)

    page = await browser.open(f"{LIST}/{integration_id}/runs/{run['id']}")

    assert (page.words.count("Stand-up"), summaries(page.text), page.text.count("<li>")) == (
        1,
        1,
        OCCURRENCES,
    )
    assert page.words.index("Stand-up") < page.words.index("Alone")


async def test_r39_a_series_is_one_row_of_a_rehearsal(browser: Browser, office: Office) -> None:
    """Counted by its occurrences, as Finish would add them."""
    integration_id = await office.connect()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    begin = office.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    daily = {"frequency": "daily", "count": OCCURRENCES}
    for title, more in (("Stand-up", {"recurrence": daily}), ("Alone", {})):
        times = {"start": begin, "end": begin + timedelta(hours=1)}
        form = {name: f"{one:%Y-%m-%dT%H:%M:%SZ}" for name, one in times.items()}
        office.world.add_event(calendar_id, summary=title, **form, **more)
    await office.world.advance(60)
    await browser.open(f"{LIST}/{integration_id}/settings/linked-calendar")
    await browser.press("Next")
    await browser.press("Next")
    await browser.press("Next", changes={"retrieve": "yes", "retrieve_future": "1_month"})

    page = await browser.press("Rehearse")

    assert f"Will add {OCCURRENCES + 1} to My Calendar" in page.words
    assert (page.words.count("Stand-up"), summaries(page.text)) == (1, 1)

"""Logs and runs as pages (G14, R25, R27), and the help for Exchange (G19)."""

import pytest

from contracts.calendar import Code, Direction, IntegrationId, LogAction, LogEntry, Outcome, Trigger
from contracts.vorex import ItemType
from service.store.logs.logs import log
from service.store.tables import log_entries, runs
from tests.support.office import Office, open_office
from tests.support.pages import Browser

LIST = "/calendar-sync"
ON = {"enabled": True, "past": "1_week", "future": "3_months"}


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def write(office: Office, integration_id: str, titles: list[str], *, run_id: str | None = None) -> None:
    """Entries of the log, in this order."""
    entries = [
        LogEntry(
            integration_id=IntegrationId(integration_id),
            trigger=Trigger.RUN if run_id else Trigger.REAL_TIME,
            direction=Direction.TO_LINKED_CALENDAR, action=LogAction.CREATE, outcome=Outcome.DONE,
            code=Code.OK, reason="Sent to the linked calendar.", item_id=title, item_type=ItemType.TASK,
            title=title, message_id="m-1", trace_id=TRACE, attempt=1, run_id=run_id,
        )
        for title in titles
    ]  # fmt: skip
    async with office.store.begin() as connection:
        await log(connection, entries, now=office.clock.now())


async def test_an_entry_of_the_page_names_its_message_and_its_trace(browser: Browser, office: Office) -> None:
    """By which what became of a change is found elsewhere."""
    integration_id = await office.finished()
    await write(office, integration_id, ["by itself"])
    page = await browser.open(f"{LIST}/{integration_id}/logs?trigger=real_time")
    assert "Messagem-1, attempt 1" in page.words
    assert f"Trace{TRACE}" in page.words


async def the_run(office: Office) -> str:
    (row,) = await office.rows(runs)
    return str(row["id"])


async def test_logs_open_on_runs_with_their_counts(browser: Browser, office: Office) -> None:
    """R27: who, when, direction, range, counts and result, with the items inside."""
    integration_id = await office.finished(retrieve=ON)
    run_id = await the_run(office)
    async with office.store.begin() as connection:
        values = {"found": 9, "created": 7, "updated": 1, "skipped": 1, "failed": 0, "state": "done"}
        await connection.execute(runs.update().values(ended_at=office.clock.now(), **values))
    await write(office, integration_id, ["by itself"])
    await write(office, integration_id, ["first", "second"], run_id=run_id)
    page = await browser.open(f"{LIST}/{integration_id}/logs")
    assert "You" in page.words
    assert "Retrieve (past: 1 week, future: 3 months)" in page.words
    cells = [given["data-label"] for tag, given in page.tags if tag == "td"]
    assert cells == [
        "When", "Who", "Direction and range", "Looked at", "Agree already", "Created", "Changed", "Deleted",
        "Passed over", "Failed", "Result",
    ]  # fmt: skip
    assert "by itself" not in page.words
    page = await browser.open(f"{LIST}/{integration_id}/runs/{run_id}")
    assert page.words.index("first") < page.words.index("second")
    assert "by itself" not in page.words
    assert "Sent to the linked calendar." in page.words
    page = await browser.open(f"{LIST}/{integration_id}/logs?trigger=real_time")
    assert "by itself" in page.words
    assert "first" not in page.words


async def test_an_empty_log_says_so(browser: Browser, office: Office) -> None:
    integration_id = await office.finished()
    page = await browser.open(f"{LIST}/{integration_id}/logs")
    assert "No sync was started yet." in page.words
    page = await browser.follow("Real-time changes")
    assert "Nothing has crossed yet." in page.words


async def test_a_long_log_is_paged(browser: Browser, office: Office) -> None:
    integration_id = await office.finished(send=ON)
    run_id = await the_run(office)
    titles = [f"<{number:03}>" for number in range(60)]
    await write(office, integration_id, titles)
    await write(office, integration_id, titles, run_id=run_id)
    page = await browser.open(f"{LIST}/{integration_id}/logs?trigger=real_time")
    assert "<059>" in page.words
    assert "<009>" not in page.words
    page = await browser.follow("Older")
    assert "<009>" in page.words
    assert "<010>" not in page.words
    page = await browser.follow("Newest")
    assert "<059>" in page.words
    page = await browser.open(f"{LIST}/{integration_id}/runs/{run_id}")
    assert "<049>" in page.words
    page = await browser.follow("Further items")
    assert ("<050>" in page.words, "<049>" in page.words) == (True, False)
    assert (await browser.open(f"{LIST}/{integration_id}/logs?after=x")).status == 422


async def test_a_run_shows_how_far_it_is_and_can_be_cancelled(browser: Browser, office: Office) -> None:
    """R25; without script the page refreshes itself."""
    integration_id = await office.finished(retrieve=ON)
    run_id = await the_run(office)
    async with office.store.begin() as connection:
        await connection.execute(runs.update().values(done=3, total=9, now="Reading.", state="running"))
    page = await browser.open(f"{LIST}/{integration_id}/runs/{run_id}")
    assert "3 of 9" in page.words
    assert "Reading." in page.words
    assert ("meta", {"http-equiv": "refresh", "content": "4"}) in page.tags
    page = await browser.press("Cancel this sync")
    assert "The sync was cancelled." in page.words
    assert "Cancelled" in page.words
    assert not any(given.get("http-equiv") for _, given in page.tags)


async def test_a_run_is_shown_under_its_own_integration_only(browser: Browser, office: Office) -> None:
    mine = await office.finished(retrieve=ON)
    run_id = await the_run(office)
    other = await office.finished(calendar="Second")
    for address in (f"{LIST}/{other}/runs/{run_id}", f"{LIST}/{mine}/runs/{other}", f"{LIST}/{mine}/runs/x"):
        assert (await browser.open(address)).status == 404


async def test_the_help_says_what_exchange_needs_and_office_365_does_not(browser: Browser) -> None:
    """G19."""
    page = await browser.open(f"{LIST}/exchange-help")
    assert "Exchange Online's EWS ended in October 2026. Office 365 does not need it" in page.words
    assert "Set-OrganizationConfig -EwsEnabled $true" in page.words
    assert "Set-CASMailbox" in page.words


async def test_the_entries_of_a_run_are_found_on_both_engines(database_url: str) -> None:
    """R27: oldest first, and none of another run's."""
    async with open_office(database_url) as office:
        integration_id = await office.finished(retrieve=ON)
        run_id = await the_run(office)
        await write(office, integration_id, ["one"], run_id=run_id)
        await write(office, integration_id, ["not mine"], run_id=integration_id)
        await write(office, integration_id, ["two"], run_id=run_id)
        assert len(await office.rows(log_entries)) == 3
        await office.sign_in()
        page = await Browser(client=office.client).open(f"{LIST}/{integration_id}/runs/{run_id}")
        assert page.words.index("one") < page.words.index("two")
        assert "not mine" not in page.words

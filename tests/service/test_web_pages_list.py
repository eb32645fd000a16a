"""The Calendar Sync page as a person without script uses it (G4, G11–G16, R11, R20–R23)."""

from datetime import UTC, datetime

import pytest

from contracts.calendar import Reason, Status
from service.integrations.runs import runs_under_way
from service.store.integrations.integrations import change, change_state
from service.store.integrations.listing import Owner
from service.store.runs.runs import end_all
from service.store.tables import integrations, runs
from tests.support.office import Office, open_office
from tests.support.pages import Browser

LIST = "/calendar-sync"


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


async def set_values(office: Office, integration_id: str, **values: object) -> None:
    async with office.store.begin() as connection:
        await change(connection, integration_id, **values)


async def state(office: Office) -> dict[str, object]:
    (row,) = await office.rows(integrations)
    return row


async def test_the_empty_list_explains_the_three_steps(browser: Browser) -> None:
    """Click to Connect, and G16's sentence beside it."""
    page = await browser.open(LIST)
    assert page.link("Click to Connect") == "/calendar-sync/connect"
    assert "verify that Cronofy has the permission to connect to Vorex" in page.words
    for step in ("Connect", "Choose", "Finish"):
        assert step in page.words
    assert page.link("It needs one setting first.") == "/calendar-sync/exchange-help"


async def test_an_integration_says_how_it_stands(browser: Browser, office: Office) -> None:
    """G14–G16, R28: account, calendar, status, both dates in the person's own time."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        at = datetime(2026, 12, 3, 9, 14, tzinfo=UTC)
        await change_state(connection, integration_id, last_sync_at=at, last_checked_at=at)
    await office.sign_in(tz="Europe/Berlin")
    page = await browser.open(LIST)
    assert "sam@contoso.example" in page.words
    assert "Connected" in page.words
    assert page.words.count("3 Dec 2026, 10:14") == 2
    assert page.link("Settings: Calendar") == f"{LIST}/{integration_id}/settings/linked-calendar"
    assert page.link("Logs: Calendar") == f"{LIST}/{integration_id}/logs"


async def test_the_switch_deactivates_and_activates(browser: Browser, office: Office) -> None:
    """G11."""
    await office.finished()
    await browser.open(LIST)
    page = await browser.press("Active: Calendar")
    assert not (await state(office))["active"]
    assert "Nothing was deleted." in page.words
    assert page.form("Active: Calendar")[1].attributes["aria-checked"] == "false"
    page = await browser.press("Active: Calendar")
    assert (await state(office))["active"]
    assert page.form("Active: Calendar")[1].attributes["aria-checked"] == "true"


@pytest.mark.parametrize(
    ("reason", "button", "address"),
    [
        (Reason.PERMISSION_WITHDRAWN, "Reconnect", "/calendar-sync/connect"),
        (Reason.CALENDAR_MISSING, "Choose another calendar", "settings/linked-calendar"),
        (Reason.CALENDAR_READ_ONLY, "Choose another calendar", "settings/linked-calendar"),
    ],
)
async def test_each_reason_of_not_connected_has_the_button_that_fixes_it(
    reason: Reason, button: str, address: str, browser: Browser, office: Office
) -> None:
    """R22."""
    integration_id = await office.finished()
    await set_values(office, integration_id, status=Status.NOT_CONNECTED.value, reason=reason.value)
    page = await browser.open(LIST)
    assert "Not Connected" in page.words
    assert page.link(f"{button}: Calendar").endswith(address)


async def test_activating_without_a_connection_says_the_sentence(browser: Browser, office: Office) -> None:
    """G16, R22."""
    integration_id = await office.finished()
    await set_values(
        office,
        integration_id,
        active=False,
        status=Status.NOT_CONNECTED.value,
        reason=Reason.PERMISSION_WITHDRAWN.value,
    )
    await browser.open(LIST)
    page = await browser.press("Active: Calendar")
    assert "permission to connect to Vorex, then reconnect." in page.words
    assert not (await state(office))["active"]


async def test_a_delay_is_told_without_calling_it_disconnected(browser: Browser, office: Office) -> None:
    """R23."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        await change_state(connection, integration_id, delayed_since=datetime(2026, 12, 1, 9, 14, tzinfo=UTC))
    page = await browser.open(LIST)
    assert "Connected · delayed since 09:14" in page.words


async def test_an_unfinished_set_up_is_resumed_or_discarded(browser: Browser, office: Office) -> None:
    integration_id = await office.connect()
    page = await browser.open(LIST)
    assert page.link("Resume: sam@contoso.example").startswith(f"{LIST}/{integration_id}/settings")
    page = await browser.press("Discard: sam@contoso.example")
    assert "No calendar is linked yet" in page.words
    assert (await state(office))["deleted_at"] is not None


async def test_discarding_what_is_set_up_asks_first(browser: Browser, office: Office) -> None:
    """A form kept open from before Finish deletes nothing."""
    integration_id = await office.connect()
    await browser.open(LIST)
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    await set_values(office, integration_id, calendar_id=calendar_id, finished_at=office.clock.now())
    page = await browser.press("Discard: sam@contoso.example")
    assert page.path == f"{LIST}/{integration_id}/delete"
    assert (await state(office))["deleted_at"] is None


@pytest.mark.parametrize(("answer", "kept"), [("keep", True), ("remove", False)])
async def test_deleting_asks_with_the_count_and_both_answers(
    answer: str, kept: bool, browser: Browser, office: Office
) -> None:
    """G13, R21."""
    integration_id = await office.finished()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    await office.add_link(integration_id, calendar_id, "agreed")
    await browser.open(LIST)
    page = await browser.follow("Delete: Calendar")
    assert page.form("Delete")[0].boxes["copies"] == [("keep", True), ("remove", False)]
    page = await browser.press("Delete", changes={"copies": answer})
    assert "The integration was deleted." in page.words
    assert (await state(office))["deleted_at"] is not None
    (asked,) = [row["cursor"] for row in await office.rows(runs) if row["kind"] == "delete"]
    assert asked["copies"] == answer


@pytest.mark.parametrize("button", ["Keep them", "Delete them"])
async def test_held_deletions_wait_for_an_answer(button: str, browser: Browser, office: Office) -> None:
    """R11."""
    integration_id = await office.finished()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    await office.add_link(integration_id, calendar_id, "held", code="held_deletion")
    page = await browser.open(LIST)
    assert "Needs your answer." in page.words
    page = await browser.press(f"{button}: Calendar")
    assert page.status == 200


async def test_a_run_under_way_is_shown_with_its_progress(browser: Browser, office: Office) -> None:
    """R25."""
    on = {"enabled": True, "past": "today", "future": "1_week"}
    integration_id = await office.finished(retrieve=on)
    async with office.store.begin() as connection:
        await connection.execute(runs.update().values(done=3, total=9, now="Reading the calendar."))
    page = await browser.open(LIST)
    assert "3 of 9 – Reading the calendar." in page.words
    assert ("progress", {"max": "9", "value": "3", "aria-label": "Progress of the sync"}) in page.tags
    async with office.store.begin() as connection:
        await end_all(connection, integration_id, reason="", at=office.clock.now())
    assert "Reading the calendar." not in (await browser.open(LIST)).words


async def test_only_the_owners_runs_under_way_are_found(database_url: str) -> None:
    """On both engines; another tenant's person of the same name is another person."""
    on = {"enabled": True, "past": "today", "future": "1_week"}
    async with open_office(database_url) as office:
        mine = await office.finished(retrieve=on)
        await office.finished("u-22", retrieve=on)
        assert list(await runs_under_way(office.store, Owner(tenant_id="acme", user_id="u-17"))) == [mine]
        assert len(await runs_under_way(office.store, Owner(tenant_id="acme", user_id=None))) == 2
        assert await runs_under_way(office.store, Owner(tenant_id="other", user_id="u-17")) == {}

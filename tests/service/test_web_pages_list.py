"""The Calendar Sync page as a person without script uses it (G4, G11–G16, R11, R20–R23)."""

from datetime import UTC, datetime

import pytest

from contracts.calendar import Reason, Status
from service.integrations.runs import runs_under_way
from service.store.integrations.integrations import change, change_state
from service.store.integrations.listing import Owner
from service.store.integrations.reads import note_deletions
from service.store.runs.runs import end_all
from service.store.tables import deletions, integrations, runs
from tests.support.office import EMAIL, Office, open_office
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
        (Reason.PERMISSION_WITHDRAWN, "Reconnect", "/calendar-sync/connect?reconnect={0}"),
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
    assert page.link(f"{button}: Calendar").endswith(address.format(integration_id))


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


@pytest.mark.parametrize(("button", "left"), [("Keep them", 0), ("Delete them", 1)])
async def test_r11_held_deletions_are_decided_with_their_list_before_one(
    button: str, left: int, browser: Browser, office: Office
) -> None:
    """And deleted only once the person has confirmed how many."""
    integration_id = await office.finished()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    await office.add_link(integration_id, calendar_id, "held", code="held_deletion")
    async with office.store.begin() as connection:
        await note_deletions(connection, integration_id, ["link-1"], held=True, now=office.clock.now())
    page = await browser.open(LIST)
    assert "Needs your answer." in page.words
    page = await browser.open(page.link("See and answer what was deleted: Calendar"))
    page = await browser.press(f"{button}: Calendar")
    assert len(await office.rows(deletions)) == left
    if left:
        assert "Delete 1 item of My Calendar?" in page.words
        page = await browser.press("Delete 1 item")
    assert (page.path, await office.rows(deletions)) == (LIST, [])


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


async def test_r11_a_confirmation_for_another_number_confirms_nothing(
    browser: Browser, office: Office
) -> None:
    """More of them came while the person was reading."""
    integration_id = await office.finished()
    calendar_id = (await office.calendars(integration_id))["Calendar"]
    for item in ("1", "2"):
        await office.add_link(integration_id, calendar_id, "held", code="held_deletion", item=item)
    async with office.store.begin() as connection:
        keys = ["link-1", "link-2"]
        await note_deletions(connection, integration_id, keys, held=True, now=office.clock.now())
    await browser.open(f"{LIST}/{integration_id}/held")
    await browser.press("Delete them: Calendar")

    page = await browser.press("Delete 2 items", changes={"sure": "1"})

    assert "Delete 2 items of My Calendar?" in page.words
    assert len(await office.rows(deletions)) == 2


async def test_r20_sync_now_on_the_card_compares_both_sides_once_a_minute(
    browser: Browser, office: Office
) -> None:
    """It says what it does; pressed again it says why not."""
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        await end_all(connection, integration_id, reason="", at=office.clock.now())
    page = await browser.open(LIST)
    assert "Compares both sides now, and brings across what differs" in page.text

    page = await browser.press("Sync now: Calendar")
    assert "Both sides are being compared" in page.words
    assert await office.unfinished("catch_up") == ["waiting"]
    answer = await office.client.post(
        f"{LIST}/{integration_id}/sync", data=browser.page.forms[1].fields, follow_redirects=True
    )
    assert "Both sides were compared within the last minute." in answer.text
    assert await office.unfinished("catch_up") == ["waiting"]


async def test_g11_deactivating_is_undone_from_the_note_that_confirms_it(
    browser: Browser, office: Office
) -> None:
    """Which says of which calendar it speaks."""
    await office.finished()
    await browser.open(LIST)

    page = await browser.press("Active: Calendar")
    assert f"Sync of Calendar ({EMAIL}) is deactivated. Nothing was deleted." in page.words
    assert (await state(office))["active"] is False
    page = await browser.press("Undo: activate Calendar again")

    assert (await state(office))["active"] is True
    assert "Sync is active again." in page.words


async def test_a_refusal_is_no_good_news(browser: Browser) -> None:
    """It is not told in green."""
    page = await browser.open(f"{LIST}?complaint=refused")

    assert ("p", {"class": "note bad", "role": "alert"}) in page.tags
    assert "Access was not allowed. Nothing was saved." in page.words


@pytest.mark.parametrize(("enabled", "seconds"), [(False, "10"), (True, "2")])
async def test_r25_the_list_is_live(enabled: bool, seconds: str, browser: Browser, office: Office) -> None:
    """More often while a run goes on; without script a link asks again."""
    await office.finished(retrieve={"enabled": enabled, "past": "today", "future": "1_week"})

    page = await browser.open(LIST)

    assert ("ul", {"class": "cards", "id": "integrations", "data-live": seconds}) in page.tags
    assert page.link("Look again") == LIST


async def test_r22_reconnecting_ends_with_what_happens_now(browser: Browser, office: Office) -> None:
    """Not in the wizard: nothing is to be set up."""
    integration_id = await office.finished()
    office.world.revoke("sam@contoso.example")
    office.world.expire_access_tokens()
    await office.clock.pass_time(3600)
    assert await office.accounts.look(integration_id) == "not_connected"
    away = await office.client.get(f"{LIST}/connect", params={"reconnect": integration_id})
    back = await office.authorise(away.headers["Location"])

    answer = await office.answered(await office.client.get(back))

    assert answer.headers["Location"] == f"{LIST}/{integration_id}/reconnected"
    page = await browser.open(answer.headers["Location"])
    assert "Connected again" in page.words
    assert "Both sides are read and compared now" in page.words


@pytest.mark.parametrize("verb", ["delete", "discard"])
async def test_g13_a_form_that_is_sent_twice_says_the_same_twice(
    verb: str, browser: Browser, office: Office
) -> None:
    """Not that there is no such page; a stranger's is none all the same."""
    mine = await (office.connect() if verb == "discard" else office.finished())
    theirs = await (office.connect("u-18") if verb == "discard" else office.finished("u-18"))
    page = await browser.open(LIST)
    fields = page.forms[0].fields
    answers = [
        await office.client.post(f"{LIST}/{which}/{verb}", data=fields) for which in (mine, mine, theirs)
    ]

    assert [one.status_code for one in answers] == [303, 303, 404]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert [row["kind"] for row in await office.rows(runs)].count("delete") == 1

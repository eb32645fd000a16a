"""The wizard: four tabs, back and forth without losing input, then Finish (G5–G10a, G12, R5, R24)."""

from typing import Any

import pytest

from service.store.integrations.listing import Owner
from service.store.runs.runs import end
from service.store.tables import integrations, links, runs
from service.web.labels import COMPLAINTS
from tests.support.office import ALL_TYPES, Office
from tests.support.pages import Browser

LIST = "/calendar-sync"
TITLES = ("Linked Calendar", "Your Calendar", "Sync Options", "Confirmation")
TABS = ("linked-calendar", "your-calendar", "sync-options", "confirmation")
NO_TYPES = dict.fromkeys(ALL_TYPES, False)


@pytest.fixture
async def browser(office: Office) -> Browser:
    """Somebody who has just come back from Cronofy."""
    integration_id = await office.connect()
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"{LIST}/{integration_id}/settings/linked-calendar")
    return browser


async def saved(office: Office) -> dict[str, Any]:
    (row,) = await office.rows(integrations)
    return row


async def test_every_tab_shows_the_account_the_steps_and_the_way_back(browser: Browser) -> None:
    """G6, G10a."""
    base = browser.page.path.rpartition("/")[0]
    for tab, title in zip(TABS, TITLES, strict=True):
        page = await browser.open(f"{base}/{tab}")
        assert "Home / Calendar Sync Settings" in page.words
        assert "sam@contoso.example" in page.words
        assert page.link("Back to Calendar Sync") == LIST
        steps = [(one.label, one.attributes.get("aria-current")) for one in page.forms[0].buttons[1:5]]
        assert steps == [(name, "step" if name == title else None) for name in TITLES]


async def test_the_tabs_begin_with_the_screens_own_values(browser: Browser, office: Office) -> None:
    """G7–G10a, R24: calendars with read-only ones marked, Create on, all types on, both options off."""
    (form,) = browser.page.own_forms
    assert form.options["calendar_id"] == list(
        (await office.calendars(browser.page.path.split("/")[2])).values()
    )
    assert "Holidays (read-only)" in browser.page.words
    assert form.boxes == {
        "create": [("on", True)], "update": [("on", False)], "delete": [("on", False)],
    }  # fmt: skip
    page = await browser.press("Next")
    assert "Select the calendar items you wish to send to the online linked calendar:" in page.words
    types = {name: [("on", True)] for name in ALL_TYPES}
    assert page.forms[0].boxes == {**types, "url": [("on", False)], "color": [("on", False)]}
    page = await browser.press("Next")
    (form,) = page.own_forms
    assert form.boxes == {name: [("yes", False), ("no", True)] for name in ("retrieve", "send")}
    past = ["today", "1_week", "2_weeks", "1_month"]
    future = ["today", "1_week", "1_month", "3_months", "6_months"]
    assert form.options == {
        "retrieve_past": past, "retrieve_future": future,
        "send_past": past, "send_future": [*future, "12_months"],
    }  # fmt: skip
    page = await browser.press("Next")
    for words in (
        "Calendar Name", "The event types you wish to sync", "Create",
        "Calendar items you wish to send to the linked calendar", "Retrieve linked calendar items",
        "Appointments, CRM Activities, Service Calls, Tasks, To Dos", "Send your calendar items", "Disabled",
    ):  # fmt: skip
        assert words in page.words


async def test_finish_saves_all_four_tabs_and_leads_to_the_list(browser: Browser, office: Office) -> None:
    """G10: the integration is active, and its run is on its way."""
    calendar_id = (await office.calendars(browser.page.path.split("/")[2]))["Second"]
    await browser.press("Next", changes={"calendar_id": calendar_id, "create": False, "delete": True})
    await browser.press("Next", changes={"task": False, "todo": False})
    options = {"send": "yes", "send_past": "2_weeks", "send_future": "12_months"}
    page = await browser.press("Next", changes=options)
    assert "Second" in page.words
    assert "Appointments, CRM Activities, Service Calls" in page.words
    assert "Enabled (past: 2 weeks, future: 12 months)" in page.words
    page = await browser.press("Finish")
    assert "Saved." in page.words
    assert page.link("Not now") == LIST
    row = await saved(office)
    assert (row["active"], row["status"], row["calendar_id"]) == (True, "connected", calendar_id)
    assert row["event_types"] == {"create": False, "update": False, "delete": True}
    assert [name for name, on in row["item_types"].items() if not on] == ["task", "todo"]
    assert row["send"] == {"enabled": True, "past": "2_weeks", "future": "12_months"}
    assert row["retrieve"]["enabled"] is False
    (run,) = await office.rows(runs)
    assert (run["send"], run["retrieve"]) == ({"past": "2_weeks", "future": "12_months"}, None)


async def test_finish_pressed_twice_is_one_finish(browser: Browser, office: Office) -> None:
    """By a double click, with the cookie of the first, or in another window: one run and no complaint."""
    for title in TITLES[1:3]:
        await browser.press(title)
    page = await browser.press("Confirmation", changes={"send": "yes"})
    kept = next(one for one in office.client.cookies.jar if one.name == "calendar_sync_draft")
    form, other = page.form("Finish")[0], Browser(client=office.client)
    other.page = page
    assert "Saved." in (await browser.press("Finish")).words
    assert "Saved." in (await other.press("Finish")).words
    office.client.cookies.jar.set_cookie(kept)
    sent = {**form.fields, "to": "finish"}
    answer = await office.client.post(form.action, data=sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?notice=finished")
    assert len(await office.rows(runs)) == 1


async def test_r25_finish_during_another_sync_is_refused_though_its_settings_stand(
    browser: Browser, office: Office
) -> None:
    """Its own run failed; the one now running is not what it asks for."""
    integration_id = browser.page.path.split("/")[2]
    for title in TITLES[1:3]:
        await browser.press(title)
    await browser.press("Confirmation", changes={"send": "yes"})
    other = Browser(client=office.client)
    other.page = browser.page
    await browser.press("Finish")
    (failed,) = await office.rows(runs)
    async with office.store.begin() as connection:
        at = office.clock.now()
        await end(connection, failed["id"], state="failed", reason="Cronofy is away", at=at)
    syncing, owner = office.app.state.services.syncing, Owner(tenant_id="acme", user_id="u-17")
    await syncing.start(owner, integration_id, None, started_by="u-17")
    page = await other.press("Finish")
    assert "Saved." not in page.words
    assert COMPLAINTS["run_in_progress"] in page.words


async def test_finish_confirms_only_what_the_window_shows(browser: Browser, office: Office) -> None:
    """What was chosen meanwhile in another window is shown before it is saved."""
    for title in TITLES[1:]:
        await browser.press(title)
    other = Browser(client=office.client)
    await other.open(browser.page.address.replace("confirmation", "your-calendar"))
    await other.press("Next", changes={"task": False})
    page = await browser.press("Finish")
    assert "changed in another window" in page.words
    assert "Appointments, CRM Activities, Service Calls, To Dos" in page.words
    assert (await saved(office))["finished_at"] is None
    assert "Saved." in (await browser.press("Finish")).words
    assert (await saved(office))["item_types"]["task"] is False
    page = await other.press("Next")
    assert "Appointments, CRM Activities, Service Calls, To Dos" in page.words


async def test_back_and_forth_loses_nothing(browser: Browser, office: Office) -> None:
    """G6: by the buttons, by the steps, and by opening a tab anew."""
    calendar_id = (await office.calendars(browser.page.path.split("/")[2]))["Second"]
    base = browser.page.path.rpartition("/")[0]
    await browser.press("Next", changes={"calendar_id": calendar_id, "update": True})
    await browser.press("Back", changes={"todo": False})
    assert browser.page.forms[0].fields["calendar_id"] == calendar_id
    assert browser.page.forms[0].boxes["update"] == [("on", True)]
    await browser.press("Sync Options", changes={"delete": True})
    assert browser.page.path.endswith("sync-options")
    await browser.press("Linked Calendar", changes={"retrieve": "yes", "retrieve_future": "3_months"})
    page = await browser.open(f"{base}/confirmation")
    assert "Create, Update, Delete" in page.words
    assert "Appointments, CRM Activities, Service Calls, Tasks" in page.words
    assert "To Dos" not in page.words
    assert "Enabled (past: Today, future: 3 months)" in page.words
    assert (await saved(office))["calendar_id"] is None


async def test_ranges_of_a_disabled_option_are_ignored(browser: Browser) -> None:
    """G9: usable only when enabled, also for those without script; unknown words change nothing."""
    base = browser.page.path.rpartition("/")[0]
    await browser.open(f"{base}/sync-options")
    changes = {"retrieve_past": "1_month", "send": "yes", "send_past": "1_decade", "send_future": "1_week"}
    await browser.press("Next", changes=changes)
    page = await browser.press("Back")
    fields = page.forms[0].fields
    assert (fields["retrieve_past"], fields["send_past"], fields["send_future"]) == (
        "today",
        "today",
        "1_week",
    )


async def test_nothing_selected_is_refused_beside_the_boxes(browser: Browser, office: Office) -> None:
    """R5; one may still go back."""
    await browser.press("Next", changes={"create": False})
    page = await browser.press("Next", changes=NO_TYPES)
    assert page.status == 422
    assert page.path.endswith("your-calendar")
    assert "Select at least one event type or one calendar item type to sync." in page.words
    assert ("p", {"class": "wrong", "id": "wrong-item_types"}) in page.tags
    page = await browser.press("Back", changes=NO_TYPES)
    assert page.path.endswith("linked-calendar")
    await browser.press("Your Calendar")
    page = await browser.open(f"{page.path.rpartition('/')[0]}/confirmation")
    page = await browser.press("Finish")
    assert "Select at least one event type" in page.words
    assert (await saved(office))["status"] == "setup"


async def test_a_read_only_calendar_takes_no_items(browser: Browser, office: Office) -> None:
    """G7: it can be chosen, but nothing can be sent to it."""
    calendar_id = (await office.calendars(browser.page.path.split("/")[2]))["Holidays"]
    await browser.press("Next", changes={"calendar_id": calendar_id})
    page = await browser.press("Next")
    assert page.status == 422
    assert "Holidays is read-only" in page.words
    await browser.press("Confirmation", changes=NO_TYPES)
    await browser.press("Finish")
    assert (await saved(office))["calendar_id"] == calendar_id


async def test_a_calendar_that_is_not_offered_is_refused(browser: Browser) -> None:
    page = await browser.press("Next", changes={"calendar_id": "cal_of_somebody_else"})
    assert page.status == 422
    assert ("p", {"class": "wrong", "id": "wrong-calendar_id"}) in page.tags
    assert "Choose a calendar." in page.words


async def test_r1_a_linked_calendar_is_marked_not_proposed_and_refused_at_once(
    browser: Browser, office: Office
) -> None:
    """Not three steps later."""
    for title in TITLES[1:]:
        await browser.press(title)
    await browser.press("Finish")
    another = await office.connect()
    page = await browser.open(f"{LIST}/{another}/settings/linked-calendar")
    (first,) = [one for one in await office.rows(integrations) if one["id"] != another]
    assert "Calendar – linked already" in page.text
    assert page.forms[0].fields.get("calendar_id", "") == ""
    page = await browser.press("Next")
    assert "Choose a calendar." in page.words
    page = await browser.press("Next", changes={"calendar_id": first["calendar_id"]})
    assert "You have linked this calendar already." in page.words
    assert ("p", {"class": "wrong", "id": "wrong-calendar_id"}) in page.tags


async def test_sync_now_starts_a_run_in_the_chosen_ranges(browser: Browser, office: Office) -> None:
    """G12, R24, R25: without changing the settings; a second one is refused with a sentence."""
    for title in TITLES[1:]:
        await browser.press(title)
    await browser.press("Finish")
    page = await browser.open(LIST)
    address = page.link("Settings: Calendar").replace("linked-calendar", "sync-options")
    await browser.open(address)
    page = await browser.press("Sync now")
    assert "Enable at least one direction to sync." in page.words
    page = await browser.press("Sync now", changes={"retrieve": "yes", "retrieve_past": "1_week"})
    assert "/runs/" in page.path
    assert "Sync now" in page.words
    assert (await saved(office))["retrieve"] == {"enabled": False, "past": "1_week", "future": "today"}
    await browser.open(address)
    page = await browser.press("Sync now", changes={"send": "yes"})
    assert "A sync is running. Wait until it has ended." in page.words


async def test_settings_of_a_withdrawn_account_lead_back_to_the_list(
    browser: Browser, office: Office
) -> None:
    """R22: without a connection no calendars can be shown."""
    for title in TITLES[1:]:
        await browser.press(title)
    await browser.press("Finish")
    page = await browser.open(LIST)
    address = page.link("Settings: Calendar")
    office.world.revoke("sam@contoso.example")
    await office.clock.pass_time(60)
    page = await browser.open(address)
    assert page.path == LIST
    assert "Verify that Cronofy has the permission" in page.words
    assert page.link("Reconnect: Calendar")


async def test_a_draft_is_read_only_where_we_laid_it_down(browser: Browser, office: Office) -> None:
    """A changed, foreign or broken one is as good as none."""
    base = browser.page.path.rpartition("/")[0]
    await browser.press("Next", changes={"create": False})
    kept = next(value for name, value in office.client.cookies.items() if name == "calendar_sync_draft")
    body, _, mark = kept.strip('"').partition(".")
    for wrong in ("", "x", f"{body}.x", f"{body[:-4]}.{mark}", f".{mark}"):
        office.client.cookies.delete("calendar_sync_draft")
        office.client.cookies.set("calendar_sync_draft", wrong, path=base)
        page = await browser.open(f"{base}/linked-calendar")
        assert page.forms[0].boxes["create"] == [("on", True)], wrong


async def test_an_unknown_tab_is_404(browser: Browser) -> None:
    base = browser.page.path.rpartition("/")[0]
    assert (await browser.open(f"{base}/nothing")).status == 404
    assert (await browser.open(base)).path == f"{base}/linked-calendar"


async def _with_another_calendar(office: Office) -> tuple[Browser, str, dict[str, str]]:
    """Two copies are on the linked calendar, and another one is chosen."""
    integration_id = await office.finished()
    calendars = await office.calendars(integration_id)
    for item in ("1", "2"):
        await office.add_link(integration_id, calendars["Calendar"], "behind", item=item)
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"{LIST}/{integration_id}/settings/linked-calendar")
    await browser.press("Confirmation", changes={"calendar_id": calendars["Second"]})
    return browser, integration_id, calendars


async def test_r16_another_calendar_makes_the_wizard_ask_what_becomes_of_the_copies(office: Office) -> None:
    """With their number; they are left where they are unless the person says otherwise."""
    browser, _, calendars = await _with_another_calendar(office)

    assert "2 copies that this sync added are on Calendar." in browser.page.words
    assert browser.page.forms[0].boxes["copies"] == [("move", False), ("leave", True)]
    assert (await saved(office))["calendar_id"] == calendars["Calendar"]

    await browser.press("Linked Calendar", changes={"copies": "move"})
    page = await browser.press("Confirmation")
    assert page.forms[0].boxes["copies"] == [("move", True), ("leave", False)]
    assert [row["moving"] for row in await office.rows(links)] == [False, False]


@pytest.mark.parametrize("copies", ["move", "leave"])
async def test_r16_finish_does_with_the_copies_what_was_answered(copies: str, office: Office) -> None:
    """Moving them is a sync that the list shows; nothing happens before."""
    browser, _, calendars = await _with_another_calendar(office)

    page = await browser.press("Finish", changes={"copies": copies})

    assert (page.path, (await saved(office))["calendar_id"]) == (LIST, calendars["Second"])
    moved = copies == "move"
    assert [row["moving"] for row in await office.rows(links)] == [moved, moved]
    assert [row["listed"] for row in await office.rows(runs) if row["ended_at"] is None] == [moved]


async def test_r16_the_same_calendar_asks_nothing(office: Office) -> None:
    """Nor does a first set-up."""
    browser, integration_id, calendars = await _with_another_calendar(office)
    await browser.open(f"{LIST}/{integration_id}/settings/linked-calendar?draft=kept")
    page = await browser.press("Confirmation", changes={"calendar_id": calendars["Calendar"]})
    assert "copies" not in page.forms[0].boxes

"""Settings that were left are not shown as saved; *Save* on every tab, also with Cronofy silent (G6, G10)."""

from typing import Any

import httpx
import pytest

from contracts.calendar import Reason, Status
from contracts.cronofy import Calendar
from service.store.integrations.integrations import change
from service.store.tables import integrations, runs
from service.web.locales import DEFAULT_PREFERENCES
from service.web.pages.wizard_steps import calendar_labels, range_days
from tests.support.clock import ManualClock
from tests.support.office import Office
from tests.support.pages import Browser

LIST = "/calendar-sync"
TABS = ("linked-calendar", "your-calendar", "sync-options", "confirmation")
USERINFO, CALENDARS = "GET /v1/userinfo", "GET /v1/calendars"


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in()
    return Browser(client=office.client)


async def _elsewhere(office: Office) -> Browser:
    """The same person in a browser of their own."""
    wire = httpx.ASGITransport(office.app)
    client = httpx.AsyncClient(transport=wire, base_url=office.client.base_url)
    assert (await client.get("/sign-in", params={"token": office.token()})).status_code == 303
    return Browser(client=client)


async def _saved(office: Office) -> dict[str, Any]:
    (row,) = await office.rows(integrations)
    return row


async def _at(browser: Browser, office: Office, tab: str) -> str:
    """At the settings of a new integration; the address of their first part."""
    base = f"{LIST}/{await office.finished()}/settings"
    await browser.open(f"{base}/{tab}")
    return base


@pytest.mark.parametrize("tab", TABS)
async def test_g6_what_was_left_unsaved_is_asked_about_and_not_shown_as_saved(
    tab: str, browser: Browser, office: Office
) -> None:
    """Wherever the person comes back to: *Resume* shows it, *Forget them* what is saved."""
    base = await _at(browser, office, "your-calendar")
    await browser.press("Next", changes={"task": None})

    page = await browser.open(f"{base}/{tab}")
    assert "These settings were changed, and not saved" in page.words
    assert "Calendar items you wish to send to the linked calendar" in page.words
    assert "Retrieve linked calendar items" not in page.words
    await browser.open(page.link("Resume"))
    page = await browser.press("Your Calendar")
    assert page.forms[0].boxes["task"] == [("on", False)]

    await browser.open(f"{base}/{tab}")
    await browser.press("Forget them")
    page = await browser.open(f"{base}/your-calendar")
    assert page.forms[0].boxes["task"] == [("on", True)]
    assert (await _saved(office))["item_types"]["task"]


async def test_g6_what_was_changed_and_changed_back_is_nothing_unsaved(
    browser: Browser, office: Office
) -> None:
    base = await _at(browser, office, "your-calendar")
    await browser.press("Next", changes={"task": None})
    await browser.press("Back")
    await browser.press("Next", changes={"task": "on"})

    assert (await browser.open(f"{base}/your-calendar")).path == f"{base}/your-calendar"
    assert "not saved" not in browser.page.words


async def test_g6_what_is_saved_elsewhere_since_is_kept_where_nothing_was_chosen_here(
    browser: Browser, office: Office
) -> None:
    """A laptop that went through the tabs days ago, and a phone."""
    base = await _at(browser, office, "linked-calendar")
    await browser.press("Next")
    await browser.press("Next", changes={"task": None})
    phone = await _elsewhere(office)
    await phone.open(f"{base}/linked-calendar")
    await phone.press("Save", changes={"update": "on", "own_name": "Customers"})

    page = await browser.open(f"{base}/linked-calendar")
    assert "Calendar items you wish to send to the linked calendar" in page.words
    assert "The event types you wish to sync" not in page.words
    await browser.open(page.link("Resume"))
    await browser.press("Save")

    row = await _saved(office)
    assert (row["event_types"]["update"], row["own_name"]) == (True, "Customers")
    assert not row["item_types"]["task"]


@pytest.mark.parametrize("tab", ["linked-calendar", "your-calendar", "confirmation"])
async def test_g10_a_page_that_was_overtaken_saves_nothing_before_it_is_looked_at(
    tab: str, browser: Browser, office: Office
) -> None:
    """What was saved in another window is not taken back by boxes that were drawn before."""
    base = await _at(browser, office, tab)
    phone = await _elsewhere(office)
    await phone.open(f"{base}/your-calendar")
    await phone.press("Save", changes={"task": None})
    boxes: dict[str, dict[str, str | bool | None]] = {
        "linked-calendar": {"update": "on"},
        "your-calendar": {"todo": None},
    }
    chosen = boxes.get(tab, {})
    said = "The settings were saved in another window meanwhile."

    page = await browser.press("Save", changes=chosen)
    assert (page.status, said in page.words) == ((409, True) if chosen else (200, False))
    await browser.press("Save", changes={"task": None} if tab == "your-calendar" else {})

    row = await _saved(office)
    assert not row["item_types"]["task"]
    assert row["event_types"]["update"] is (tab == "linked-calendar")


@pytest.mark.parametrize("tab", TABS)
async def test_g10_save_on_every_tab_saves_and_stays_there(
    tab: str, browser: Browser, office: Office
) -> None:
    """What was changed on the tabs before included."""
    base = await _at(browser, office, "linked-calendar")
    await browser.press("Next", changes={"update": "on", "own_name": "Customers"})
    await browser.open(f"{base}/{tab}?draft=kept")

    page = await browser.press("Save")

    assert (page.path, page.status) == (f"{base}/{tab}", 200)
    assert "Saved." in page.words
    row = await _saved(office)
    assert (row["event_types"]["update"], row["own_name"]) == (True, "Customers")
    assert "Customers" in (await browser.open(LIST)).words


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("status", [Status.CONNECTED, Status.NOT_CONNECTED])
async def test_g11_save_leaves_off_what_is_switched_off(
    tab: str, status: Status, browser: Browser, office: Office
) -> None:
    """By its owner, or paused by an administrator: nothing is read, sent or told because of it."""
    base = await _at(browser, office, tab)
    row = await _switched_off(browser, office)
    async with office.store.begin() as connection:
        await change(connection, row["id"], status=status.value)
    asked, told = len(await office.rows(runs)), await office.facts()
    await browser.open(f"{base}/linked-calendar")
    await browser.press("Next", changes={"own_name": "Customers"})
    await browser.open(f"{base}/{tab}?draft=kept")

    page = await browser.press("Save")

    assert (page.path, "Saved." in page.words) == (f"{base}/{tab}", True)
    row = await _saved(office)
    assert (row["active"], row["own_name"]) == (False, "Customers")
    assert len(await office.rows(runs)) == asked
    assert "activated" not in {change for change, _ in (await office.facts())[len(told) :]}


async def test_g11_nothing_is_to_be_brought_by_save_while_it_is_switched_off(
    browser: Browser, office: Office
) -> None:
    """It would be brought weeks later, with some other change."""
    base = await _at(browser, office, "sync-options")
    await _switched_off(browser, office)
    await browser.open(f"{base}/sync-options")
    page = await browser.press("Save", changes={"retrieve": "yes"})
    assert "This integration is not active. Activate it first." in page.words
    assert not (await _saved(office))["retrieve"]["enabled"]
    await browser.open(f"{base}/confirmation?draft=kept")
    await browser.press("Finish")
    assert (await _saved(office))["active"]


async def test_g11_another_calendar_is_not_linked_by_save_while_it_is_switched_off(
    browser: Browser, office: Office
) -> None:
    base = await _at(browser, office, "linked-calendar")
    row = await _switched_off(browser, office)
    await browser.open(f"{base}/linked-calendar")
    await browser.press("Next", changes={"calendar_id": (await office.calendars(row["id"]))["Second"]})
    await browser.open(f"{base}/confirmation?draft=kept")

    page = await browser.press("Save")

    assert "This integration is not active. Activate it first." in page.words
    now = await _saved(office)
    assert (now["calendar_id"], now["active"]) == (row["calendar_id"], False)
    await browser.press("Finish")
    assert (await _saved(office))["active"]


async def _switched_off(browser: Browser, office: Office) -> dict[str, Any]:
    """By its owner; as it was before."""
    row = await _saved(office)
    fields = {"csrf_token": browser.page.forms[0].fields["csrf_token"]}
    await browser.client.post(f"{LIST}/{row['id']}/deactivate", data=fields)
    return row


async def test_g10_save_refuses_beside_the_field_what_cannot_stay(browser: Browser, office: Office) -> None:
    base = await _at(browser, office, "linked-calendar")
    await browser.press("Next", changes={"create": None})
    page = await browser.press("Save", changes=dict.fromkeys(_types(browser)))

    assert (page.status, page.path) == (422, f"{base}/your-calendar")
    assert "Select at least one event type" in page.words


def _types(browser: Browser) -> list[str]:
    return list(browser.page.forms[0].boxes)


async def test_r16_save_with_another_calendar_asks_first_what_becomes_of_the_copies(
    browser: Browser, office: Office
) -> None:
    base = await _at(browser, office, "linked-calendar")
    other = (await office.calendars((await _saved(office))["id"]))["Second"]
    before = (await _saved(office))["calendar_id"]

    page = await browser.press("Save", changes={"calendar_id": other})

    assert page.path == f"{base}/confirmation"
    assert (await _saved(office))["calendar_id"] == before


async def test_g10_a_set_up_that_is_not_finished_has_no_save(browser: Browser, office: Office) -> None:
    """It becomes active with Finish alone, and its draft asks nothing."""
    base = f"{LIST}/{await office.connect()}/settings"
    await browser.open(f"{base}/linked-calendar")
    await browser.press("Next")
    page = await browser.open(f"{base}/linked-calendar")

    assert "Save" not in [button.label for form in page.forms for button in form.buttons]


@pytest.mark.parametrize("broken", [USERINFO, CALENDARS])
async def test_g10_settings_that_need_no_cronofy_are_saved_while_it_is_silent(
    broken: str, browser: Browser, office: Office
) -> None:
    """And the tab with the calendars opens, with the one that is linked."""
    base = await _at(browser, office, "linked-calendar")
    await office.clock.pass_time(61)
    office.wire.broken |= {USERINFO, CALENDARS} if broken == CALENDARS else {broken}
    page = await browser.open(f"{base}/linked-calendar")
    assert (page.status, "Cronofy does not answer" in page.words) == (200, broken == CALENDARS)

    page = await browser.press("Save", changes={"delete": "on"})

    assert (page.status, "Saved." in page.words) == (200, True)
    assert (await _saved(office))["event_types"]["delete"]


async def test_g10_what_needs_cronofy_is_said_and_kept_while_it_is_silent(
    browser: Browser, office: Office
) -> None:
    """Another calendar, say: 503, nothing saved, and everything still chosen."""
    base = await _at(browser, office, "linked-calendar")
    before = (await _saved(office))["calendar_id"]
    other = (await office.calendars((await _saved(office))["id"]))["Second"]
    await browser.press("Confirmation", changes={"calendar_id": other})
    office.wire.broken |= {USERINFO, CALENDARS}

    page = await browser.press("Finish")

    assert (page.status, page.path) == (503, f"{base}/confirmation")
    assert "cannot be saved without asking it" in page.words
    assert "Second" in page.words
    assert (await _saved(office))["calendar_id"] == before
    office.wire.broken.clear()
    assert (await browser.press("Finish")).path == LIST
    assert (await _saved(office))["calendar_id"] == other


async def test_r16_after_a_missing_calendar_nothing_is_left_nowhere_by_default(
    browser: Browser, office: Office
) -> None:
    """What it says it does: the items are put on the calendar that is chosen instead."""
    mine = await office.finished()
    calendars = await office.calendars(mine)
    await office.add_link(mine, calendars["Calendar"], "behind")
    async with office.store.begin() as connection:
        lost = {"status": Status.NOT_CONNECTED.value, "reason": Reason.CALENDAR_MISSING.value}
        await change(connection, mine, **lost)
    await browser.open(f"{LIST}/{mine}/settings/linked-calendar")

    page = await browser.press("Confirmation", changes={"calendar_id": calendars["Second"]})

    assert page.forms[0].boxes["copies"] == [("move", True), ("leave", False)]
    assert "which is no longer there" in page.words
    assert "Nothing is lost." in page.words


async def test_g9_days_stand_beside_the_ranges(browser: Browser, office: Office) -> None:
    """On the tab and on the confirmation."""
    await _at(browser, office, "sync-options")
    assert "(from " in browser.page.words
    page = await browser.press(
        "Confirmation", changes={"retrieve": "yes", "retrieve_past": "1_week", "retrieve_future": "1_week"}
    )

    span = {"past": "1_week", "future": "1_week"}
    assert range_days(span, now=office.clock.now(), time_zone="UTC", locale=DEFAULT_PREFERENCES) in page.words


@pytest.mark.parametrize(
    ("past", "future", "said"),
    [
        ("today", "today", "1 Dec"),
        ("today", "1_week", "1–8 Dec"),
        ("2_weeks", "1_week", "17 Nov – 8 Dec"),
        ("1_month", "6_months", "1 Nov 2026 – 1 Jun 2027"),
    ],
)
def test_g9_a_range_in_days(past: str, future: str, said: str) -> None:
    """As short as it is plain."""
    span = {"past": past, "future": future}

    assert range_days(span, now=ManualClock().now(), time_zone="UTC", locale=DEFAULT_PREFERENCES) == said


def test_two_calendars_of_one_name_are_told_apart() -> None:
    """By what differs: the end of their ids, and which is the main one."""
    listed = [
        _calendar("cal_aaa111", "Calendar", primary=True),
        _calendar("cal_bbb222", "Calendar", read_only=True),
        _calendar("cal_ccc333", "Work"),
    ]

    assert list(calendar_labels(listed).values()) == [
        "Calendar (…aaa111, main calendar)",
        "Calendar (…bbb222, read-only)",
        "Work",
    ]


def _calendar(calendar_id: str, name: str, *, primary: bool = False, read_only: bool = False) -> Calendar:
    return Calendar(
        calendar_id=calendar_id,
        name=name,
        read_only=read_only,
        deleted=False,
        primary=primary,
        permission_level="sandbox",
        profile_id="p",
    )

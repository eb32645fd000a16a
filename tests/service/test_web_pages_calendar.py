"""My Calendar as a person without script uses it (G4, G17, R8, R9)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Item, item_ref
from contracts.envelope import ItemChanged, decode
from contracts.vorex import ItemContent, ItemType
from service.store.items import items as items_store
from tests.support.office import Office
from tests.support.pages import Browser, ShownPage

HOME = "/my-calendar"
ZONE = "Europe/Berlin"
GLYPHS = {"appointment", "crm_activity", "service_call", "task", "todo"}


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz=ZONE)
    return Browser(client=office.client)


def item_of(office: Office, item_type: str, item_id: str, **changes: Any) -> Item:
    """One that came from elsewhere."""
    values = {name: changes.pop(name) for name in ("read_only_reason", "imported_by") if name in changes}
    usual = {"title": item_id, "start": "2026-12-03T09:00:00Z", "assignees": ["u-17"]}
    content = ItemContent.from_json_dict({"id": item_id, "type": item_type, **usual, **changes})
    item = Item(
        ref=item_ref("acme", item_type, item_id), tenant_id="acme", type=ItemType(item_type), id=item_id,
        version=4, vorex_version=2, sync_version=4, revision=3, deleted=False, content=content,
        changed_at=office.clock.now(),
    )  # fmt: skip
    return replace(item, **values)


async def keep(office: Office, item_type: str, item_id: str, **changes: Any) -> None:
    item = item_of(office, item_type, item_id, **changes)
    async with office.store.begin() as connection:
        await items_store.save(connection, [(item, None)], now=office.clock.now())


async def messages(office: Office) -> list[ItemChanged]:
    return [decode(one.body, expected=ItemChanged) for one in await office.sent("vorex.items")]


def days_of(page: ShownPage, words: str) -> list[str]:
    """The days of the month in whose squares an item with these words is."""
    found, day = [], ""
    for tag, given in page.tags:
        day = given.get("data-day", day)
        if tag == "a" and given.get("title") == words:
            found.append(day)
    return found


async def test_the_month_marks_today_and_leads_to_calendar_sync(browser: Browser) -> None:
    """G4."""
    page = await browser.open(HOME)
    assert "December 2026" in page.words
    assert page.link("Calendar Sync") == "/calendar-sync"
    (today,) = [given for _, given in page.tags if given.get("aria-current") == "date"]
    assert today["aria-label"] == "Tuesday, 1 December 2026, today, 0 items"
    days = [given["data-day"] for tag, given in page.tags if tag == "td"]
    assert (days[0], days[-1], len(days)) == ("2026-11-30", "2027-01-03", 35)
    page = await browser.follow("January 2027")
    assert "January 2027" in page.words


@pytest.mark.parametrize(
    "query", ["month=x", "month=9999-12", "day=2026-02-30", "month=2026-13", "day=0001-01-01"]
)
async def test_an_odd_month_or_day_shows_this_month(query: str, browser: Browser) -> None:
    page = await browser.open(f"{HOME}?{query}")
    assert (page.status, "December 2026" in page.words) == (200, True)


async def test_the_five_types_differ_by_shape_and_word(browser: Browser, office: Office) -> None:
    """Not by colour alone."""
    for name in sorted(GLYPHS):
        await keep(office, name, f"my {name}")
    page = await browser.open(f"{HOME}?agenda=2026-12-03")
    for words in ("Appointment", "CRM Activity", "Service Call", "Task", "To Do"):
        assert page.words.count(words) >= 2
    shapes = {given["d"] for tag, given in page.tags if tag == "path" and len(given["d"]) < 40}
    assert len(shapes) >= 3
    assert {"circle", "rect"} <= {tag for tag, _ in page.tags}


async def test_days_are_those_of_the_persons_zone(browser: Browser, office: Office) -> None:
    await keep(office, "task", "late", start="2026-12-03T23:30:00Z")
    await keep(office, "task", "two days", start="2026-12-07T20:00:00Z", end="2026-12-08T10:00:00Z")
    await keep(office, "todo", "whole", all_day=True, start="2026-12-10", end="2026-12-12")
    await keep(office, "task", "till midnight", start="2026-12-14T20:00:00Z", end="2026-12-14T23:00:00Z")
    page = await browser.open(HOME)
    assert days_of(page, "late") == ["2026-12-04"]
    assert days_of(page, "two days") == ["2026-12-07", "2026-12-08"]
    assert days_of(page, "whole") == ["2026-12-10", "2026-12-11"]
    assert days_of(page, "till midnight") == ["2026-12-14"]
    page = await browser.open(f"{HOME}?day=2026-12-08")
    assert "→ 11:00" in page.words


async def test_an_appointment_is_added_on_the_day_that_was_picked(browser: Browser, office: Office) -> None:
    """G17: subject, date and time, description; published as Vorex would."""
    await browser.open(HOME)
    page = await browser.follow("Add appointment on Thursday, 3 December 2026")
    fields = page.forms[0].fields
    assert (fields["start_day"], fields["start_time"], fields["end_time"]) == ("2026-12-03", "09:00", "10:00")
    page = await browser.press(
        "Add",
        changes={
            "title": "Site visit",
            "location": "HQ",
            "description": "Bring\nit.",
            "private": True,
        },
    )
    assert "The appointment was added." in page.words
    assert days_of(page, "Site visit") == ["2026-12-03"]
    (message,) = await messages(office)
    item = message.data.item
    assert (item.title, item.location, item.description) == ("Site visit", "HQ", "Bring\nit.")
    assert (item.to_json_dict()["start"], item.to_json_dict()["end"]) == (
        "2026-12-03T08:00:00Z", "2026-12-03T09:00:00Z",
    )  # fmt: skip
    assert (item.time_zone, item.private, item.all_day) == (ZONE, True, False)


async def test_a_whole_day_lasts_to_the_end_of_its_last_day(browser: Browser, office: Office) -> None:
    await browser.open(f"{HOME}/new?day=2026-12-03&view=day")
    page = await browser.press("Add", changes={"title": "Fair", "all_day": True, "end_day": "2026-12-04"})
    assert page.address.endswith("day=2026-12-03&notice=added")
    (message,) = await messages(office)
    form = message.data.item.to_json_dict()
    assert (form["all_day"], form["start"], form["end"]) == (True, "2026-12-03", "2026-12-05")
    await browser.follow("Agenda")
    await browser.follow("Fair")
    assert browser.page.forms[0].fields["end_day"] == "2026-12-04"


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"title": "  "}, "title", "Give the appointment a subject."),
        ({"start_day": ""}, "start_day", "Choose a day."),
        ({"start_day": "2026-02-30"}, "start_day", "Choose a day."),
        ({"start_time": "25:00"}, "start_time", "Choose a time."),
        ({"end_time": "soon"}, "end_time", "Choose a time."),
        ({"end_day": "2026-12-01"}, "end_day", "The end must not be before the start."),
        ({"end_time": "08:00"}, "end_time", "The end must not be before the start."),
        ({"title": "a\x00b"}, "title", "This must not contain"),
    ],
)
async def test_what_cannot_be_is_told_beside_its_field_and_nothing_is_lost(
    changes: dict[str, str], field: str, sentence: str, browser: Browser, office: Office
) -> None:
    await browser.open(f"{HOME}/new?day=2026-12-03")
    page = await browser.press("Add", changes={"title": "Kept", "description": "Kept too", **changes})
    assert page.status == 422
    assert sentence in page.words
    assert any(given.get("id") == f"wrong-{field}" for _, given in page.tags)
    assert page.forms[0].fields["description"] == "Kept too"
    assert await messages(office) == []


async def test_an_appointment_is_changed_and_what_was_left_alone_stays(
    browser: Browser, office: Office
) -> None:
    """The html, the seconds, the zone and the assignees that Vorex gave it."""
    await keep(
        office, "appointment", "a:/ü", title="Visit", description="Bring <b>it</b>.",
        assignees=["u-17", "u-22"], description_format="html", start="2026-12-03T09:00:30Z",
        end="2026-12-03T10:00:00Z", time_zone="Asia/Tokyo", show_as="free", account_name="Contoso",
    )  # fmt: skip
    await browser.open(f"{HOME}?agenda=2026-12-03")
    page = await browser.follow("Visit")
    assert page.forms[0].fields["description"] == "Bring it."
    page = await browser.press("Save", changes={"title": "Later"})
    assert "The appointment was changed." in page.words
    (message,) = await messages(office)
    form = message.data.item.to_json_dict()
    expected = {
        "title": "Later", "description": "Bring <b>it</b>.", "description_format": "html",
        "start": "2026-12-03T09:00:30Z", "time_zone": "Asia/Tokyo", "show_as": "free",
    }  # fmt: skip
    assert {name: form[name] for name in expected} == expected
    assert (form["assignees"], form["account_name"]) == (["u-17", "u-22"], "Contoso")
    await browser.open(f"{HOME}?agenda=2026-12-03")
    await browser.follow("Later")
    await browser.press("Save", changes={"start_time": "08:00", "description": "New", "end_time": ""})
    form = (await messages(office))[-1].data.item.to_json_dict()
    assert (form["start"], form["end"], form["time_zone"]) == ("2026-12-03T07:00:00Z", None, ZONE)
    assert (form["description"], form["description_format"]) == ("New", "text")


async def test_a_form_that_was_overtaken_writes_over_nothing_unasked(
    browser: Browser, office: Office
) -> None:
    """Two tabs, or a change that came in from the linked calendar; what was typed is kept."""
    await keep(office, "appointment", "1", title="Visit")
    address = f"{HOME}/item?key=appointment:1"
    other = Browser(client=office.client)
    await browser.open(address)
    await other.open(address)
    await other.press("Save", changes={"title": "Visit at Contoso"})

    page = await browser.press("Save", changes={"location": "HQ"})

    assert page.status == 409
    assert "The appointment was changed meanwhile" in page.words
    assert page.forms[0].fields["location"] == "HQ"
    assert [one.data.item.location for one in await messages(office)] == [""]
    page = await browser.press("Save", changes={"title": "Visit at Contoso"})
    assert "The appointment was changed." in page.words
    item = (await messages(office))[-1].data.item
    assert (item.title, item.location) == ("Visit at Contoso", "HQ")


@pytest.mark.parametrize("wrong", [{"title": ""}, {"start_day": "never"}, {"end_time": "25:00"}])
async def test_a_form_that_was_overtaken_stays_so_by_way_of_a_mistake(
    wrong: dict[str, str], browser: Browser, office: Office
) -> None:
    """The page that names the mistake was made from the version before: what came since is not in it."""
    await keep(office, "appointment", "1", title="Visit")
    address = f"{HOME}/item?key=appointment:1"
    other = Browser(client=office.client)
    before = (await browser.open(address)).forms[0].fields
    await other.open(address)
    await other.press("Save", changes={"location": "HQ"})

    assert (await browser.press("Save", changes=wrong)).status == 422
    page = await browser.press("Save", changes={name: before[name] for name in wrong})

    assert (page.status, "The appointment was changed meanwhile" in page.words) == (409, True)
    assert [one.data.item.location for one in await messages(office)] == ["HQ"]


async def test_r50_an_appointment_is_deleted_once_it_is_confirmed_and_undone(
    browser: Browser, office: Office
) -> None:
    """From the note that confirms it; a second Undo changes nothing, and no version goes back."""
    await keep(office, "appointment", "1", title="Visit", location="HQ", description="Bring it.")
    await browser.open(f"{HOME}?agenda=2026-12-03")
    await browser.follow("Visit")
    page = await browser.follow("Delete")
    assert "Delete this appointment?" in page.words
    assert "Thursday, 3 December 2026, 10:00" in page.words
    assert await messages(office) == []
    page = await browser.press("Delete")
    assert "The appointment was deleted." in page.words
    assert days_of(page, "Visit") == []
    undone = await browser.press("Undo")
    assert "The appointment is there again, as it was." in undone.words
    browser.page = page
    await browser.press("Undo")
    told = [(one.data.action.value, one.data.version) for one in await messages(office)]
    assert told == [("deleted", 5), ("updated", 6)]
    item = (await messages(office))[-1].data.item
    assert (item.title, item.location, item.description) == ("Visit", "HQ", "Bring it.")


async def test_r50_a_deletion_is_undone_later_from_the_story(browser: Browser, office: Office) -> None:
    """Without the note: the list of what was deleted, and the appointment's own page, lead back."""
    await keep(office, "appointment", "1", title="Visit")
    await office.client.delete("/api/v1/my-calendar/items/appointment:1", headers=office.bearer())
    await browser.open(HOME)
    page = await browser.follow("Deleted appointments")
    assert page.form("Undo: Visit")
    page = await browser.follow("Visit")
    assert "This appointment was deleted" in page.words
    page = await browser.press("Undo the deletion")
    assert days_of(page, "Visit") == ["2026-12-03"]
    page = await browser.open(f"{HOME}/deleted")
    assert "Nothing was deleted." in page.words


async def test_r50_what_was_never_deleted_or_is_not_ones_own_is_not_put_back(office: Office) -> None:
    restore = "/api/v1/my-calendar/items/{}/restore"
    await keep(office, "appointment", "1", title="Visit")
    await keep(office, "appointment", "2", title="Theirs", assignees=["u-22"])
    lives = await office.post(restore.format("appointment:1"))
    assert (lives.status_code, lives.json()["title"]) == (200, "Visit")
    for key in ("appointment:2", "appointment:3", "task:1", "x"):
        assert (await office.post(restore.format(key))).status_code == 404
    assert await messages(office) == []


async def test_an_appointment_that_changed_meanwhile_is_not_deleted_unseen(
    browser: Browser, office: Office
) -> None:
    await keep(office, "appointment", "1", title="Visit")
    await browser.open(f"{HOME}/item/delete?key=appointment:1")
    other = Browser(client=office.client)
    await other.open(f"{HOME}/item?key=appointment:1")
    await other.press("Save", changes={"title": "Visit with the board"})
    page = await browser.press("Delete")
    assert (page.status, "It was changed meanwhile" in page.words) == (409, True)
    assert [one.data.action.value for one in await messages(office)] == ["updated"]


async def test_a_form_that_is_sent_twice_adds_one_appointment(browser: Browser, office: Office) -> None:
    """Without script: the same form posted from the page before."""
    form = await browser.open(f"{HOME}/new?day=2026-12-03")
    await browser.press("Add", changes={"title": "Once"})
    browser.page = form
    page = await browser.press("Add", changes={"title": "Once"})
    assert days_of(page, "Once") == ["2026-12-03"]
    assert len(await messages(office)) == 1


async def test_the_enter_key_saves_and_never_deletes(browser: Browser, office: Office) -> None:
    """A browser presses the form's first button for it."""
    await keep(office, "appointment", "1", title="Visit")
    await browser.open(f"{HOME}?agenda=2026-12-03")
    page = await browser.follow("Visit")
    assert "formaction" not in page.forms[0].buttons[0].attributes


@pytest.mark.parametrize(
    ("item_type", "reason", "words"),
    [
        ("appointment", "series", "Read-only: part of a series"),
        ("appointment", "private", "Read-only: private in the linked calendar"),
        ("service_call", None, "Read-only: edited in Vorex itself"),
    ],
)
async def test_a_read_only_item_says_why(
    item_type: str, reason: str | None, words: str, browser: Browser, office: Office
) -> None:
    """R8, R9; a form that was sent all the same changes nothing."""
    await keep(office, item_type, "1", title="Fixed", read_only_reason=reason)
    page = await browser.open(f"{HOME}?agenda=2026-12-03")
    assert words in page.words
    page = await browser.follow("Fixed")
    assert words in page.words
    assert page.own_forms == []
    assert (await browser.open(f"{HOME}/item/delete?key={item_type}:1")).status == 409
    await browser.open(f"{HOME}/new?day=2026-12-03")
    form = browser.page.forms[0]
    form.action = f"{HOME}/item?key={item_type}:1"
    page = await browser.press("Add", changes={"title": "Moved"})
    assert page.status == 409
    assert await messages(office) == []


async def test_a_very_full_month_shows_its_last_day_too(browser: Browser, office: Office) -> None:
    """However many items lie before it."""
    crowd = [item_of(office, "task", f"task {number}") for number in range(1100)]
    last = item_of(office, "todo", "last", start="2026-12-31T09:00:00Z")
    async with office.store.begin() as connection:
        await items_store.save(connection, [(one, None) for one in [*crowd, last]], now=office.clock.now())
    page = await browser.open(HOME)
    assert days_of(page, "last") == ["2026-12-31"]
    assert page.link("1096 more on Thursday, 3 December 2026")


async def test_a_full_day_leads_to_the_rest(browser: Browser, office: Office) -> None:
    for number in range(7):
        await keep(office, "task", f"task {number}")
    page = await browser.open(HOME)
    assert len([one for one in page.links if one.attributes.get("title", "").startswith("task")]) == 4
    page = await browser.follow("3 more on Thursday, 3 December 2026")
    assert all(f"task {number}" in page.words for number in range(7))

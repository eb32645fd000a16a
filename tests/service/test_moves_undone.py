"""An appointment that was moved or stretched goes back from the note that says so (R50)."""

import pytest

from contracts.vorex import ItemContent
from service.store.tables import items
from tests.service.test_web_pages_calendar import keep, messages
from tests.support.office import Office
from tests.support.pages import Browser

HOME = "/my-calendar"
ITEM = f"{HOME}/item?key=appointment:1"
TIMES = ("all_day", "start", "end", "time_zone")
NINE, TEN = "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z"


@pytest.fixture
async def browser(office: Office) -> Browser:
    office.count_no_changes()
    await keep(office, "appointment", "1", title="Visit", start=NINE, end=TEN, location="HQ")
    await office.sign_in(tz="UTC", locale="en-GB")
    return Browser(client=office.client)


async def _stands(office: Office) -> tuple[str, str, str]:
    """Title and times, as the last message said them."""
    form = (await messages(office))[-1].data.item.to_json_dict()
    return form["title"], form["start"], form["end"]


async def _by_form(browser: Browser, **fields: str) -> None:
    await browser.open(f"{ITEM}&view=week")
    page = await browser.press("Save", changes=fields)
    assert "Undo" in page.words


async def test_r50_a_move_by_the_form_is_undone_from_its_note_in_the_same_view(
    browser: Browser, office: Office
) -> None:
    """Its times go back; what else was written stays."""
    await _by_form(browser, start_time="14:00", end_time="15:30", title="Long visit")
    assert (await _stands(office)) == ("Long visit", "2026-12-03T14:00:00Z", "2026-12-03T15:30:00Z")

    page = await browser.press("Undo: put it back at its former time")

    assert await _stands(office) == ("Long visit", NINE, TEN)
    assert "It is back at its former time." in page.words
    assert page.link("Refresh") == f"{HOME}?week=2026-12-03"


async def test_r50_a_move_that_somebody_changed_since_stays_and_says_so(
    browser: Browser, office: Office
) -> None:
    await _by_form(browser, start_time="14:00", end_time="15:00")
    await keep(office, "appointment", "1", title="Of somebody else", version=9)
    before = len(await messages(office))

    page = await browser.press("Undo: put it back at its former time")

    assert "Somebody changed it since, here or on a linked calendar" in page.words
    assert len(await messages(office)) == before


async def test_r50_what_was_not_moved_has_no_undo_of_a_move(browser: Browser) -> None:
    await browser.open(ITEM)
    page = await browser.press("Save", changes={"title": "Renamed"})
    assert "Undo" not in page.words


@pytest.mark.parametrize("all_day", [False, True])
async def test_r50_whole_days_and_times_take_each_others_place_and_come_back(
    all_day: bool, browser: Browser, office: Office
) -> None:
    if all_day:
        times = {"all_day": True, "start": "2026-12-03", "end": "2026-12-04"}
        await keep(office, "appointment", "1", title="Visit", version=9, **times)
    kept = (await _now(office)).to_json_dict()
    changed = {"all_day": None, "start_time": "09:00", "end_time": "10:00"} if all_day else {"all_day": "on"}
    await browser.open(f"{ITEM}&view=week")
    await browser.press("Save", changes=changed)
    assert (await _now(office)).all_day is not all_day

    page = await browser.press("Undo: put it back at its former time")

    assert "It is back at its former time." in page.words
    now = (await _now(office)).to_json_dict()
    assert [now[name] for name in TIMES] == [kept[name] for name in TIMES]


async def test_r50_the_zone_of_an_appointment_comes_back_with_its_times(
    browser: Browser, office: Office
) -> None:
    times = {"start": NINE, "end": TEN, "time_zone": "Asia/Tokyo"}
    await keep(office, "appointment", "1", title="Visit", version=9, **times)
    await _by_form(browser, start_time="14:00", end_time="15:00")
    assert (await _now(office)).time_zone == "UTC"
    await browser.press("Undo: put it back at its former time")
    assert (await _now(office)).time_zone == "Asia/Tokyo"


async def _now(office: Office) -> ItemContent:
    """The item as it stands."""
    (row,) = await office.rows(items)
    return ItemContent.model_validate(row["content"])


@pytest.mark.parametrize("steps", [{"days": "1"}, {"minutes": "45"}, {"longer": "30"}])
async def test_r50_a_move_by_pointer_or_keys_tells_where_it_is_undone(
    steps: dict[str, str], browser: Browser, office: Office
) -> None:
    """The page makes a form of it, which leads back as any other."""
    page = await browser.open(HOME)
    given = {"csrf_token": page.forms[-1].fields["csrf_token"], "version": "4", **steps}
    moved = await browser.client.post(f"{HOME}/item/move?key=appointment:1", data=given)
    undo = moved.json()["undo"]
    assert undo["word"] == "Undo"

    back = await browser.client.post(undo["address"], data=given)

    assert back.headers["location"].endswith("notice=put_back")
    assert (await _stands(office))[1:] == (NINE, TEN)


@pytest.mark.parametrize(
    "times",
    [
        "",
        "x",
        "5",
        "5~",
        "5~2026-12-03T09:00:00~~UTC",
        "5~never~~UTC",
        "5~2026-12-03~x~UTC",
        "9" * 19 + "~2026-12-03~~UTC",
    ],
)
async def test_r50_times_that_no_note_gives_change_nothing(
    times: str, browser: Browser, office: Office
) -> None:
    page = await browser.open(HOME)
    given = {"csrf_token": page.forms[-1].fields["csrf_token"]}
    answer = await browser.client.post(f"{HOME}/item/put-back?key=appointment:1&times={times}", data=given)
    assert answer.status_code == 404
    assert await messages(office) == []

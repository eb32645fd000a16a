"""Appointments moved and stretched as a pointer or the keys do it (G17, R49)."""

import httpx
import pytest

from tests.service.test_web_pages_calendar import keep, messages
from tests.support.office import Office
from tests.support.pages import Browser

HOME = "/my-calendar"


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz="Europe/Berlin", locale="en-GB")
    return Browser(client=office.client)


@pytest.mark.parametrize(
    ("steps", "start", "end"),
    [
        ({"days": "1", "minutes": "-30"}, "2026-12-04T08:30:00Z", "2026-12-04T09:30:00Z"),
        ({"days": "-3"}, "2026-11-30T09:00:00Z", "2026-11-30T10:00:00Z"),
        ({"minutes": "2895"}, "2026-12-05T09:15:00Z", "2026-12-05T10:15:00Z"),
        ({"longer": "45"}, "2026-12-03T09:00:00Z", "2026-12-03T10:45:00Z"),
        ({"longer": "-45"}, "2026-12-03T09:00:00Z", "2026-12-03T09:15:00Z"),
    ],
)
async def test_an_appointment_is_moved_and_stretched(
    steps: dict[str, str], start: str, end: str, browser: Browser, office: Office
) -> None:
    """As the pointer does it; all else stays to the letter."""
    await keep(office, "appointment", "1", title="Visit", end="2026-12-03T10:00:00Z", location="HQ")
    answer = await _move(browser, "appointment:1", {"version": "4", **steps})
    assert answer.status_code == 200, answer.text
    assert answer.json()["moved"]
    (message,) = await messages(office)
    form = message.data.item.to_json_dict()
    assert (form["start"], form["end"], form["location"], form["title"]) == (start, end, "HQ", "Visit")


@pytest.mark.parametrize(
    ("key", "steps", "refused"),
    [
        ("appointment:1", {"version": "3", "days": "1"}, (409, "It was changed meanwhile")),
        ("appointment:1", {"days": "1"}, (422, "It cannot be moved there.")),
        ("appointment:1", {"version": "4", "longer": "-60"}, (422, "It cannot be moved there.")),
        ("appointment:1", {"version": "4", "days": "many"}, (422, "It cannot be moved there.")),
        ("appointment:1", {"version": "4", "days": "99999"}, (422, "It cannot be moved there.")),
        ("task:2", {"version": "4", "days": "1"}, (409, "edited in Vorex itself")),
        ("appointment:3", {"version": "4", "days": "1"}, (409, "series")),
        ("appointment:4", {"version": "1", "days": "1"}, (404, "no such item")),
    ],
)
async def test_a_move_that_is_refused_says_why(
    key: str, steps: dict[str, str], refused: tuple[int, str], browser: Browser, office: Office
) -> None:
    await keep(office, "appointment", "1", title="Visit", end="2026-12-03T10:00:00Z")
    await keep(office, "task", "2")
    await keep(office, "appointment", "3", read_only_reason="series")
    answer = await _move(browser, key, steps)
    status, why = refused
    assert (answer.status_code, why in answer.text) == (status, True), answer.text
    assert await messages(office) == []


@pytest.mark.parametrize("steps", [{}, {"days": "0", "minutes": "0"}, {"longer": "0"}])
async def test_r49_steps_that_lead_nowhere_change_nothing(
    steps: dict[str, str], browser: Browser, office: Office
) -> None:
    """Vorex hears of none, and whoever looks at the same version is not overtaken."""
    await keep(office, "appointment", "1", title="Visit", end="2026-12-03T10:00:00Z")
    answer = await _move(browser, "appointment:1", {"version": "4", **steps})
    assert (answer.status_code, answer.json()["version"], answer.json()["undo"]) == (200, 4, None)
    assert await messages(office) == []


@pytest.mark.parametrize(("longer", "last"), [(-1, "2026-12-05"), (-2, "2026-12-04"), (2, "2026-12-08")])
async def test_r49_whole_days_are_taken_off_and_added_down_to_one(
    longer: int, last: str, browser: Browser, office: Office
) -> None:
    times = {"all_day": True, "start": "2026-12-03", "end": "2026-12-06"}
    await keep(office, "appointment", "1", **times)
    answer = await _move(browser, "appointment:1", {"version": "4", "longer": str(longer * 1440)})
    assert answer.status_code == 200, answer.text
    (message,) = await messages(office)
    form = message.data.item.to_json_dict()
    assert (form["start"], form["end"]) == ("2026-12-03", last)


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [
        ("2027-03-27T01:30:00Z", "2027-03-27T03:00:00Z", {"days": "1"}),
        ("2027-03-28T00:00:00Z", "2027-03-28T00:45:00Z", {"longer": "15"}),
        ("2027-10-31T00:30:00Z", "2027-10-31T02:30:00Z", {"minutes": "15"}),
    ],
)
async def test_r49_a_move_to_a_time_that_is_skipped_or_comes_twice_sends_to_the_form(
    start: str, end: str, steps: dict[str, str], browser: Browser, office: Office
) -> None:
    """Which of two is meant can only be chosen there."""
    await keep(office, "appointment", "1", title="Night", start=start, end=end)
    answer = await _move(browser, "appointment:1", {"version": "4", **steps})
    assert (answer.status_code, answer.json()["detail"].split(".")[0]) == (422, "The clocks change then")
    assert await messages(office) == []


async def _move(browser: Browser, key: str, steps: dict[str, str]) -> httpx.Response:
    page = await browser.open(HOME)
    token = page.forms[-1].fields["csrf_token"]
    given = {"csrf_token": token, **steps}
    return await browser.client.post(
        f"{HOME}/item/move?key={key}", data=given, headers={"Accept": "application/json"}
    )

"""Times that a change of the clock skips or doubles are asked, and an end follows its start (R49)."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from service.web.pages.calendar.hour_grid import clock_changes
from service.web.pages.calendar.local_times import odd_time
from tests.service.test_web_pages_calendar import keep, messages
from tests.support.office import Office
from tests.support.pages import Browser

HOME = "/my-calendar"
BERLIN, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz="Europe/Berlin")
    return Browser(client=office.client)


@pytest.mark.parametrize(
    ("zone", "day", "at", "kind", "choices"),
    [
        ("Europe/Berlin", date(2027, 3, 28), time(2, 30), "skipped", ("00:30", "01:30")),
        ("Europe/Berlin", date(2027, 10, 31), time(2, 30), "doubled", ("00:30", "01:30")),
        ("Europe/Berlin", date(2027, 10, 31), time(2, 0), "doubled", ("00:00", "01:00")),
        ("Europe/Berlin", date(2027, 10, 31), time(3, 0), None, ()),
        ("Europe/Berlin", date(2027, 3, 28), time(3, 0), None, ()),
        ("Australia/Lord_Howe", date(2027, 10, 3), time(2, 15), "skipped", ("15:15", "15:45")),
        ("UTC", date(2027, 3, 28), time(2, 30), None, ()),
    ],
)
def test_r49_a_time_is_odd_where_the_clock_is_changed(
    zone: str, day: date, at: time, kind: str | None, choices: tuple[str, ...]
) -> None:
    found = odd_time(day, at, ZoneInfo(zone))
    assert (found.kind if found else None) == kind
    assert tuple(f"{one:%H:%M}" for one in (found.choices if found else ())) == choices


def test_r49_a_day_tells_when_its_clock_is_changed() -> None:
    for day, told in ((date(2027, 3, 28), ["01:00", "02:00"]), (date(2027, 10, 31), ["02:00", "01:00"])):
        assert [f"{at:%H:%M}" for at in clock_changes(day, LONDON) or ()] == told
    assert clock_changes(date(2027, 3, 27), LONDON) is None


@pytest.mark.parametrize(
    ("day", "words", "choice"),
    [
        ("2027-10-31", "comes twice", "2027-10-31T00:30:00Z"),
        ("2027-10-31", "comes twice", "2027-10-31T01:30:00Z"),
        ("2027-03-28", "does not come", "2027-03-28T00:30:00Z"),
        ("2027-03-28", "does not come", "2027-03-28T01:30:00Z"),
    ],
)
async def test_r49_which_moment_is_meant_is_asked_and_never_guessed(
    day: str, words: str, choice: str, browser: Browser, office: Office
) -> None:
    await browser.open(f"{HOME}/new?day={day}")
    times = {"title": "Early", "start_time": "02:30", "end_time": "04:00"}
    page = await browser.press("Add", changes=times)
    assert (page.status, words in page.words) == (422, True)
    assert [value for value, _ in page.own_forms[0].boxes["start_choice"]] == [
        f"{day}T00:30:00Z", f"{day}T01:30:00Z",
    ]  # fmt: skip
    assert await messages(office) == []
    page = await browser.press("Add", changes={"start_choice": f"{day}T05:00:00Z"})
    assert page.status == 422
    page = await browser.press("Add", changes={"start_choice": choice})
    assert "The appointment was added." in page.words
    (message,) = await messages(office)
    assert message.data.item.to_json_dict()["start"] == choice


async def test_r49_a_doubled_time_that_is_left_alone_stays_what_it_was(
    browser: Browser, office: Office
) -> None:
    """The second 02:30, though only the end is changed."""
    await keep(
        office, "appointment", "1", title="Late", start="2027-10-31T01:30:00Z", end="2027-10-31T03:00:00Z"
    )
    page = await browser.open(f"{HOME}/item?key=appointment:1")
    assert page.own_forms[0].boxes["start_choice"] == [
        ("2027-10-31T00:30:00Z", False), ("2027-10-31T01:30:00Z", True),
    ]  # fmt: skip
    page = await browser.press("Save", changes={"end_time": "05:00", "start_choice": "2027-10-31T01:30:00Z"})
    assert "The appointment was changed." in page.words
    form = (await messages(office))[-1].data.item.to_json_dict()
    assert (form["start"], form["end"]) == ("2027-10-31T01:30:00Z", "2027-10-31T04:00:00Z")


async def test_r49_the_api_takes_no_time_that_is_no_moment(office: Office) -> None:
    """A time needs its offset, so none is ever skipped or doubled; the refusal says how to write it."""
    form = {"title": "Early", "start": "2027-10-31T02:30:00"}
    answer = await office.client.post("/api/v1/my-calendar/items", json=form, headers=office.bearer())
    assert answer.status_code == 422
    assert "start: must be a time with an offset, such as 2026-12-03T09:00:00Z" in answer.json()["detail"]
    form["start"] = "2027-10-31T02:30:00+01:00"
    answer = await office.client.post("/api/v1/my-calendar/items", json=form, headers=office.bearer())
    assert (answer.status_code, answer.json()["start"]) == (201, "2027-10-31T01:30:00Z")


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"start_time": "14:00"}, "2026-12-03T14:00:00Z"),
        ({"start_day": "2026-12-05"}, "2026-12-05T09:00:00Z"),
        ({"start_time": "23:30"}, "2026-12-03T23:30:00Z"),
        ({"start_time": "08:00", "end_time": "12:00"}, "2026-12-03T11:00:00Z"),
        ({}, "2026-12-03T09:00:00Z"),
    ],
)
async def test_the_end_follows_the_start_unless_it_was_changed_itself(
    changes: dict[str, str], end: str, browser: Browser, office: Office
) -> None:
    """Without script, from 09:00 to 10:00: it keeps its length, over midnight too."""
    await browser.open(f"{HOME}/new?day=2026-12-03")
    page = await browser.press("Add", changes={"title": "Visit", **changes})
    assert "The appointment was added." in page.words
    (message,) = await messages(office)
    assert message.data.item.end == datetime.fromisoformat(end).astimezone(UTC)

"""Times of rows, of any year and zone: what no clock can hold is passed over, and hides nobody (R30)."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cronofy import UNSAID_TIME, CronofyEvent, EventsPage
from contracts.errors import Malformed
from contracts.vorex import ItemContent
from handlers.edits import imported_item
from handlers.texts.compose import compose
from tests.builders import an_event

GOOD = {"calendar_id": "cal", "event_uid": "good", "start": "2026-12-03", "end": "2026-12-04"}
ODD: dict[str, Any] = {"calendar_id": "cal", "event_uid": "odd", "summary": "For ever"}

_days = st.dates().map(date.isoformat) | st.sampled_from(
    ["0000-01-01", "0001-01-01", "0002-01-01", "9998-12-31", "9999-12-31", "-044-03-15"]
)
_offsets = st.sampled_from(["Z", "+14:00", "-12:00", "+05:45", "-00:30"])
_instants = st.builds(lambda at, zone: f"{at.isoformat(timespec='seconds')}{zone}", st.datetimes(), _offsets)
_moments = st.one_of(_days, _instants, _instants.map(lambda at: {"time": at, "tzid": "Asia/Tokyo"}))


@given(start=_moments, end=_moments | st.none())
def test_whatever_a_row_says_of_its_times_it_is_held_or_passed_over(start: Any, end: Any) -> None:
    """What is taken can be stored, told as a fact, read again, and lengthened by its usual length."""
    page = EventsPage.parse({"events": [{**ODD, "start": start, "end": end}, GOOD]})

    *odd, good = page.events
    assert good.event_uid == "good"
    assert len(odd) + len(page.unheld) == 1
    for event in odd:
        item = imported_item(event, item_id="1", user_id="ann", time_zone="Pacific/Apia")
        assert ItemContent.from_json_dict(item.to_json_dict()) == item
        assert compose(item) is not None


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-12-03T09:00:00Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01", "2026-12-04"),
        ("0001-01-01T00:00:00+14:00", "2026-12-04T00:00:00Z"),
        ("9998-12-31", "9999-01-01"),
        ("9998-12-31T23:45:00Z", None),
        ("12026-12-03", "12026-12-04"),
        (None, None),
    ],
)
def test_a_living_row_that_no_clock_can_hold_says_which_event_it_is(start: str, end: str) -> None:
    """So that it can be told of; nothing of a private one."""
    for private in (False, True):
        row = {**ODD, "start": start, "end": end, "event_private": private, "created": "2026-11-01T00:00:00Z"}
        (odd,) = EventsPage.parse({"events": [row]}).unheld
        assert (odd.event_uid, odd.title) == ("odd", None if private else "For ever")
        assert odd.created is not None
        assert "For ever" not in repr(odd)


@pytest.mark.parametrize(
    ("start", "end"),
    [("1500-01-01", "2500-01-01"), ("0002-01-01", "9998-12-30"), ("9998-12-30T23:45:00Z", None)],
)
def test_centuries_are_held(start: str, end: str | None) -> None:
    """As far as a clock goes."""
    assert len(EventsPage.parse({"events": [{**ODD, "start": start, "end": end}]}).events) == 1


@pytest.mark.parametrize(
    ("start", "length"), [("2026-12-03", timedelta(days=1)), ("2026-12-03T09:00:00Z", timedelta(minutes=30))]
)
def test_a_living_row_without_an_end_has_the_usual_length(start: str, length: timedelta) -> None:
    """Absent, or null (R14)."""
    for row in ({**ODD, "start": start}, {**ODD, "start": start, "end": None}):
        event = CronofyEvent.parse(row)
        assert event.end == event.start + length


@pytest.mark.parametrize(
    "times",
    [{}, {"start": None, "end": None}, {"start": "soon"}, {"start": "2026-12-03", "end": "9999-12-31"}],
)
def test_r11_a_deleted_row_is_a_deletion_whatever_it_says_of_its_times(times: dict[str, Any]) -> None:
    """When the event was, its link knows."""
    event = CronofyEvent.parse({**ODD, **times, "deleted": True})

    assert (event.deleted, event.start, event.end) == (True, UNSAID_TIME, UNSAID_TIME)
    assert not event.names_its_times
    with pytest.raises(Malformed):
        CronofyEvent.parse({**ODD, **times, "start": "soon"})


def test_a_row_that_names_its_times_says_so() -> None:
    """As every living one does."""
    assert an_event().names_its_times

"""R39: which occurrences that came are which of those that are gone, and what counts as one."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Item, Link, LinkId
from contracts.cronofy import UNSAID_TIME, CronofyEvent
from handlers.arrivals.series import belongs_to_series, count_once, pair_occurrences, prior_series
from tests.builders import HOUR, NINE, an_event, an_external_link, an_imported_item
from tests.support.processor_time import seconds_of

DAY, WEEK = timedelta(days=1), timedelta(days=7)


def came(at: timedelta, **changes: Any) -> CronofyEvent:
    start = NINE + at
    return an_event(
        event_uid=f"new-{at}",
        recurring=True,
        series_identifier="new",
        start=start,
        end=start + HOUR,
        **changes,
    )


def went(at: timedelta, title: str = "Lunch", **content: Any) -> tuple[Link, Item]:
    start = NINE + at
    item = an_imported_item(id=f"old-{at}", title=title, start=start, end=start + HOUR, **content)
    return an_external_link(item, id=LinkId(f"old-{at}"), series_identifier="old"), item


def paired(arrived: list[CronofyEvent], lost: list[tuple[Link, Item]]) -> list[tuple[str, str]]:
    return sorted((link.id, event.event_uid) for link, _, event in pair_occurrences(arrived, lost))


WEEKS = [WEEK * at for at in range(4)]
ALL = [f"old-{at}" for at in WEEKS]


@pytest.mark.parametrize(
    "later", [timedelta(), HOUR, -HOUR, 2 * DAY, -2 * DAY, 4 * DAY - HOUR], ids=lambda later: f"{later}"
)
def test_r39_occurrences_go_on_by_title_and_start(later: timedelta) -> None:
    """At the same time, at another of the same day, or on another day of the week."""
    found = paired([came(at + later) for at in WEEKS], [went(at) for at in WEEKS])
    assert found == sorted((f"old-{at}", f"new-{at + later}") for at in WEEKS)


def test_r39_each_is_paired_once_and_the_nearest_first() -> None:
    """One that moved does not take the place of one that stayed."""
    found = paired(
        [came(timedelta()), came(WEEK + 2 * HOUR)], [went(timedelta()), went(WEEK), went(2 * WEEK)]
    )
    assert found == [
        (f"old-{timedelta()}", f"new-{timedelta()}"),
        (f"old-{WEEK}", f"new-{WEEK + 2 * HOUR}"),
    ]


def test_r39_what_is_too_far_away_or_has_another_title_and_time_is_another_event() -> None:
    """It arrives, and the other one is gone."""
    assert paired([came(4 * DAY)], [went(timedelta())]) == []
    assert paired([came(HOUR, summary="Else")], [went(timedelta())]) == []
    assert paired([], [went(timedelta())]) == []
    assert paired([came(timedelta())], []) == []


def test_r39_a_new_title_at_the_same_moment_is_a_change_of_the_title() -> None:
    """Where exactly one fits."""
    assert paired([came(WEEK, summary="Else")], [went(WEEK)]) == [(f"old-{WEEK}", f"new-{WEEK}")]
    two = [went(WEEK), (went(WEEK, "Other")[0], went(WEEK, "Other")[1])]
    assert paired([came(WEEK, summary="Else")], two) == []


def test_r39_titles_are_compared_as_providers_leave_them_and_private_ones_masked() -> None:
    """Blanks at the end do not count."""
    assert paired([came(WEEK, summary="Lunch \r\n")], [went(WEEK)]) == [(f"old-{WEEK}", f"new-{WEEK}")]
    private = came(WEEK + HOUR, summary="Doctor", event_private=True)
    assert paired([private], [went(WEEK, "Private appointment")]) == [(f"old-{WEEK}", private.event_uid)]


def test_r43_each_title_is_read_once_however_many_came_and_went() -> None:
    """Whoever owns a linked calendar can give each occurrence of thousands another title."""
    few, many = (_work_of_pairing(number) for number in (60, 240))
    assert many < 8 * few


def _work_of_pairing(number: int) -> float:
    """Processor time for so many on either side of which none fits; the least of several tries."""
    arrived = [came(90 * DAY + HOUR * at, summary=f"{at} a\u0301\u0323" * 60) for at in range(number)]
    lost = [went(HOUR * at, f"{at} x\u0301\u0323" * 60) for at in range(number)]
    assert pair_occurrences(arrived, lost) == []
    return seconds_of(lambda: pair_occurrences(arrived, lost))


def test_r39_an_item_without_a_date_is_no_occurrence() -> None:
    """It was moved off the calendar in Vorex."""
    link, item = went(WEEK)
    bare = an_imported_item(id="bare", start=None, end=None)
    assert paired([came(WEEK)], [(link, bare)]) == []
    assert paired([came(WEEK)], [(link, bare), (link, item)]) == [(f"old-{WEEK}", f"new-{WEEK}")]


def test_r11_a_series_counts_once() -> None:
    """Each other event for itself."""
    assert count_once([("s", "1"), ("s", "2"), ("t", "3"), (None, "4"), (None, "5")]) == 4
    assert count_once([]) == 0


def test_what_belongs_to_a_series_says_so_in_either_way() -> None:
    """By its flag, or by the name of its series."""
    assert belongs_to_series(an_event(recurring=True))
    assert belongs_to_series(an_event(series_identifier="s"))
    assert not belongs_to_series(an_event())


def test_r33_a_series_that_goes_on_where_one_went_that_was_there_before_is_not_brought() -> None:
    """By title and day of any of its occurrences."""
    gone = [came(timedelta(), deleted=True)]
    assert prior_series([came(HOUR), came(WEEK)], gone) == {"new"}
    assert prior_series([came(WEEK)], gone) == set()
    assert prior_series([came(HOUR, summary="Else")], gone) == set()
    unsaid = an_event(start=UNSAID_TIME, end=UNSAID_TIME, deleted=True)
    at_that_time = an_event(start=UNSAID_TIME, end=UNSAID_TIME, series_identifier="new")
    assert prior_series([at_that_time], [unsaid]) == set()
    assert prior_series([an_event(start=NINE)], [an_event(deleted=True)]) == set()

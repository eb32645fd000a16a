"""What a clock change will do to a person's days, over zones and seasons (R49)."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from handlers.forecasts.clock_changes import (
    AHEAD,
    MOST_CLASHES,
    MOST_ITEMS,
    ClashKind,
    MovedItem,
    PlannedItem,
    forecast,
    near_changes,
    next_change,
)

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def at(local: str, zone: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def weekly(
    first: str, zone: str, *, weeks: int = 6, length: timedelta = HOUR, title: str = "Sync", step: int = 7
) -> list[PlannedItem]:
    """A series as its calendar has it: always at that time of the day there."""
    start = datetime.fromisoformat(first)
    days = [start + timedelta(days=step * number) for number in range(weeks * 7 // step)]
    return [
        PlannedItem(
            key=f"{title}-{day:%m%d}", title=title, is_call=False, series=title,
            start=at(day.isoformat(), zone), end=at(day.isoformat(), zone) + length,
        )
        for day in days
    ]  # fmt: skip


def call(local: str, zone: str, minutes: int = 60, name: str = "Visit") -> PlannedItem:
    start = at(local, zone)
    return PlannedItem(
        key=f"{name}-{local}", title=name, is_call=True, start=start, end=start + timedelta(minutes=minutes)
    )


def shown(moved: MovedItem, zone: str) -> tuple[str, str]:
    """The last time before and the first after, as the person's clock shows them."""
    before, after = (one.start.astimezone(ZoneInfo(zone)) for one in (moved.before, moved.after))
    return f"{before:%d %b %H:%M}", f"{after:%d %b %H:%M}"


_opened: list[str] = []
sys.addaudithook(lambda event, told: _opened.append(str(told[0])) if event == "open" else None)


def crowded(many: int) -> list[PlannedItem]:
    """Meetings of many series, and calls, all of them on few days."""
    series = [
        one
        for number in range(many // 12)
        for one in weekly(f"2026-10-06T15:{number % 60:02}", NEW_YORK, title=f"Sync {number}")
    ]
    days = ("2026-10-20", "2026-10-27")
    calls = [call(f"{days[at % 2]}T20:{at % 60:02}", BERLIN, name=f"Visit {at}") for at in range(many // 2)]
    return [*series, *calls]


def test_r49_r43_each_zones_file_is_read_once_however_many_items_there_are() -> None:
    """Of more zones than Python holds."""
    items = crowded(600)
    forecast(items, zone=BERLIN, now=at("2026-10-20T08:00", BERLIN))
    del _opened[:]

    found = forecast(items, zone=BERLIN, others=["Asia/Tokyo"], now=at("2026-10-20T08:00", BERLIN))

    assert found
    assert len([name for name in _opened if "zoneinfo" in name or "tzdata" in name]) <= 1


def test_r49_r43_work_is_bounded_by_items_and_by_those_of_a_day() -> None:
    """What is counted: steps of the interpreter, for as many items as may be, and for four times as many."""

    def steps(items: Sequence[PlannedItem]) -> int:
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        sys.setprofile(count)
        try:
            found = forecast(items, zone=BERLIN, now=at("2026-10-20T08:00", BERLIN))
        finally:
            sys.setprofile(None)
        assert all(len(one.clashes) <= MOST_CLASHES for one in found)
        return counted

    few, most, beyond = (steps(crowded(many)) for many in (MOST_ITEMS // 2, MOST_ITEMS, 4 * MOST_ITEMS))

    assert most < 3 * few
    assert beyond < 2 * most


TOKYO, SYDNEY, LORD_HOWE, KOLKATA = "Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kolkata"


@dataclass(frozen=True, slots=True)
class Move:
    """A series arranged somewhere, seen from a zone on a day, and the last and first times that are told."""

    first: str
    arranged: str
    zone: str
    today: str
    before: str
    after: str


MOVES = {
    # Berlin goes back on 25 October 2026, New York on 1 November.
    "in New York": Move("2026-10-06T15:00", NEW_YORK, BERLIN, "2026-10-20", "20 Oct 21:00", "27 Oct 20:00"),
    "and back": Move("2026-10-06T15:00", NEW_YORK, BERLIN, "2026-10-29", "27 Oct 20:00", "03 Nov 21:00"),
    # In spring New York goes first: 14 March 2027, Berlin on the 28th.
    "in spring": Move("2027-02-23T15:00", NEW_YORK, BERLIN, "2027-03-05", "09 Mar 21:00", "16 Mar 20:00"),
    "no change there": Move("2026-10-05T10:00", TOKYO, BERLIN, "2026-10-20", "19 Oct 03:00", "26 Oct 02:00"),
    "none here": Move("2026-10-06T09:00", BERLIN, KOLKATA, "2026-10-20", "20 Oct 12:30", "27 Oct 13:30"),
    # Sydney and Lord Howe go forward on 4 October, while Berlin still has summer.
    "the south": Move("2026-09-15T18:00", SYDNEY, BERLIN, "2026-10-01", "29 Sep 10:00", "06 Oct 09:00"),
    "half an hour": Move("2026-09-15T18:00", LORD_HOWE, TOKYO, "2026-10-01", "29 Sep 16:30", "06 Oct 16:00"),
    "and here": Move("2026-09-15T09:00", TOKYO, LORD_HOWE, "2026-10-01", "29 Sep 10:30", "06 Oct 11:00"),
    "midnight there": Move(
        "2026-10-06T00:30", TOKYO, "Europe/London", "2026-10-20", "19 Oct 16:30", "26 Oct 15:30"
    ),
    "midnight here": Move("2026-10-06T18:15", NEW_YORK, BERLIN, "2026-10-20", "21 Oct 00:15", "27 Oct 23:15"),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_clock_change_moves_what_is_arranged_elsewhere(move: Move) -> None:
    found = forecast(
        weekly(move.first, move.arranged), zone=move.zone, now=at(f"{move.today}T08:00", move.zone)
    )

    assert shown(found[0], move.zone) == (move.before, move.after)


@pytest.mark.parametrize(
    ("first", "arranged", "zone", "today"),
    [
        pytest.param("2026-10-06T15:00", BERLIN, BERLIN, "2026-10-20", id="arranged at home"),
        pytest.param("2026-10-06T15:00", "Europe/Paris", BERLIN, "2026-10-20", id="changes on the same day"),
        pytest.param("2026-10-06T15:00", "Asia/Tokyo", "Asia/Kolkata", "2026-10-20", id="no zone changes"),
        pytest.param("2026-10-06T15:00", NEW_YORK, BERLIN, "2026-10-08", id="more than two weeks before"),
        pytest.param("2026-10-27T02:30", BERLIN, BERLIN, "2026-10-20", id="in the doubled hour's place"),
    ],
)
def test_clock_change_is_not_told_where_nothing_moves(
    first: str, arranged: str, zone: str, today: str
) -> None:
    assert forecast(weekly(first, arranged), zone=zone, now=at(f"{today}T08:00", zone)) == []


def test_clock_change_says_which_zone_changes_when_and_by_how_much() -> None:
    (moved,) = forecast(weekly("2026-10-06T15:00", NEW_YORK), zone=BERLIN, now=at("2026-10-16T08:00", BERLIN))

    assert moved.changing_zone == BERLIN
    assert moved.changed_at == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert moved.by == -HOUR


def test_clock_change_of_a_daily_meeting_is_told_once_and_meets_what_it_meets_on_any_day() -> None:
    daily = weekly("2026-10-05T15:00", NEW_YORK, step=1)
    calls = [call("2026-10-28T20:00", BERLIN), call("2026-10-29T20:00", BERLIN)]
    (moved,) = forecast([*daily, *calls], zone=BERLIN, now=at("2026-10-16T08:00", BERLIN))

    assert shown(moved, BERLIN) == ("24 Oct 21:00", "25 Oct 20:00")
    assert [clash.other.key for clash in moved.clashes] == [one.key for one in calls]


CLASHES = [
    ("a new overlap", "2026-10-27T20:00", 60, ClashKind.OVERLAP),
    ("in part", "2026-10-27T19:30", 45, ClashKind.OVERLAP),
    ("a gap that vanishes", "2026-10-27T19:00", 60, ClashKind.NO_GAP),
    ("a gap that becomes too short", "2026-10-27T18:50", 60, ClashKind.NO_GAP),
    ("enough time between", "2026-10-27T18:40", 60, None),
    ("overlapped before as well", "2026-10-27T20:30", 60, None),
    ("far away", "2026-10-27T09:00", 60, None),
    ("after what went away", "2026-10-27T22:00", 60, None),
]


@pytest.mark.parametrize(
    ("local", "minutes", "kind"), [row[1:] for row in CLASHES], ids=[row[0] for row in CLASHES]
)
def test_clock_change_tells_what_a_move_does_to_service_calls(
    local: str, minutes: int, kind: ClashKind | None
) -> None:
    """The meeting moves from 21:00 to 20:00."""
    items = [*weekly("2026-10-06T15:00", NEW_YORK), call(local, BERLIN, minutes)]
    (moved,) = forecast(items, zone=BERLIN, now=at("2026-10-16T08:00", BERLIN))

    assert [clash.kind for clash in moved.clashes] == ([] if kind is None else [kind])


def test_clock_change_is_no_clash_between_what_moves_together_or_between_meetings() -> None:
    both = [*weekly("2026-10-06T15:00", NEW_YORK), *weekly("2026-10-06T14:00", NEW_YORK, title="Other")]
    still = weekly("2026-10-06T20:00", BERLIN, title="Choir")

    found = forecast([*both, *still], zone=BERLIN, now=at("2026-10-16T08:00", BERLIN))
    assert [one.clashes for one in found] == [(), ()]


def test_clock_change_moves_service_calls_that_repeat_in_a_zone_of_their_own() -> None:
    """Vorex sends them one by one: their title and their zone tell that they belong together."""
    visits = [
        PlannedItem(
            key=one.key, title="Contoso, Boston", is_call=True, start=one.start, end=one.end, zone=NEW_YORK
        )
        for one in weekly("2026-10-06T15:00", NEW_YORK)
    ]
    choir = weekly("2026-10-06T20:00", BERLIN, title="Choir")
    (moved,) = forecast([*visits, *choir], zone=BERLIN, now=at("2026-10-16T08:00", BERLIN))

    assert moved.after.is_call
    assert [clash.other.title for clash in moved.clashes] == ["Choir"]


def test_clock_change_passes_over_an_occurrence_that_somebody_moved() -> None:
    items = weekly("2026-10-06T15:00", NEW_YORK)
    odd = PlannedItem(
        key="odd", title="Sync", is_call=False, series="Sync",
        start=items[3].start + timedelta(minutes=25), end=items[3].end + timedelta(minutes=25),
    )  # fmt: skip

    found = forecast([*items[:3], odd, *items[4:]], zone=BERLIN, now=at("2026-10-16T08:00", BERLIN))
    assert [one.after.key for one in found] == []


@pytest.mark.parametrize(
    ("zone", "since", "changed"),
    [
        (BERLIN, "2026-10-20T00:00", "2026-10-25T01:00"),
        (NEW_YORK, "2026-10-20T00:00", "2026-11-01T06:00"),
        ("Australia/Lord_Howe", "2026-09-25T00:00", "2026-10-03T15:30"),
        ("Pacific/Apia", "2011-12-25T00:00", "2011-12-30T10:00"),  # a day that never was
        ("Pacific/Kwajalein", "1993-08-15T00:00", "1993-08-21T12:00"),  # and another one
        ("America/Juneau", "1867-10-10T00:00", "1867-10-19T00:31:13"),  # a day that came twice
    ],
)
def test_clock_change_is_found_to_the_second(zone: str, since: str, changed: str) -> None:
    began = datetime.fromisoformat(since).replace(tzinfo=UTC)
    found = next_change(zone, began, began + AHEAD)

    assert found is not None
    assert abs(found - datetime.fromisoformat(changed).replace(tzinfo=UTC)) < timedelta(minutes=2)


def test_clock_change_is_near_for_two_weeks_and_not_longer() -> None:
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    moments: Sequence[datetime] = (change - AHEAD - timedelta(seconds=1), change - AHEAD, change)

    assert [BERLIN in near_changes([BERLIN], now) for now in moments] == [False, True, False]
    assert near_changes(["Asia/Kolkata"], datetime(2026, 7, 1, tzinfo=UTC)) == {}

"""Events that came and are not brought: equals, ours in another guise, or too many (R33, R39)."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from contracts.calendar import Code, EventTypes, LogEntry
from contracts.cronofy import CronofyEvent
from handlers.arrivals.look_alikes import MOST_ALIKE, looks_of_item
from handlers.inbound_page import KnownRows, PageChanges, judge_page, settle_doubtful
from handlers.judgement import Reading
from tests.builders import (
    HOUR,
    MINUTE,
    NOW,
    TEN,
    a_link,
    a_reading,
    a_row_of,
    an_event,
    an_integration,
    an_item,
    at,
)

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ITEM = an_item()
NEW = an_event(event_uid="new")
FORMER = {"new": a_link(ITEM, former_uid="new", event_updated=NOW - HOUR, accepted_at=at(-2 * DAY))}
"""Removed two days ago, and written anew."""


def page(
    *events: CronofyEvent, by_name: bool = False, reading: Reading | None = None, **known: Any
) -> PageChanges:
    numbers = count(1)
    usual: dict[str, Any] = {
        "integration": an_integration(),
        "links": (),
        "items": {},
        "prior": frozenset(),
    }
    rows = KnownRows(**(usual | known))
    return judge_page(
        events, rows, reading or a_reading(), new_id=lambda: f"id-{next(numbers)}", by_name=by_name
    )


def told(entries: list[LogEntry]) -> list[tuple[str, str, str]]:
    return [(entry.action.value, entry.outcome.value, entry.code.value) for entry in entries]


def test_what_equals_a_living_item_is_passed_over_and_said_once() -> None:
    """Mirrored by another tool, or a shared calendar that is linked twice."""
    changes = page(NEW, alike=looks_of_item(ITEM))
    assert (changes.items, changes.new_links, changes.prior) == ([], [], ["alike:new"])
    assert changes.alike == [NEW]
    assert told(changes.entries) == [("create", "skipped", "already_there")]
    assert changes.entries[0].reason.startswith("The same is on My Calendar already")
    again = page(NEW, alike=looks_of_item(ITEM), prior=frozenset({"alike:new"}))
    assert (again.entries, again.prior) == ([], [])


def test_what_was_passed_over_and_is_alike_no_more_is_brought_when_all_is_read() -> None:
    """The one that it looked like was moved; what mirrors that one follows it before long."""
    known: dict[str, Any] = {"prior": frozenset({"alike:new"})}
    complete = a_reading(complete_since=0.0)
    assert page(NEW, **known).items == []
    assert len(page(NEW, reading=complete, **known).items) == 1
    still = page(NEW, reading=complete, alike=looks_of_item(ITEM), **known)
    assert (still.items, still.entries, still.prior, still.alike) == ([], [], [], [NEW])


def test_r36_what_is_alike_counts_in_no_flood() -> None:
    """It is not brought, whenever it was made."""
    old = an_event(event_uid="new", created=TEN - HOUR)
    changes = page(old, alike=looks_of_item(ITEM), known_until=TEN)
    assert (changes.doubtful, changes.alike) == ([], [old])


def test_r36_what_came_under_another_id_is_not_brought_by_name_either() -> None:
    """The last complete reading should have shown it, and it is like what is there."""
    old = an_event(event_uid="new", created=TEN - HOUR)
    known: dict[str, Any] = {"alike": looks_of_item(ITEM), "by_name": True, "known_until": TEN}
    changes = page(old, **known)
    assert (changes.items, changes.alike, changes.prior) == ([], [old], ["alike:new"])
    for key in ("alike:new", "uid:new"):
        assert len(page(old, prior=frozenset({key}), **known).items) == 1
    assert len(page(old, **{**known, "known_until": TEN - 2 * HOUR}).items) == 1
    assert len(page(old, **{**known, "alike": frozenset()}).items) == 1


@pytest.mark.parametrize(
    "other", [{"summary": "Dinner"}, {"end": TEN + HOUR}, {"start": TEN, "end": TEN + HOUR}]
)
def test_what_differs_in_title_or_times_is_brought(other: dict[str, Any]) -> None:
    """It is another event."""
    assert len(page(an_event(event_uid="new", **other), alike=looks_of_item(ITEM)).items) == 1


def test_two_equal_events_of_one_page_are_brought_once() -> None:
    """The second equals the item of the first."""
    changes = page(NEW, an_event(event_uid="newer"))
    assert len(changes.items) == 1
    assert told(changes.entries)[1] == ("create", "skipped", "already_there")


def test_where_create_is_off_that_is_said_first() -> None:
    """And nothing else."""
    off = an_integration(event_types=EventTypes(create=False))
    assert told(page(NEW, integration=off, alike=looks_of_item(ITEM)).entries) == [
        ("create", "skipped", "create_off")
    ]


def test_what_was_asked_for_by_name_is_brought_all_the_same() -> None:
    """R26: a person asked for the range."""
    assert len(page(NEW, by_name=True, alike=looks_of_item(ITEM)).items) == 1


@pytest.mark.parametrize("by_name", [True, False])
def test_an_event_whose_place_another_took_is_not_brought_where_it_is_equal(by_name: bool) -> None:
    """Its owner fetched it back beside the copy that was written anew; said once."""
    known: dict[str, Any] = {"former": FORMER, "alike": looks_of_item(ITEM), "by_name": by_name}
    changes = page(NEW, **known)
    assert (changes.items, changes.prior) == ([], ["alike:new"])
    assert told(changes.entries) == [("create", "skipped", "already_there")]
    assert "took its place" in changes.entries[0].reason
    again = page(NEW, prior=frozenset({"alike:new"}), **known)
    assert (again.items, again.entries) == ([], [])


@pytest.mark.parametrize("by_name", [True, False])
def test_an_event_whose_place_another_took_is_brought_where_it_differs(by_name: bool) -> None:
    """The copy was moved since: the older one was fetched back for its own sake."""
    moved = an_item(start=TEN, end=TEN + HOUR)
    changes = page(NEW, former=FORMER, alike=looks_of_item(moved), by_name=by_name)
    assert (len(changes.items), changes.prior) == (1, [])


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize(
    ("known", "shown", "accepted", "brought"),
    [
        (NOW - HOUR, NOW - HOUR, -MINUTE, False),
        (NOW - HOUR, None, -MINUTE, False),
        (None, None, -MINUTE, False),
        (NOW - HOUR, NOW - HOUR, -DAY, False),
        (NOW - HOUR, NOW - HOUR, -DAY - SECOND, True),
        (NOW - HOUR, NOW - HOUR + SECOND, -MINUTE, True),
        (None, NOW - HOUR, -MINUTE, True),
        (NOW - HOUR, NOW - HOUR, None, True),
    ],
    ids=[
        "as it was",
        "no word of when",
        "never any word",
        "late",
        "too late",
        "touched since",
        "never read",
        "nothing accepted",
    ],
)
def test_r38_an_event_whose_removal_is_on_its_way_is_not_brought_again(
    known: datetime | None, shown: datetime | None, accepted: timedelta | None, brought: bool, by_name: bool
) -> None:
    """It was taken off and assigned again before it was gone: its item has a new copy already."""
    link = a_link(
        ITEM, former_uid="new", event_updated=known, accepted_at=None if accepted is None else at(accepted)
    )
    row = an_event(event_uid="new", summary="Before", updated=shown)
    changes = page(row, former={"new": link}, by_name=by_name)
    assert (len(changes.items), changes.prior) == (int(brought), [])
    assert changes.silent == ([] if brought else [Code.ALREADY_THERE])


@pytest.mark.parametrize("by_name", [True, False])
def test_r39_occurrences_of_a_copy_that_its_owner_made_recurring_are_passed_over_once(by_name: bool) -> None:
    """As the store knows it, or the same page; the copy stays one item."""
    rows = [an_event(event_uid=f"uid-{at}", series_identifier="s", recurring=True) for at in range(3)]
    changes = page(*rows, own_series=frozenset({"s"}), by_name=by_name)
    assert (changes.items, changes.prior) == ([], ["series:s"])
    assert told(changes.entries) == [("create", "skipped", "series")]
    copy = a_row_of(ITEM, series_identifier="s", recurring=True)
    beside = page(copy, *rows, links=[a_link(ITEM)], items={ITEM.ref: ITEM}, by_name=by_name)
    assert (beside.items, beside.prior) == ([], ["series:s"])
    known = page(*rows, own_series=frozenset({"s"}), prior=frozenset({"series:s"}), by_name=by_name)
    assert (known.items, known.entries) == ([], [])
    assert len(page(*rows[:1], own_series=frozenset({"other"}), by_name=by_name).items) == 1


def test_r39_what_is_part_of_a_series_waits_for_the_last_page() -> None:
    """What it takes the place of may come later."""
    row = an_event(event_uid="new", series_identifier="s")
    changes = page(row, series_wait=True)
    assert changes.items == []
    assert changes.waiting == [row]
    assert page(row).waiting == []
    assert page(row, series_wait=True, by_name=True).waiting == []


def test_r33_occurrences_that_are_gone_of_what_is_not_brought_are_remembered() -> None:
    """Others that are gone mean nothing."""
    gone = an_event(event_uid="new", series_identifier="s", deleted=True)
    assert page(gone, prior=frozenset({"series:s"})).priors == [gone]
    assert page(gone).priors == []
    assert page(an_event(event_uid="new", deleted=True), prior=frozenset({"uid:new"})).priors == []
    living = an_event(event_uid="new", series_identifier="s")
    assert page(living, prior=frozenset({"series:s"})).priors == []


def test_about_more_than_twenty_that_resemble_each_other_a_person_is_asked() -> None:
    """R36: each is logged as held and remembered as nothing else; the answer to bring them counts."""
    rows = [
        an_event(event_uid=f"uid-{at}", summary=f"Lunch (copy {at})", start=TEN + at * MINUTE, end=TEN + HOUR)
        for at in range(MOST_ALIKE + 2)
    ]
    changes = page(*rows)
    assert len(changes.items) == MOST_ALIKE
    assert told(changes.entries)[-2:] == [("create", "held", "loop_stopped")] * 2
    assert (changes.held, changes.prior) == ([(row, Code.LOOP_STOPPED) for row in rows[-2:]], [])
    assert changes.entries[-1].reason == (
        "More than 20 events that resemble each other came within a minute; this one waits for an answer."
    )
    recent = [("Lunch", None)] * MOST_ALIKE
    held = page(NEW, recent=recent)
    assert (held.items, told(held.entries)) == ([], [("create", "held", "loop_stopped")])
    assert len(page(NEW, recent=recent, by_name=True).items) == 1
    waiting = page(NEW, recent=recent, held={"new": "held"})
    assert (waiting.items, waiting.held, waiting.entries) == ([], [], [])
    wanted = page(NEW, recent=recent, held={"new": "wanted"})
    assert (len(wanted.items), wanted.held, wanted.answered) == (1, [], ["new"])


def test_what_a_person_wants_and_is_there_already_is_asked_about_no_more() -> None:
    """It is passed over as any other that equals an item."""
    changes = page(NEW, alike=looks_of_item(ITEM), held={"new": "wanted"})
    assert (changes.items, changes.answered) == ([], ["new"])
    assert told(changes.entries) == [("create", "skipped", "already_there")]


def test_what_is_doubtful_and_no_flood_is_braked_as_everything_else() -> None:
    """By what came within the minute before."""
    known = KnownRows(
        integration=an_integration(),
        links=(),
        items={},
        prior=frozenset(),
        recent=[("Lunch", None)] * MOST_ALIKE,
    )
    settled = settle_doubtful([NEW], known, a_reading(), new_id=lambda: "id", hold=False)
    assert (settled.items, settled.held) == ([], [(NEW, Code.LOOP_STOPPED)])

"""Which pairs agree once a calendar was read whole, and why the others do not (R51)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, Item, Link, LinkState
from handlers.agreement import (
    Check,
    Difference,
    Why,
    is_alike,
    is_counted,
    tried_words,
    why_different,
    written_once_more,
)
from handlers.fingerprints import TEXT_FIELDS, title_print
from tests.builders import (
    HOUR,
    MINUTE,
    NINE,
    NOW,
    TEN,
    a_link,
    a_write,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    at,
    fields_of_item,
    prints_of,
)

CHECK = Check(read_since=at(-2 * HOUR), now=at(timedelta()))
GONE = an_item(deleted=True)
YEAR = timedelta(days=365)


def why(link: Link, item: Item | None = None, **settings: Any) -> Difference | None:
    return why_different(item or an_item(), an_integration(**settings), link, CHECK)


@pytest.mark.parametrize("link", [a_link(), an_external_link()], ids=["ours", "theirs"])
def test_r51_a_pair_that_was_read_as_it_should_be_agrees(link: Link) -> None:
    assert is_counted(an_item(), an_integration(), link, CHECK)
    assert why(link) is None


@pytest.mark.parametrize(
    ("changes", "different"),
    [
        ({"state": LinkState.BEHIND}, Difference(why=Why.ON_ITS_WAY, since=NOW - HOUR)),
        (
            {"state": LinkState.RETRYING, "rewrites": [at(-HOUR), at(-MINUTE)]},
            Difference(why=Why.ON_ITS_WAY, since=NOW - MINUTE),
        ),
        ({"state": LinkState.HELD}, Difference(why=Why.ON_ITS_WAY, since=NOW - HOUR)),
        (
            {"state": LinkState.HELD, "code": Code.HELD_DELETION},
            Difference(why=Why.ANSWER, since=NOW - HOUR),
        ),
        (
            {"state": LinkState.FAILED, "code": Code.REFUSED_BY_CALENDAR},
            Difference(why=Why.REFUSED, code=Code.REFUSED_BY_CALENDAR),
        ),
        ({"state": LinkState.LET_GO, "exists_there": False}, Difference(why=Why.LEFT_OFF)),
        ({"state": LinkState.LET_GO}, Difference(why=Why.KEPT_THERE)),
        (
            {"state": LinkState.FROZEN, "code": Code.TYPE_OFF},
            Difference(why=Why.TYPE_OFF, code=Code.TYPE_OFF),
        ),
        (
            {"state": LinkState.FROZEN, "code": Code.MEETING},
            Difference(why=Why.NOT_POSSIBLE, code=Code.MEETING),
        ),
        ({"differs": True}, Difference(why=Why.CHANGED_THERE)),
        (
            {"writes": [a_write(an_item(), sent=-MINUTE)]},
            Difference(why=Why.ON_ITS_WAY, since=NOW - MINUTE),
        ),
        (
            {"read_at": None, "accepted_at": at(-MINUTE)},
            Difference(why=Why.ON_ITS_WAY, since=NOW - MINUTE),
        ),
    ],
)
def test_r51_a_pair_that_is_not_alike_says_why(changes: dict[str, Any], different: Difference) -> None:
    link = a_link(**changes)
    assert is_counted(an_item(), an_integration(), link, CHECK)
    assert why(link) == different


@pytest.mark.parametrize(
    "link",
    [
        a_link(exists_there=False),
        a_link(read_at=CHECK.read_since - 1, accepted_at=CHECK.read_since - 1),
        a_link(read_at=None, accepted_at=None),
        *[
            a_link(last_read=prints_of(an_item()) | {name: prints_of(an_item(title="X", **other))[name]})
            for name, other in (("start", {"start": NINE - HOUR}), ("end", {"end": TEN + HOUR}))
        ],
    ],
    ids=["agreed to be nowhere", "not shown", "never read", "start", "end"],
)
def test_r51_what_has_no_reason_is_told_so(link: Link) -> None:
    assert why(link) == Difference(why=Why.UNEXPLAINED)


def test_r51_an_event_that_outlives_its_item_has_no_reason_either() -> None:
    assert is_counted(GONE, an_integration(), a_link(), CHECK)
    assert why(a_link(), GONE) == Difference(why=Why.UNEXPLAINED)


def test_r51_a_removal_on_its_way_counts() -> None:
    link = a_link(state=LinkState.BEHIND, desired=None, exists_there=False)
    assert is_counted(GONE, an_integration(), link, CHECK)


@pytest.mark.parametrize("item", [GONE, an_item(assignees=("bob",)), an_item(start=None, end=None)])
@pytest.mark.parametrize("state", [LinkState.AGREED, LinkState.LET_GO])
def test_r51_what_is_on_neither_side_is_not_counted(item: Item, state: LinkState) -> None:
    link = a_link(an_item(), exists_there=False, state=state)
    assert not is_counted(item, an_integration(), link, CHECK)
    assert why(replace(link, state=LinkState.AGREED), item) is None


@pytest.mark.parametrize(("days", "counted"), [(-41, True), (-42, False)])
def test_r51_what_was_over_before_what_can_be_read_is_not_counted(days: int, counted: bool) -> None:
    start = NOW.replace(hour=9) + timedelta(days=days)
    item = an_item(start=start, end=start + HOUR)
    assert is_counted(item, an_integration(), a_link(item), CHECK) is counted


@pytest.mark.parametrize(
    ("days", "different"),
    [
        (-1, Difference(why=Why.OUT_OF_REACH)),
        (0, Difference(why=Why.UNEXPLAINED)),
        (199, Difference(why=Why.UNEXPLAINED)),
        (200, Difference(why=Why.OUT_OF_REACH)),
    ],
)
def test_r51_what_cannot_be_read_is_said_to_be_out_of_reach(days: int, different: Difference) -> None:
    """Ahead; or over, for how far back a calendar can be read differs. Nothing is missed by then."""
    start = NOW.replace(hour=9) + timedelta(days=days)
    item = an_item(start=start, end=start + HOUR)
    unseen = a_link(item, read_at=None, accepted_at=at(-YEAR))
    assert why(unseen, item) == different
    assert why(a_link(item), item) is None


def test_r51_what_was_written_ahead_of_the_window_is_not_on_its_way_for_ever() -> None:
    item = an_item(start=NINE + YEAR, end=TEN + YEAR)
    link = a_link(item, read_at=None, accepted_at=at(-MINUTE), writes=[a_write(item)])
    assert why(link, item) == Difference(why=Why.OUT_OF_REACH)


@pytest.mark.parametrize("name", TEXT_FIELDS)
def test_r51_a_text_is_alike_as_both_sides_agreed_on_it(name: str) -> None:
    """As long as the item is the one that they agreed on."""
    other = prints_of(an_item()) | {name: title_print("Otherwise")}
    assert not is_alike(an_item(), a_link(last_read=other))
    assert is_alike(an_item(), a_link(last_read=other, agreed=other))
    assert not is_alike(an_item(revision=2), a_link(last_read=other, agreed=other))


@pytest.mark.parametrize("name", ["start", "end"])
def test_r51_a_time_must_be_the_items_own_whatever_was_agreed(name: str) -> None:
    other = prints_of(an_item()) | {name: "2026-12-03T09:30:00Z"}
    assert not is_alike(an_item(), a_link(last_read=other, agreed=other))


def test_r18_a_calendar_that_keeps_whole_minutes_agrees() -> None:
    item = an_item(start=NINE + timedelta(seconds=20))
    assert is_alike(item, a_link(item, last_read=prints_of(item) | {"start": "2026-12-03T09:00:00Z"}))


def test_r51_what_a_row_lacks_does_not_differ() -> None:
    assert is_alike(an_item(), a_link(last_read={"later": "what a newer version knows"}))
    assert is_alike(an_item(), a_link(last_read=None, agreed=None))
    assert not is_alike(an_item(start=None, end=None), a_link())


def test_r51_a_copy_without_a_reason_is_written_once_more() -> None:
    item = an_item(start=NINE + HOUR, end=TEN + HOUR)
    again = written_once_more(item, an_integration(), a_link(), CHECK)
    assert again == replace(
        a_link(), state=LinkState.BEHIND, code=None, desired=fields_of_item(item), rewrites=[CHECK.now]
    )


@pytest.mark.parametrize(
    "link",
    [
        an_external_link(),
        a_link(state=LinkState.LET_GO),
        a_link(ended_at=NOW),
        a_link(rewrites=[CHECK.now - 1] * 6),
    ],
    ids=["the owner's event", "left", "ended", "too often"],
)
def test_r51_nothing_else_is_written_again(link: Link) -> None:
    again = written_once_more(an_imported_item(), an_integration(), link, CHECK)
    assert again is None or again.code is Code.LOOP_STOPPED


def test_r51_a_copy_of_what_is_gone_is_removed_once_more() -> None:
    again = written_once_more(GONE, an_integration(), a_link(), CHECK)
    assert again is not None
    assert (again.state, again.desired) == (LinkState.BEHIND, None)


def test_r51_the_story_says_what_was_tried() -> None:
    cases = ((False, True), (False, False), (True, False))
    told = {tried_words(again=again, tried=tried) for again, tried in cases}
    assert len(told) == 3

"""What a page tells where several rows, or several links, are of one event (R11, R18)."""

from typing import Any

import pytest

from tests.builders import (
    HOUR,
    MINUTE,
    NOW,
    a_link,
    a_row_of,
    an_event,
    an_external_link,
    an_imported_item,
    an_item,
)
from tests.support.judged_pages import is_nothing, page


def test_of_two_events_under_one_id_the_living_one_tells() -> None:
    """Deleted there and written anew: whichever row comes first."""
    item = an_item()
    old = a_row_of(item, event_uid="old", deleted=True, updated=NOW - MINUTE)
    new = a_row_of(item, event_uid="new", updated=NOW - 2 * MINUTE)
    for rows in ((old, new), (new, old)):
        changes = page(*rows, links=[a_link(item, event_uid="old")], items=[item])
        assert (changes.gone, [link.event_uid for link in changes.links]) == ([], ["new"])


def test_two_events_under_one_id_that_are_both_gone_are_a_deletion() -> None:
    """The one that was known, and the one that a late write made."""
    item = an_item()
    known = a_row_of(item, event_uid="known", deleted=True, updated=NOW - 2 * MINUTE)
    unseen = a_row_of(item, event_uid="unseen", deleted=True, updated=NOW - MINUTE)
    for rows in ((known, unseen), (unseen, known)):
        changes = page(*rows, links=[a_link(item, event_uid="known")], items=[item])
        assert len(changes.gone) == 1


@pytest.mark.parametrize("make", [lambda **own: a_row_of(an_item(), **own), an_event])
def test_of_two_rows_of_one_event_the_newer_tells(make: Any) -> None:
    """The calendar changed while it was read: deleted last, or alive last."""
    item, link = (an_item(), a_link()) if make is not an_event else (an_imported_item(), an_external_link())
    deleted_last = [make(updated=NOW - 2 * MINUTE), make(updated=NOW - MINUTE, deleted=True)]
    alive_last = [make(updated=NOW - 2 * MINUTE, deleted=True), make(updated=NOW - MINUTE)]
    for rows, gone in ((deleted_last, 1), (alive_last, 0)):
        for order in (rows, rows[::-1]):
            assert len(page(*order, links=[link], items=[item]).gone) == gone


@pytest.mark.parametrize("stamps", [(NOW - MINUTE, NOW - MINUTE), (None, None), (NOW - MINUTE, None)])
def test_of_two_rows_of_one_event_that_no_stamp_puts_in_order_the_living_one_tells(stamps: Any) -> None:
    """One without a stamp counts as the oldest."""
    rows = [an_event(updated=stamps[0]), an_event(updated=stamps[1], deleted=True)]
    for order in (rows, rows[::-1]):
        assert len(page(*order).items) == 1


def test_of_two_living_events_under_one_id_the_newer_tells() -> None:
    """One without a stamp counts as the oldest."""
    item = an_item()
    new = a_row_of(item, event_uid="new", updated=NOW - MINUTE)
    for older in (NOW - 2 * MINUTE, None):
        old = a_row_of(item, event_uid="old", updated=older)
        for rows in ((old, new), (new, old)):
            changes = page(*rows, links=[a_link(item)], items=[item])
            assert [link.event_uid for link in changes.links] == ["new"]


def test_a_new_event_that_was_deleted_while_it_was_read_is_not_brought() -> None:
    """Two rows, whichever comes first."""
    rows = [an_event(updated=NOW - 2 * MINUTE), an_event(updated=NOW - MINUTE, deleted=True)]
    for order in (rows, rows[::-1]):
        assert is_nothing(page(*order))


def test_an_event_that_comes_twice_is_brought_once() -> None:
    """On one page."""
    assert len(page(an_event(), an_event()).items) == 1


def test_a_row_is_of_the_living_one_of_two_links() -> None:
    """Whichever is known first, by our id and by the event's."""
    for make, row, item in (
        (a_link, a_row_of(an_item(), location="Bar"), an_item()),
        (an_external_link, an_event(location="Bar"), an_imported_item()),
    ):
        for ended, living in (("a", "b"), ("b", "a")):
            links = [make(id=living), make(id=ended, ended_at=NOW - HOUR)]
            changes = page(row, links=links, items=[item])
            assert [link.id for link in changes.links] == [living]

"""Deleted in Vorex and changed in the linked calendar, before either heard of the other (R19)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.calendar import Code, Item, Link, LinkState, Origin
from contracts.vorex import ItemType
from tests.builders import (
    HOUR,
    MINUTE,
    NOW,
    a_content,
    a_link,
    a_reading,
    a_row_of,
    an_event,
    an_external_link,
    an_imported_item,
    an_item,
    at,
    fields_of_item,
)
from tests.support.judging import codes, judged

WAITING = [LinkState.BEHIND, LinkState.RETRYING, LinkState.HELD]


def deleted_here(state: LinkState, *, kind: ItemType = ItemType.APPOINTMENT) -> tuple[Item, Link]:
    """Vorex deleted the item ten minutes ago, and its copy waits to be removed."""
    item = an_item(type=kind, title="Lunch")
    gone = replace(item, deleted=True, revision=2, version=2, changed_at=NOW - 10 * MINUTE)
    link = a_link(item, state=state, desired=None, desired_revision=2)
    return gone, link


@pytest.mark.parametrize("state", WAITING)
def test_r19_changed_there_after_vorex_deleted_it_an_appointment_lives_on(state: LinkState) -> None:
    """With the change; that it had been deleted is kept."""
    item, link = deleted_here(state)

    taken = judged(a_row_of(an_item(title="Lunch"), location="Bar", updated=NOW - MINUTE), link, item)

    assert taken.item is not None
    assert (taken.item.deleted, taken.item.content) == (False, a_content(title="Lunch", location="Bar"))
    assert (taken.item.version, taken.item.revision) == (3, 3)
    assert codes(taken) == [("update", "done", "ok"), ("update", "skipped", "conflict_lost")]
    assert taken.entries[1].detail == {"kept": {"location": "Bar"}, "lost": {"deleted": True}}
    assert taken.link is not None
    assert (taken.link.desired, taken.link.desired_revision) == (fields_of_item(taken.item), 3)


@pytest.mark.parametrize("state", WAITING)
@pytest.mark.parametrize("ago", [10 * MINUTE, 11 * MINUTE])
def test_r19_changed_there_before_vorex_deleted_it_an_appointment_is_removed(
    state: LinkState, ago: timedelta
) -> None:
    """A tie is the deletion's; what lost is kept, and told once."""
    item, link = deleted_here(state)
    row = a_row_of(an_item(title="Lunch"), location="Bar", updated=NOW - ago)

    left = judged(row, link, item)

    assert left.item is None
    assert codes(left) == [("update", "skipped", "conflict_lost")]
    assert left.entries[0].detail == {"kept": {"deleted": True}, "lost": {"location": "Bar"}}
    assert left.entries[0].reason == (
        "Changed in the linked calendar and deleted in Vorex since: the deletion wins."
    )
    assert left.link is not None
    assert (left.link.state, left.link.desired, left.link.desired_revision) == (state, None, 2)
    assert left.link.event_updated == row.updated
    later = a_reading(asked_at=at(MINUTE), now=at(MINUTE))
    assert list(judged(row, left.link, item, reading=later).entries) == []


def test_r19_no_change_there_leaves_the_deletion_as_it_is() -> None:
    """The copy as it was, however its row was touched; a record; a copy that was removed, or is gone."""
    item, link = deleted_here(LinkState.BEHIND)
    moved = a_row_of(an_item(title="Lunch"), location="Bar", updated=NOW - MINUTE)
    record, its = deleted_here(LinkState.BEHIND, kind=ItemType.TASK)
    asked = replace(link, state=LinkState.HELD, code=Code.HELD_DELETION)

    assert judged(a_row_of(an_item(title="Lunch"), updated=NOW - MINUTE), link, item).item is None
    assert judged(moved, replace(link, state=LinkState.AGREED, accepted_at=at(-HOUR)), item).item is None
    assert list(judged(moved, its, record).entries) == []
    assert judged(moved, asked, item).item is None
    assert judged(replace(moved, deleted=True), link, item).item is None


@pytest.mark.parametrize(
    ("touched", "read_after", "fetched_back"),
    [
        (2 * MINUTE, 3 * MINUTE, False),
        (-MINUTE, timedelta(days=2), False),
        (timedelta(0), timedelta(days=1), True),
        (2 * MINUTE, timedelta(days=1), True),
        (timedelta(days=1), timedelta(days=1), True),
    ],
)
@pytest.mark.parametrize("origin", list(Origin))
def test_r19_what_both_sides_deleted_and_its_owner_fetched_back_follows_though_nobody_saw_it_gone(
    origin: Origin, touched: timedelta, read_after: timedelta, fetched_back: bool
) -> None:
    """Its owner was first: our removal was accepted, and no deleted row followed it."""
    ours = origin is Origin.OURS
    item = an_item() if ours else an_imported_item()
    item = replace(item, deleted=True, revision=2, changed_at=NOW - 2 * HOUR)
    link = a_link(item) if ours else an_external_link(item)
    link = replace(
        link,
        desired=None,
        desired_revision=2,
        applied_revision=2,
        exists_there=False,
        read_at=at(-HOUR),
        accepted_at=at(-HOUR),
        event_updated=NOW - 2 * HOUR,
    )
    row = replace(a_row_of(item) if ours else an_event(), updated=NOW - HOUR + touched)
    when = at(read_after - HOUR)

    done = judged(row, link, item, reading=a_reading(asked_at=when, now=when))

    assert (codes(done) == [("create", "done", "ok")]) is fetched_back
    assert (done.item is not None and not done.item.deleted) is fetched_back

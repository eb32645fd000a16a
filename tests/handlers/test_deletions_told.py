"""What the log tells of a deletion, and how an answer undoes one (R6, R7, R11, R19, R27)."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, EventTypes, Item, Link, LinkState, LogAction, Outcome
from contracts.vorex import ItemType
from handlers import link_states
from handlers.deletions import carry_out_deletion, hold_deletion, undo_deletion
from handlers.inbound_event import judge_row
from handlers.judgement import Judgement
from handlers.plan import let_go_fingerprint
from tests.builders import (
    MINUTE,
    NOW,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    fields_of_item,
)

READING = a_reading(message_id="m-1")
TIMES = {"start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}


def told(judgement: Judgement) -> list[tuple[LogAction, Outcome, Code, str]]:
    """What is logged, all of it about the item and the message at hand."""
    assert {(each.item_id, each.message_id, each.integration_id) for each in judgement.entries} <= {
        ("77", "m-1", "one")
    }
    return [(each.action, each.outcome, each.code, each.reason) for each in judgement.entries]


def deleted(item: Item, link: Link, *, event: Any = None, **settings: Any) -> Judgement:
    row = event or a_row_of(item, deleted=True)
    return judge_row(row, link, item, an_integration(**settings), READING)


def a_held(**changes: Any) -> Link:
    return a_link(state=LinkState.HELD, code=Code.HELD_DELETION, exists_there=False, **changes)


def test_r6_the_log_says_that_a_record_stays() -> None:
    """Its copy is let go, until its time or its assignees change."""
    record = an_item(type=ItemType.TASK)
    link = a_link(record)

    done = deleted(record, link)

    reason = "Deleted in the linked calendar; the record in Vorex stays, its copy is let go."
    assert told(done) == [(LogAction.LET_GO, Outcome.DONE, Code.OK, reason)]
    assert done.link is not None
    assert done.link.let_go_print == let_go_fingerprint(record.content)


def test_r7_the_log_says_that_delete_is_not_checked() -> None:
    done = deleted(an_item(), a_link(), event_types=EventTypes(create=True, update=True, delete=False))

    reason = "Deleted in the linked calendar; Delete is not checked, so the appointment stays."
    assert told(done) == [(LogAction.LET_GO, Outcome.SKIPPED, Code.DELETE_OFF, reason)]


@pytest.mark.parametrize(
    ("private", "detail"),
    [
        (False, {"kept": {"title": "Ours", **TIMES}, "lost": {"deleted": True}}),
        (True, {"kept": TIMES, "lost": {"deleted": True}, "private": True}),
    ],
)
def test_r19_the_log_keeps_what_won_over_a_deletion(private: bool, detail: dict[str, Any]) -> None:
    """R27: of a private item its times alone."""
    item = an_item(title="Ours", private=private, revision=2)
    link = a_link(state=LinkState.BEHIND, overtaken=(), writes=(a_write(item, accepted=-5 * MINUTE),))

    done = deleted(item, link)

    reason = "Deleted in the linked calendar, changed in Vorex: the change wins."
    assert told(done) == [(LogAction.DELETE, Outcome.SKIPPED, Code.CONFLICT_LOST, reason)]
    (entry,) = done.entries
    assert entry.detail == detail
    assert done.link is not None
    assert (done.link.desired, done.link.desired_revision) == (fields_of_item(item), 2)
    assert (done.link.event_updated, done.link.read_at) == (NOW - MINUTE, READING.now)
    assert (done.link.writes, [each.prints for each in done.link.overtaken]) == (
        (),
        [each.prints for each in link.writes],
    )


@pytest.mark.parametrize(
    ("code", "revived"),
    [(Code.NOT_POSSIBLE, True), (Code.SERIES, False), (Code.TYPE_OFF, False)],
)
def test_r19_a_change_that_a_rule_keeps_back_wins_over_no_deletion(code: Code, revived: bool) -> None:
    """One that the calendar refused does."""
    item = an_item(title="Ours", revision=2)

    done = deleted(item, a_link(state=LinkState.FROZEN, code=code))

    assert bool(told(done)) is revived
    assert done.gone is not revived


def test_r19_an_item_that_the_calendar_has_heard_of_is_deleted() -> None:
    """Also where the calendar knows it in a revision that is newer still."""
    for applied in (2, 3):
        assert deleted(an_item(revision=2), a_link(applied_revision=applied)).gone


@pytest.mark.parametrize(
    ("assignees", "reason"),
    [
        (("ann",), "Deleted in the linked calendar."),
        (("ann", "bob"), "Deleted in the linked calendar: no longer assigned."),
    ],
)
def test_r6_the_log_says_what_a_deletion_did(assignees: tuple[str, ...], reason: str) -> None:
    """It names the item as it was before."""
    item = an_item(assignees=assignees, revision=4)

    done = carry_out_deletion(a_link(item), item, an_integration(), READING)

    assert told(done) == [(LogAction.DELETE, Outcome.DONE, Code.OK, reason)]
    assert done.link == link_states.delete(a_link(item), revision=5)


def test_r6_an_unassigned_persons_link_ends_at_the_items_revision() -> None:
    item = an_item(assignees=("bob",), revision=4)
    link = a_link(item, applied_revision=1)

    assert carry_out_deletion(link, item, an_integration(), READING) == Judgement(
        link=link_states.delete(link, revision=4)
    )


@pytest.mark.parametrize(
    ("stamp", "changed"),
    [
        (NOW - MINUTE, NOW - MINUTE),
        (NOW - timedelta(seconds=1), NOW - timedelta(seconds=1)),
        (NOW, NOW - timedelta(seconds=1)),
        (None, NOW - timedelta(seconds=1)),
    ],
)
def test_r6_an_item_was_deleted_when_its_event_was(stamp: Any, changed: Any) -> None:
    """As far as that is known and was not after the page was asked for; else when it was asked for."""
    done = carry_out_deletion(a_link(event_updated=stamp), an_item(), an_integration(), READING)

    assert done.item is not None
    assert done.item.changed_at == changed


def test_r11_the_log_says_that_a_deletion_waits() -> None:
    done = hold_deletion(a_link(), an_item(), an_integration(), READING)

    reason = "Many events were deleted at once; this deletion waits for an answer."
    assert told(done) == [(LogAction.DELETE, Outcome.HELD, Code.HELD_DELETION, reason)]


@pytest.mark.parametrize(
    ("active", "state", "code"),
    [(True, LinkState.BEHIND, None), (False, LinkState.HELD, Code.INACTIVE)],
)
def test_r11_undoing_a_deletion_writes_our_copy_again(
    active: bool, state: LinkState, code: Code | None
) -> None:
    """R20: where nothing may be sent it is held."""
    item = an_item(revision=3)

    done = undo_deletion(a_held(), item, an_integration(active=active), READING)

    reason = "The deletion was not carried out; the copy is written again."
    assert told(done) == [(LogAction.NONE, Outcome.DONE, Code.OK, reason)]
    assert done.item is None
    assert done.link is not None
    assert (done.link.state, done.link.code) == (state, code)
    assert (done.link.desired, done.link.desired_revision) == (fields_of_item(item), 3)
    assert (done.link.exists_there, done.link.agreed) == (False, None)


def let_go(link: Link, item: Item) -> Link:
    return link_states.let_go_by_owner(link, Code.OK, let_go_fingerprint(item.content))


def test_r11_undoing_the_deletion_of_a_foreign_event_lets_its_pair_go() -> None:
    """What is gone cannot be brought back (CRONOFY.md C21); the item stays."""
    item = an_imported_item()
    link = an_external_link(state=LinkState.HELD, code=Code.HELD_DELETION, exists_there=False)

    done = undo_deletion(link, item, an_integration(), READING)

    reason = "The deletion was not carried out; the item stays, without its event."
    assert told(done) == [(LogAction.LET_GO, Outcome.DONE, Code.OK, reason)]
    assert done.link == let_go(link, item)


def test_r11_undoing_the_deletion_of_what_is_not_to_be_written_lets_its_copy_go() -> None:
    """Unassigned while it waited."""
    item = an_item(assignees=("bob",))

    done = undo_deletion(a_held(), item, an_integration(), READING)

    reason = "The deletion was not carried out; there is nothing to be written again."
    assert told(done) == [(LogAction.LET_GO, Outcome.DONE, Code.OK, reason)]
    assert done.link == let_go(link_states.undo(a_held()), item)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("updated", "outlived"),
    [(NOW - MINUTE, True), (NOW - MINUTE + SECOND, False), (NOW - MINUTE + 2 * SECOND, False), (None, False)],
)
def test_r18_a_row_of_before_our_write_tells_of_no_deletion(updated: Any, outlived: bool) -> None:
    """Stamps have whole seconds; one that is missing speaks for the calendar."""
    write = a_write(an_item(), accepted=-MINUTE + 1.7 * SECOND, sent=-2 * MINUTE)
    row = a_row_of(an_item(), deleted=True, updated=updated)

    done = deleted(an_item(), a_link(writes=(write,), event_updated=None), event=row)

    assert done.gone is not outlived


def test_r18_a_deletion_before_our_write_was_sent_is_outlived_for_good() -> None:
    """However long ago; between sending and acceptance, for a quarter of an hour."""
    write = a_write(an_item(), accepted=-30 * MINUTE, sent=-31 * MINUTE)
    link = a_link(writes=(write,), event_updated=None)
    for updated, gone in (
        (NOW - 31 * MINUTE - SECOND, False),
        (NOW - 31 * MINUTE, True),
        (NOW - 30 * MINUTE - SECOND, True),
    ):
        row = a_row_of(an_item(), deleted=True, updated=updated)
        assert deleted(an_item(), link, event=row).gone is gone


@pytest.mark.parametrize(
    ("link", "gone"),
    [
        ({"event_uid": "newer", "exists_there": False}, True),
        ({"event_uid": "newer", "exists_there": False, "event_updated": NOW}, False),
        ({"event_uid": None}, True),
        ({"event_updated": NOW - MINUTE}, True),
        ({"event_updated": NOW - MINUTE + SECOND}, False),
    ],
)
def test_a_deleted_row_counts_unless_a_newer_event_stands(link: dict[str, Any], gone: bool) -> None:
    assert deleted(an_item(), a_link(**link)).gone is gone


def test_r19_an_edit_of_a_foreign_event_that_was_deleted_meanwhile_brings_it_back() -> None:
    """Written under our own id; not where its removal had been wished, nor where the edit came first."""
    item = an_imported_item()
    earlier, later = (a_write(item, accepted=-moment) for moment in (2 * MINUTE, 30 * SECOND))
    for write, desired, revived in (
        (later, fields_of_item(item), True),
        (earlier, fields_of_item(item), False),
    ):
        done = deleted(item, an_external_link(writes=(write,), desired=desired), event=an_event(deleted=True))
        assert bool(told(done)) is revived


def test_r11_undoing_the_deletion_of_a_copy_that_was_once_foreign_writes_it_again() -> None:
    """It is one of ours by now, although the item came from this very calendar."""
    done = undo_deletion(a_held(), an_imported_item(), an_integration(), READING)

    assert [each.code for each in done.entries] == [Code.OK]
    assert done.link is not None
    assert (done.link.state, done.link.desired) == (LinkState.BEHIND, fields_of_item(an_imported_item()))

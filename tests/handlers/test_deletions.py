"""What deleted rows mean, and when a person is asked first (R6, R8, R11, R19)."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.calendar import Code, EventTypes, Link, LinkState, Origin
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers.arrivals.floods import too_many_deletions
from handlers.deletions import carry_out_deletion, hold_deletion, missing_copies
from handlers.inbound_event import judge_row
from handlers.judgement import NO_CHANGE, Judgement
from handlers.plan import LeaveEvent, WriteEvent, desired_event
from tests.builders import (
    HOUR,
    MINUTE,
    NINE,
    NOW,
    TEN,
    a_content,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    at,
    fields_of_item,
)
from tests.support.judging import codes

SECOND = timedelta(seconds=1)
RECORDS = [kind for kind in ItemType if kind is not ItemType.APPOINTMENT]
GONE: list[dict[str, Any]] = [
    {"deleted": True},
    {"status": "cancelled"},
    {"participation_status": "declined"},
]
DELETE_OFF: dict[str, Any] = {"event_types": EventTypes(create=True, update=True, delete=False)}


def judged(event: CronofyEvent, link: Link, item: Any = None, **settings: Any) -> Judgement:
    """What a row means."""
    return judge_row(event, link, item or an_item(), an_integration(**settings), a_reading())


@pytest.mark.parametrize("gone", GONE)
def test_r8_r11_deleted_cancelled_and_declined_rows_delete(gone: dict[str, Any]) -> None:
    """Carried out with the last page: the link is not stored before."""
    done = judged(a_row_of(an_item(), **gone), a_link())

    assert done.gone
    assert (done.item, done.entries) == (None, ())
    assert done.link is not None
    assert (done.link.exists_there, done.link.event_updated) == (False, NOW - MINUTE)


@pytest.mark.parametrize("kept", [{"status": "tentative"}, {"participation_status": "tentative"}])
def test_r8_tentative_rows_delete_nothing(kept: dict[str, Any]) -> None:
    """They are events."""
    assert not judged(a_row_of(an_item(), **kept), a_link()).gone


@pytest.mark.parametrize("gone", GONE)
def test_r8_a_foreign_event_that_is_gone_deletes_its_appointment(gone: dict[str, Any]) -> None:
    """Whoever made it."""
    assert judged(an_event(**gone), an_external_link(), an_imported_item()).gone


def test_r7_with_delete_off_the_item_stays_and_the_copy_is_let_go() -> None:
    """Until its time or its assignees change."""
    done = judged(a_row_of(an_item(), deleted=True), a_link(), **DELETE_OFF)

    assert (done.gone, done.item) == (False, None)
    assert codes(done) == [("let_go", "skipped", "delete_off")]
    assert done.link is not None
    assert (done.link.state, done.link.code) == (LinkState.LET_GO, Code.DELETE_OFF)
    retitled, moved = an_item(title="Other", revision=2), an_item(start=NINE - HOUR, revision=2)
    assert isinstance(desired_event(retitled, an_integration(), done.link), LeaveEvent)
    assert isinstance(desired_event(moved, an_integration(), done.link), WriteEvent)


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("settings", [{}, DELETE_OFF])
def test_r6_deleting_the_copy_of_a_record_never_deletes_the_record(
    kind: ItemType, settings: dict[str, Any]
) -> None:
    """The copy is let go, and the log says so."""
    item = an_item(type=kind)

    done = judged(a_row_of(item, deleted=True), a_link(item), item, **settings)

    assert (done.gone, done.item) == (False, None)
    assert codes(done) == [("let_go", "done", "ok")]
    assert done.link is not None
    assert done.link.state is LinkState.LET_GO


@pytest.mark.parametrize(
    "link",
    [
        {"event_uid": "newer"},
        {"event_updated": NOW},
        {"writes": [a_write(an_item(), accepted=-30 * SECOND)]},
    ],
)
def test_a_deleted_row_is_ignored_where_the_link_knows_a_newer_event(link: dict[str, Any]) -> None:
    """Written anew under the same id since."""
    assert judged(a_row_of(an_item(), deleted=True), a_link(**link)) == NO_CHANGE


def test_a_deletion_between_sending_and_answer_counts_once_nothing_came_after_it() -> None:
    """Had the write come later, its event would show within 15 minutes."""
    for accepted, gone in ((-14 * MINUTE, False), (-15 * MINUTE, True)):
        write = a_write(an_item(), sent=accepted - 10 * SECOND, accepted=accepted)
        row = a_row_of(an_item(), deleted=True, updated=NOW + accepted - 5 * SECOND)
        assert judged(row, a_link(writes=[write], event_updated=None)).gone is gone


def test_a_deletion_after_the_newest_write_counts() -> None:
    """Read back or not."""
    link = a_link(writes=[a_write(an_item(), accepted=-2 * MINUTE)])
    assert judged(a_row_of(an_item(), deleted=True), link).gone


@pytest.mark.parametrize("state", [LinkState.BEHIND, LinkState.RETRYING, LinkState.HELD, LinkState.FAILED])
@pytest.mark.parametrize("kind", list(ItemType))
def test_r19_deleted_there_and_changed_in_vorex_the_change_wins(state: LinkState, kind: ItemType) -> None:
    """The calendar had not heard of it; the copy is written again."""
    item = an_item(type=kind, revision=2, title="New")
    link = a_link(an_item(type=kind), state=state, desired=fields_of_item(item), desired_revision=2)

    done = judged(a_row_of(an_item(type=kind), deleted=True), link, item)

    assert (done.gone, done.item) == (False, None)
    assert codes(done) == [("delete", "skipped", "conflict_lost")]
    assert done.link is not None
    assert done.link.state is (LinkState.FAILED if state is LinkState.FAILED else LinkState.BEHIND)
    assert (done.link.desired, done.link.exists_there) == (fields_of_item(item), False)


@pytest.mark.parametrize(
    "link",
    [
        {"state": LinkState.BEHIND, "applied_revision": 1},
        {"state": LinkState.FROZEN, "code": Code.NOT_POSSIBLE, "applied_revision": 1},
        {"writes": [a_write(an_imported_item(), accepted=-30 * SECOND)]},
    ],
)
def test_r19_a_foreign_event_deleted_there_and_changed_in_vorex_is_written_anew(
    link: dict[str, Any],
) -> None:
    """Under our own id: what is gone cannot be edited (CRONOFY.md C21)."""
    item = an_imported_item(title="Ours", revision=2, changed_by=None)

    done = judged(an_event(deleted=True), an_external_link(item, **link), item)

    assert codes(done) == [("delete", "skipped", "conflict_lost")]
    assert done.link is not None
    assert (done.link.origin, done.link.event_uid) == (Origin.OURS, None)
    assert done.link.event_id == a_link(item).event_id
    assert (done.link.state, done.link.desired) == (LinkState.BEHIND, fields_of_item(item))


def test_r11_a_deletion_that_waits_for_an_answer_is_not_held_again() -> None:
    """However often its row is read."""
    held = a_link(state=LinkState.HELD, code=Code.HELD_DELETION, exists_there=False)
    assert judged(a_row_of(an_item(), deleted=True), held) == NO_CHANGE


def test_r11_an_event_that_comes_back_ends_the_wait() -> None:
    """Its deletion was undone; an older row of it ends nothing."""
    held = a_link(
        state=LinkState.HELD,
        code=Code.HELD_DELETION,
        exists_there=False,
        event_updated=NOW - 2 * MINUTE,
    )

    back = judged(a_row_of(an_item(), updated=NOW - MINUTE), held)

    assert back.link is not None
    assert (back.link.state, back.link.code, back.link.exists_there) == (LinkState.AGREED, None, True)
    assert judged(a_row_of(an_item(), updated=NOW - 2 * MINUTE), held) == NO_CHANGE


def test_r19_a_change_that_has_not_reached_the_link_yet_wins_over_a_deletion() -> None:
    """Another of the person's calendars made it; its fact is on its way."""
    item = an_item(title="Elsewhere", revision=2, changed_by="two")

    done = judged(a_row_of(an_item(), deleted=True), a_link(), item)

    assert (done.gone, codes(done)) == (False, [("delete", "skipped", "conflict_lost")])
    assert done.link is not None
    assert (done.link.desired, done.link.desired_revision) == (fields_of_item(item), 2)


def test_a_deleted_row_of_what_is_gone_already_means_nothing() -> None:
    """Deleted, unassigned or let go: it is known from then on that it was seen to be gone."""
    for link in (
        a_link(desired=None, desired_revision=2, exists_there=False),
        a_link(state=LinkState.LET_GO, exists_there=False),
    ):
        done = judged(a_row_of(an_item(), deleted=True), link)
        assert (done.item, done.entries, done.gone, done.again) == (None, (), False, False)
        seen = replace(link, read_at=a_reading().now, event_updated=NOW - MINUTE)
        assert done.link == (seen if link.desired is None else None)


def test_r6_deleting_the_last_persons_copy_deletes_the_appointment() -> None:
    """As a change by the calendar, at the time of the deletion."""
    gone = a_link(exists_there=False, event_updated=NOW - MINUTE)

    done = carry_out_deletion(gone, an_item(), an_integration(), a_reading())

    assert done.item is not None
    assert (done.item.deleted, done.item.version, done.item.revision) == (True, 2, 2)
    assert (done.item.content, done.item.changed_at) == (a_content(), NOW - MINUTE)
    assert done.item.changed_by == "one"
    assert codes(done) == [("delete", "done", "ok")]
    assert done.link is not None
    assert (done.link.desired, done.link.state, done.link.desired_revision) == (None, LinkState.AGREED, 2)


def test_r6_deleting_ones_copy_of_a_shared_appointment_removes_that_assignee() -> None:
    """The others keep it, and it does not come back by itself."""
    item = an_item(assignees=("bob", "ann", "cid"))

    done = carry_out_deletion(a_link(exists_there=False), item, an_integration(), a_reading())

    assert done.item is not None
    assert (done.item.deleted, done.item.assignees) == (False, ("bob", "cid"))
    assert done.link is not None
    assert desired_event(done.item, an_integration(), done.link) is not None
    assert not isinstance(desired_event(done.item, an_integration(), done.link), WriteEvent)


def test_r6_a_person_unassigned_meanwhile_deletes_nothing() -> None:
    """Neither the others' item nor an item of nobody."""
    for assignees in (("bob",), ()):
        item = an_item(assignees=assignees, revision=2)
        done = carry_out_deletion(a_link(exists_there=False), item, an_integration(), a_reading())
        assert (done.item, done.entries) == (None, ())
        assert done.link is not None
        assert done.link.desired is None


def test_a_deletion_with_a_stamp_from_the_future_counts_as_of_the_read() -> None:
    """Cronofy's word only where it is sane."""
    row = a_row_of(an_item(), deleted=True, updated=NOW + timedelta(days=9))
    gone = judged(row, a_link()).link
    assert gone is not None

    done = carry_out_deletion(gone, an_item(), an_integration(), a_reading())

    assert done.item is not None
    assert done.item.changed_at <= NOW


@pytest.mark.parametrize(
    ("new", "recent", "pairs", "asks"),
    [
        (10, 0, 10, False),
        (11, 0, 11, True),
        (11, 0, 33, False),
        (11, 0, 32, True),
        (1, 10, 30, True),
        (1, 10, 33, False),
        (1, 9, 10, False),
        (1, 11, 35, True),
        (1, 11, 36, False),
        (1000, 0, 4000, False),
    ],
)
def test_r11_more_than_ten_and_more_than_a_third_are_asked_about(
    new: int, recent: int, pairs: int, asks: bool
) -> None:
    """Together with those of the last 24 hours."""
    assert too_many_deletions(new=new, recent=recent, pairs=pairs) is asks


def test_r11_drip_by_drip_the_same_limit_holds() -> None:
    """One event a read, of 12: ten go, then a person is asked."""
    pairs, recent = 12, 0
    while not too_many_deletions(new=1, recent=recent, pairs=pairs):
        recent += 1
    assert recent == 10


def test_r11_a_held_deletion_says_so() -> None:
    """The item stays as it is."""
    done = hold_deletion(a_link(exists_there=False), an_item(), an_integration(), a_reading())

    assert done.item is None
    assert codes(done) == [("delete", "held", "held_deletion")]
    assert done.link is not None
    assert (done.link.state, done.link.code) == (LinkState.HELD, Code.HELD_DELETION)


def test_r19_a_change_in_vorex_while_a_deletion_waits_wins() -> None:
    """The copy is written again."""
    held = a_link(state=LinkState.HELD, code=Code.HELD_DELETION, exists_there=False)
    item = an_item(title="Other", revision=2)

    assert desired_event(item, an_integration(), held) == WriteEvent(fields=fields_of_item(item))


FIRST, BEYOND = date(2026, 10, 21), date(2027, 6, 19)
BEGAN = at(-MINUTE)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({}, True),
        ({"read_at": BEGAN}, False),
        ({"accepted_at": BEGAN}, False),
        ({"origin": Origin.EXTERNAL}, False),
        ({"state": LinkState.BEHIND}, False),
        ({"state": LinkState.LET_GO}, False),
        ({"state": LinkState.FROZEN}, False),
        ({"exists_there": False}, False),
        ({"desired": None}, False),
        ({"ended_at": NOW}, False),
    ],
)
def test_r11_a_copy_of_ours_that_a_complete_read_missed_is_written_again(
    change: dict[str, Any], missing: bool
) -> None:
    """Absence never deletes; foreign events that are absent mean nothing."""
    links = [a_link(**change)]
    assert bool(missing_copies(links, first=FIRST, beyond=BEYOND, began_at=BEGAN)) is missing


@pytest.mark.parametrize(
    ("times", "inside"),
    [
        ({"start": NINE, "end": TEN}, True),
        ({"start": "2027-06-18T23:00:00Z", "end": "2027-06-20T00:00:00Z"}, True),
        ({"start": "2027-06-19T00:00:00Z", "end": "2027-06-19T01:00:00Z"}, False),
        ({"start": "2026-10-20T09:00:00Z", "end": "2026-10-20T10:00:00Z"}, False),
        ({"all_day": True, "start": "2027-06-18", "end": "2027-06-19"}, True),
        ({"all_day": True, "start": "2027-06-19", "end": "2027-06-20"}, False),
        ({"all_day": True, "start": "2026-10-19", "end": "2026-10-20"}, False),
        ({"all_day": True, "start": "2026-10-20", "end": "2026-10-21"}, False),
        ({"all_day": True, "start": "2026-10-20", "end": "2026-10-22"}, True),
    ],
)
def test_r11_only_copies_inside_the_window_can_be_missing(times: dict[str, Any], inside: bool) -> None:
    """41 days back to 200 ahead."""
    links = [a_link(an_item(**times))]
    assert bool(missing_copies(links, first=FIRST, beyond=BEYOND, began_at=BEGAN)) is inside

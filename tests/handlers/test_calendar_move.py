"""What follows a copy whose integration has gone to another calendar, and what the log says (R16)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import (
    Code,
    Direction,
    Item,
    Link,
    LinkId,
    LinkState,
    LogAction,
    LogEntry,
    Origin,
    Outcome,
    Trigger,
    event_id,
)
from contracts.vorex import ItemType
from contracts.writes import Answer
from handlers.calendar_move import (
    Successor,
    is_successor_awaited,
    left_copy_entry,
    may_remove_copy,
    may_succeed_later,
    plan_successor,
    removal_entry,
)
from handlers.link_states import move_away
from tests.builders import (
    NOW,
    a_link,
    a_write,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    fields_of_item,
)

OLD = an_item(title="Old")
ITEM = an_item(title="New", version=2, vorex_version=2, revision=2)
HERE = an_integration(calendar_id="cal_2")
OTHERS = {
    "unassigned": an_item(assignees=("bob",)),
    "deleted": an_item(deleted=True),
    "undated": an_item(start=None, end=None),
}
FOREIGN = an_external_link(an_imported_item(), calendar_id="cal_2")


def following(here: Link | None, item: Item = ITEM, **settings: Any) -> Successor | None:
    return plan_successor(item, replace(HERE, **settings), here, new_id=lambda: "fresh")


def a_copy_here(item: Item = ITEM, **changes: Any) -> Link:
    return a_link(item, calendar_id="cal_2", **changes)


@pytest.mark.parametrize("item", OTHERS.values(), ids=OTHERS)
def test_r16_nothing_follows_a_copy_of_what_is_on_the_persons_calendar_no_more(item: Item) -> None:
    assert following(None, item) == Successor()
    assert following(None, item, item_types=frozenset()) == Successor()


def test_r16_a_copy_of_a_type_that_is_not_sent_any_more_stays_where_it_is() -> None:
    assert following(None, item_types=frozenset({ItemType.TODO})) is None


def test_r16_a_copy_that_was_never_here_is_written_anew() -> None:
    first = Link(
        id=LinkId("fresh"),
        integration_id=HERE.id,
        item_ref=ITEM.ref,
        calendar_id="cal_2",
        origin=Origin.OURS,
        event_id=event_id("acme", "ann", "appointment", "77"),
        state=LinkState.BEHIND,
        desired_revision=2,
        desired=fields_of_item(ITEM),
    )
    assert following(None) == Successor(link=first, new=True)


@pytest.mark.parametrize(
    "here",
    [a_copy_here(), FOREIGN, replace(FOREIGN, state=LinkState.FROZEN, differs=True)],
    ids=["ours", "theirs", "theirs, whatever it says"],
)
def test_r16_nothing_more_follows_what_stands_here(here: Link) -> None:
    assert following(here) == Successor()


def test_r6_nothing_follows_a_copy_that_the_calendars_owner_deleted_here() -> None:
    here = a_copy_here(state=LinkState.LET_GO, exists_there=False, let_go_print="print")
    assert following(here) == Successor()


LEFT = {
    "written otherwise": a_copy_here(OLD),
    "found otherwise": a_copy_here(differs=True),
    "not there": a_copy_here(exists_there=False),
    "held": a_copy_here(state=LinkState.HELD, code=Code.INACTIVE),
    "refused": a_copy_here(state=LinkState.FAILED, code=Code.REFUSED_BY_CALENDAR),
    "left": a_copy_here(state=LinkState.LET_GO, exists_there=False),
    "frozen": a_copy_here(state=LinkState.FROZEN, let_go_print="print"),
    "ended": a_copy_here(exists_there=False, ended_at=NOW, let_go_print="print"),
}


@pytest.mark.parametrize("here", LEFT.values(), ids=LEFT)
def test_r16_a_copy_here_that_is_not_as_it_should_be_is_written_again(here: Link) -> None:
    again = replace(
        here,
        state=LinkState.BEHIND,
        code=None,
        desired=fields_of_item(ITEM),
        desired_revision=2,
        let_go_print=None,
        ended_at=None,
    )
    assert following(here) == Successor(link=again)


def test_r16_a_foreign_event_that_is_gone_here_is_followed_by_a_copy_of_ours() -> None:
    found = following(replace(FOREIGN, exists_there=False))
    assert found is not None
    assert found.link is not None
    assert not found.new
    assert (found.link.origin, found.link.event_id) == (
        Origin.OURS,
        event_id("acme", "ann", "appointment", "77"),
    )


@pytest.mark.parametrize("state", LinkState)
def test_what_follows_is_awaited_while_it_is_to_be_written_and_does_not_stand(state: LinkState) -> None:
    to_be_written = state in {LinkState.BEHIND, LinkState.RETRYING}
    assert is_successor_awaited(a_copy_here(state=state, exists_there=False)) is to_be_written
    assert is_successor_awaited(a_copy_here(state=state)) is False


def test_nothing_is_awaited_where_nothing_follows() -> None:
    assert is_successor_awaited(None) is False


@pytest.mark.parametrize("item", OTHERS.values(), ids=OTHERS)
def test_g8_a_copy_elsewhere_of_what_is_gone_may_go_whatever_is_here(item: Item) -> None:
    assert may_remove_copy(item, HERE, None) is True
    assert may_remove_copy(item, HERE, a_copy_here(state=LinkState.HELD)) is True


@pytest.mark.parametrize(
    ("here", "may"),
    [
        (None, False),
        (a_copy_here(), True),
        (a_copy_here(exists_there=False), False),
        (a_copy_here(state=LinkState.FAILED, exists_there=False, let_go_print="print"), False),
        (a_copy_here(state=LinkState.LET_GO, exists_there=False), False),
        (a_copy_here(state=LinkState.LET_GO, exists_there=False, let_go_print="print"), True),
        (a_copy_here(state=LinkState.HELD), None),
        (a_copy_here(state=LinkState.HELD, exists_there=False), None),
    ],
    ids=["nothing", "stands", "does not", "refused", "left", "deleted by hand", "held", "held and not there"],
)
def test_r16_a_copy_elsewhere_goes_when_what_follows_it_stands(here: Link | None, may: bool | None) -> None:
    """And where its owner deleted it here (R6); later, where nothing is sent just now (R20, R22)."""
    assert may_remove_copy(ITEM, HERE, here) is may


@pytest.mark.parametrize(
    ("status", "later"),
    [(429, True), (401, True), (500, True), (503, True), (499, False), (404, False), (202, False)],
)
def test_r23_a_removal_is_tried_again_unless_it_was_refused_for_good(status: int, later: bool) -> None:
    assert may_succeed_later(Answer(status=status)) is later


def test_r16_of_a_copy_that_is_gone_from_the_calendar_before_nothing_is_expected_any_more() -> None:
    old = a_link(OLD, writes=[a_write(OLD)], code=Code.DIFFERS, let_go_print="print")
    left = replace(
        old,
        state=LinkState.LET_GO,
        desired=None,
        exists_there=False,
        applied_hash=None,
        agreed=None,
        last_read=None,
        writes=(),
    )
    assert move_away(old) == left


def said(action: LogAction, outcome: Outcome, code: Code, reason: str, item: Item = ITEM) -> LogEntry:
    """A line of the run's log."""
    return LogEntry(
        integration_id=HERE.id,
        trigger=Trigger.RUN,
        direction=Direction.TO_LINKED_CALENDAR,
        action=action,
        outcome=outcome,
        code=code,
        reason=reason,
        item_ref=item.ref,
        item_id=item.id,
        item_type=item.type,
        title=item.content.title if item.content else None,
        run_id="run",
    )


def test_r16_the_log_says_that_a_copy_was_moved() -> None:
    moved = "Moved to the calendar that is linked now; removed from the one before."
    entry = said(LogAction.DELETE, Outcome.DONE, Code.OK, moved)
    assert removal_entry(ITEM, HERE, Answer(status=202), "run") == entry


@pytest.mark.parametrize("item", OTHERS.values(), ids=OTHERS)
def test_g8_the_log_says_that_a_copy_of_what_is_gone_was_removed(item: Item) -> None:
    removed = "Removed from the calendar that was linked before."
    entry = said(LogAction.DELETE, Outcome.DONE, Code.OK, removed, item)
    assert removal_entry(item, HERE, Answer(status=202), "run") == entry


@pytest.mark.parametrize("status", [404, 410])
def test_r16_the_log_says_that_a_copy_vanished_with_its_calendar(status: int) -> None:
    vanished = "The calendar that was linked before is gone, and this copy with it."
    entry = said(LogAction.DELETE, Outcome.SKIPPED, Code.REFUSED_BY_CALENDAR, vanished)
    assert removal_entry(ITEM, HERE, Answer(status=status), "run") == entry


@pytest.mark.parametrize("status", [403, 422])
def test_r16_the_log_says_that_the_calendar_before_refused_the_removal(status: int) -> None:
    refused = "The calendar that was linked before cannot be changed any more; the copy there stays."
    entry = said(LogAction.DELETE, Outcome.FAILED, Code.REFUSED_BY_CALENDAR, refused)
    assert removal_entry(ITEM, HERE, Answer(status=status), "run") == entry


def test_r16_the_log_says_why_a_copy_stays_where_it_was() -> None:
    by_boxes = "Items of this type are no longer sent; the copy stays on the calendar that was linked before."
    entry = said(LogAction.NONE, Outcome.SKIPPED, Code.TYPE_OFF, by_boxes)
    assert left_copy_entry(ITEM, HERE, "run", written=True) == entry
    refused = "It could not be written to the calendar that is linked now; the copy stays where it was."
    entry = said(LogAction.NONE, Outcome.FAILED, Code.REFUSED_BY_CALENDAR, refused)
    assert left_copy_entry(ITEM, HERE, "run", written=False) == entry

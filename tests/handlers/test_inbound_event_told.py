"""What the log tells of a row, and what is told only once (R6, R7, R10, R18, R19, R27)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, EventTypes, Link, LinkState, LogAction, LogEntry, Outcome
from contracts.vorex import ItemType
from handlers.link_states import MOST_REWRITES
from tests.builders import (
    HOUR,
    MINUTE,
    NINE,
    NOW,
    TEN,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_item,
    at,
    prints_of,
)
from tests.support.judging import ARRIVAL_TIME, LATE_TIME, NEW, OLD, a_pending_link, behind, judged

READING = a_reading(message_id="m-1")
UPDATE_OFF: dict[str, Any] = {"event_types": EventTypes(create=True, update=False, delete=True)}


def told(entry: LogEntry) -> tuple[LogAction, Outcome, Code, str]:
    return entry.action, entry.outcome, entry.code, entry.reason


def test_r27_the_log_says_that_an_edit_was_taken_over() -> None:
    """Under the title that the item has from then on, and with the message that it came with."""
    (entry,) = judged(a_row_of(OLD, summary="Theirs"), a_link(OLD), OLD, reading=READING).entries

    assert told(entry) == (LogAction.UPDATE, Outcome.DONE, Code.OK, "Changed in the linked calendar.")
    assert (entry.title, entry.message_id, entry.item_id) == ("Theirs", "m-1", OLD.id)


def test_r19_the_log_keeps_what_each_side_had_where_the_calendar_won() -> None:
    """What was taken is kept, what Vorex had is lost."""
    row = a_row_of(OLD, summary="Theirs", location="Bar", updated=NOW - MINUTE)

    taken, lost = judged(row, behind(), NEW, reading=READING).entries

    assert told(taken) == (LogAction.UPDATE, Outcome.DONE, Code.OK, "Changed in the linked calendar.")
    reason = "Changed on both sides; the newer change in the linked calendar wins."
    assert told(lost) == (LogAction.UPDATE, Outcome.SKIPPED, Code.CONFLICT_LOST, reason)
    assert lost.detail == {
        "kept": {"title": "Theirs", "location": "Bar"},
        "lost": {"title": "New", "location": "Park"},
    }


def test_r19_the_log_keeps_what_each_side_had_where_vorex_won() -> None:
    """The other way round."""
    row = a_row_of(OLD, summary="Theirs", location="Bar", updated=NOW - 11 * MINUTE)

    (lost,) = judged(row, behind(), NEW, reading=READING).entries

    reason = "Changed on both sides; the change in Vorex wins."
    assert told(lost) == (LogAction.UPDATE, Outcome.SKIPPED, Code.CONFLICT_LOST, reason)
    assert (lost.direction, lost.message_id) == ("to_my_calendar", "m-1")
    assert lost.detail == {
        "kept": {"title": "New", "location": "Park"},
        "lost": {"title": "Theirs", "location": "Bar"},
    }


@pytest.mark.parametrize("side", ["item", "event", "both"])
@pytest.mark.parametrize("minutes", [1, 11])
def test_r27_of_a_conflict_about_something_private_the_log_keeps_the_times_alone(
    side: str, minutes: int
) -> None:
    """Whoever won, and whichever side is private."""
    old = replace(OLD, content=OLD.content.model_copy(update={"private": True})) if OLD.content else OLD
    new = replace(NEW, content=NEW.content.model_copy(update={"private": True})) if NEW.content else NEW
    before, item = (OLD, NEW) if side == "event" else (old, new)
    link = behind(
        agreed=prints_of(before),
        last_read=prints_of(before),
        writes=(a_write(item, accepted=None, sent=-HOUR),),
    )
    row = a_row_of(
        before, event_private=side != "item", end=TEN + HOUR, location="Bar", updated=NOW - minutes * MINUTE
    )

    entries = judged(row, link, item, reading=READING).entries

    detail = entries[-1].detail
    assert detail["private"] is True
    assert {frozenset(detail["kept"]), frozenset(detail["lost"])} == {frozenset({"end"})}


def test_r7_the_log_says_that_update_is_not_checked() -> None:
    (entry,) = judged(a_row_of(OLD, location="Bar"), a_link(OLD), OLD, **UPDATE_OFF).entries

    reason = "Update is not checked for this calendar."
    assert told(entry) == (LogAction.UPDATE, Outcome.SKIPPED, Code.UPDATE_OFF, reason)


def test_r6_the_log_says_that_a_completed_service_call_keeps_its_time() -> None:
    """Another record that is completed takes its new time."""
    call, task = (an_item(type=kind, completed=True) for kind in (ItemType.SERVICE_CALL, ItemType.TASK))

    (entry,) = judged(a_row_of(call, start=NINE - HOUR), a_link(call), call).entries

    reason = "A completed service call keeps its time."
    assert told(entry) == (LogAction.UPDATE, Outcome.SKIPPED, Code.DIFFERS, reason)
    assert judged(a_row_of(task, start=NINE - HOUR), a_link(task), task).item is not None


def test_r7_an_edit_that_is_not_taken_is_told_once_for_each_thing_that_it_shows() -> None:
    """The same again says nothing; another does, and so does the first one on a link that was in order."""
    first = judged(a_row_of(OLD, location="Bar"), a_link(OLD), OLD, **UPDATE_OFF)
    assert first.link is not None
    later = a_reading(asked_at=at(MINUTE), now=at(MINUTE))
    again = replace(first.link, agreed=None, last_read=prints_of(OLD) | {"location": "other"})

    other = judged(a_row_of(OLD, location="Pub"), again, OLD, reading=later, **UPDATE_OFF)

    assert len(first.entries) == 1
    assert len(other.entries) == 1


def test_r18_the_log_says_that_this_sync_gave_way() -> None:
    """Once: a link that had been stopped before is not told of again."""
    between = an_item(title="Between")
    often = [at(-20 * MINUTE - n * MINUTE) for n in range(MOST_REWRITES)]
    link = a_pending_link(between, accepted=-2 * MINUTE, rewrites=often)
    row = a_row_of(between, updated=NOW - MINUTE)

    stopped = judged(row, link, NEW, reading=READING)

    (entry,) = stopped.entries
    reason = "The calendar and this sync kept changing the event; it is left alone."
    assert told(entry) == (LogAction.UPDATE, Outcome.FAILED, Code.LOOP_STOPPED, reason)
    assert (entry.title, entry.message_id, entry.integration_id) == ("New", "m-1", "one")
    assert stopped.link is not None
    assert judged(row, replace(stopped.link, read_at=None), NEW).entries == ()


def refused(**changes: Any) -> Link:
    """A foreign event that shows nothing of what was written to it a quarter of an hour ago."""
    before = an_imported_item()
    after = an_imported_item(title="Ours", revision=2, changed_by=None)
    usual: dict[str, Any] = {
        "agreed": prints_of(before),
        "last_read": prints_of(before),
        "writes": [a_write(after, accepted=-ARRIVAL_TIME)],
    }
    return an_external_link(after, **(usual | changes))


def test_r10_the_log_says_that_a_foreign_event_took_no_change() -> None:
    """And the link is left alone."""
    item = an_imported_item(title="Ours", revision=2, changed_by=None)

    left = judged(an_event(), refused(), item, reading=READING)

    (entry,) = left.entries
    reason = "The calendar accepted the change and did not carry it out."
    assert told(entry) == (LogAction.UPDATE, Outcome.FAILED, Code.NOT_POSSIBLE, reason)
    assert left.link is not None
    assert (left.link.state, left.link.code) == (LinkState.FROZEN, Code.NOT_POSSIBLE)


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (LinkState.AGREED, LinkState.BEHIND),
        (LinkState.FAILED, LinkState.FAILED),
        (LinkState.RETRYING, LinkState.RETRYING),
    ],
)
def test_r19_what_vorex_won_over_an_edit_is_written_once_more(state: LinkState, after: LinkState) -> None:
    """Where it had been accepted; else it is on its way, or waits for the replay of its dead letter."""
    link = a_pending_link(state=state)

    lost = judged(a_row_of(OLD, summary="Third", updated=NOW - 11 * MINUTE), link, NEW)

    assert [each.code for each in lost.entries] == [Code.CONFLICT_LOST]
    assert lost.link is not None
    assert (lost.link.state, lost.link.desired, lost.link.differs) == (after, link.desired, True)


@pytest.mark.parametrize(
    ("known", "update", "lines"),
    [
        ({"differs": True}, False, 0),
        ({"differs": False}, False, 1),
        ({"differs": True, "last_read": prints_of(NEW)}, False, 1),
        ({"differs": True}, True, 1),
    ],
)
def test_r7_a_write_that_a_person_undid_is_told_once(known: dict[str, Any], update: bool, lines: int) -> None:
    """Where Update is not checked; as long as the calendar shows the same."""
    boxes = EventTypes(create=True, update=update, delete=True)
    link = a_pending_link(accepted=-LATE_TIME, **known)

    undone = judged(a_row_of(OLD, updated=NOW - MINUTE), link, NEW, event_types=boxes)

    assert len(undone.entries) == lines
    assert (undone.item is not None) is update

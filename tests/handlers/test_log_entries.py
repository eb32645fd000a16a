"""What the log says of a row of the linked calendar (R8, R10, R18, R19, R27)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, Direction, Item, LogAction, LogEntry, Outcome, Trigger
from contracts.vorex import ItemType
from handlers.log_entries import RowLog
from tests.builders import a_reading, an_integration, an_item

ITEM = an_item(title="Lunch")
SECRET = an_item(title="Lunch", private=True)
BY_A_RUN = a_reading(trigger=Trigger.RUN, run_id="run", message_id="m-1")


def of(item: Item) -> RowLog:
    return RowLog(item, an_integration(), BY_A_RUN)


def a_line(**changes: Any) -> LogEntry:
    """About lunch, and the reading in which it was found."""
    usual: dict[str, Any] = {
        "integration_id": "one",
        "trigger": Trigger.RUN,
        "direction": Direction.TO_LINKED_CALENDAR,
        "action": LogAction.UPDATE,
        "outcome": Outcome.FAILED,
        "item_ref": ITEM.ref,
        "item_id": "77",
        "item_type": ItemType.APPOINTMENT,
        "title": "Lunch",
        "message_id": "m-1",
        "run_id": "run",
        "detail": {},
    }
    return LogEntry(**usual | changes)


def test_r27_what_came_from_the_calendar_is_told_with_its_item_and_its_reading() -> None:
    expected = a_line(
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.CREATE,
        outcome=Outcome.SKIPPED,
        code=Code.CREATE_OFF,
        reason="So.",
    )
    say, said = of(ITEM), (LogAction.CREATE, Outcome.SKIPPED, Code.CREATE_OFF, "So.")
    assert say(*said) == expected
    assert say(*said, detail={"a": 1}) == replace(expected, detail={"a": 1})


@pytest.mark.parametrize(
    ("item", "title"), [(SECRET, "Private appointment"), (replace(ITEM, content=None), None)]
)
def test_r27_the_log_says_of_no_private_item_and_of_no_unknown_one_what_it_is(
    item: Item, title: str | None
) -> None:
    assert of(item)(LogAction.NONE, Outcome.DONE, Code.OK, "So.").title == title


KEPT: dict[str, object] = {"title": "Dinner", "start": "18:00"}
LOST: dict[str, object] = {"title": "Lunch", "start": "12:00"}


def lost(item: Item, *, private: bool) -> LogEntry:
    return of(item).lost_by_vorex(kept=KEPT, lost=LOST, private=private)


def test_r19_the_log_keeps_what_vorex_lost() -> None:
    assert lost(ITEM, private=False) == a_line(
        outcome=Outcome.SKIPPED,
        code=Code.CONFLICT_LOST,
        reason="Changed on both sides; the newer change in the linked calendar wins.",
        detail={"kept": KEPT, "lost": LOST},
    )
    assert lost(replace(ITEM, content=None), private=False).detail == {"kept": KEPT, "lost": LOST}


@pytest.mark.parametrize(
    ("item", "private"), [(ITEM, True), (SECRET, False), (SECRET, True)], ids=["event", "item", "both"]
)
def test_r27_of_what_is_private_on_either_side_the_log_keeps_the_times_alone(
    item: Item, private: bool
) -> None:
    times = {"kept": {"start": "18:00"}, "lost": {"start": "12:00"}, "private": True}
    assert lost(item, private=private).detail == times


def test_r18_the_log_says_that_this_sync_gave_way() -> None:
    assert of(ITEM).stopped() == a_line(
        code=Code.LOOP_STOPPED,
        reason="The calendar and this sync kept changing the event; it is left alone.",
    )


def test_r10_the_log_says_that_a_foreign_event_took_no_change() -> None:
    assert of(ITEM).not_arrived() == a_line(
        code=Code.NOT_POSSIBLE,
        reason="The calendar accepted the change and did not carry it out.",
    )

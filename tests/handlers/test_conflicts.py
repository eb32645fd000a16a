"""What lost where both sides had changed an item, and what is published then (R19, R27)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, Direction, IntegrationId, Item, LogAction, LogEntry, Outcome
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent, ItemType
from handlers.conflicts import fact_of, loss_entries
from handlers.outbound_message import ItemMessage, ItemVerdicts
from handlers.versions import LostChange
from tests.builders import a_content, a_message, an_item

ITEM = an_item(title="Dinner", version=6)
LUNCH = a_content(title="Lunch")
ONE, TWO = IntegrationId("one"), IntegrationId("two")
MESSAGE = ItemMessage(message=a_message(), attempt=3)


def a_loss(
    values: ItemContent | None = LUNCH, *, by_vorex: bool = False, to: IntegrationId | None = ONE
) -> LostChange:
    return LostChange(by_vorex=by_vorex, values=values, integration_id=to)


def settled(*losses: LostChange, item: Item = ITEM) -> ItemVerdicts:
    """The item as it is from now on, and what it took to get there."""
    return ItemVerdicts(item=item, losses=[(loss, MESSAGE) for loss in losses])


def a_line(**changes: Any) -> LogEntry:
    usual: dict[str, Any] = {
        "integration_id": "one",
        "direction": Direction.TO_MY_CALENDAR,
        "action": LogAction.UPDATE,
        "outcome": Outcome.SKIPPED,
        "code": Code.CONFLICT_LOST,
        "reason": "Changed on both sides; the change in Vorex wins.",
        "item_ref": ITEM.ref,
        "item_id": "77",
        "item_type": ItemType.APPOINTMENT,
        "title": "Dinner",
        "message_id": "m-1",
        "trace_id": MESSAGE.message.trace_id,
        "attempt": 3,
        "detail": {"kept": a_content(title="Dinner").to_json_dict(), "lost": LUNCH.to_json_dict()},
    }
    return LogEntry(**usual | changes)


def test_r19_a_change_of_the_calendar_that_lost_is_kept_in_the_log() -> None:
    assert loss_entries(settled(a_loss())) == [a_line()]


def test_r19_a_change_of_vorex_that_lost_is_kept_in_the_log() -> None:
    (entry,) = loss_entries(settled(a_loss(by_vorex=True)))
    assert entry == a_line(
        direction=Direction.TO_LINKED_CALENDAR,
        reason="Changed on both sides; the newer change in the linked calendar wins.",
    )


def test_r19_a_deletion_that_lost_is_kept_in_the_log() -> None:
    (entry,) = loss_entries(settled(a_loss(None)))
    detail = {"kept": a_content(title="Dinner").to_json_dict(), "lost": {"deleted": True}}
    assert entry == a_line(action=LogAction.DELETE, detail=detail)


@pytest.mark.parametrize(
    "item", [replace(ITEM, deleted=True), replace(ITEM, content=None)], ids=["deleted", "unknown"]
)
def test_r19_a_deletion_that_won_is_kept_in_the_log(item: Item) -> None:
    (entry,) = loss_entries(settled(a_loss(), item=item))
    assert entry.detail == {"kept": {"deleted": True}, "lost": LUNCH.to_json_dict()}


@pytest.mark.parametrize(
    ("kept", "lost"),
    [(False, True), (True, False)],
    ids=["what lost", "what won"],
)
def test_r27_of_what_was_private_on_either_side_the_log_keeps_the_times_alone(kept: bool, lost: bool) -> None:
    (entry,) = loss_entries(settled(a_loss(a_content(private=lost)), item=an_item(private=kept)))
    times = {"start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}
    assert entry.detail == {"kept": times, "lost": times, "private": True}


def test_a_conflict_with_a_calendar_that_is_not_known_is_in_no_log() -> None:
    assert loss_entries(settled(a_loss(to=None), a_loss(by_vorex=True))) == [
        a_line(
            direction=Direction.TO_LINKED_CALENDAR,
            reason="Changed on both sides; the newer change in the linked calendar wins.",
        )
    ]


def a_fact(by: IntegrationId, *, action: Action = Action.UPDATED) -> ItemChangedData:
    return ItemChangedData(
        tenant_id="acme",
        action=action,
        version=6,
        actor=Actor(kind=ActorKind.CALENDAR_SYNC, id=by),
        item=a_content(title="Dinner"),
    )


def test_r19_the_winner_is_published_whole_in_the_name_of_the_last_calendar_in_conflict() -> None:
    assert fact_of(settled(a_loss(to=ONE), a_loss(to=TWO)), None) == a_fact(TWO)
    assert fact_of(settled(a_loss(to=TWO), a_loss(to=None)), ONE) == a_fact(TWO)
    deleted = settled(a_loss(), item=replace(ITEM, deleted=True))
    assert fact_of(deleted, None) == a_fact(ONE, action=Action.DELETED)


def test_r19_a_witness_stands_in_for_a_calendar_that_is_not_known_any_more() -> None:
    assert fact_of(settled(a_loss(to=None)), TWO) == a_fact(TWO)
    assert fact_of(settled(a_loss(to=None)), None) is None


def test_nothing_is_published_without_a_conflict_or_of_an_item_that_is_not_known() -> None:
    assert fact_of(settled(), ONE) is None
    assert fact_of(settled(a_loss(), item=replace(ITEM, content=None)), ONE) is None

"""Events of the calendar that equal an item of My Calendar, or that a run asks for by name (R1, R26, R29)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from contracts.calendar import (
    Code,
    Direction,
    EventTypes,
    IntegrationId,
    Item,
    Link,
    LogAction,
    LogEntry,
    Origin,
    Outcome,
    Trigger,
)
from contracts.cronofy import CronofyEvent, EventOptions
from contracts.vorex import ItemType
from handlers.arrivals.imported_ids import own_id
from handlers.inbound_page import KnownRows, PageChanges, judge_page, match_page
from handlers.matching import MatchKey
from handlers.plan import InAgreement, desired_event
from tests.builders import (
    MINUTE,
    NOW,
    a_content,
    a_link,
    a_reading,
    a_row_of,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    prints_of,
)

ONE = IntegrationId("one")
LUNCH = ("Lunch", "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z")
ITEM = an_item(id="5", revision=4, description="Ours alone", location="Home")
ROW = an_event(event_uid="theirs", series_identifier="s", options=EventOptions(update=True))
RUN = a_reading(trigger=Trigger.RUN, run_id="run", message_id="m-1")


def known(equals: Mapping[MatchKey, Sequence[Item]] | None = None, **changes: Any) -> KnownRows:
    """An integration without links, and what equals the person's items."""
    own = {name: changes.pop(name) for name in ("links", "items", "twins", "undecided") if name in changes}
    items = {item.ref: item for item in own.pop("items", ())}
    usual: dict[str, Any] = {"links": (), "prior": frozenset(), "equals": equals or {}}
    return KnownRows(integration=an_integration(**changes), items=items, **usual | own)


def ids() -> Any:
    numbers = count(1)
    return lambda: f"new-{next(numbers)}"


def matched(*events: CronofyEvent, of: KnownRows) -> PageChanges:
    """What the first sync links (R29)."""
    return match_page(events, of, RUN, new_id=ids())


def retrieved(*events: CronofyEvent, of: KnownRows) -> PageChanges:
    """What a Retrieve brings (R26)."""
    return judge_page(events, of, RUN, new_id=ids(), by_name=True)


EITHER = pytest.mark.parametrize("read", [matched, retrieved])


def a_line(item: Item, action: LogAction, reason: str) -> LogEntry:
    return LogEntry(
        integration_id=ONE,
        trigger=Trigger.RUN,
        direction=Direction.TO_MY_CALENDAR,
        action=action,
        outcome=Outcome.DONE,
        code=Code.OK,
        reason=reason,
        item_ref=item.ref,
        item_id=item.id,
        item_type=ItemType.APPOINTMENT,
        title=item.content.title if item.content else None,
        message_id="m-1",
        run_id="run",
    )


def a_pair(item: Item, link_id: str = "new-1") -> Link:
    """Of the item and the event, in agreement about what the event says."""
    seen = prints_of(replace(item, content=a_content(id=item.id)))
    return an_external_link(
        item,
        id=link_id,
        event_uid="theirs",
        series_identifier="s",
        agreed=seen,
        last_read=seen,
        read_at=RUN.now,
        event_updated=NOW - MINUTE,
        may_update=True,
        may_delete=False,
    )


@EITHER
def test_r29_an_event_that_equals_one_item_is_linked_instead_of_copied(read: Any) -> None:
    changes = read(ROW, of=known({LUNCH: [ITEM]}))
    reason = "The same on both sides: linked instead of copied."
    expected = PageChanges(new_links=[a_pair(ITEM)], entries=[a_line(ITEM, LogAction.LINK, reason)], linked=1)
    assert changes == expected
    assert desired_event(ITEM, an_integration(), changes.new_links[0]) == InAgreement()


@EITHER
def test_r29_every_equal_event_of_a_page_is_counted(read: Any) -> None:
    dinner = an_item(id="6", title="Dinner")
    other = an_event(event_uid="other", summary="Dinner")
    changes = read(ROW, other, of=known({LUNCH: [ITEM], ("Dinner", *LUNCH[1:]): [dinner]}))
    assert changes.linked == 2


@EITHER
def test_r29_nothing_is_decided_of_an_event_whose_equal_may_come_on_a_later_page(read: Any) -> None:
    changes = read(ROW, of=known({LUNCH: [ITEM]}, undecided=True))
    assert changes == PageChanges(left=[(LUNCH, "theirs")])


@EITHER
def test_r8_a_private_event_is_never_linked_to_what_it_equals(read: Any) -> None:
    """Its title is not read: it would have to be guessed."""
    changes = read(replace(ROW, event_private=True), of=known({LUNCH: [ITEM]}))
    assert changes.linked == 0
    assert ITEM.ref not in [link.item_ref for link in changes.new_links]


def test_r8_r26_a_private_event_that_equals_an_item_is_retrieved_beside_it() -> None:
    changes = retrieved(replace(ROW, event_private=True), of=known({LUNCH: [ITEM]}))
    (item,) = changes.items
    assert (item.ref != ITEM.ref, item.read_only_reason) == (True, "private")


@pytest.mark.parametrize("equals", [{}, {LUNCH: [ITEM, an_item(id="6")]}], ids=["no item", "two items"])
def test_r29_what_has_no_equal_or_several_is_left_to_real_time_sync(equals: Any) -> None:
    assert matched(ROW, of=known(equals)) == PageChanges()
    assert matched(ROW, of=known(equals, undecided=True)) == PageChanges()


def test_r29_the_first_sync_brings_and_deletes_nothing() -> None:
    """Neither rows that are gone, nor rows of links that are known."""
    copy, brought = a_row_of(ITEM, summary="Changed"), an_event(deleted=True)
    links = [a_link(ITEM), an_external_link()]
    mine = known({LUNCH: [an_item(id="6")]}, links=links, items=[ITEM, an_imported_item()])
    assert matched(copy, brought, replace(ROW, deleted=True), of=mine) == PageChanges()


def an_import(**content: Any) -> tuple[Item, Link]:
    """As the row becomes an appointment of ann's."""
    ref, item_id = own_id(ROW, an_integration(), turn=0)
    item = Item(
        ref=ref,
        tenant_id="acme",
        type=ItemType.APPOINTMENT,
        id=item_id,
        version=1,
        vorex_version=0,
        sync_version=1,
        revision=1,
        deleted=False,
        content=a_content(id=item_id, **content),
        changed_at=NOW - MINUTE,
        changed_by=ONE,
        imported_by=ONE,
    )
    return item, a_pair(item, "new-1")


@pytest.mark.parametrize("equals", [{}, {LUNCH: [ITEM, an_item(id="6")]}], ids=["no item", "two items"])
@pytest.mark.parametrize("undecided", [False, True])
def test_r26_a_retrieve_brings_what_it_finds(equals: Any, undecided: bool) -> None:
    """Also where Create is off, and what was there before Finish (R33)."""
    mine = known(equals, undecided=undecided, event_types=EventTypes(create=False))
    item, link = an_import()
    reason = "Retrieved from the linked calendar."
    assert retrieved(ROW, of=replace(mine, prior=frozenset({"uid:theirs", "series:s"}))) == PageChanges(
        items=[item], new_links=[link], entries=[a_line(item, LogAction.CREATE, reason)]
    )


def test_r5_real_time_sync_brings_the_same_appointment() -> None:
    item, link = an_import()
    changes = judge_page([ROW], known({LUNCH: [ITEM]}), RUN, new_id=ids())
    entry = a_line(item, LogAction.CREATE, "Added to the linked calendar.")
    assert changes == PageChanges(items=[item], new_links=[link], entries=[entry])


def test_r1_a_retrieve_brings_no_copy_of_another_persons_sync() -> None:
    mine = known({LUNCH: [ITEM]}, twins=frozenset({LUNCH}))
    assert retrieved(ROW, of=mine) == PageChanges(silent=[Code.SHARED_MAILBOX])


def test_r26_a_retrieve_deletes_nothing() -> None:
    item = an_item()
    mine = known(links=[a_link(item), an_external_link()], items=[item, an_imported_item()])
    gone = [a_row_of(item, deleted=True), an_event(deleted=True), replace(ROW, deleted=True)]
    assert retrieved(*gone, of=mine) == PageChanges()


def test_r26_a_retrieve_takes_the_owners_changes_of_what_is_known() -> None:
    item = an_imported_item()
    mine = known(links=[an_external_link(item)], items=[item])
    changes = retrieved(an_event(summary="Dinner"), of=mine)
    assert [each.content.title for each in changes.items if each.content] == ["Dinner"]


def test_a_row_of_a_link_whose_item_is_not_known_says_nothing() -> None:
    """Nor does it hide those after it."""
    changes = judge_page([a_row_of(ITEM), ROW], known(links=[a_link(ITEM)]), RUN, new_id=ids())
    assert [link.event_uid for link in changes.new_links] == ["theirs"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"event_types": EventTypes(create=False)}, "Create is not checked for this calendar."),
        ({"twins": frozenset({LUNCH})}, "A copy that another person's sync put on this shared calendar."),
    ],
)
def test_r5_an_event_that_is_not_brought_is_remembered_alone_and_said(
    settings: dict[str, Any], reason: str
) -> None:
    """Not its series: a later occurrence may be brought by then."""
    changes = judge_page([ROW], known(**settings), RUN, new_id=ids())
    (entry,) = changes.entries
    assert (changes.items, changes.new_links, changes.prior) == ([], [], ["uid:theirs"])
    assert (entry.action, entry.outcome, entry.reason) == (LogAction.CREATE, Outcome.SKIPPED, reason)
    assert (entry.title, entry.run_id) == ("Lunch", "run")


def test_r9_one_of_ours_links_to_no_event_but_by_its_id() -> None:
    """A foreign event under the uid of one of our copies is that copy; one under its own is not."""
    item = an_item()
    changes = judge_page([ROW], known(links=[a_link(item)], items=[item]), RUN, new_id=ids())
    assert [link.origin for link in changes.new_links] == [Origin.EXTERNAL]

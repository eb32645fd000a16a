"""Linking again: what the link to an event that is known from before says (R8, R9, R10, R19, R21)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import (
    CalendarForms,
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
)
from contracts.cronofy import CronofyEvent, EventOptions
from contracts.event_fields import fields_hash
from contracts.vorex import ItemType
from handlers.fingerprints import NO_EVENT
from handlers.judgement import Judgement
from handlers.relink import Tombstone, adopted_link, carried_link
from tests.builders import (
    MINUTE,
    NOW,
    a_content,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_integration,
    an_item,
    fields_of_item,
    prints_of,
)
from tests.support.tombstones import OURS, THEIRS, a_foreign_tombstone, a_tombstone

LINKED = "Known from an earlier integration: linked again instead of copied."
HERE = an_integration(id="two", calendar_id="cal_2")
READING = a_reading(trigger=Trigger.RUN, run_id="run", message_id="m-1")


def adoption(tombstone: Tombstone, event: CronofyEvent, **settings: Any) -> Judgement:
    return adopted_link(tombstone, event, replace(HERE, **settings), READING, LinkId("fresh"))


def linked(item: Item) -> LogEntry:
    """The line that says so."""
    return LogEntry(
        integration_id=HERE.id,
        trigger=Trigger.RUN,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.LINK,
        outcome=Outcome.DONE,
        code=Code.OK,
        reason=LINKED,
        item_ref=item.ref,
        item_id=item.id,
        item_type=item.type,
        title=item.content.title if item.content else None,
        message_id="m-1",
        run_id="run",
    )


def ours_again(item: Item = OURS, **changes: Any) -> CronofyEvent:
    """A copy of ours, on the calendar that is linked now, under whatever uid."""
    return a_row_of(item, calendar_id="cal_2", event_uid="new uid", **changes)


def theirs_again(**changes: Any) -> CronofyEvent:
    """The owner's event, likewise."""
    return an_event(**({"calendar_id": "cal_2", "event_uid": "new uid", "summary": "Old"} | changes))


def a_new_link(item: Item, **changes: Any) -> Link:
    """In agreement with the item as it is, by the reading."""
    usual: dict[str, Any] = {
        "id": LinkId("fresh"),
        "integration_id": HERE.id,
        "calendar_id": "cal_2",
        "event_uid": "new uid",
        "accepted_at": None,
        "read_at": READING.now,
        "event_updated": NOW - MINUTE,
    }
    return a_link(item, **(usual | changes))


def test_r21_a_copy_of_ours_is_linked_again_as_it_is() -> None:
    judgement = adoption(a_tombstone(a_link(OURS, may_update=False, may_delete=False)), ours_again())
    assert judgement == Judgement(link=a_new_link(OURS), item=None, entries=[linked(OURS)])


@pytest.mark.parametrize("options", [EventOptions(), EventOptions(update=True), EventOptions(delete=True)])
def test_r21_a_foreign_event_is_linked_again_and_may_do_what_it_says(options: EventOptions) -> None:
    judgement = adoption(a_foreign_tombstone(), theirs_again(options=options, series_identifier="series"))
    link = a_new_link(
        THEIRS,
        origin=Origin.EXTERNAL,
        event_id=None,
        series_identifier="series",
        may_update=options.update,
        may_delete=options.delete,
    )
    assert judgement == Judgement(link=link, item=None, entries=[linked(THEIRS)])


def test_r21_an_event_that_was_ours_and_has_lost_its_id_is_the_owners_now() -> None:
    judgement = adoption(a_tombstone(), theirs_again())
    assert judgement.link == a_new_link(OURS, origin=Origin.EXTERNAL, event_id=None)


def test_r19_what_the_owner_changed_meanwhile_is_taken() -> None:
    """And the log names the item as it is then."""
    judgement = adoption(a_foreign_tombstone(), theirs_again(summary="Moved"), event_types=HERE.event_types)
    assert judgement.item is not None
    assert judgement.item.content is not None
    assert judgement.item.content.title == "Moved"
    assert judgement.entries[0] == linked(judgement.item)
    assert [entry.code for entry in judgement.entries] == [Code.OK, Code.OK]
    assert judgement.link is not None
    assert judgement.link.desired == fields_of_item(judgement.item)


def test_r19_what_vorex_changed_meanwhile_is_written() -> None:
    new = an_item(title="New", version=2, vorex_version=2, revision=2)
    link = adoption(a_tombstone(item=new), ours_again()).link
    assert link == a_new_link(
        new,
        state=LinkState.BEHIND,
        applied_revision=1,
        applied_hash=fields_hash(fields_of_item(OURS)),
        agreed=prints_of(OURS),
        last_read=prints_of(OURS),
    )
    assert link.desired == fields_of_item(new)


def test_r10_what_vorex_changed_meanwhile_freezes_an_event_that_cannot_be_edited() -> None:
    new = replace(THEIRS, content=a_content(title="New"), revision=2)
    judgement = adoption(a_foreign_tombstone(new), theirs_again(options=EventOptions()))
    assert judgement.link is not None
    assert (judgement.link.state, judgement.link.code) == (LinkState.FROZEN, Code.NOT_POSSIBLE)
    frozen = LogEntry(
        integration_id=HERE.id,
        direction=Direction.TO_LINKED_CALENDAR,
        action=LogAction.UPDATE,
        outcome=Outcome.SKIPPED,
        code=Code.NOT_POSSIBLE,
        reason="The calendar does not allow this event to be changed from outside.",
        item_ref=new.ref,
        item_id="77",
        item_type=ItemType.APPOINTMENT,
        title="New",
    )
    assert judgement.entries == [linked(new), frozen]


def test_r9_an_occurrence_of_a_series_is_read_only_whatever_it_says() -> None:
    link = adoption(a_foreign_tombstone(), theirs_again(recurring=True)).link
    assert link is not None
    assert (link.code, link.may_update, link.may_delete) == (Code.SERIES, False, False)


def test_r8_a_foreign_event_that_has_become_private_is_read_no_more() -> None:
    """It is linked by its time alone, what was known of its text is forgotten."""
    secret = theirs_again(event_private=True, summary="Secret")
    judgement = adoption(a_foreign_tombstone(), secret)
    link = judgement.link
    assert link is not None
    assert judgement.item is None
    assert (link.code, link.may_update, link.may_delete) == (Code.PRIVATE, False, False)
    hidden = an_item(title="Private appointment", description="", location="", private=True)
    assert link.agreed == prints_of(hidden)
    assert link.last_read is None
    assert judgement.entries == [linked(THEIRS)]


def test_r8_a_copy_of_ours_may_be_private() -> None:
    secret = an_item(title="Old", private=True)
    judgement = adoption(a_tombstone(a_link(secret), secret), ours_again(secret))
    kept = CalendarForms(keeps_private=True)
    assert judgement.link == a_new_link(secret, forms=kept)
    forgotten = adoption(a_tombstone(a_link(secret, agreed=None), secret), ours_again(secret))
    assert forgotten.link == a_new_link(secret, forms=kept)


def test_r14_what_is_on_the_persons_calendar_no_more_is_removed_from_the_linked_one() -> None:
    undated = replace(OURS, content=a_content(start=None, end=None), revision=2)
    judgement = adoption(a_tombstone(item=undated), ours_again(summary="Moved"))
    assert judgement.item is None
    assert judgement.link == a_new_link(
        OURS,
        state=LinkState.BEHIND,
        desired=None,
        desired_revision=2,
        read_at=READING.asked_at,
    )


def test_r21_a_copy_that_was_to_be_removed_and_stands_again_is_written_anew() -> None:
    removed = a_link(OURS, desired=None, applied_revision=1)
    link = adoption(a_tombstone(removed), ours_again()).link
    assert link is not None
    assert (link.state, link.desired_revision, link.applied_revision) == (LinkState.BEHIND, 1, 0)
    assert link.applied_hash is None


@pytest.mark.parametrize(("applied", "known"), [(1, 1), (2, 2), (5, 3)])
def test_r21_a_link_knows_no_newer_revision_than_its_item_has(applied: int, known: int) -> None:
    """A store that was set back may have forgotten some; of a type that is not sent nothing more is known."""
    old = a_tombstone(a_link(OURS, applied_revision=applied), replace(OURS, revision=3))
    link = adoption(old, ours_again(), item_types=frozenset()).link
    assert link is not None
    assert link.applied_revision == known


NEW = an_item(title="New", version=2, vorex_version=2, revision=2)
NEWER = an_item(title="Newer", version=3, vorex_version=3, revision=3)


def test_r18_what_was_accepted_last_is_what_the_calendar_held() -> None:
    """It had not been read back yet; a write that nobody answered does not count."""
    writes = [a_write(an_item(title="Before")), a_write(NEW), a_write(NEWER, accepted=None)]
    old = a_link(OURS, writes=writes, applied_revision=2, applied_hash=fields_hash(fields_of_item(NEW)))
    judgement = adoption(a_tombstone(old, NEW), ours_again(NEW))
    last_read = prints_of(NEW)
    assert judgement == Judgement(link=a_new_link(NEW, last_read=last_read), item=None, entries=[linked(NEW)])


def test_r18_a_deletion_that_was_accepted_says_nothing_of_what_the_calendar_held() -> None:
    writes = [a_write(NEW), replace(a_write(NEW), prints=NO_EVENT)]
    old = a_link(OURS, writes=writes, applied_revision=2, applied_hash=fields_hash(fields_of_item(NEW)))
    assert adoption(a_tombstone(old, NEW), ours_again(NEW)).link == a_new_link(NEW)


def test_r18_a_write_to_some_fields_leaves_the_others_as_they_were_agreed() -> None:
    partial = replace(a_write(NEW), prints={"title": prints_of(NEW)["title"]})
    old = a_link(OURS, writes=[partial], applied_revision=2, applied_hash=fields_hash(fields_of_item(NEW)))
    assert adoption(a_tombstone(old, NEW), ours_again(NEW)).link == a_new_link(NEW)
    assert adoption(a_tombstone(replace(old, agreed=None), NEW), ours_again(NEW)).link == a_new_link(
        NEW, agreed=partial.prints
    )


def test_r21_where_nothing_is_known_the_event_is_taken_to_be_as_it_was_left() -> None:
    """Of an own copy by its texts, of the owner's by what may be seen of it."""
    old = a_link(OURS, agreed=None, last_read=prints_of(NEW))
    assert adoption(a_tombstone(old), ours_again(summary="Renamed")).link == a_new_link(
        OURS, agreed=prints_of(an_item(title="Renamed")), last_read=prints_of(an_item(title="Renamed"))
    )


def carrying(tombstone: Tombstone, **settings: Any) -> Judgement:
    return carried_link(tombstone, replace(HERE, **settings), LinkId("fresh"))


@pytest.mark.parametrize("code", [Code.SERIES, Code.PRIVATE])
def test_r11_a_foreign_event_that_was_not_shown_keeps_its_link(code: Code) -> None:
    may: dict[str, Any] = {"may_update": False, "may_delete": True}
    left = a_foreign_tombstone(code=code, series_identifier="series", last_read=prints_of(NEW), **may)
    link = a_new_link(
        THEIRS,
        origin=Origin.EXTERNAL,
        event_id=None,
        event_uid="uid",
        series_identifier="series",
        code=code,
        last_read=prints_of(NEW),
        read_at=None,
        event_updated=None,
        **may,
    )
    assert carrying(left) == Judgement(link=link, entries=[])


def test_r11_what_a_link_waited_for_is_not_carried_over() -> None:
    link = carrying(a_foreign_tombstone(code=Code.INACTIVE, may_delete=False)).link
    assert link is not None
    assert (link.code, link.may_update, link.may_delete) == (None, True, False)


def test_r18_a_link_that_is_carried_over_knows_what_was_written_last() -> None:
    link = carrying(a_foreign_tombstone(writes=[a_write(NEW)])).link
    assert link is not None
    assert link.agreed == prints_of(NEW)


def test_r10_the_log_says_why_a_link_that_is_carried_over_is_frozen() -> None:
    new = replace(THEIRS, content=a_content(title="New"), revision=2)
    judgement = carrying(a_foreign_tombstone(new, may_update=False))
    assert judgement.link is not None
    assert judgement.link.state is LinkState.FROZEN
    (entry,) = judgement.entries
    assert (entry.code, entry.item_ref, entry.integration_id) == (Code.NOT_POSSIBLE, new.ref, HERE.id)


def test_r10_what_vorex_changed_meanwhile_is_written_to_an_event_that_was_not_shown() -> None:
    new = replace(THEIRS, content=a_content(title="New"), revision=2)
    judgement = carrying(a_foreign_tombstone(new))
    assert judgement.link is not None
    assert judgement.entries == []
    assert (judgement.link.state, judgement.link.desired_revision) == (LinkState.BEHIND, 2)


def test_r10_a_link_that_is_carried_over_and_frozen_for_no_known_reason_says_so() -> None:
    new = replace(THEIRS, deleted=True, revision=2)
    judgement = carrying(a_foreign_tombstone(new), permission_level="sandbox")
    assert [entry.code for entry in judgement.entries] == [Code.NOT_POSSIBLE]

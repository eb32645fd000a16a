"""What a person's edit in the linked calendar does (R5–R7, R13–R15, R18)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from contracts.calendar import EventTypes, LinkState
from contracts.event_fields import fields_hash
from contracts.vorex import ItemType
from handlers.edits import edited_item
from handlers.fingerprints import fingerprints_of_event
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
    an_event,
    an_external_link,
    an_imported_item,
    an_item,
    at,
    fields_of_item,
    prints_of,
)
from tests.support.judging import NEW, OLD, RECORDS, SECOND, a_pending_link, codes, is_echo, judged


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ({"summary": "Dinner"}, {"title": "Dinner"}),
        ({"description": "Bring\r\nwine "}, {"description": "Bring\nwine"}),
        ({"location": ""}, {"location": ""}),
        ({"start": NINE - HOUR}, {"start": NINE - HOUR}),
        ({"end": TEN + HOUR}, {"end": TEN + HOUR}),
        (
            {"start": date(2026, 12, 4), "end": date(2026, 12, 5)},
            {"all_day": True, "start": "2026-12-04", "end": "2026-12-05"},
        ),
        ({"transparency": "transparent"}, {"show_as": "free"}),
        ({"event_private": True}, {"private": True}),
        ({"summary": "Dinner", "location": "Bar"}, {"title": "Dinner", "location": "Bar"}),
    ],
)
def test_r6_of_an_appointment_exactly_the_fields_that_differ_are_taken(
    there: dict[str, Any], here: dict[str, Any]
) -> None:
    """And nothing is to be written."""
    item = an_item()

    taken = judged(a_row_of(item, **there), a_link(), item)

    assert taken.item is not None
    assert taken.item.content == a_content(**here)
    assert (taken.item.version, taken.item.sync_version, taken.item.revision) == (2, 2, 2)
    assert (taken.item.vorex_version, taken.item.changed_by) == (1, "one")
    assert taken.item.changed_at == NOW - MINUTE
    assert codes(taken) == [("update", "done", "ok")]
    assert taken.link is not None
    assert (taken.link.state, taken.link.applied_revision) == (LinkState.AGREED, 2)
    assert taken.link.applied_hash == fields_hash(fields_of_item(taken.item))
    assert is_echo(judged(a_row_of(item, **there), replace(taken.link, read_at=at(-MINUTE)), taken.item))


def test_r18_an_edit_that_was_taken_is_not_taken_twice() -> None:
    """A row comes as often as it likes."""
    item = an_item(account_name="Contoso", reference={"label": "T7", "url": "https://u"})
    row = a_row_of(item, summary="Contoso – Dinner", description="Wine\n\nT7: https://u")
    first = judged(row, a_link(item), item)
    assert first.item is not None
    assert first.link is not None
    assert first.item.content is not None
    assert (first.item.content.title, first.item.content.description) == ("Dinner", "Wine")

    assert is_echo(judged(row, replace(first.link, read_at=at(-MINUTE)), first.item))


@pytest.mark.parametrize("kind", RECORDS)
def test_r6_of_the_four_records_the_time_is_taken(kind: ItemType) -> None:
    """And none of the texts."""
    item = an_item(type=kind)
    row = a_row_of(item, summary="Mine", description="", location="Bar", start=NINE - HOUR)

    taken = judged(row, a_link(item), item)

    assert taken.item is not None
    assert taken.item.content == a_content(type=kind, start=NINE - HOUR)


def test_r6_a_text_changed_in_the_copy_of_a_record_changes_nothing() -> None:
    """It is never read back."""
    item = an_item(type=ItemType.TASK)
    assert is_echo(judged(a_row_of(item, summary="Mine"), a_link(item), item))


def test_r6_a_completed_service_call_keeps_its_time() -> None:
    """Said once, and Vorex's next change restores it."""
    item = an_item(type=ItemType.SERVICE_CALL, completed=True)
    row = a_row_of(item, start=NINE - HOUR)

    kept = judged(row, a_link(item), item)

    assert kept.item is None
    assert codes(kept) == [("update", "skipped", "differs")]
    assert kept.link is not None
    assert kept.link.differs
    assert is_echo(judged(row, replace(kept.link, read_at=at(-MINUTE)), item))
    open_call = an_item(type=ItemType.SERVICE_CALL)
    assert judged(row, a_link(open_call), open_call).item is not None


def test_r13_what_this_sync_adds_comes_back_when_a_person_removes_it() -> None:
    """Nothing is taken; the prefix and the reference are written again."""
    item = an_item(account_name="Contoso", description="<b>one</b>", description_format="html")

    restored = judged(a_row_of(item, summary="Lunch"), a_link(item), item)

    assert (restored.item, restored.entries) == (None, ())
    assert restored.link is not None
    assert restored.link.state is LinkState.BEHIND


def test_r13_an_edit_that_removes_what_this_sync_added_is_taken_and_the_rest_restored() -> None:
    """The new title gets its prefix."""
    item = an_item(account_name="Contoso")

    taken = judged(a_row_of(item, summary="Dinner"), a_link(item), item)

    assert taken.item is not None
    assert taken.item.content == a_content(title="Dinner", account_name="Contoso")
    assert taken.link is not None
    assert (taken.link.state, taken.link.desired) == (LinkState.BEHIND, fields_of_item(taken.item))


def test_r15_a_completed_appointment_stays_free() -> None:
    """Busy is nothing that it could take over."""
    item = an_item(completed=True)

    restored = judged(a_row_of(item, transparency="opaque"), a_link(item), item)

    assert restored.item is None
    assert restored.link is not None
    assert restored.link.state is LinkState.BEHIND


def test_an_event_that_says_less_than_before_lost_nothing() -> None:
    """Absent is not empty; what was read before stays known."""
    item = an_item()
    sparse = judged(a_row_of(item, description=None), a_link(), item)
    assert sparse.link is not None

    edit = judged(a_row_of(item, description="Bring wine"), replace(sparse.link, read_at=at(-MINUTE)), item)

    assert edit.item is not None
    assert edit.item.content == a_content(description="Bring wine")


def test_an_edit_of_an_event_of_which_nothing_is_known_is_held_against_the_item() -> None:
    """As after its copy was written anew."""
    item = an_item(description="<b>x</b>", description_format="html")
    link = a_link(item, agreed=None, last_read=None)
    assert is_echo(judged(a_row_of(item), link, item))

    taken = judged(a_row_of(item, location="Bar"), link, item)

    assert taken.item is not None
    assert item.content is not None
    assert taken.item.content == item.content.model_copy(update={"location": "Bar"})


UPDATE_OFF: dict[str, Any] = {"event_types": EventTypes(create=True, update=False, delete=True)}


def test_r7_with_update_off_an_edit_is_not_applied() -> None:
    """The link is marked, and it is said once."""
    item = an_item()
    row = a_row_of(item, location="Bar")

    passed = judged(row, a_link(), item, **UPDATE_OFF)

    assert passed.item is None
    assert codes(passed) == [("update", "skipped", "update_off")]
    assert passed.link is not None
    assert passed.link.differs
    again = judged(row, replace(passed.link, read_at=at(-MINUTE)), item, **UPDATE_OFF)
    assert is_echo(again)
    assert again.link is not None
    assert again.link.differs


def test_r7_an_edit_that_was_not_applied_is_not_applied_with_a_later_one() -> None:
    """Update checked meanwhile: only the new edit comes across, and the link still differs."""
    item = an_item()
    passed = judged(a_row_of(item, location="Bar"), a_link(), item, **UPDATE_OFF).link
    assert passed is not None

    row = a_row_of(item, location="Bar", summary="Dinner")
    taken = judged(row, replace(passed, read_at=at(-MINUTE)), item)

    assert taken.item is not None
    assert taken.item.content == a_content(title="Dinner")
    assert taken.link is not None
    assert taken.link.differs


def test_r7_an_edit_made_again_after_it_was_undone_is_seen() -> None:
    """What was read last is what counts."""
    item = an_item()
    bar, park = a_row_of(item, location="Bar"), a_row_of(item)
    passed = judged(bar, a_link(), item, **UPDATE_OFF).link
    assert passed is not None
    undone = judged(park, replace(passed, read_at=at(-MINUTE)), item, **UPDATE_OFF).link
    assert undone is not None
    assert not undone.differs

    assert judged(bar, replace(undone, read_at=at(-MINUTE)), item).item is not None


@pytest.mark.parametrize(
    ("updated", "clash"),
    [(NOW - 30 * SECOND, False), (NOW - MINUTE, False), (NOW - 5 * MINUTE, True), (None, True)],
)
def test_r19_who_edits_what_was_written_last_has_seen_it(updated: Any, clash: bool) -> None:
    """Before it was accepted both sides had changed the item; so they may have where no stamp says when."""
    done = judged(a_row_of(OLD, summary="Third", updated=updated), a_pending_link(), NEW)

    both = [("update", "done", "ok"), ("update", "skipped", "conflict_lost")]
    assert codes(done) == (both if clash else both[:1])


def test_r18_an_edit_upon_a_write_that_arrived_agrees_on_the_rest_as_it_was_written() -> None:
    """Also on what the row does not say; what was read is kept as it was."""
    row = a_row_of(NEW, location="Bar", description=None, updated=NOW - 10 * SECOND)

    link = judged(row, a_pending_link(), NEW).link

    assert link is not None
    there = prints_of(an_item(title="New", location="Bar"))
    assert (link.state, link.agreed, link.last_read) == (LinkState.AGREED, there, there)
    assert not link.differs


def test_r18_an_edit_upon_a_write_agrees_on_a_title_that_the_row_does_not_say_as_it_was_written() -> None:
    row = a_row_of(NEW, location="Bar", summary=None, updated=NOW - 10 * SECOND)

    link = judged(row, a_pending_link(), NEW).link

    assert link is not None
    assert link.agreed == prints_of(an_item(title="New", location="Bar"))


def test_r12_an_edit_beside_a_foreign_text_that_is_too_long_for_us_leaves_no_difference() -> None:
    """The text stands there whole, and was never to be otherwise."""
    long = edited_item(a_content(), an_event(description="x" * 5000), {"description"})
    item = an_imported_item(content=long)
    read = fingerprints_of_event(an_event(description="x" * 5000), long)
    link = an_external_link(item, agreed=read, last_read=read)

    taken = judged(an_event(description="x" * 5000, location="Bar"), link, item).link

    assert taken is not None
    assert (taken.state, taken.differs) == (LinkState.AGREED, False)


def test_r18_what_is_written_once_more_is_counted_at_the_moment_of_the_read() -> None:
    """As often as that happens within an hour, so that it ends."""
    item = an_item(account_name="Contoso")

    restored = judged(a_row_of(item, summary="Lunch"), a_link(item), item).link

    assert restored is not None
    assert list(restored.rewrites) == [a_reading().now]

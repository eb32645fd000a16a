"""What one page of a read brings (R1, R3, R5, R8, R9, R33)."""

import time
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.calendar import Code, EventTypes, LinkState, Origin
from contracts.event_fields import fields_hash
from contracts.vorex import ItemType
from handlers.arrivals.before import event_keys, was_there_before
from handlers.judgement import days_to_read
from handlers.matching import match_key
from handlers.plan import InAgreement, desired_event
from tests.builders import (
    FREELY,
    HOUR,
    MINUTE,
    NINE,
    NOW,
    TEN,
    a_link,
    a_row_of,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    at,
    fields_of_item,
)
from tests.support.judged_pages import codes, is_nothing, page

SENTINEL = timedelta(seconds=1)
CREATE_OFF: dict[str, Any] = {"event_types": EventTypes(create=False, update=True, delete=True)}


def test_r3_a_new_event_becomes_an_appointment_of_that_user() -> None:
    """G18: with version 1, linked and in agreement."""
    changes = page(an_event(event_uid="theirs"))

    (item,), (link,) = changes.items, changes.new_links
    assert (item.type, item.assignees, item.version, item.vorex_version) == (
        ItemType.APPOINTMENT,
        ("ann",),
        1,
        0,
    )
    assert (item.sync_version, item.imported_by, item.changed_by) == (1, "one", "one")
    assert (item.changed_at, item.read_only_reason) == (NOW - MINUTE, None)
    assert (link.origin, link.event_uid, link.event_id, link.state) == (
        Origin.EXTERNAL,
        "theirs",
        None,
        LinkState.AGREED,
    )
    assert (link.item_ref, link.exists_there, link.may_update, link.may_delete) == (
        item.ref,
        True,
        True,
        True,
    )
    assert link.applied_hash == fields_hash(fields_of_item(item))
    assert codes(changes) == [("create", "done", "ok")]
    assert desired_event(item, an_integration(), link) == InAgreement()


def test_r18_an_imported_event_read_again_changes_nothing() -> None:
    """Whatever its text looks like."""
    row = an_event(summary=" \r\n", description="x" * 5000, start=NINE, end=NINE, updated=NOW - HOUR)
    first = page(row)
    again = page(row, links=first.new_links, items=first.items)
    assert is_nothing(again)


def test_r5_with_create_off_nothing_is_brought_and_it_is_said_once() -> None:
    """Create checked later counts from then on."""
    changes = page(an_event(), **CREATE_OFF)

    assert (changes.items, changes.new_links, changes.prior) == ([], [], ["uid:uid"])
    assert codes(changes) == [("create", "skipped", "create_off")]
    assert is_nothing(page(an_event(), prior=changes.prior))


@pytest.mark.parametrize(
    "gone", [{"deleted": True}, {"status": "cancelled"}, {"participation_status": "declined"}]
)
def test_r8_declined_and_cancelled_events_are_not_imported(gone: dict[str, Any]) -> None:
    """Nor deleted ones; they may still be accepted."""
    changes = page(an_event(**gone))
    assert is_nothing(changes)
    assert changes.prior == []


@pytest.mark.parametrize(
    "answer", [{"status": "tentative"}, {"participation_status": "needs_action"}, {"status": "unknown"}]
)
def test_r8_tentative_events_are_imported(answer: dict[str, Any]) -> None:
    """So are those not yet answered."""
    assert len(page(an_event(**answer)).items) == 1


def test_r8_free_stays_free() -> None:
    """Show as."""
    (item,) = page(an_event(transparency="transparent")).items
    assert item.content is not None
    assert item.content.show_as == "free"


def test_r8_a_private_event_comes_in_masked_and_read_only() -> None:
    """The log does not tell its text either."""
    changes = page(an_event(event_private=True, summary="Doctor", description="Knee", location="Clinic"))

    (item,), (link,), (entry,) = changes.items, changes.new_links, changes.entries
    assert item.content is not None
    assert (item.content.title, item.content.description) == ("Private appointment", "")
    assert item.read_only_reason == "private"
    assert (link.code, link.may_update, link.may_delete) == (Code.PRIVATE, False, False)
    assert entry.title == "Private appointment"
    assert "Doctor" not in repr(changes)


def test_r9_each_occurrence_of_a_series_is_an_item_of_its_own() -> None:
    """Read-only, whatever its options say."""
    rows = [
        an_event(event_uid=f"o{day}", series_identifier="s", recurring=True, options=FREELY, start=start)
        for day, start in enumerate([NINE, NINE + timedelta(minutes=10)])
    ]
    changes = page(*rows)

    assert [item.read_only_reason for item in changes.items] == ["series", "series"]
    assert {(link.code, link.may_update, link.series_identifier) for link in changes.new_links} == {
        (Code.SERIES, False, "s")
    }


def test_r10_what_cronofy_lets_us_do_is_remembered() -> None:
    """Nothing unless it says so."""
    (link,) = page(an_event(options=type(FREELY)())).new_links
    assert (link.may_update, link.may_delete, link.code) == (False, False, None)


def test_r1_a_copy_of_another_persons_sync_is_not_imported() -> None:
    """Title, start and end alike; said once, and remembered."""
    twin = match_key("Lunch", "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z")

    changes = page(an_event(summary="Lunch "), twins=[twin])

    assert (changes.items, changes.prior) == ([], ["uid:uid"])
    assert codes(changes) == [("create", "skipped", "shared_mailbox")]


@pytest.mark.parametrize("other", [{"summary": "Dinner"}, {"start": NINE - HOUR}, {"end": TEN + HOUR}])
def test_r1_an_event_that_differs_from_the_copy_is_imported(other: dict[str, Any]) -> None:
    """In any of the three."""
    twin = match_key("Lunch", "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z")
    assert len(page(an_event(**other), twins=[twin]).items) == 1


def test_r33_what_was_there_before_finish_is_not_brought_even_when_it_changes() -> None:
    """By uid, and later occurrences by their series."""
    assert is_nothing(page(an_event(summary="Other"), prior=["uid:uid"]))
    later = an_event(event_uid="later", series_identifier="s", recurring=True)
    assert is_nothing(page(later, prior=["series:s"]))
    assert event_keys(later) == ["uid:later", "series:s"]
    assert event_keys(an_event()) == ["uid:uid"]


FINISHED = NOW - timedelta(days=30)
FIRST, BEYOND = days_to_read(FINISHED)


@pytest.mark.parametrize(
    ("times", "brought"),
    [
        ({"start": BEYOND, "end": BEYOND + timedelta(days=1)}, False),
        ({"start": BEYOND - timedelta(days=1), "end": BEYOND}, True),
        ({"start": FIRST - timedelta(days=2), "end": FIRST - timedelta(days=1)}, False),
        ({"start": FIRST - timedelta(days=1), "end": FIRST}, True),
    ],
)
def test_r33_an_event_from_before_finish_that_slides_into_reach_is_not_brought(
    times: dict[str, Any], brought: bool
) -> None:
    """The reading at Finish could not see it; its series is remembered with it."""
    row = an_event(created=FINISHED - HOUR, recurring=True, series_identifier="s", **times)
    changes = page(row)
    assert bool(changes.items) is brought
    assert changes.prior == ([] if brought else ["uid:uid", "series:s"])
    made_later = an_event(created=FINISHED, **times)
    assert len(page(made_later).items) == 1
    unknown = an_event(created=None, **times)
    assert len(page(unknown).items) == 1


def test_r33_the_reading_at_finish_remembers_what_was_made_before() -> None:
    """Not our own events, nor what was added while it read; what does not say counts as before."""
    integration = an_integration(finished_at=FINISHED)
    assert was_there_before(an_event(created=FINISHED - SENTINEL), integration)
    assert was_there_before(an_event(created=None), integration)
    assert not was_there_before(an_event(created=FINISHED), integration)
    assert not was_there_before(a_row_of(an_item(), created=None), integration)
    assert not was_there_before(an_event(created=None), an_integration(finished_at=None))


def test_r33_a_read_reaches_41_days_back_and_200_ahead() -> None:
    """Inside Cronofy's window."""
    assert days_to_read(NOW) == (date(2026, 10, 21), date(2027, 6, 19))


def test_r33_the_days_that_are_read_are_those_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's zone and that of the moment."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        late = NOW.replace(hour=23)
        for moment in (late, late.astimezone(ZoneInfo("Asia/Tokyo"))):
            assert days_to_read(moment) == (date(2026, 10, 21), date(2027, 6, 19))
    finally:
        monkeypatch.undo()
        time.tzset()


def test_our_own_event_that_no_link_knows_is_never_imported() -> None:
    """Another integration's, or one whose link ended."""
    changes = page(a_row_of(an_item()))
    assert is_nothing(changes)


def test_our_own_event_is_found_by_its_id_whatever_its_uid() -> None:
    """Its uid changes when it is written anew."""
    item = an_item()
    changes = page(a_row_of(item, event_uid="anew"), links=[a_link(item)], items=[item])
    assert is_nothing(changes)
    assert [link.event_uid for link in changes.links] == ["anew"]


def test_a_deleted_row_of_another_event_under_our_id_deletes_nothing() -> None:
    """The one that is known was not on the page."""
    item = an_item()
    unseen = a_row_of(item, event_uid="unseen", deleted=True)
    assert page(unseen, links=[a_link(item, event_uid="known")], items=[item]).gone == []


def test_a_foreign_event_that_vorex_deleted_does_not_come_back_while_it_still_shows() -> None:
    """The person had changed it just before."""
    item = an_imported_item(deleted=True, revision=2, changed_by=None)
    ended = an_external_link(
        desired=None,
        desired_revision=2,
        exists_there=False,
        accepted_at=at(-30 * SENTINEL),
        event_updated=NOW - HOUR,
    )
    assert is_nothing(page(an_event(updated=NOW - MINUTE), links=[ended], items=[item]))


def test_the_deletions_of_a_page_wait_for_the_last_one() -> None:
    """R11: they are gathered, and nothing is stored of them."""
    item = an_item()
    changes = page(a_row_of(item, deleted=True), links=[a_link(item)], items=[item])
    assert (changes.links, changes.items, len(changes.gone)) == ([], [], 1)


def test_one_row_that_must_be_read_again_does_not_hide_the_others() -> None:
    """Another read follows for it alone."""
    item = an_item()
    busy = a_link(item, accepted_at=at(HOUR))
    changes = page(a_row_of(item, location="Bar"), an_event(event_uid="new"), links=[busy], items=[item])
    assert changes.again
    assert len(changes.items) == 1

"""Both sides changed, and events that are not ours (R8–R10, R16, R17, R19)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, LinkState, LogAction, Outcome
from contracts.vorex import ItemType
from handlers.edits import MASKED_TITLE
from handlers.fingerprints import fingerprints_of_event
from handlers.link_states import MOST_REWRITES
from tests.builders import (
    FREELY,
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
    an_item,
    at,
    fields_of_item,
    prints_of,
)
from tests.support.judging import (
    ARRIVAL_TIME,
    NEW,
    OLD,
    RECORDS,
    SECOND,
    a_pending_link,
    behind,
    codes,
    is_echo,
    judged,
)


@pytest.mark.parametrize("state", [LinkState.BEHIND, LinkState.RETRYING, LinkState.HELD, LinkState.FAILED])
def test_r19_the_newer_change_in_the_calendar_wins_and_takes_only_what_the_person_changed(
    state: LinkState,
) -> None:
    """Vorex's title stays, and the two together are written; the values that lost are kept."""
    taken = judged(a_row_of(OLD, location="Bar", updated=NOW - MINUTE), behind(state), NEW)

    assert taken.item is not None
    assert taken.item.content == a_content(title="New", location="Bar")
    assert codes(taken) == [("update", "done", "ok"), ("update", "skipped", "conflict_lost")]
    assert taken.entries[1].detail == {"kept": {"location": "Bar"}, "lost": {"location": "Park"}}
    assert taken.link is not None
    assert (taken.link.desired, taken.link.desired_revision) == (fields_of_item(taken.item), 3)
    assert taken.link.state is (LinkState.BEHIND if state is LinkState.FAILED else state)


def test_r19_the_newer_change_in_vorex_wins() -> None:
    """Nothing is taken; the calendar's values are kept in the log."""
    row = a_row_of(OLD, summary="Theirs", updated=NOW - 11 * MINUTE)

    lost = judged(row, behind(), NEW)

    assert lost.item is None
    assert codes(lost) == [("update", "skipped", "conflict_lost")]
    assert lost.entries[0].detail == {"kept": {"title": "New"}, "lost": {"title": "Theirs"}}
    assert lost.link is not None
    assert (lost.link.state, lost.link.desired) == (LinkState.BEHIND, fields_of_item(NEW))


def test_r19_a_tie_goes_to_vorex() -> None:
    """The same second."""
    assert judged(a_row_of(OLD, location="Bar", updated=NEW.changed_at), behind(), NEW).item is None


@pytest.mark.parametrize("updated", [None, NOW + timedelta(days=3)])
def test_r19_a_stamp_that_is_not_sane_gives_way_to_the_time_of_the_read(updated: Any) -> None:
    """The read is later than Vorex's change here."""
    assert judged(a_row_of(OLD, location="Bar", updated=updated), behind(), NEW).item is not None


@pytest.mark.parametrize("kind", RECORDS)
def test_r19_of_the_four_records_vorex_wins_however_old_its_change(kind: ItemType) -> None:
    """The calendar is written over."""
    old = an_item(type=kind)
    new = an_item(type=kind, start=NINE + HOUR, end=TEN + HOUR, revision=2, changed_at=NOW - 5 * HOUR)
    link = a_link(
        new,
        state=LinkState.BEHIND,
        applied_revision=1,
        agreed=prints_of(old),
        last_read=prints_of(old),
        writes=[a_write(new, accepted=None, sent=-5 * HOUR)],
    )

    lost = judged(a_row_of(old, end=TEN + HOUR / 2), link, new)

    assert lost.item is None
    assert codes(lost) == [("update", "skipped", "conflict_lost")]


def test_r19_an_edit_made_before_our_accepted_write_arrived_is_merged_and_written_again() -> None:
    """Else the write on its way would have the last word."""
    row = a_row_of(OLD, location="Bar", updated=NOW - 2 * MINUTE)
    link = a_pending_link(accepted=-MINUTE)

    taken = judged(row, link, NEW)

    assert taken.item is not None
    assert taken.item.content == a_content(title="New", location="Bar")
    assert taken.link is not None
    assert (taken.link.state, taken.link.desired) == (LinkState.BEHIND, fields_of_item(taken.item))
    assert taken.link.writes[-1].prints == prints_of(taken.item)


def test_r17_an_edit_of_the_very_field_that_is_on_its_way_is_written_again() -> None:
    """Nothing shows whether our write arrived before it or will come after it."""
    taken = judged(a_row_of(OLD, summary="Third", updated=NOW - 5 * SECOND), a_pending_link(), NEW)

    assert taken.item is not None
    assert taken.item.content == a_content(title="Third")
    assert taken.link is not None
    assert (taken.link.state, taken.link.desired) == (LinkState.BEHIND, fields_of_item(taken.item))


def test_r19_an_edit_upon_our_arrived_write_is_no_conflict() -> None:
    """The person saw it: even of a record, whose conflicts Vorex wins."""
    old = an_item(type=ItemType.TASK)
    new = an_item(type=ItemType.TASK, start=NINE - HOUR, revision=2)
    link = a_link(new, agreed=prints_of(old), last_read=prints_of(old), writes=[a_write(new)])

    taken = judged(a_row_of(new, end=TEN + HOUR), link, new)

    assert taken.item is not None
    assert codes(taken) == [("update", "done", "ok")]
    assert taken.link is not None
    assert (taken.link.state, list(taken.link.writes)) == (LinkState.AGREED, [])


def test_r17_an_edit_upon_an_older_write_of_ours_does_not_pass_for_the_newest() -> None:
    """The newest shares a field with the one that shows, and is still on its way."""
    between = an_item(title="New", location="Old place")
    newest = an_item(title="New", location="New place", revision=2, changed_at=NOW - 10 * MINUTE)
    agreed = an_item(title="Old", location="Old place")
    link = a_link(
        newest,
        agreed=prints_of(agreed),
        last_read=prints_of(agreed),
        writes=[a_write(between), a_write(newest, accepted=-30 * SECOND)],
    )

    taken = judged(a_row_of(between, description="Wine", updated=NOW - 5 * SECOND), link, newest)

    assert taken.item is not None
    assert taken.item.content == a_content(title="New", location="New place", description="Wine")
    assert taken.link is not None
    assert taken.link.state is LinkState.BEHIND


def test_r19_a_change_that_has_not_reached_the_link_yet_is_written_with_the_edit() -> None:
    """Another of the person's calendars made it; its fact is on its way."""
    item = an_item(title="Elsewhere", revision=2, changed_by="two", changed_at=NOW - 10 * MINUTE)

    taken = judged(a_row_of(OLD, location="Bar"), a_link(OLD), item)

    assert taken.item is not None
    assert taken.item.content == a_content(title="Elsewhere", location="Bar")
    assert taken.link is not None
    assert (taken.link.state, taken.link.desired) == (LinkState.BEHIND, fields_of_item(taken.item))


def test_r19_two_edits_of_one_person_in_a_row_are_no_conflict() -> None:
    """Of a record, too: Vorex changed nothing."""
    item = an_item(type=ItemType.TASK, revision=2, changed_by="one")
    link = a_link(item, state=LinkState.BEHIND, applied_revision=1)

    assert judged(a_row_of(item, end=TEN + HOUR), link, item).item is not None


def test_r16_an_edit_of_a_frozen_copy_still_comes_across() -> None:
    """The unchecked type governs the other direction only (G7)."""
    item = an_item()

    taken = judged(a_row_of(item, location="Bar"), a_link(state=LinkState.FROZEN, code=Code.TYPE_OFF), item)

    assert taken.item is not None
    assert taken.link is not None
    assert (taken.link.state, taken.link.code) == (LinkState.FROZEN, Code.TYPE_OFF)


def test_a_link_that_reads_keep_writing_stops() -> None:
    """More than 6 within an hour; it is said."""
    between = an_item(title="Between")
    row = a_row_of(between, updated=NOW - MINUTE)
    seldom = [at(-timedelta(minutes=20 + each)) for each in range(MOST_REWRITES - 1)]
    sixth = judged(row, a_pending_link(between, accepted=-2 * MINUTE, rewrites=seldom), NEW)
    assert sixth.link is not None
    assert (sixth.link.state, len(sixth.link.rewrites)) == (LinkState.BEHIND, MOST_REWRITES)
    often = [at(-timedelta(minutes=20 + each)) for each in range(MOST_REWRITES)]

    stopped = judged(row, a_pending_link(between, accepted=-2 * MINUTE, rewrites=often), NEW)

    assert stopped.link is not None
    assert (stopped.link.state, stopped.link.code) == (LinkState.FROZEN, Code.LOOP_STOPPED)
    assert codes(stopped) == [("update", "failed", "loop_stopped")]
    long_ago = [at(-HOUR - MINUTE)] * MOST_REWRITES
    free = judged(row, a_pending_link(between, accepted=-2 * MINUTE, rewrites=long_ago), NEW).link
    assert free is not None
    assert free.state is LinkState.BEHIND


def test_r8_an_event_made_private_loses_its_text_here_too() -> None:
    """It is read-only then, and the log does not tell its title."""
    row = an_event(event_private=True, summary="Doctor", description="Knee", location="Clinic")

    taken = judged(row, an_external_link(), an_imported_item())

    assert taken.item is not None
    assert taken.item.content == a_content(title=MASKED_TITLE, description="", location="", private=True)
    assert taken.item.read_only_reason == "private"
    assert taken.link is not None
    assert (taken.link.code, taken.link.may_update, taken.link.may_delete) == (Code.PRIVATE, False, False)
    assert [entry.title for entry in taken.entries] == [MASKED_TITLE]


def test_r8_a_private_event_is_an_echo_whatever_its_text() -> None:
    """Only its time is ours to know."""
    row = an_event(event_private=True, summary="Doctor")
    first = judged(row, an_external_link(), an_imported_item())
    assert first.link is not None
    assert first.item is not None

    other = an_event(event_private=True, summary="Dentist", description="Tooth")
    assert is_echo(judged(other, replace(first.link, read_at=at(-MINUTE)), first.item))


def test_r9_an_occurrence_that_moves_is_moved_here() -> None:
    """It stays read-only, even where its options promise more."""
    item = an_imported_item(read_only_reason="series")
    link = an_external_link(item, code=Code.SERIES, may_update=False)
    row = an_event(recurring=True, series_identifier="s", end=TEN + HOUR, options=FREELY)

    taken = judged(row, link, item)

    assert taken.item is not None
    assert (taken.item.content, taken.item.read_only_reason) == (a_content(end=TEN + HOUR), "series")
    assert taken.link is not None
    assert (taken.link.code, taken.link.may_update) == (Code.SERIES, False)


def test_r10_a_foreign_event_that_does_not_take_over_what_was_written_is_left_so() -> None:
    """After 15 minutes, logged as not possible."""
    before, after = an_imported_item(), an_imported_item(title="Ours", revision=2, changed_by=None)
    link = an_external_link(
        after,
        agreed=prints_of(before),
        last_read=prints_of(before),
        writes=[a_write(after, accepted=-ARRIVAL_TIME)],
        event_updated=NOW - HOUR,
    )
    row = an_event(updated=NOW - HOUR)

    soon = judged(row, replace(link, writes=[a_write(after, accepted=SECOND - ARRIVAL_TIME)]), after)
    assert is_echo(soon)
    late = judged(row, link, after)

    assert late.item is None
    assert late.link is not None
    assert (late.link.state, late.link.code) == (LinkState.FROZEN, Code.NOT_POSSIBLE)
    assert codes(late) == [("update", "failed", "not_possible")]
    told = a_reading(asked_at=at(HOUR), now=at(HOUR))
    assert is_echo(judged(row, late.link, after, reading=told))
    arrived = judged(an_event(summary="Ours", updated=NOW + MINUTE), late.link, after, reading=told).link
    assert arrived is not None
    assert (arrived.state, arrived.code) == (LinkState.AGREED, None)


def test_r17_an_older_write_that_shows_on_a_foreign_event_is_written_over() -> None:
    """It takes edits; they came in the wrong order."""
    between = an_imported_item(title="Between")
    after = an_imported_item(title="Ours", revision=2, changed_by=None)
    writes = [a_write(between, accepted=-3 * MINUTE), a_write(after, accepted=-2 * MINUTE)]
    link = an_external_link(after, agreed=prints_of(an_imported_item()), last_read=None, writes=writes)

    late = judged(an_event(summary="Between"), link, after)

    assert late.item is None
    assert late.link is not None
    assert late.link.state is LinkState.BEHIND


def test_r19_of_a_foreign_event_only_what_vorex_changed_is_written_with_the_merge() -> None:
    """Its other fields stay as the person left them."""
    before = an_imported_item()
    after = an_imported_item(title="Ours", revision=2, changed_by=None, changed_at=NOW - 10 * MINUTE)
    link = an_external_link(
        after,
        state=LinkState.BEHIND,
        applied_revision=1,
        agreed=prints_of(before),
        last_read=prints_of(before),
        writes=[a_write(after, accepted=None, sent=-10 * MINUTE)],
    )

    taken = judged(an_event(location="Bar"), link, after)

    assert taken.item is not None
    assert taken.item.content == a_content(title="Ours", location="Bar")
    assert taken.link is not None
    assert taken.link.desired is not None
    assert set(taken.link.desired.to_wire_dict()) <= {"summary", "start", "end", "location"}
    assert taken.link.desired.summary == "Ours"


def test_r27_the_log_never_tells_a_private_items_text() -> None:
    """Neither the title nor the values that lost."""
    old, new = (
        replace(item, content=item.content.model_copy(update={"private": True}))
        for item in (OLD, NEW)
        if item.content is not None
    )
    link = replace(behind(), agreed=prints_of(old), last_read=prints_of(old))
    for updated in (NOW - MINUTE, NOW - HOUR / 2):
        done = judged(a_row_of(old, summary="Secret", updated=updated), link, new)
        assert done.entries
        assert {entry.title for entry in done.entries} == {MASKED_TITLE}
        hidden = {"kept": {}, "lost": {}, "private": True}
        assert all(entry.detail in ({}, hidden) for entry in done.entries)


def test_what_was_read_before_the_event_was_known_is_told_by_its_uid() -> None:
    """The link learns its event's uid and stamp."""
    item = an_item()
    link = a_link(event_uid=None, event_updated=None, agreed=None, last_read=None, writes=[a_write(item)])

    known = judged(a_row_of(item, event_uid="found"), link, item).link

    assert known is not None
    assert (known.event_uid, known.event_updated) == ("found", NOW - MINUTE)


def test_the_log_tells_what_kind_of_entry_each_judgement_leaves() -> None:
    """R27: direction, action, outcome."""
    item = an_item()
    (entry,) = judged(a_row_of(item, location="Bar"), a_link(), item).entries
    assert (entry.direction.value, entry.action, entry.outcome) == (
        "to_my_calendar",
        LogAction.UPDATE,
        Outcome.DONE,
    )
    assert (entry.item_id, entry.item_type, entry.title) == ("77", ItemType.APPOINTMENT, "Lunch")


def test_prints_of_a_row_and_of_its_payload_are_alike() -> None:
    """The ground that all of this stands on."""
    item = an_item()
    assert item.content is not None
    assert fingerprints_of_event(a_row_of(item), item.content) == prints_of(item)

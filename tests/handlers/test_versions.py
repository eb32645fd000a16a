"""Which version of an item counts (R17, R19)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.calendar import Item
from contracts.envelope import ItemChanged
from contracts.fields import LARGEST_VERSION
from contracts.vorex import Action, ItemType
from handlers.judgement import item_after_change
from handlers.versions import JudgedVersion, VersionVerdict, does_vorex_win, judge_version
from tests.builders import (
    HOUR,
    MINUTE,
    NOW,
    a_content,
    a_fact,
    a_message,
    an_imported_item,
    an_integration,
    an_item,
)

RECORDS = [kind for kind in ItemType if kind is not ItemType.APPOINTMENT]


def judged(stored: Item | None, message: ItemChanged) -> JudgedVersion:
    """The verdict on a message."""
    return judge_version(stored, message.data, time=message.time, source=message.source)


def edited_there(**changes: object) -> Item:
    """At version 4 of Vorex, then 5 by the calendar."""
    counters = {"version": 5, "vorex_version": 4, "sync_version": 5, "revision": 5, "changed_by": "one"}
    return an_item(**(counters | {"changed_at": NOW, "title": "Theirs"} | changes))


def test_the_first_version_of_an_item_is_new() -> None:
    """Whatever its number."""
    verdict = judged(None, a_message(version=7))

    assert verdict.verdict is VersionVerdict.NEW
    assert (verdict.item.version, verdict.item.vorex_version, verdict.item.sync_version) == (7, 7, 0)
    assert (verdict.item.revision, verdict.item.changed_at, verdict.item.changed_by) == (1, NOW, None)


@pytest.mark.parametrize("action", [Action.UPDATED, Action.DELETED])
def test_the_first_version_of_an_item_is_stored_whole(action: Action) -> None:
    """Also where the first that is heard of it is its end."""
    item = judged(None, a_message(version=7, action=action, title="Dinner")).item

    assert item == an_item(
        version=7, vorex_version=7, deleted=action is Action.DELETED, changed_at=NOW, title="Dinner"
    )


def test_r17_a_lower_version_is_stale_and_changes_nothing() -> None:
    """Below what was received from Vorex."""
    stored = an_item(version=5, vorex_version=5)

    late = a_message(version=4, title="Old", time=NOW - 2 * HOUR)
    assert judged(stored, late) == JudgedVersion(verdict=VersionVerdict.STALE, item=stored)


def test_r17_an_equal_version_goes_on_and_changes_nothing() -> None:
    """A redelivery; also where the calendar changed the item since, whatever it says."""
    for stored in (
        an_item(version=5, vorex_version=5, title="Other"),
        edited_there(vorex_version=5, version=6),
    ):
        message = a_message(version=5, title="Other")
        assert judged(stored, message) == JudgedVersion(verdict=VersionVerdict.EQUAL, item=stored)


def test_a_higher_version_is_new() -> None:
    """With its contents, its time, and one revision more."""
    verdict = judged(an_item(version=5, vorex_version=5, revision=9), a_message(version=8, title="New"))

    assert (verdict.verdict, verdict.loss) == (VersionVerdict.NEW, None)
    assert verdict.item.content == a_content(title="New")
    assert (verdict.item.version, verdict.item.vorex_version, verdict.item.revision) == (8, 8, 10)
    assert verdict.item.changed_at == NOW


def test_a_version_whose_author_knew_the_calendars_change_is_new() -> None:
    """seen_version is left out and means the one before; or it is said."""
    for message in (a_message(version=6), a_message(version=9, seen_version=5)):
        verdict = judged(edited_there(), message)
        assert (verdict.verdict, verdict.loss) == (VersionVerdict.NEW, None)
        assert verdict.item.version == message.data.version
        assert verdict.item.changed_by is None


def test_a_version_not_above_the_highest_is_concurrent() -> None:
    """The newer one is stored as the highest plus one, and what lost is kept (R19)."""
    stored = edited_there(changed_at=NOW - MINUTE)

    verdict = judged(stored, a_message(version=5, title="Ours", seen_version=4))

    assert verdict.verdict is VersionVerdict.NEW
    assert (verdict.item.version, verdict.item.vorex_version, verdict.item.sync_version) == (6, 5, 6)
    assert verdict.item.content == a_content(title="Ours")
    assert verdict.loss is not None
    assert (verdict.loss.by_vorex, verdict.loss.values) == (False, stored.content)
    assert verdict.loss.integration_id == "one"


def test_a_version_that_is_the_highest_already_is_concurrent_whatever_its_author_saw() -> None:
    """Two changes cannot bear one number."""
    verdict = judged(
        edited_there(changed_at=NOW - MINUTE, sync_version=3), a_message(version=5, seen_version=4)
    )

    assert verdict.loss is not None
    assert verdict.item.version == 6


def test_a_version_that_did_not_see_the_calendars_is_concurrent_however_high() -> None:
    """seen_version below the last one by calendar_sync."""
    verdict = judged(edited_there(changed_at=NOW - MINUTE), a_message(version=9, seen_version=4))

    assert verdict.loss is not None
    assert (verdict.item.version, verdict.item.vorex_version) == (10, 9)


def test_r19_the_version_after_a_conflict_is_above_the_stored_one_too() -> None:
    """However far that ran ahead of Vorex's; the item was changed when Vorex says."""
    stored = edited_there(changed_at=NOW - MINUTE, version=8, sync_version=8)

    verdict = judged(stored, a_message(version=5, seen_version=4))

    assert (verdict.item.version, verdict.item.sync_version, verdict.item.changed_at) == (9, 9, NOW)


def test_r19_a_newer_change_in_the_calendar_wins_over_an_appointment() -> None:
    """Vorex's is kept in the log, its version counts as received, and the winner is told again."""
    stored = edited_there(changed_at=NOW + MINUTE)

    verdict = judged(stored, a_message(version=5, seen_version=4, title="Ours"))

    assert verdict.item == replace(stored, version=6, vorex_version=5, sync_version=6, revision=6)
    assert verdict.loss is not None
    assert (verdict.loss.by_vorex, verdict.loss.values) == (True, a_content(title="Ours"))


def test_r19_a_tie_goes_to_vorex() -> None:
    """The same moment on both sides."""
    verdict = judged(edited_there(), a_message(version=5, seen_version=4, title="Ours"))

    assert verdict.item.content == a_content(title="Ours")


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("action", [Action.UPDATED, Action.DELETED])
def test_r19_of_the_four_records_vorex_always_wins(kind: ItemType, action: Action) -> None:
    """A deletion too, however late the calendar's change."""
    stored = edited_there(type=kind, changed_at=NOW + HOUR)

    verdict = judged(stored, a_message(type=kind, version=5, seen_version=4, action=action))

    assert verdict.loss is not None
    assert verdict.loss.by_vorex is False
    assert verdict.item.deleted is (action is Action.DELETED)


@pytest.mark.parametrize(("changed", "change_wins"), [(-HOUR, False), (timedelta(0), False), (MINUTE, True)])
def test_r19_deleted_in_vorex_and_changed_in_the_calendar_the_newer_wins(
    changed: timedelta, change_wins: bool
) -> None:
    """A tie is the deletion's; what lost is kept."""
    stored = edited_there(changed_at=NOW + changed)
    verdict = judged(stored, a_message(version=5, seen_version=4, action=Action.DELETED))

    assert verdict.item.deleted is not change_wins
    assert verdict.loss is not None
    assert verdict.loss.by_vorex is change_wins
    assert verdict.loss.values == (None if change_wins else stored.content)


def test_r19_deleted_in_the_calendar_and_changed_in_vorex_the_change_wins() -> None:
    """However much earlier the change."""
    stored = edited_there(deleted=True, changed_at=NOW + HOUR)

    verdict = judged(stored, a_message(version=5, seen_version=4, title="Ours"))

    assert (verdict.item.deleted, verdict.item.content) == (False, a_content(title="Ours"))
    assert verdict.loss is not None
    assert (verdict.loss.by_vorex, verdict.loss.values) == (False, None)


def test_deleted_on_both_sides_stays_deleted() -> None:
    """One version more all the same, so that both know it."""
    verdict = judged(edited_there(deleted=True), a_message(version=5, seen_version=4, action=Action.DELETED))

    assert (verdict.item.deleted, verdict.item.version) == (True, 6)


def test_a_deletion_keeps_what_the_item_was() -> None:
    """Tombstones know their text and time."""
    verdict = judged(an_item(title="Lunch"), a_message(version=2, action=Action.DELETED, title=""))

    assert verdict.item.deleted
    assert verdict.item.content == a_content(title="Lunch")


def test_a_deleted_item_may_come_back() -> None:
    """Only deleted or not deleted counts."""
    verdict = judged(an_item(deleted=True), a_message(version=2, action=Action.UPDATED))

    assert not verdict.item.deleted


def test_r17_two_versions_of_vorexs_own_are_never_put_in_order_by_their_clocks() -> None:
    """After a conflict that Vorex won the stored version runs ahead of Vorex's own numbers."""
    won = judged(edited_there(changed_at=NOW - MINUTE), a_message(version=5, seen_version=4)).item

    verdict = judged(won, a_message(version=6, seen_version=4, title="Newest", time=NOW - HOUR))

    assert verdict.item.content == a_content(title="Newest")
    assert (verdict.item.version, verdict.item.vorex_version) == (7, 6)
    assert verdict.loss is not None


def test_after_a_lost_conflict_vorexs_next_version_that_knew_it_is_new() -> None:
    """The published winner was seen."""
    won = judged(edited_there(changed_at=NOW + MINUTE), a_message(version=5, seen_version=4)).item

    verdict = judged(won, a_message(version=7, seen_version=6))

    assert (verdict.verdict, verdict.loss, verdict.item.version) == (VersionVerdict.NEW, None, 7)


def test_a_fact_that_comes_back_goes_on_to_its_links() -> None:
    """Equal to the stored version; the item stays."""
    stored = an_imported_item()

    assert judged(stored, a_fact(version=1)) == JudgedVersion(verdict=VersionVerdict.EQUAL, item=stored)


def test_an_older_fact_ends() -> None:
    """Lower than the stored version."""
    stored = an_imported_item(version=3)

    assert judged(stored, a_fact(version=2)) == JudgedVersion(verdict=VersionVerdict.STALE, item=stored)


def test_a_fact_unknown_to_a_store_that_was_set_back_is_taken() -> None:
    """Of an item that is known, and of one that is not."""
    known = judged(an_imported_item(), a_fact(version=4))
    assert (known.verdict, known.item.version, known.item.vorex_version) == (VersionVerdict.NEW, 4, 0)
    assert (known.item.sync_version, known.item.changed_at, known.item.revision) == (4, NOW, 2)
    unknown = judged(None, a_fact(version=4)).item
    assert (unknown.version, unknown.vorex_version, unknown.sync_version) == (4, 0, 4)
    assert unknown.changed_by == "one"


def test_only_our_own_facts_are_facts() -> None:
    """The same actor from another source speaks for Vorex."""
    verdict = judged(an_item(), a_fact(version=2, source="/vorex/acme"))

    assert (verdict.verdict, verdict.item.vorex_version) == (VersionVerdict.NEW, 2)


def test_vorexs_first_change_of_an_imported_item_is_new() -> None:
    """It knew version 1."""
    verdict = judged(an_imported_item(), a_message(version=2))

    assert (verdict.loss, verdict.item.vorex_version, verdict.item.changed_by) == (None, 2, None)


@pytest.mark.parametrize(
    ("vorex_is_ahead_by", "wins"), [(timedelta(seconds=-1), False), (timedelta(0), True), (MINUTE, True)]
)
def test_r19_of_two_changes_the_newer_wins(vorex_is_ahead_by: timedelta, wins: bool) -> None:
    """Of two deletions too."""
    for deleted in (False, True):
        assert (
            does_vorex_win(
                an_item(),
                vorex_time=NOW + vorex_is_ahead_by,
                calendar_time=NOW,
                vorex_deletes=deleted,
                calendar_deletes=deleted,
            )
            is wins
        )


def test_r17_any_order_and_any_repetition_end_at_the_newest() -> None:
    """The revision only ever rises."""
    item = None
    revisions = []
    for version in (3, 1, 5, 5, 2, 4, 5, 3):
        item = judged(item, a_message(version=version, title=f"v{version}")).item
        revisions.append(item.revision)
    assert item is not None
    assert item.content == a_content(title="v5")
    assert revisions == sorted(revisions)


def test_r19_at_the_last_number_a_conflict_is_settled_under_it_again() -> None:
    """What comes of it can still be published; a person's next edit as well."""
    stored = edited_there(changed_at=NOW - MINUTE)

    settled = judged(stored, a_message(version=LARGEST_VERSION, seen_version=4)).item
    assert (settled.version, settled.vorex_version) == (LARGEST_VERSION, LARGEST_VERSION)

    edited = item_after_change(settled, a_content(title="Theirs"), an_integration(), NOW)
    assert (edited.version, edited.revision) == (LARGEST_VERSION, settled.revision + 1)

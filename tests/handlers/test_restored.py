"""Events that live again after they were read as gone: the same item goes on, and nothing removes it.

R6, R7, R8, R11, R19; and what stamps may say meanwhile (CRONOFY.md C35).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, EventTypes, Item, Link, LinkState, Origin
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers import link_states
from handlers.deletions import carry_out_deletion
from handlers.echo import LATEST_SECONDS
from handlers.inbound_event import judge_row
from handlers.judgement import NO_CHANGE, Judgement, Reading
from handlers.plan import LeaveEvent, desired_event, let_go_fingerprint
from tests.builders import (
    HOUR,
    MINUTE,
    NOW,
    TEN,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    at,
    prints_of,
)
from tests.support.judging import RECORDS, codes

OFF = EventTypes(create=False, update=False, delete=False)
CARRIED_OUT = -2 * HOUR
BACK = [("create", "done", "ok")]


def judged(
    event: CronofyEvent, link: Link, item: Item, *, reading: Reading | None = None, **settings: Any
) -> Judgement:
    return judge_row(event, link, item, an_integration(**settings), reading or a_reading())


def deleted_there(item: Item, link: Link, **row: Any) -> tuple[Item, Link]:
    """The item and its link after its owner's deletion was read and carried out, an hour ago."""
    then = a_reading(asked_at=at(CARRIED_OUT), now=at(CARRIED_OUT))
    gone = link_states.seen_deleted(link, an_event(updated=NOW + CARRIED_OUT, **row), then)
    done = carry_out_deletion(gone, item, an_integration(), then)
    assert done.item is not None
    assert done.link is not None
    return done.item, done.link


@pytest.mark.parametrize("gone", [{"deleted": True}, {"participation_status": "declined"}])
def test_r8_the_same_appointment_is_there_again(gone: dict[str, Any]) -> None:
    """Deleted and restored, declined and accepted: our copy as well as the owner's event."""
    for item, link, row in (
        (an_item(), a_link(accepted_at=at(-3 * HOUR)), a_row_of(an_item())),
        (an_imported_item(), an_external_link(), an_event()),
    ):
        lost, ended = deleted_there(item, link, **gone)
        assert lost.deleted

        done = judged(row, ended, lost)

        assert done.item is not None
        assert (done.item.ref, done.item.deleted, done.item.assignees) == (item.ref, False, ("ann",))
        assert (done.item.version, done.item.revision) == (lost.version + 1, lost.revision + 1)
        assert (done.item.changed_by, done.item.changed_at) == ("one", NOW - MINUTE)
        assert done.item.content == item.content
        assert codes(done) == BACK
        assert done.link is not None
        assert (done.link.state, done.link.exists_there, done.link.differs) == (LinkState.AGREED, True, False)
        assert done.link.applied_revision == done.link.desired_revision == done.item.revision
        assert done.link.agreed == done.link.last_read == prints_of(item)
        assert desired_event(done.item, an_integration(), done.link).__class__.__name__ == "InAgreement"


@pytest.mark.parametrize("update", [True, False])
@pytest.mark.parametrize("origin", list(Origin))
def test_r5_what_was_moved_meanwhile_comes_with_update(update: bool, origin: Origin) -> None:
    """Without it the item is there again as it was, and differs (R7)."""
    ours = origin is Origin.OURS
    item = an_item() if ours else an_imported_item()
    link = a_link(item, accepted_at=at(-3 * HOUR)) if ours else an_external_link(item)
    lost, ended = deleted_there(item, link)
    moved = (a_row_of(item) if ours else an_event()).start + HOUR
    row = replace(a_row_of(item) if ours else an_event(), start=moved, end=moved + HOUR)

    done = judged(row, ended, lost, event_types=EventTypes(create=False, update=update, delete=True))

    assert done.item is not None
    assert done.item.content is not None
    assert (done.item.content.start == moved) is update
    assert done.link is not None
    assert (done.link.differs, done.link.state) == (not update, LinkState.AGREED)


@pytest.mark.parametrize("update", [True, False])
@pytest.mark.parametrize("title", ["Call", "Call back"])
def test_r5_what_lost_its_date_meanwhile_gets_that_of_its_event_with_update(title: str, update: bool) -> None:
    """Vorex took the date off, which its calendar cannot show; without Update both sides differ (R51)."""
    item = an_imported_item()
    link = an_external_link(item)
    assert item.content is not None
    undated = replace(item, content=item.content.model_copy(update={"start": None, "end": None}))
    lost, ended = deleted_there(undated, link)
    row = an_event(summary=title)

    done = judged(row, ended, lost, event_types=EventTypes(create=False, update=update, delete=True))

    assert done.item is not None
    assert done.item.content is not None
    assert (done.item.content.start, done.item.content.end) == (
        (row.start, row.end) if update else (None, None)
    )
    assert (done.item.content.title == title) is (update or title == item.content.title)
    assert done.link is not None
    assert done.link.differs is not update


def test_r13_what_the_title_lacks_when_it_is_back_is_written_again() -> None:
    """The item has the account's name, the event was restored without it."""
    item = an_item(account_name="Acme")
    lost, ended = deleted_there(item, a_link(item, accepted_at=at(-3 * HOUR)))
    row = a_row_of(item, summary="Call")

    assert (done := judged(row, ended, lost)).link is not None
    assert done.item is not None
    assert done.item.content is not None
    assert done.item.content.title == "Call"
    assert (done.link.state, list(done.link.rewrites)) == (LinkState.BEHIND, [a_reading().now])

    kept = judged(row, ended, lost, event_types=EventTypes(create=True, update=False, delete=True)).link
    assert kept is not None
    assert (kept.state, kept.differs) == (LinkState.AGREED, True)


def test_r2_a_person_who_deleted_their_copy_is_assigned_again() -> None:
    """The others never left."""
    item = an_item(assignees=("ann", "bob"))
    lost, ended = deleted_there(item, a_link(item, accepted_at=at(-3 * HOUR)))
    assert (lost.deleted, lost.assignees) == (False, ("bob",))

    done = judged(a_row_of(item), ended, lost)

    assert done.item is not None
    assert (done.item.deleted, done.item.assignees) == (False, ("bob", "ann"))


def test_r8_a_private_or_repeated_event_is_back_as_what_it_is() -> None:
    """Masked, and read-only for the same reason as any other."""
    lost, ended = deleted_there(an_imported_item(), an_external_link())
    private = judged(an_event(event_private=True, summary="Doctor"), ended, lost).item
    assert private is not None
    assert private.content is not None
    assert (private.content.title, private.read_only_reason) == ("Private appointment", "private")
    repeated = judged(an_event(recurring=True), ended, lost).item
    assert repeated is not None
    assert repeated.read_only_reason == "series"
    plain = judged(an_event(), ended, replace(lost, read_only_reason="series")).item
    assert plain is not None
    assert plain.read_only_reason is None


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize(("vorex", "back"), [(-2 * MINUTE, True), (-MINUTE, False), (MINUTE, False)])
def test_r19_of_a_deletion_in_vorex_and_a_restoration_the_newer_counts(
    origin: Origin, vorex: timedelta, back: bool
) -> None:
    """An event that is restored later brings the appointment back; one restored before is left alone."""
    item = an_item(deleted=True, revision=2, changed_at=NOW + vorex)
    link = _removed(a_link(item) if origin is Origin.OURS else an_external_link(item))

    done = judged(a_row_of(item) if origin is Origin.OURS else an_event(), link, item)

    assert (done.item is not None) is back
    assert done.link is not None
    assert done.link.state is (LinkState.AGREED if back else LinkState.LET_GO)
    assert codes(done) == (BACK if back else [("none", "skipped", "differs")])


def _removed(link: Link) -> Link:
    """Vorex had it removed, and the removal was read back."""
    return replace(
        link,
        desired=None,
        desired_revision=2,
        applied_revision=2,
        exists_there=False,
        accepted_at=at(-HOUR),
        read_at=at(-30 * MINUTE),
        event_updated=NOW - HOUR,
        writes=(),
    )


@pytest.mark.parametrize(
    "item",
    [
        *(an_item(type=kind, deleted=True, revision=2) for kind in RECORDS),
        *(an_item(type=kind, assignees=("bob",), revision=2) for kind in ItemType),
    ],
)
def test_what_vorex_took_off_and_its_owner_restored_is_left_alone(item: Item) -> None:
    """Never deleted by us, said once, and kept out of what follows."""
    link = _removed(a_link(item))

    done = judged(a_row_of(item), link, item)

    assert (done.item, codes(done)) == (None, [("none", "skipped", "differs")])
    assert done.link is not None
    assert (done.link.state, done.link.exists_there) == (LinkState.LET_GO, True)
    assert done.link.let_go_print == let_go_fingerprint(item.content)
    wish = desired_event(item, an_integration(), done.link)
    assert isinstance(wish, LeaveEvent)
    assert wish.state is LinkState.LET_GO
    later = a_reading(asked_at=at(2 * HOUR), now=at(2 * HOUR))
    assert judged(a_row_of(item), done.link, item, reading=later) == NO_CHANGE


@pytest.mark.parametrize(
    "link",
    [
        {"read_at": at(-HOUR), "accepted_at": at(-HOUR)},
        {"read_at": None},
        {"event_uid": "another", "overtaken": [a_write(an_item(), sent=-23 * HOUR)]},
        {"event_uid": "another", "writes": [a_write(an_item(), sent=-23 * HOUR)]},
        {"exists_there": True},
        {"desired_revision": 0},
    ],
)
def test_r18_what_was_not_read_as_gone_or_may_be_a_late_write_is_not_taken_for_restored(
    link: dict[str, Any],
) -> None:
    """A removal that has not arrived, or a write that came after it, is none of the owner's doing."""
    item = an_item(deleted=True, revision=2, changed_at=NOW - HOUR)
    done = judged(a_row_of(item), replace(_removed(a_link(item)), **link), item)
    assert (done.item, codes(done)) == (None, [])


@pytest.mark.parametrize(
    "link",
    [
        {"overtaken": [a_write(an_item(), sent=-23 * HOUR)]},
        {"event_uid": "another"},
        {"event_uid": "another", "writes": [replace(a_write(an_item(), sent=-23 * HOUR), copies=0)]},
        {
            "event_uid": "another",
            "writes": [replace(a_write(an_item()), sent_at=at(timedelta()) - LATEST_SECONDS)],
        },
    ],
)
def test_an_event_under_its_known_identity_or_of_no_write_of_ours_is_restored(link: dict[str, Any]) -> None:
    """However late, and whatever was written before."""
    item = an_item(deleted=True, revision=2, changed_at=NOW - HOUR)
    done = judged(a_row_of(item), replace(_removed(a_link(item)), **link), item)
    assert done.item is not None


# -- a copy that was let go ---------------------------------------------------------------------------


def let_go(item: Item, **changes: Any) -> Link:
    """Its owner deleted it two hours ago."""
    then = a_reading(asked_at=at(CARRIED_OUT), now=at(CARRIED_OUT))
    link = link_states.seen_deleted(a_link(item, accepted_at=at(-3 * HOUR)), an_event(), then)
    gone = link_states.let_go_by_owner(link, Code.OK, let_go_fingerprint(item.content))
    return replace(gone, **({"event_updated": NOW + CARRIED_OUT} | changes))


@pytest.mark.parametrize("kind", list(ItemType))
def test_r6_r7_a_copy_that_was_let_go_follows_again(kind: ItemType) -> None:
    """A task, a service call, or an appointment where Delete is off."""
    item = an_item(type=kind)

    done = judged(a_row_of(item), let_go(item), item, event_types=OFF)

    assert (done.item, codes(done)) == (None, [("link", "done", "ok")])
    assert done.link is not None
    assert (done.link.state, done.link.code, done.link.let_go_print) == (LinkState.AGREED, None, None)
    assert done.link.exists_there
    assert desired_event(item, an_integration(), done.link).__class__.__name__ == "InAgreement"


@pytest.mark.parametrize("kind", list(ItemType))
def test_r19_what_vorex_changed_while_it_was_gone_is_written(kind: ItemType) -> None:
    """The restored event shows what was agreed before: no edit of its owner's."""
    before = an_item(type=kind)
    item = an_item(type=kind, title="Newer", revision=2, changed_at=NOW - HOUR)
    link = replace(let_go(before), desired_revision=2)

    done = judged(a_row_of(before), link, item)

    assert done.item is None
    assert done.link is not None
    assert (done.link.state, done.link.desired_revision) == (LinkState.BEHIND, 2)
    assert done.link.desired is not None
    assert done.link.desired.summary == "Newer"


def test_r6_what_its_owner_changed_while_it_was_gone_is_taken() -> None:
    """Where Update is checked."""
    item = an_item(type=ItemType.TASK)
    row = a_row_of(item, start=TEN, end=TEN + HOUR)
    done = judged(row, let_go(item), item)
    assert done.item is not None
    assert done.item.content is not None
    assert done.item.content.start == TEN
    assert codes(done) == [("link", "done", "ok"), ("update", "done", "ok")]


@pytest.mark.parametrize(
    ("item", "link"),
    [
        (an_item(), {"let_go_print": None}),
        (an_item(assignees=("bob",)), {}),
        (an_item(deleted=True), {}),
    ],
)
def test_a_copy_that_was_let_go_for_another_reason_stays_so(item: Item, link: dict[str, Any]) -> None:
    """Another calendar was chosen (R16), or nobody of this calendar has it any more (R2)."""
    assert judged(a_row_of(item), let_go(item, **link), item) == NO_CHANGE


# -- stamps -------------------------------------------------------------------------------------------

STALE = NOW - 5 * HOUR
COMPLETE = a_reading(complete_since=at(-2 * MINUTE))


def test_stamps_that_go_back_are_believed_by_a_complete_read_alone() -> None:
    """Nothing is lost for ever: an edit, a deletion and a restoration under an older stamp."""
    item = an_item()
    link = a_link(item)
    edit = a_row_of(item, summary="Brunch", updated=STALE)
    assert judged(edit, link, item) == NO_CHANGE
    assert judged(edit, link, item, reading=COMPLETE).item is not None

    gone = a_row_of(item, deleted=True, updated=STALE)
    assert judged(gone, link, item) == NO_CHANGE
    assert judged(gone, link, item, reading=COMPLETE).gone

    lost, ended = deleted_there(item, a_link(item, accepted_at=at(-3 * HOUR)))
    back = a_row_of(item, updated=STALE)
    assert judged(back, ended, lost) == NO_CHANGE
    assert judged(back, ended, lost, reading=COMPLETE).item is not None

    held = link_states.hold(replace(link, exists_there=False), Code.HELD_DELETION)
    assert judged(back, held, item) == NO_CHANGE
    again = judged(back, held, item, reading=COMPLETE).link
    assert again is not None
    assert again.state is LinkState.AGREED


@pytest.mark.parametrize("known", [{"read_at": at(-MINUTE)}, {"accepted_at": at(-2 * MINUTE)}])
def test_a_complete_read_is_not_newer_than_what_was_learned_since_it_began(known: dict[str, Any]) -> None:
    """Its later pages may show what was there when it began."""
    edit = a_row_of(an_item(), summary="Brunch", updated=STALE)
    assert judged(edit, a_link(**known), an_item(), reading=COMPLETE) == NO_CHANGE


def test_an_equal_stamp_is_no_older_one() -> None:
    """Deleted and restored within one second."""
    lost, ended = deleted_there(an_item(), a_link(accepted_at=at(-3 * HOUR)))
    assert ended.event_updated is not None
    row = a_row_of(an_item(), updated=ended.event_updated)
    assert judged(row, ended, lost).item is not None


def test_r19_a_deletion_older_than_a_late_write_counts_in_a_complete_read_once_the_write_is_due() -> None:
    """Until then it may be the write that made the event again."""
    item = an_item()
    row = a_row_of(item, deleted=True, updated=STALE)
    for age, gone in ((-14 * MINUTE, False), (-16 * MINUTE, True)):
        link = a_link(item, writes=[a_write(item, accepted=age)], accepted_at=at(age))
        assert judged(row, link, item, reading=COMPLETE).gone is gone
        assert not judged(row, link, item).gone


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=400)])
def test_a_clock_that_is_ahead_hides_nothing(ahead: timedelta) -> None:
    """A stamp beyond our own clock is no stamp; the next change with a sane one counts."""
    item = an_item()
    first = judged(a_row_of(item, summary="Brunch", updated=NOW + ahead), a_link(item), item)
    assert first.item is not None
    assert first.link is not None
    later = a_reading(asked_at=at(HOUR), now=at(HOUR))
    second = judged(
        a_row_of(item, summary="Supper", updated=NOW + MINUTE), first.link, first.item, reading=later
    )
    assert second.item is not None

"""How one change of a run is put back, or why it is left (R40, R50)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.calendar import Code, Direction, Item, Link, LinkState, LogAction, Origin
from contracts.event_fields import EventFields, fields_hash
from handlers.inbound_page import PageChanges
from handlers.undoing.putting_back import (
    BROUGHT_SINCE,
    CHANGED_SINCE,
    GONE_FOR_GOOD,
    GUESTS_INVITED,
    MOVED_THERE,
    NOT_ON_CALENDAR,
    NOT_REMEMBERED,
    PRIVACY_CHANGED,
    STILL_WRITTEN,
    THERE_AGAIN,
    THERE_NO_MORE,
    ChangedPair,
    PutBack,
    pairs_of,
    put_back,
    rested,
)
from handlers.undoing.recorded import ChangedSide, ChangeKind, RunChange, page_record, sent_record
from handlers.undoing.whole_step import WITH_ITEM, put_back_step
from tests.builders import (
    NOW,
    a_content,
    a_link,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
    fields_of_item,
)

LATER = datetime(2026, 12, 24, tzinfo=UTC)
ITEM = an_item(title="New", version=3, revision=2)
BROUGHT = an_imported_item(title="New", revision=2)
GONE = replace(BROUGHT, deleted=True)
BEFORE = a_content(title="Old")
MASKED = an_imported_item(title="Private", private=True, revision=2, read_only_reason="private")
MASK = a_content(title="Private", private=True)
COPY, ITEMS, PAIR = ChangedSide.COPY, ChangedSide.ITEM, ChangedSide.PAIR
CREATED, UPDATED, DELETED = ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.DELETED


def changed(side: ChangedSide, kind: ChangeKind, item: Item = ITEM, **more: Any) -> RunChange:
    return RunChange(side=side, kind=kind, item_ref=item.ref, **{"revision": item.revision, **more})


def undone(change: RunChange, item: Item | None, link: Link | None) -> PutBack:
    pair = ChangedPair(change=change, item=item, link=link, integration=an_integration())
    return put_back(pair, now=LATER, new_id=lambda: "new")


def ours(item: Item = ITEM, **changes: Any) -> Link:
    return a_link(item, **{"desired": fields_of_item(item), "exists_there": True, **changes})


def foreign(item: Item = BROUGHT, **changes: Any) -> Link:
    return an_external_link(item, **{"event_uid": "evt-1", "exists_there": True, **changes})


REASONS: dict[str, tuple[RunChange, Item | None, Link | None, str]] = {
    "item: changed here": (
        changed(ITEMS, CREATED, BROUGHT), replace(BROUGHT, revision=3), foreign(), CHANGED_SINCE,
    ),
    "item: changed there, and passed over": (
        changed(ITEMS, CREATED, BROUGHT), BROUGHT, foreign(differs=True), CHANGED_SINCE,
    ),
    "item: never known": (changed(ITEMS, CREATED), None, None, CHANGED_SINCE),
    "item: gone already": (changed(ITEMS, CREATED, BROUGHT), GONE, None, THERE_NO_MORE),
    "item: deleted since": (changed(ITEMS, UPDATED, BROUGHT, content=BEFORE), GONE, None, CHANGED_SINCE),
    "item: back already": (changed(ITEMS, DELETED, BROUGHT, content=BEFORE), BROUGHT, None, THERE_AGAIN),
    "item: forgotten": (changed(ITEMS, UPDATED, BROUGHT), BROUGHT, foreign(), NOT_REMEMBERED),
    "item: forgotten and gone": (changed(ITEMS, DELETED, GONE), GONE, None, NOT_REMEMBERED),
    "item: private by now": (
        changed(ITEMS, UPDATED, MASKED, content=BEFORE), MASKED, foreign(MASKED), PRIVACY_CHANGED,
    ),
    "item: private by now, and not kept": (
        changed(ITEMS, UPDATED, MASKED), MASKED, foreign(MASKED), PRIVACY_CHANGED,
    ),
    "item: public by now": (
        changed(ITEMS, UPDATED, BROUGHT, content=MASK), BROUGHT, foreign(), PRIVACY_CHANGED,
    ),
    "item: gone, and private by now": (
        changed(ITEMS, DELETED, MASKED, content=BEFORE), replace(MASKED, deleted=True), None, PRIVACY_CHANGED,
    ),
    "item: its copy has guests": (
        changed(ITEMS, UPDATED, content=BEFORE), ITEM, ours(guests=1), GUESTS_INVITED,
    ),
    "item: on its way": (
        changed(ITEMS, UPDATED, content=BEFORE), ITEM, ours(state=LinkState.BEHIND), STILL_WRITTEN,
    ),
    "copy: on its way": (changed(COPY, CREATED), ITEM, ours(state=LinkState.RETRYING), STILL_WRITTEN),
    "copy: no link": (changed(COPY, CREATED), ITEM, None, THERE_NO_MORE),
    "copy: gone already": (changed(COPY, CREATED), ITEM, ours(exists_there=False), THERE_NO_MORE),
    "copy: changed since": (changed(COPY, CREATED), replace(ITEM, revision=3), ours(), CHANGED_SINCE),
    "copy: let go since": (changed(COPY, CREATED), ITEM, ours(state=LinkState.LET_GO), CHANGED_SINCE),
    "copy: guests": (changed(COPY, CREATED), ITEM, ours(guests=2), GUESTS_INVITED),
    "copy: a meeting": (changed(COPY, UPDATED), ITEM, ours(online=True), GUESTS_INVITED),
    "copy: forgotten": (changed(COPY, UPDATED), ITEM, ours(), NOT_REMEMBERED),
    "copy: its owner's": (changed(COPY, UPDATED, BROUGHT), BROUGHT, foreign(), NOT_REMEMBERED),
    "copy: moved": (changed(COPY, ChangeKind.MOVED), ITEM, ours(), MOVED_THERE),
    "copy: back already": (changed(COPY, DELETED), ITEM, ours(), THERE_AGAIN),
    "copy: its item is gone": (changed(COPY, DELETED, GONE), GONE, None, NOT_ON_CALENDAR),
    "copy: nobody's item": (changed(COPY, DELETED), None, None, NOT_ON_CALENDAR),
    "copy: another's by now": (
        changed(COPY, DELETED), an_item(revision=2, assignees=["u-99"]), None, NOT_ON_CALENDAR,
    ),
    "pair: let go of": (changed(PAIR, UPDATED, BROUGHT), BROUGHT, foreign(), GONE_FOR_GOOD),
    "pair: dissolved already": (changed(PAIR, CREATED), ITEM, None, CHANGED_SINCE),
    "pair: changed since": (changed(PAIR, CREATED), replace(ITEM, revision=3), foreign(), CHANGED_SINCE),
    "pair: differs": (changed(PAIR, CREATED, BROUGHT), BROUGHT, foreign(differs=True), CHANGED_SINCE),
    "pair: paired already": (changed(PAIR, DELETED, link=foreign()), ITEM, foreign(), CHANGED_SINCE),
    "pair: forgotten": (changed(PAIR, DELETED), ITEM, None, NOT_REMEMBERED),
    "pair: its item is gone": (changed(PAIR, DELETED, GONE, link=foreign()), GONE, None, CHANGED_SINCE),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONS.values(), ids=REASONS)
def test_r50_what_cannot_be_put_back_is_left_with_its_reason(
    case: tuple[RunChange, Item | None, Link | None, str],
) -> None:
    change, item, link, reason = case
    back = undone(change, item, link)
    assert (back.reason, back.action, back.left is not None) == (reason, LogAction.NONE, True)
    there = change.side is COPY
    assert back.direction is (Direction.TO_LINKED_CALENDAR if there else Direction.TO_MY_CALENDAR)
    assert (back.item, back.link, back.new_link, back.dropped, back.record) == (None,) * 5
    assert (back.prior, back.to_write) == ((), False)


def test_r40_what_would_mail_guests_says_so() -> None:
    assert undone(changed(COPY, CREATED), ITEM, ours(guests=1)).left is Code.MEETING


def test_r50_what_was_brought_goes_and_its_event_stays() -> None:
    """The event's key is remembered, or the next read would bring it again (R33)."""
    link = foreign()
    back = undone(changed(ITEMS, CREATED, BROUGHT), BROUGHT, link)
    assert back.item is not None
    assert (back.item.deleted, back.item.revision, back.item.content) == (True, 3, BROUGHT.content)
    assert (back.item.version, back.item.changed_at) == (BROUGHT.version + 1, LATER)
    assert (back.dropped, back.prior, back.link) == (link.id, ("uid:evt-1",), None)
    assert back.record == changed(ITEMS, DELETED, back.item, content=BROUGHT.content, link=link)


def test_r50_the_undo_of_that_brings_the_same_item_back_to_its_event() -> None:
    first = undone(changed(ITEMS, CREATED, BROUGHT), BROUGHT, foreign())
    assert first.record is not None
    back = undone(first.record, first.item, None)
    assert back.item is not None
    assert back.new_link is not None
    assert (back.item.deleted, back.item.content) == (False, BROUGHT.content)
    assert (back.new_link.id, back.new_link.event_uid, back.new_link.state) == (
        "new", "evt-1", LinkState.AGREED,
    )  # fmt: skip
    assert back.new_link.applied_revision == back.item.revision
    assert back.record == changed(ITEMS, CREATED, back.item)


def test_r50_a_changed_item_is_as_before_and_its_owners_event_is_not_written() -> None:
    back = undone(changed(ITEMS, UPDATED, BROUGHT, content=BEFORE), BROUGHT, foreign())
    assert back.item is not None
    assert back.link is not None
    assert (back.item.content, back.item.deleted) == (BEFORE, False)
    assert (back.link.state, back.link.applied_revision) == (LinkState.AGREED, back.item.revision)
    assert back.record == changed(ITEMS, UPDATED, back.item, content=BROUGHT.content)


def test_r50_a_copy_of_ours_follows_the_item_that_is_as_before() -> None:
    back = undone(changed(ITEMS, UPDATED, content=BEFORE), ITEM, ours())
    assert back.link is not None
    assert back.link.desired is not None
    assert (back.link.state, back.link.desired.summary) == (LinkState.BEHIND, fields_of("Old").summary)


def fields_of(title: str) -> EventFields:
    return fields_of_item(replace(ITEM, content=a_content(title=title)))


def test_r50_what_was_deleted_is_there_again() -> None:
    """A copy of ours is written anew; of a foreign event the pair is let go (R11)."""
    change = changed(ITEMS, DELETED, GONE, content=BEFORE)
    away = {"exists_there": False, "desired": None}
    mine = undone(change, GONE, ours(GONE, **away))
    theirs = undone(change, GONE, foreign(GONE, **away))
    assert mine.link is not None
    assert theirs.link is not None
    assert (mine.link.state, theirs.link.state) == (LinkState.BEHIND, LinkState.LET_GO)
    for back in (mine, theirs):
        assert back.item is not None
        assert (back.item.deleted, back.item.content) == (False, BEFORE)


def test_r50_a_copy_that_was_sent_is_removed_and_rests() -> None:
    back = undone(changed(COPY, CREATED), ITEM, ours())
    assert back.link is not None
    assert (back.link.state, back.link.desired, back.rests, back.to_write) == (
        LinkState.BEHIND, None, True, True,
    )  # fmt: skip
    assert back.record == changed(COPY, DELETED, fields=fields_of_item(ITEM))


def test_r50_a_copy_that_was_changed_is_as_before_and_rests_unless_that_is_its_item() -> None:
    old, same = fields_of("Old"), fields_of_item(ITEM)
    back = undone(changed(COPY, UPDATED, fields=old), ITEM, ours())
    again = undone(changed(COPY, UPDATED, fields=same), ITEM, ours(desired=old))
    assert back.link is not None
    assert (back.link.desired, back.rests) == (old, True)
    assert again.rests is False


def test_r50_a_copy_that_was_removed_is_sent_again() -> None:
    gone = ours(state=LinkState.LET_GO, exists_there=False)
    back, new = (undone(changed(COPY, DELETED), ITEM, link) for link in (gone, None))
    assert back.link is not None
    assert new.new_link is not None
    for link in (back.link, new.new_link):
        assert (link.state, link.desired) == (LinkState.BEHIND, fields_of_item(ITEM))
    assert back.record == changed(COPY, CREATED)


@pytest.mark.parametrize("apart", [False, True], ids=["in one step", "in two steps"])
def test_r50_a_copy_follows_its_item_that_is_put_back(apart: bool) -> None:
    """It neither is written by itself nor rests: what its item says next is sent again."""
    link, here = ours(), an_integration()
    copy, item = (
        ChangedPair(change=change, item=ITEM, link=link, integration=here)
        for change in (
            changed(COPY, UPDATED, fields=fields_of("Old")),
            changed(ITEMS, UPDATED, content=BEFORE),
        )
    )
    backs = put_back_step([copy] if apart else [copy, item], [item], now=LATER, new_id=lambda: "new")
    assert (backs[0].reason, backs[0].left, backs[0].link, backs[0].rests) == (WITH_ITEM, None, None, False)
    assert backs[1:] == ([] if apart else [put_back(item, now=LATER, new_id=lambda: "new")])


def test_r50_a_copy_is_judged_by_itself_where_its_item_is_left() -> None:
    link, here = ours(), an_integration()
    copy, item = (
        ChangedPair(change=change, item=ITEM, link=link, integration=here)
        for change in (changed(COPY, UPDATED, fields=fields_of("Old")), changed(ITEMS, UPDATED))
    )
    (back,) = put_back_step([copy], [item], now=LATER, new_id=lambda: "new")
    assert back == put_back(copy, now=LATER, new_id=lambda: "new")
    assert back.left is None


def test_r50_no_item_is_put_back_twice_in_a_step() -> None:
    """Its copy sent again and its pair made again would be two links of one item."""
    copy, pair = (
        ChangedPair(change=change, item=ITEM, link=None, integration=an_integration())
        for change in (changed(COPY, DELETED), changed(PAIR, DELETED, link=foreign(ITEM)))
    )
    backs = put_back_step([copy, pair], now=LATER, new_id=lambda: "new")
    assert [back.left for back in backs] == [None, Code.DIFFERS]


def test_r50_a_pair_is_dissolved_and_made_again() -> None:
    link = foreign()
    apart = undone(changed(PAIR, CREATED, BROUGHT), BROUGHT, link)
    assert (apart.dropped, apart.prior, apart.action) == (link.id, ("uid:evt-1",), LogAction.LET_GO)
    assert apart.record is not None
    again = undone(apart.record, BROUGHT, None)
    assert again.new_link is not None
    assert (again.new_link.event_uid, again.action) == ("evt-1", LogAction.LINK)


def test_r50_a_copy_rests_only_when_it_was_written() -> None:
    assert rested(ours(), ITEM).state is LinkState.LET_GO
    failed = ours(state=LinkState.FAILED)
    assert rested(failed, ITEM) == failed


def test_r50_only_links_of_this_calendar_are_put_back() -> None:
    change = changed(COPY, CREATED)
    others = [ours(calendar_id="cal_before"), ours(ended_at=NOW), replace(ours(), integration_id="i-9")]  # type: ignore[arg-type]
    (pair,) = pairs_of([change], {ITEM.ref: ITEM}, others, an_integration())
    assert (pair.item, pair.link) == (ITEM, None)
    (pair,) = pairs_of([change], {}, [*others, ours()], an_integration())
    assert (pair.item, pair.link) == (None, ours())


def test_r50_a_page_is_recorded_as_what_became_of_each_item() -> None:
    before = {ITEM.ref: replace(ITEM, content=BEFORE, revision=1)}
    made = an_imported_item(title="Made", id="made", ref="made", revision=1)
    kinds = {
        (ITEM, UPDATED): BEFORE,
        (replace(ITEM, deleted=True), DELETED): BEFORE,
        (made, CREATED): None,
    }
    for (item, kind), content in kinds.items():
        assert page_record(before, PageChanges(items=[item])) == [changed(ITEMS, kind, item, content=content)]
    alive_again = {ITEM.ref: replace(before[ITEM.ref], deleted=True)}
    assert page_record(alive_again, PageChanges(items=[ITEM])) == [changed(ITEMS, CREATED)]
    linked = foreign(ITEM, applied_revision=2)
    assert page_record(before, PageChanges(new_links=[linked])) == [changed(PAIR, CREATED)]
    assert page_record({}, PageChanges(items=[made], new_links=[foreign(made)])) == [
        changed(ITEMS, CREATED, made)
    ]


def test_r8_texts_of_an_event_that_becomes_private_are_not_kept() -> None:
    public = {MASKED.ref: replace(MASKED, content=BEFORE, read_only_reason=None, revision=1)}
    assert page_record(public, PageChanges(items=[MASKED])) == [changed(ITEMS, UPDATED, MASKED)]
    gone = replace(MASKED, deleted=True)
    masked = {MASKED.ref: replace(MASKED, revision=1)}
    assert page_record(masked, PageChanges(items=[gone])) == [
        changed(ITEMS, DELETED, gone, content=MASKED.content)
    ]


def test_r50_privacy_that_somebody_gave_our_own_copy_is_taken_back() -> None:
    private = replace(ITEM, content=MASK)
    back = undone(changed(ITEMS, UPDATED, private, content=BEFORE), private, ours(private))
    assert back.item is not None
    assert back.item.content == BEFORE


STOOD = fields_of("Old")
KNOWN: dict[str, Any] = {"desired": STOOD, "applied_hash": fields_hash(STOOD)}


@pytest.mark.parametrize(
    ("before", "desired", "kind", "fields"),
    [
        (None, STOOD, CREATED, None),
        (ours(exists_there=False, applied_hash=None), STOOD, CREATED, None),
        (ours(**KNOWN), STOOD, UPDATED, STOOD),
        (ours(**KNOWN, differs=True), STOOD, UPDATED, None),
        (ours(applied_hash="another"), STOOD, UPDATED, None),
        (ours(**KNOWN, origin=Origin.EXTERNAL), STOOD, UPDATED, None),
        (ours(**KNOWN), None, DELETED, STOOD),
    ],
)
def test_r50_what_is_sent_is_recorded_with_what_is_known_to_stand_there(
    before: Link | None, desired: EventFields | None, kind: ChangeKind, fields: EventFields | None
) -> None:
    after = ours(state=LinkState.BEHIND, desired=desired, desired_revision=2)
    assert sent_record([(before, after)]) == [changed(COPY, kind, fields=fields)]


def test_r50_what_is_not_to_be_written_is_no_change() -> None:
    assert sent_record([(ours(), ours(state=LinkState.FROZEN))]) == []


def test_r50_an_item_whose_event_its_owner_deleted_stays_without_one() -> None:
    """Nothing is written for it: its event is the owner's, and gone (R11)."""
    gone = foreign(state=LinkState.AGREED, exists_there=False)
    back = undone(changed(ITEMS, UPDATED, BROUGHT, content=BEFORE), BROUGHT, gone)
    assert back.item is not None
    assert back.item.content == BEFORE
    assert back.link is not None
    assert (back.link.state, back.link.exists_there) == (LinkState.LET_GO, False)


def test_r50_a_question_is_asked_again_unless_its_event_is_known_by_now() -> None:
    asked = {"event_uid": "evt-1", "title": "Old"}
    change = RunChange(side=ChangedSide.QUESTION, kind=DELETED, item_ref=ITEM.ref, revision=0, question=asked)
    here = an_integration()
    (pair,) = pairs_of([change], {}, [], here)
    back = put_back(pair, now=NOW, new_id=lambda: "new")
    assert (back.question, back.left, back.to_write) == (asked, None, False)
    (pair,) = pairs_of([change], {}, [], here, brought={"evt-1"})
    assert put_back(pair, now=NOW, new_id=lambda: "new").reason == BROUGHT_SINCE

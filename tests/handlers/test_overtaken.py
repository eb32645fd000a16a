"""Accepted writes arrive in any order, and a late one is nobody's edit (R17, R18)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import Code, Link, LinkState
from contracts.vorex import ItemType, ShowAs
from handlers.echo import REWRITES_BEFORE_REFUSED
from handlers.fingerprints import NO_EVENT, differing_fields, fingerprints_of_event
from handlers.landing import RESULT_ACCEPTED, ResultKind, RetrySchedule, SendResult, SentWrite, land_result
from handlers.outbound_message import fingerprints_after as prints_to_send
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
    a_write,
    an_event,
    an_external_link,
    an_imported_item,
    an_item,
    at,
    fields_of_item,
    prints_of,
)
from tests.support.judging import ARRIVAL_TIME, NEW, SECOND, a_pending_link, codes, is_echo, judged

BETWEEN = an_item(title="Between")
SOON = {"asked_at": at(MINUTE - SECOND), "now": at(MINUTE)}


def confirmed(*earlier: Any, **changes: Any) -> Link:
    """NEW was read back a moment ago; ``earlier`` were accepted before it and never seen."""
    link = judged(a_row_of(NEW), a_pending_link(*earlier, **changes), NEW).link
    assert link is not None
    return link


def test_r18_an_older_write_that_arrives_after_the_newest_was_read_back_is_written_over() -> None:
    """Nothing is taken and nothing told."""
    row = a_row_of(BETWEEN, updated=NOW + 30 * SECOND)

    late = judged(row, confirmed(BETWEEN), NEW, reading=a_reading(**SOON))

    assert (late.item, list(late.entries)) == (None, [])
    assert late.link is not None
    assert (late.link.state, late.link.desired) == (LinkState.BEHIND, fields_of_item(NEW))


def test_r18_it_arrives_once_and_the_same_again_is_a_persons_edit() -> None:
    """They put it back."""
    row = a_row_of(BETWEEN, updated=NOW + 30 * SECOND)
    late = judged(row, confirmed(BETWEEN), NEW, reading=a_reading(**SOON)).link
    assert late is not None
    sent = replace(
        late, state=LinkState.AGREED, accepted_at=at(MINUTE), writes=[a_write(NEW, accepted=MINUTE)]
    )
    read = a_reading(asked_at=at(2 * MINUTE), now=at(2 * MINUTE))
    again = judged(a_row_of(NEW, updated=NOW + 90 * SECOND), sent, NEW, reading=read).link
    assert again is not None

    later = a_reading(asked_at=at(3 * MINUTE), now=at(3 * MINUTE))
    edit = judged(a_row_of(BETWEEN, updated=NOW + 150 * SECOND), again, NEW, reading=later)

    assert edit.item is not None
    assert edit.item.content == a_content(title="Between")


def test_r18_an_older_write_that_had_shown_before_the_newest_is_an_edit_when_it_is_back() -> None:
    """It has arrived long ago: a person put it back."""
    shown = judged(a_row_of(BETWEEN, updated=NOW - 2 * MINUTE), a_pending_link(BETWEEN), NEW).link
    assert shown is not None
    read = replace(shown, state=LinkState.AGREED, read_at=at(-2 * SECOND), event_updated=NOW - 2 * MINUTE)
    link = judged(a_row_of(NEW), read, NEW).link
    assert link is not None

    back = judged(a_row_of(BETWEEN, updated=NOW + MINUTE), link, NEW, reading=a_reading(**SOON))

    assert back.item is not None


def test_r18_fifteen_minutes_after_it_was_accepted_an_older_write_is_an_edit() -> None:
    """Exactly 15 minutes are enough."""
    link = confirmed(BETWEEN, accepted=-MINUTE)
    for seconds, taken in ((-121, False), (-120, True)):
        now = at(ARRIVAL_TIME + seconds * SECOND)
        row = a_row_of(BETWEEN, updated=NOW + 12 * MINUTE)
        judgement = judged(row, link, NEW, reading=a_reading(asked_at=now, now=now))
        assert (judgement.item is not None) is taken


def test_r18_of_a_late_write_and_an_edit_together_only_the_edit_is_taken() -> None:
    """And the two together are written."""
    row = a_row_of(BETWEEN, location="Bar", updated=NOW + 30 * SECOND)

    taken = judged(row, confirmed(BETWEEN), NEW, reading=a_reading(**SOON))

    assert taken.item is not None
    assert taken.item.content == a_content(title="New", location="Bar")
    assert codes(taken) == [("update", "done", "ok")]
    assert taken.link is not None
    assert (taken.link.state, taken.link.desired) == (LinkState.BEHIND, fields_of_item(taken.item))


def test_r16_an_older_write_that_arrives_late_stays_where_its_type_is_not_sent_any_more() -> None:
    """The copy is frozen as it is."""
    row = a_row_of(BETWEEN, updated=NOW + 30 * SECOND)
    link = confirmed(BETWEEN, desired_revision=1)

    late = judged(row, link, NEW, reading=a_reading(**SOON), item_types=frozenset()).link

    assert late is not None
    assert (late.state, late.code, late.desired_revision) == (LinkState.FROZEN, Code.TYPE_OFF, NEW.revision)
    assert late.desired == link.desired


@pytest.mark.parametrize(
    ("rewritten", "state"),
    [(-ARRIVAL_TIME, LinkState.BEHIND), (SECOND - ARRIVAL_TIME, LinkState.AGREED)],
)
def test_r18_what_was_written_once_more_is_so_again_after_a_quarter_of_an_hour(
    rewritten: Any, state: LinkState
) -> None:
    """Should an earlier write still show."""
    link = a_pending_link(BETWEEN, accepted=-2 * MINUTE, rewrites=[at(rewritten)], agreed=None)

    after = judged(a_row_of(BETWEEN, updated=NOW - HOUR), replace(link, event_updated=None), NEW).link

    assert after is not None
    assert after.state is state


SHOWN = NOW - 90 * SECOND
BEFORE = prints_of(an_item(title="Old"))


@pytest.mark.parametrize(
    ("updated", "last_read", "left"),
    [
        (SHOWN, prints_of(BETWEEN), 1),
        (None, prints_of(BETWEEN), 1),
        (NOW - 30 * SECOND, prints_of(BETWEEN), 0),
        (SHOWN, BEFORE, 0),
        (None, BEFORE, 0),
    ],
)
def test_r18_a_row_that_is_read_again_is_not_a_second_arrival(
    updated: Any, last_read: Any, left: int
) -> None:
    """Unless the event was touched since, or showed something else."""
    link = a_pending_link(BETWEEN, event_updated=SHOWN, last_read=last_read)

    read = judged(a_row_of(BETWEEN, updated=updated), link, NEW).link

    assert read is not None
    assert [write.copies for write in read.writes] == [left, 1]


@pytest.mark.parametrize("earlier", [(), (BETWEEN,)])
def test_r18_a_person_who_changes_what_was_written_and_changes_it_back_made_two_edits(earlier: Any) -> None:
    """They saw what they changed, although it was never read here."""
    link = a_pending_link(*earlier, agreed=None, last_read=None)
    first = judged(a_row_of(NEW, location="Bar", updated=NOW - 10 * SECOND), link, NEW)
    assert first.item is not None
    assert first.link is not None
    standing = replace(first.link, state=LinkState.AGREED, accepted_at=at(10 * SECOND))
    standing = replace(
        standing, writes=[replace(each, accepted_at=at(10 * SECOND)) for each in standing.writes]
    )
    read = a_row_of(first.item, updated=NOW + 20 * SECOND)
    now = at(30 * SECOND)
    agreed = judged(read, standing, first.item, reading=a_reading(asked_at=now, now=now)).link
    assert agreed is not None

    back = judged(a_row_of(NEW, updated=NOW + 40 * SECOND), agreed, first.item, reading=a_reading(**SOON))

    assert back.item is not None
    assert back.item.content == NEW.content


@pytest.mark.parametrize("unknown", [True, False])
def test_r18_a_write_that_was_sent_twice_may_arrive_twice(unknown: bool) -> None:
    """Its first answer was lost, or it was made once more."""
    first = a_write(NEW, accepted=None if unknown else -2 * MINUTE, sent=-2 * MINUTE)
    link = a_link(NEW, state=LinkState.BEHIND, writes=[first], agreed=None, last_read=None)
    sent = SentWrite(revision=NEW.revision, epoch=0, applied_hash="", gone=False, prints=prints_of(NEW))
    if unknown:
        lost = SendResult(kind=ResultKind.TRANSIENT, unknown=True)
        link = land_result(
            link, sent, lost, mine=True, now=at(-MINUTE), patience=RetrySchedule(retry_in=1.0)
        ).link
    twice = land_result(
        link, sent, RESULT_ACCEPTED, mine=True, now=at(-MINUTE), patience=RetrySchedule(retry_in=1.0)
    ).link

    read = judged(a_row_of(NEW), twice, NEW).link

    assert read is not None
    assert ([write.copies for write in twice.writes], [each.copies for each in read.overtaken]) == ([2], [1])


def test_r18_a_row_from_before_the_newest_was_sent_does_not_prove_its_arrival() -> None:
    """The calendar's answer lags, and what it shows happens to be what was written anew."""
    row = a_row_of(NEW, updated=NOW - HOUR / 2)
    link = judged(row, a_pending_link(BETWEEN, event_updated=NOW - HOUR), NEW).link

    assert link is not None
    assert [write.prints["title"] for write in link.overtaken] == [
        prints_of(each)["title"] for each in (BETWEEN, NEW)
    ]


def a_mixed_link(**changes: Any) -> tuple[Any, Link]:
    """A foreign event to which three changes were written; of the newest only ``free`` shows."""
    first = an_imported_item(start=NINE + HOUR, end=TEN + HOUR)
    second = an_imported_item(start=NINE + HOUR, end=TEN + HOUR, account_name="Contoso")
    third = an_imported_item(
        start=NINE + HOUR,
        end=TEN + HOUR,
        account_name="Contoso",
        show_as=ShowAs.FREE,
        revision=4,
        changed_by=None,
    )
    writes = [a_write(each, accepted=-ARRIVAL_TIME - MINUTE) for each in (first, second)]
    writes.append(a_write(third, accepted=-ARRIVAL_TIME))
    before = prints_of(an_imported_item())
    return third, an_external_link(third, agreed=before, last_read=before, writes=writes, **changes)


MIXED = {"start": NINE + HOUR, "end": TEN + HOUR, "transparency": "transparent"}


def test_r17_a_foreign_event_that_took_our_edits_in_the_wrong_order_is_written_again() -> None:
    """It shows the title of one and the rest of another, and refused nothing."""
    item, link = a_mixed_link()

    judgement = judged(an_event(**MIXED), link, item)

    assert (judgement.item, list(judgement.entries)) == (None, [])
    assert judgement.link is not None
    assert judgement.link.state is LinkState.BEHIND


def test_r10_one_that_never_takes_all_of_it_is_left_after_some_attempts() -> None:
    """And the log says so."""
    item, link = a_mixed_link(rewrites=[at(-n * ARRIVAL_TIME) for n in range(1, REWRITES_BEFORE_REFUSED + 1)])

    judgement = judged(an_event(**MIXED), link, item)

    assert judgement.link is not None
    assert (judgement.link.state, judgement.link.code) == (LinkState.FROZEN, Code.NOT_POSSIBLE)


def test_r10_attempts_count_for_an_hour() -> None:
    """One that is as old exactly does not any more."""
    item, link = a_mixed_link(rewrites=[at(-ARRIVAL_TIME), at(-2 * ARRIVAL_TIME), at(-HOUR)])

    after = judged(an_event(**MIXED), link, item).link

    assert after is not None
    assert after.state is LinkState.BEHIND


@pytest.mark.parametrize(
    ("row", "changes"),
    [({"updated": NOW - HOUR}, {}), ({}, {"agreed": None})],
    ids=["untouched since", "of which nothing was agreed"],
)
def test_r10_a_foreign_event_that_did_not_mix_our_edits_refused_them(
    row: dict[str, Any], changes: dict[str, Any]
) -> None:
    """It was not touched since the first of them was sent, or nothing tells what it was before."""
    item, link = a_mixed_link()

    after = judged(an_event(**MIXED, **row), replace(link, **changes), item).link

    assert after is not None
    assert (after.state, after.code) == (LinkState.FROZEN, Code.NOT_POSSIBLE)


def test_r17_a_copy_of_ours_mixes_no_writes() -> None:
    """Each of them was whole: what shows of two is waited for like what has not arrived."""
    between = an_item(title="Between", location="Bar")
    newest = replace(NEW, content=a_content(title="New", location="Pub"))
    link = a_pending_link(accepted=-2 * MINUTE)
    writes = [a_write(between, accepted=-3 * MINUTE), a_write(newest, accepted=-2 * MINUTE)]

    row = a_row_of(between, location="Pub", updated=NOW - MINUTE)
    after = judged(row, replace(link, writes=writes), newest).link

    assert after is not None
    assert after.state is LinkState.AGREED


# -- deletions of ours that a newer write overtakes --


def a_copy_written_anew(item: Any) -> Link:
    """Removed and wished for again; both writes were accepted, and neither was seen."""
    removal = replace(a_write(item, accepted=-MINUTE), prints=NO_EVENT)
    return a_link(item, writes=[removal, a_write(item, accepted=-30 * SECOND)], accepted_at=at(-30 * SECOND))


@pytest.mark.parametrize("kind", [ItemType.APPOINTMENT, ItemType.TASK])
def test_r18_a_deletion_of_ours_that_arrives_after_a_newer_write_deletes_nothing_here(kind: ItemType) -> None:
    """The copy is written again; when it is gone once more a person deleted it."""
    item = an_item(type=kind, revision=3)
    row = a_row_of(item, deleted=True, updated=NOW)
    reading = a_reading(asked_at=at(10 * SECOND), now=at(11 * SECOND))

    late = judged(row, a_copy_written_anew(item), item, reading=reading)

    assert (late.item, list(late.entries), late.gone) == (None, [], False)
    assert late.link is not None
    assert (late.link.state, late.link.desired) == (LinkState.BEHIND, fields_of_item(item))
    sent = replace(late.link, state=LinkState.AGREED, exists_there=True, accepted_at=at(MINUTE))
    sent = replace(sent, writes=[replace(each, accepted_at=at(MINUTE)) for each in sent.writes])
    later = a_reading(asked_at=at(3 * MINUTE), now=at(3 * MINUTE))
    theirs = judged(replace(row, updated=NOW + 2 * MINUTE), sent, item, reading=later)
    assert theirs.gone or codes(theirs) == [("let_go", "done", "ok")]


def test_r18_where_the_copy_came_back_as_another_event_the_deletion_had_arrived() -> None:
    """What is deleted from then on is deleted by a person."""
    item = an_item(revision=3)
    back = a_row_of(item, event_uid="another", updated=NOW)
    reading = a_reading(asked_at=at(10 * SECOND), now=at(11 * SECOND))
    link = judged(back, a_copy_written_anew(item), item, reading=reading).link
    assert link is not None

    gone = replace(back, deleted=True, updated=NOW + 30 * SECOND)

    assert judged(gone, link, item, reading=a_reading(**SOON)).gone


def test_r18_a_deletion_that_was_read_back_is_waited_for_no_longer() -> None:
    """Nothing else comes of the row."""
    item = an_item(deleted=True, revision=2)
    removal = replace(a_write(item), prints=NO_EVENT)
    link = a_link(item, desired=None, exists_there=False, writes=[removal])

    judgement = judged(a_row_of(an_item(), deleted=True), link, item)

    assert is_echo(judgement)
    assert judgement.link is not None
    assert [write.copies for write in judgement.link.writes] == [0]


def test_a_deletion_looks_like_nothing_that_can_be_read() -> None:
    """Whatever the type; of a foreign event it is not remembered, since it comes once and for all."""
    item = an_item()
    read = fingerprints_of_event(a_row_of(item), a_content())
    assert differing_fields(read, prints_to_send(a_link(item), item, None)) == set(read)
    assert prints_to_send(an_external_link(), item, None) is None

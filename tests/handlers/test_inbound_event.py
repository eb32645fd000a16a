"""What a row is: an echo, too early to tell, or a person's edit (R6, R17, R18)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Code, LinkState
from handlers.inbound_event import WRITE_IN_FLIGHT_SECONDS
from handlers.judgement import NO_CHANGE, Judgement
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
from tests.support.judging import ARRIVAL_TIME, LATE_TIME, NEW, OLD, SECOND, a_pending_link, is_echo, judged


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"updated": None},
        {"updated": NOW + timedelta(days=300)},
        {"summary": None, "description": None, "location": None, "transparency": None},
        {"summary": "Lunch\r\n", "description": "Bring fruit \r\n\r\n"},
    ],
)
def test_r18_what_is_agreed_changes_nothing(seen: dict[str, Any]) -> None:
    """Whatever the provider made of it."""
    item = an_item()
    assert is_echo(judged(a_row_of(item, **seen), a_link(), item))


def test_r18_an_event_of_the_calendar_read_again_changes_nothing() -> None:
    """As it was brought."""
    assert is_echo(judged(an_event(), an_external_link(), an_imported_item()))


def test_r18_the_newest_write_read_back_is_agreed_from_then_on() -> None:
    """Earlier writes are forgotten."""
    between = an_item(title="Between")

    link = judged(a_row_of(NEW), a_pending_link(between), NEW).link

    assert link is not None
    assert (link.agreed, link.last_read, list(link.writes)) == (prints_of(NEW), prints_of(NEW), [])
    assert (link.state, link.event_uid, link.read_at) == (LinkState.AGREED, "uid", at(timedelta()))


def test_r18_what_a_row_does_not_say_is_agreed_as_it_was_written() -> None:
    link = judged(a_row_of(NEW, description=None), a_pending_link(), NEW).link

    assert link is not None
    assert (link.agreed, link.last_read) == (prints_of(NEW), prints_of(NEW))


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"differs": True}, False),
        ({"differs": True, "applied_revision": 1}, True),
        ({"differs": True, "state": LinkState.BEHIND}, True),
        ({"differs": False, "state": LinkState.BEHIND}, False),
    ],
)
def test_r7_a_copy_differs_until_its_items_newest_revision_was_read_back(
    changes: dict[str, Any], differs: bool
) -> None:
    link = judged(a_row_of(NEW), a_pending_link(**changes), NEW).link

    assert link is not None
    assert link.differs is differs


def test_r18_rounding_by_the_provider_is_agreed_too() -> None:
    """And stays agreed when it is read again."""
    item = an_item(start=NINE + 20 * SECOND, end=TEN + 40 * SECOND)
    link = a_link(item, agreed=None, last_read=None, writes=[a_write(item)])
    row = a_row_of(item, start=NINE, end=TEN + MINUTE)

    first = judged(row, link, item)

    assert is_echo(first)
    assert first.link is not None
    assert is_echo(judged(row, first.link, item, reading=a_reading(asked_at=at(HOUR), now=at(HOUR))))


def test_r18_a_renamed_account_is_no_edit_while_the_old_name_still_shows() -> None:
    """Nor is a changed reference."""
    before = an_item(account_name="Old Ltd", reference={"label": "T1", "url": "https://u"})
    after = an_item(account_name="New Ltd", reference={"label": "T2", "url": "https://u"}, revision=2)
    link = a_link(after, agreed=prints_of(before), last_read=prints_of(before), writes=[a_write(after)])

    assert is_echo(judged(a_row_of(before), link, after))


def test_r12_a_text_that_was_cut_comes_back_as_no_change() -> None:
    """Nor does an edit beside it touch it."""
    item = an_item(title="x" * 1024, account_name="Contoso", description="y" * 9000)
    assert is_echo(judged(a_row_of(item), a_link(item), item))

    moved = judged(a_row_of(item, end=TEN + HOUR), a_link(item), item)

    assert moved.item is not None
    assert item.content is not None
    assert moved.item.content == item.content.model_copy(update={"end": TEN + HOUR})


def test_r18_an_older_write_that_shows_has_not_been_overtaken_yet() -> None:
    """Nothing, until the newest was read back or 15 minutes passed."""
    between = an_item(title="Between")
    for seen in (OLD, between):
        link = a_pending_link(between, accepted=-30 * SECOND)
        assert is_echo(judged(a_row_of(seen, updated=NOW - 20 * SECOND), link, NEW))


def test_r18_what_a_row_shows_is_noted_although_the_newest_write_has_not_arrived() -> None:
    """And when it was read."""
    link = judged(a_row_of(OLD, location="Park "), a_pending_link(last_read=None), NEW).link

    assert link is not None
    assert (link.last_read, link.read_at) == (prints_of(OLD), at(timedelta()))


def test_r17_an_older_write_that_keeps_showing_is_written_over_once() -> None:
    """Cronofy promises no order between accepted writes."""
    between = an_item(title="Between")
    link = a_pending_link(between, accepted=-2 * MINUTE)
    row = a_row_of(between, updated=NOW - MINUTE)

    once = judged(row, link, NEW)

    assert once.item is None
    assert once.link is not None
    assert (once.link.state, once.link.desired) == (LinkState.BEHIND, fields_of_item(NEW))
    again = replace(once.link, state=LinkState.AGREED, read_at=at(-SECOND))
    assert is_echo(judged(row, again, NEW, reading=a_reading(asked_at=at(MINUTE), now=at(MINUTE))))


@pytest.mark.parametrize(
    ("sent", "rewritten", "state"),
    [
        (-HOUR, ARRIVAL_TIME - HOUR, LinkState.AGREED),
        (-HOUR, ARRIVAL_TIME - HOUR - SECOND, LinkState.BEHIND),
        (-2 * LATE_TIME, SECOND - LATE_TIME, LinkState.AGREED),
        (-2 * LATE_TIME, -LATE_TIME, LinkState.BEHIND),
    ],
    ids=["waited for", "over an older write", "within a day", "a day ago"],
)
def test_r38_a_copy_that_does_not_show_its_newest_write_is_written_once_more_a_day(
    sent: timedelta, rewritten: timedelta, state: LinkState
) -> None:
    """What was made sooner than that was for an older write that had passed over it, and counts not."""
    link = a_pending_link(
        writes=[a_write(NEW, sent=sent, accepted=-ARRIVAL_TIME)],
        accepted_at=at(-ARRIVAL_TIME),
        rewrites=[at(rewritten)],
        event_updated=None,
    )

    after = judged(a_row_of(OLD, updated=NOW - 3 * LATE_TIME), link, NEW).link

    assert after is not None
    assert after.state is state


def test_r38_after_a_day_an_older_state_that_was_touched_is_an_edit() -> None:
    """The person put it back."""
    link = a_pending_link(accepted=-LATE_TIME)

    back = judged(a_row_of(OLD, updated=NOW - MINUTE), link, NEW)

    assert back.item is not None
    assert back.item.content == a_content(title="Old")
    assert (back.item.version, back.item.revision, back.item.changed_by) == (3, 3, "one")


def test_r38_one_second_before_the_day_is_over_it_is_not() -> None:
    """Exactly a day is enough."""
    link = a_pending_link(accepted=SECOND - LATE_TIME)

    assert judged(a_row_of(OLD, updated=NOW - MINUTE), link, NEW).item is None


def test_r18_an_event_untouched_since_the_write_was_accepted_is_no_edit_however_late() -> None:
    """The write was lost: it is made once more."""
    link = a_pending_link(accepted=-2 * ARRIVAL_TIME)

    late = judged(a_row_of(OLD, updated=NOW - timedelta(hours=2), event_uid="other"), link, NEW)

    assert late.item is None
    assert late.link is not None
    assert late.link.state is LinkState.BEHIND


def test_a_write_that_was_never_accepted_never_counts_as_arrived() -> None:
    """Cronofy was away: after hours, too, only the person's own change is taken."""
    writes = [a_write(NEW, accepted=None, sent=-5 * HOUR)]
    link = a_pending_link(state=LinkState.RETRYING, writes=writes, applied_revision=1)
    row = a_row_of(OLD, location="Bar", updated=NOW - MINUTE)

    taken = judged(row, link, NEW)

    assert taken.item is not None
    assert taken.item.content == a_content(title="New", location="Bar")


def test_a_row_asked_for_before_a_write_was_accepted_is_read_again() -> None:
    """By the store's clock."""
    row = a_row_of(OLD, location="Bar")
    asked = at(-SECOND)
    assert judged(row, a_pending_link(accepted_at=asked + 0.1), NEW).again
    assert judged(row, a_pending_link(read_at=asked + 0.1), NEW).again
    assert not judged(row, a_pending_link(accepted_at=asked, read_at=asked), NEW).again


def test_a_row_is_read_again_while_a_write_is_on_its_way() -> None:
    """For a minute; then the write counts as accepted when it was sent."""
    row = a_row_of(OLD)
    sending = a_pending_link(
        writes=[a_write(NEW, accepted=None, sent=-timedelta(seconds=WRITE_IN_FLIGHT_SECONDS - 1))]
    )
    assert judged(row, sending, NEW) == Judgement(again=True)
    waited = a_pending_link(
        writes=[a_write(NEW, accepted=None, sent=-timedelta(seconds=WRITE_IN_FLIGHT_SECONDS))]
    )
    assert is_echo(judged(row, waited, NEW))


def test_an_older_row_of_the_event_changes_nothing() -> None:
    """A cache that lags behind itself, or a row repeated out of order."""
    item = an_item(title="Theirs")
    link = a_link(item, event_updated=NOW - MINUTE)
    row = a_row_of(OLD, updated=NOW - 2 * MINUTE)

    assert judged(row, link, item) == NO_CHANGE


def test_a_stamp_from_the_future_does_not_make_later_rows_old() -> None:
    """Stamps may be nonsense (CRONOFY.md C3)."""
    item = an_item()
    first = judged(a_row_of(item, updated=NOW + timedelta(days=9000)), a_link(), item)
    assert first.link is not None

    edit = judged(
        a_row_of(item, location="Bar", updated=NOW + 2 * MINUTE),
        first.link,
        item,
        reading=a_reading(asked_at=at(3 * MINUTE), now=at(3 * MINUTE)),
    )

    assert edit.item is not None


@pytest.mark.parametrize(
    "link",
    [
        {"desired": None, "desired_revision": 2},
        {"state": LinkState.LET_GO},
        {"state": LinkState.FROZEN, "code": Code.LOOP_STOPPED},
    ],
)
def test_a_link_that_should_not_be_there_takes_no_edits(link: dict[str, Any]) -> None:
    """Nor one that was let go or stopped."""
    item = an_item()
    assert is_echo(judged(a_row_of(item, location="Bar"), a_link(accepted_at=at(-SECOND * 30), **link), item))


def test_r14_a_copy_of_what_has_lost_its_date_is_an_echo_while_it_stands() -> None:
    """Its removal has not been wished for yet."""
    undated = replace(OLD, content=a_content(title="Old", start=None, end=None), revision=2)
    assert is_echo(judged(a_row_of(OLD), a_link(OLD), undated))


@pytest.mark.parametrize(("revision", "taken"), [(0, True), (1, False)])
def test_r21_a_copy_of_which_nothing_was_wished_yet_takes_edits(revision: int, taken: bool) -> None:
    """One that is wished away does not."""
    link = a_link(desired=None, desired_revision=revision, accepted_at=None)
    assert (judged(a_row_of(OLD, location="Bar"), link, OLD).item is not None) is taken


@pytest.mark.parametrize(("ahead", "known"), [(5 * MINUTE, True), (5 * MINUTE + SECOND, False)])
def test_a_stamp_is_sane_up_to_five_minutes_ahead_of_the_read(ahead: timedelta, known: bool) -> None:
    """Clocks differ; what is later says nothing of when the event changed."""
    stamp = NOW - SECOND + ahead
    link = judged(a_row_of(OLD, updated=stamp), a_link(OLD), OLD).link
    assert link is not None
    assert (link.event_updated == stamp) is known


def test_a_deleted_item_takes_no_edits() -> None:
    """Its desired state is absent."""
    item = an_item(deleted=True)
    assert is_echo(judged(a_row_of(an_item(), location="Bar"), a_link(), item))


def test_r17_a_copy_that_lives_on_after_its_deletion_is_deleted_again() -> None:
    """An older write arrived after the deletion."""
    item = an_item(deleted=True, revision=2)
    link = a_link(desired=None, desired_revision=2, exists_there=False, accepted_at=at(-2 * MINUTE))

    after = judged(a_row_of(an_item(), updated=NOW - MINUTE), link, item).link

    assert after is not None
    assert (after.state, after.desired, after.exists_there) == (LinkState.BEHIND, None, True)


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"accepted_at": at(-SECOND * 61)}, True),
        ({"accepted_at": at(-SECOND * 60)}, False),
        ({"accepted_at": None}, False),
        ({"desired_revision": 0}, False),
        ({"state": LinkState.HELD}, False),
    ],
)
def test_r17_a_deletion_that_was_accepted_a_minute_ago_is_made_again_where_the_copy_lives(
    changes: dict[str, Any], again: bool
) -> None:
    """A minute before the page was asked for; not one that nobody wished for, or that waits."""
    usual = {"desired": None, "desired_revision": 2, "accepted_at": at(-2 * MINUTE)}
    item = an_item(deleted=True, revision=2)

    after = judged(a_row_of(an_item(), updated=NOW - MINUTE), a_link(**(usual | changes)), item).link

    assert ([after.state, list(after.rewrites)] if after else None) == (
        [LinkState.BEHIND, [a_reading().now]] if again else None
    )

"""Which of our writes may yet arrive, and what tells that one has (R17, R18)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.calendar import Link, LinkState, Written
from handlers.echo import (
    RowReading,
    after_deletion_seen,
    after_edit,
    age_of_last_write,
    is_deletion_outstanding,
    outstanding_writes,
    read_row,
    touched_since,
)
from handlers.fingerprints import NO_EVENT
from handlers.judgement import LinkedRow
from tests.builders import (
    MINUTE,
    NOW,
    a_link,
    a_reading,
    a_write,
    an_event,
    an_integration,
    an_item,
    prints_of,
)
from tests.support.judging import NEW, OLD

SECOND = timedelta(seconds=1)
READING = a_reading()


def a_removal(*, copies: int = 1) -> Written:
    return replace(a_write(an_item()), prints=NO_EVENT, copies=copies)


def copies(link: Link) -> tuple[list[int], list[int]]:
    """How often each write may yet arrive: of the overtaken ones, and of those since the last reading."""
    return [each.copies for each in link.overtaken], [each.copies for each in link.writes]


@pytest.mark.parametrize(
    "link", [a_link(NEW), a_link(NEW, writes=(a_write(NEW),), agreed=None)], ids=["agreed", "written"]
)
def test_r18_a_row_that_shows_what_was_agreed_or_written_last_is_an_echo(link: Link) -> None:
    """Only the second one confirms something."""
    row = LinkedRow(event=an_event(), link=link, item=NEW, integration=an_integration(), reading=READING)

    sight = read_row(row, prints_of(NEW), {})

    assert sight == RowReading(read=prints_of(NEW), fields=set(), confirmed=bool(link.writes))


@pytest.mark.parametrize(("copies", "belated"), [(1, True), (0, False)])
def test_r18_a_row_that_shows_an_overtaken_write_is_belated_as_often_as_that_may_come(
    copies: int, belated: bool
) -> None:
    """From then on it is what a person did."""
    link = a_link(NEW, overtaken=(replace(a_write(OLD), copies=copies),))
    row = LinkedRow(event=an_event(), link=link, item=NEW, integration=an_integration(), reading=READING)

    sight = read_row(row, prints_of(OLD), {})

    fields = set() if belated else {"title"}
    assert sight == RowReading(read=prints_of(OLD), fields=fields, arrived=not belated, belated=belated)


@pytest.mark.parametrize(
    ("accepted", "left"),
    [(None, 1), (-SECOND, 0), (0 * SECOND, 0), (0.9 * SECOND, 0), (SECOND, 1)],
)
def test_r18_who_edits_an_event_has_seen_what_was_accepted_before(
    accepted: timedelta | None, left: int
) -> None:
    """In the same second too: stamps have whole ones. What has no answer yet may come."""
    write = a_write(an_item(), accepted=accepted)

    assert copies(after_edit(a_link(writes=(write,), overtaken=(write,)), NOW)) == ([left], [left])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (([0, 2], [1]), ([0, 1], [1])),
        (([0], [0, 1]), ([0], [0, 0])),
        (([], [2, 1]), ([], [1, 1])),
        (([0], [0]), ([0], [0])),
    ],
)
def test_r18_a_deleted_row_is_the_oldest_of_our_removals_that_may_yet_arrive(
    before: tuple[list[int], list[int]], after: tuple[list[int], list[int]]
) -> None:
    """And takes one copy of it."""
    link = a_link(
        overtaken=tuple(a_removal(copies=each) for each in before[0]),
        writes=tuple(a_removal(copies=each) for each in before[1]),
    )

    assert copies(after_deletion_seen(link)) == after


def test_r18_a_deleted_row_takes_no_copy_of_a_write_that_is_no_removal() -> None:
    """It stays on its way."""
    write = a_write(an_item())
    assert copies(after_deletion_seen(a_link(overtaken=(write,), writes=(write,)))) == ([1], [1])
    assert copies(after_deletion_seen(a_link(overtaken=(write,), writes=(a_removal(),)))) == ([1], [0])


@pytest.mark.parametrize(
    ("write", "awaited"),
    [(a_removal(), True), (a_removal(copies=0), False), (a_write(an_item()), False)],
)
@pytest.mark.parametrize("where", ["overtaken", "writes"])
def test_r18_a_removal_of_ours_is_awaited_until_it_was_seen(
    where: str, write: Written, awaited: bool
) -> None:
    """Whether or not something newer was read back."""
    changes: dict[str, Any] = {where: (write,)}
    assert is_deletion_outstanding(a_link(**changes), READING) is awaited


@pytest.mark.parametrize(
    ("accepted", "sent", "updated", "touched"),
    [
        (0.7 * SECOND, -MINUTE, 0 * SECOND, True),
        (0.7 * SECOND, -MINUTE, -SECOND, False),
        (SECOND, -MINUTE, 0 * SECOND, False),
        (None, 0.7 * SECOND, 0 * SECOND, True),
        (None, SECOND, 0 * SECOND, False),
    ],
)
def test_r18_an_event_was_touched_since_a_write_from_the_second_of_its_answer_on(
    accepted: timedelta | None, sent: timedelta, updated: timedelta, touched: bool
) -> None:
    """Where no answer came, from that of its sending."""
    assert touched_since(NOW + updated, a_write(an_item(), accepted=accepted, sent=sent)) is touched


@pytest.mark.parametrize(
    ("state", "accepted", "age"),
    [
        (LinkState.AGREED, -MINUTE, 60.0),
        (LinkState.BEHIND, -MINUTE, 60.0),
        (LinkState.AGREED, None, 120.0),
        (LinkState.BEHIND, None, 0.0),
    ],
)
def test_r18_a_write_ages_from_its_answer_on(
    state: LinkState, accepted: timedelta | None, age: float
) -> None:
    """From its sending where the link agreed without one; not while it is still to be made."""
    newest = a_write(an_item(), accepted=accepted, sent=-2 * MINUTE)
    link = a_link(state=state, writes=(a_write(an_item(), accepted=-5 * MINUTE), newest))

    assert age_of_last_write(link, READING) == pytest.approx(age)


@pytest.mark.parametrize(
    ("accepted", "sent", "awaited"),
    [
        (-15 * MINUTE, -20 * MINUTE, False),
        (-15 * MINUTE + SECOND, -20 * MINUTE, True),
        (None, -15 * MINUTE, False),
        (None, -15 * MINUTE + SECOND, True),
    ],
)
def test_r18_a_write_is_awaited_for_a_quarter_of_an_hour(
    accepted: timedelta | None, sent: timedelta, awaited: bool
) -> None:
    """From its answer on, else from its sending; one that was seen as often as it was sent is not."""
    write = a_write(an_item(), accepted=accepted, sent=sent)
    assert outstanding_writes([write], READING) == ((write,) if awaited else ())
    assert outstanding_writes([replace(write, copies=0)], READING) == ()

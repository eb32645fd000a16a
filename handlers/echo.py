"""What a row of the calendar shows, held against everything that was written to its event."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.calendar import Fingerprints, Link, LinkState, Origin, Written
from handlers.fingerprints import NO_EVENT, are_same, differing_fields
from handlers.judgement import LinkedRow, Reading
from handlers.outbound_message import MOST_REMEMBERED_WRITES

ARRIVAL_SECONDS = 15 * 60.0
"""Seconds after which an accepted write that does not show is made once more, or was refused (R10)."""

LATE_SECONDS = 24 * 3600.0
"""Seconds for which a write of ours that does not show is on its way, and not undone by a person (R38)."""

LATEST_SECONDS = 24 * 3600.0
"""Seconds after which a write that was sent comes no more, however late a provider may be."""

REWRITES_BEFORE_REFUSED = 3
"""Writes within an hour after which a foreign event that shows only a part of them refused the rest (R10)."""
REWRITES_WITHIN_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RowReading:
    """A living row, told apart into what this sync wrote and what a person did."""

    read: Fingerprints
    fields: set[str]
    """Those that are neither as last written nor as anything before it left them."""
    confirmed: bool = False
    """The newest write was read back."""
    arrived: bool = True
    """The newest write is there, beyond what a person changed since."""
    passed: bool = False
    """An earlier write shows: it may have come after the newest."""
    belated: bool = False
    """It did: the newest was read back before."""


def read_row(row: LinkedRow, read: Fingerprints, own: Fingerprints) -> RowReading:
    """Say what a row shows; ``own`` stands in where nothing is known of the event."""
    link = row.link
    newest = link.writes[-1] if link.writes else None
    if newest is None:
        return _look_at_rest(link, read, own)
    # "Lunch" at 12:00 was written, accepted at 9:00:00. A row of 9:00:02 shows "Lunch" at 12:00: our echo.
    if are_same(read, newest.prints):
        return RowReading(read=read, fields=set(), confirmed=True)
    return _look_past(link, newest, read, mixed=_mixed(row, read), late=_is_late(row, newest))


def _is_late(row: LinkedRow, newest: Written) -> bool:
    """Whether what shows is a person's doing, although it is as it was before the newest write."""
    # Sent on Monday at 9:00, not there on Tuesday at 9:01, and the event was touched on Monday at 9:10: a
    # person undid it. Touched on Monday at 8:50 for the last time: it may still be under way, however late.
    link, updated = row.link, row.updated
    if link.origin is Origin.EXTERNAL:
        return age_of_last_write(link, row.reading) >= ARRIVAL_SECONDS and (
            updated is None or touched_since(updated, newest)
        )
    return row.reading.now - newest.sent_at >= LATE_SECONDS and _touched_after(updated, newest.sent_at)


def was_made_again(link: Link, reading: Reading) -> bool:
    """Whether the newest write was made once more within the last day, because it did not show (R38).

    What was made sooner, for an older write had passed over it, may have been overtaken by the same again.
    """
    soonest = link.writes[-1].sent_at + ARRIVAL_SECONDS if link.writes else 0.0
    return any(at >= soonest and at > reading.now - LATE_SECONDS for at in link.rewrites)


def _look_at_rest(link: Link, read: Fingerprints, own: Fingerprints) -> RowReading:
    if are_same(read, link.agreed):
        return RowReading(read=read, fields=set())
    # "Lunch" was agreed. A row that shows "Dinner" is an edit of the title; but if "Dinner" was written at
    # 9:00 and overtaken by "Lunch" at 9:01, until 9:15 it is that write, which came after all: belated.
    changed = differing_fields(read, {**own, **(link.agreed or {}), **(link.last_read or {})})
    fields = _unexplained(changed, read, [write.prints for write in link.overtaken if write.copies > 0])
    return RowReading(read=read, fields=fields, arrived=fields == changed, belated=fields != changed)


def _unexplained(fields: set[str], read: Fingerprints, known: Sequence[Fingerprints]) -> set[str]:
    """Those of the fields that are as in none of what is known."""
    return {name for name in fields if all(name in differing_fields(read, each) for each in known)}


def _look_past(link: Link, newest: Written, read: Fingerprints, *, mixed: set[str], late: bool) -> RowReading:
    """What a row shows while a write has not been read back.

    ``mixed``: fields that may be of several of the writes. ``late``: time enough has passed, and the
    event was touched since. What shows is then a person's doing, also where it is as it was before; but a
    foreign event may have refused the write in silence.
    """
    # "Lunch" at 12:00 was agreed, "Dinner" at 12:00 is written. The row shows
    # "Lunch" at 12:00: as before, so it has not arrived;  "Dinner" at 13:00: arrived, and the start edited;
    # "Supper" at 12:00: the title edited, and nobody can say upon which of the two, so not arrived;
    # "Brunch" at 12:00, written between them: that one has passed, before or after "Dinner".
    earlier = [write.prints for write in (*link.overtaken, *link.writes[:-1])]
    before = [known for known in (link.agreed, link.last_read) if known is not None] + earlier
    fields = differing_fields(read, newest.prints)
    if late and link.origin is Origin.OURS:
        return RowReading(read=read, fields=fields)
    fields = _unexplained(fields, read, before)
    rest = differing_fields(read, newest.prints) - fields
    told_apart = all(differing_fields(newest.prints, known) - fields for known in before)
    return RowReading(
        read=read,
        fields=fields,
        arrived=not rest and (told_apart or late),
        passed=any(are_same(read, each) for each in earlier) or bool(mixed - fields),
    )


def _mixed(row: LinkedRow, read: Fingerprints) -> set[str]:
    """The fields that a foreign event took, perhaps in the wrong order: writes to it name single ones."""
    link = row.link
    # Agreed: "Park", no text. Written: first "Hall", then "Yard" with "Bring fruit". A row that shows "Hall"
    # with "Bring fruit" is neither of them, and no edit: the second came first, and the first over it.
    attempts = sum(at > row.reading.now - REWRITES_WITHIN_SECONDS for at in link.rewrites)
    if link.origin is Origin.OURS or link.agreed is None or attempts >= REWRITES_BEFORE_REFUSED:
        return set()
    return (
        differing_fields(read, link.agreed) if _touched_after(row.updated, link.writes[0].sent_at) else set()
    )


def age_of_last_write(link: Link, reading: Reading) -> float:
    """The seconds since the newest write was accepted; none while it is still to be made."""
    newest = link.writes[-1]
    if newest.accepted_at is None and link.state is not LinkState.AGREED:
        return 0.0
    return reading.now - (newest.accepted_at if newest.accepted_at is not None else newest.sent_at)


def outstanding_writes(writes: Sequence[Written], reading: Reading) -> tuple[Written, ...]:
    """Those that may yet arrive: until 15 minutes after they were accepted (R18)."""
    return tuple(write for write in recent_writes(writes, reading) if write.copies > 0)


def recent_writes(writes: Sequence[Written], reading: Reading) -> tuple[Written, ...]:
    """Those that were accepted within 15 minutes."""
    return tuple(
        write for write in writes if reading.now - (write.accepted_at or write.sent_at) < ARRIVAL_SECONDS
    )


def after_overtaking(link: Link, reading: Reading) -> Link:
    """The link, which waits for none of its writes, and knows those that may yet arrive."""
    # "Brunch" was accepted at 9:00, "Dinner" at 9:01, and "Dinner" is read at 9:02: "Brunch" may yet come
    # over it, until 9:15, and is no edit then.
    earlier = outstanding_writes((*link.overtaken, *link.writes), reading)[-MOST_REMEMBERED_WRITES:]
    return replace(link, writes=(), overtaken=earlier)


def after_edit(link: Link, at: datetime) -> Link:
    """The link whose event a person has edited, who saw what had been written there before."""
    # "Dinner" was accepted at 9:00, the person edited at 9:05: it had come by then, and comes no more.
    # One accepted at 9:06 may come yet, over the edit.
    writes, passed = (
        tuple(replace(each, copies=0) if not _accepted_after(each, at) else each for each in them)
        for them in (link.writes, link.overtaken)
    )
    return replace(link, writes=writes, overtaken=passed)


def _accepted_after(write: Written, at: datetime) -> bool:
    return write.accepted_at is None or math.floor(write.accepted_at) > at.timestamp()


def is_deletion_outstanding(link: Link, reading: Reading) -> bool:
    """Whether a deletion of ours may yet arrive."""
    return any(_deletion(write) for write in outstanding_writes((*link.overtaken, *link.writes), reading))


def may_have_made(row: LinkedRow) -> bool:
    """Whether a write of ours that comes late, after the deletion, may have made this event anew.

    Such a one has an identity of its own; an event under the known one was fetched back.
    """
    link = row.link
    if row.event.event_uid == link.event_uid or link.origin is Origin.EXTERNAL:
        return False
    return _may_still_come(row)


def touched_since_removal(row: LinkedRow) -> bool:
    """Whether its owner had a hand in an event after our removal of it was accepted, seen gone or not."""
    # Its owner deleted it on Monday at 9:00, Vorex at 9:01: accepted, with nothing left to remove, and no
    # deleted row follows. Changed at 9:30, on Monday it may show a late write of ours, with the removal
    # still on its way; on Tuesday neither comes any more: its owner fetched it back.
    link, updated, accepted = row.link, row.updated, row.link.accepted_at
    removed = link.desired is None and link.state is LinkState.AGREED and link.desired_revision > 0
    if not removed or accepted is None or updated is None or _may_still_come(row):
        return False
    return row.reading.asked_at - accepted >= LATEST_SECONDS and _touched_after(updated, accepted)


def _may_still_come(row: LinkedRow) -> bool:
    return any(
        write.copies > 0 and not _deletion(write) and row.reading.now - write.sent_at < LATEST_SECONDS
        for write in (*row.link.overtaken, *row.link.writes)
    )


def after_deletion_seen(link: Link) -> Link:
    """The link, with a copy fewer on its way of its oldest deletion that may yet arrive."""
    # Removed at 9:00 and written again at 9:01: the first deleted row is that removal's, the next a person's.
    known = [*link.overtaken, *link.writes]
    due = next((at for at, each in enumerate(known) if _deletion(each) and each.copies > 0), None)
    if due is None:
        return link
    known[due] = replace(known[due], copies=known[due].copies - 1)
    passed = len(link.overtaken)
    return replace(link, overtaken=tuple(known[:passed]), writes=tuple(known[passed:]))


def _deletion(write: Written) -> bool:
    return write.prints == NO_EVENT


def after_write_seen(link: Link, read: Fingerprints, updated: datetime | None) -> Link:
    """The link, with a copy fewer on its way of the write that a new row shows."""
    writes, passed = (_noticed(them, read, updated) for them in (link.writes, link.overtaken))
    return replace(link, writes=writes, overtaken=passed)


def count_awaited(link: Link) -> int:
    """How many of the earlier writes may yet arrive."""
    return sum(write.copies for write in (*link.overtaken, *link.writes[:-1]))


def _noticed(writes: Sequence[Written], read: Fingerprints, updated: datetime | None) -> tuple[Written, ...]:
    # "Dinner" was sent at 9:00:00, without an answer, and again at 9:00:20: two copies. Each new row that
    # shows it takes one; a row of 8:59:59 shows what a person wrote, which only looks the same.
    marked = list(writes)
    for at in reversed(range(len(marked))):
        each = marked[at]
        if are_same(read, each.prints) and each.copies and _touched_after(updated, each.sent_at):
            marked[at] = replace(each, copies=each.copies - 1)
            break
    return tuple(marked)


def _touched_after(updated: datetime | None, moment: float) -> bool:
    return updated is None or updated.timestamp() >= math.floor(moment)


def touched_since(updated: datetime, write: Written) -> bool:
    """Whether the event changed after the write was accepted; stamps have whole seconds."""
    # Accepted at 9:00:00.7, changed at "9:00:00": the same second, so it may have been after.
    at = write.accepted_at if write.accepted_at is not None else write.sent_at
    return updated.timestamp() >= math.floor(at)

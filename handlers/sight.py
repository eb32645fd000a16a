"""What a row of the calendar shows, held against everything that was written to its event (DESIGN 7.3)."""

import math
from dataclasses import dataclass
from datetime import datetime

from contracts.calendar import Link, LinkState, Origin, Prints, Written
from handlers.prints import differing, same
from handlers.reading import Reading

ARRIVAL = 15 * 60.0
"""Seconds after which an accepted write of ours that does not show was undone by a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """A living row, told apart into what this sync wrote and what a person did."""

    read: Prints
    fields: set[str]
    """Those that are neither as last written nor as anything before it left them."""
    confirmed: bool = False
    """The newest write was read back."""
    arrived: bool = True
    """The newest write is there, beyond what a person changed since."""
    passed: bool = False
    """An earlier write shows: it may have come after the newest."""


def look(link: Link, read: Prints, own: Prints, *, updated: datetime | None, reading: Reading) -> Sight:
    """Say what a row shows; ``own`` stands in where nothing is known of the event."""
    newest = link.writes[-1] if link.writes else None
    if newest is None:
        return Sight(read=read, fields=_changed_at_rest(link, read, own))
    if same(read, newest.prints):
        return Sight(read=read, fields=set(), confirmed=True)
    late = age(link, reading) >= ARRIVAL and (updated is None or touched_since(updated, newest))
    return _look_past(link, newest, read, late=late)


def _changed_at_rest(link: Link, read: Prints, own: Prints) -> set[str]:
    if same(read, link.agreed):
        return set()
    return differing(read, {**own, **(link.agreed or {}), **(link.last_read or {})})


def _look_past(link: Link, newest: Written, read: Prints, *, late: bool) -> Sight:
    """What a row shows while a write has not been read back.

    ``late``: time enough has passed, and the event was touched since. What shows is then a person's doing,
    also where it is as it was before; but a foreign event may have refused the write in silence.
    """
    before = [known for known in (link.agreed, link.last_read) if known is not None]
    before += [write.prints for write in link.writes[:-1]]
    fields = differing(read, newest.prints)
    if late and link.origin is Origin.OURS:
        return Sight(read=read, fields=fields)
    fields = {name for name in fields if all(name in differing(read, known) for known in before)}
    rest = differing(read, newest.prints) - fields
    told_apart = all(differing(newest.prints, known) - fields for known in before)
    return Sight(
        read=read,
        fields=fields,
        arrived=not rest and (told_apart or late),
        passed=any(same(read, write.prints) for write in link.writes[:-1]),
    )


def age(link: Link, reading: Reading) -> float:
    """The seconds since the newest write was accepted; none while it is still to be made."""
    newest = link.writes[-1]
    if newest.accepted_at is None and link.state is not LinkState.AGREED:
        return 0.0
    return reading.now - (newest.accepted_at if newest.accepted_at is not None else newest.sent_at)


def touched_since(updated: datetime, write: Written) -> bool:
    """Whether the event changed after the write was accepted; stamps have whole seconds."""
    at = write.accepted_at if write.accepted_at is not None else write.sent_at
    return updated.timestamp() >= math.floor(at)

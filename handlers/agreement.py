"""Which pairs agree once a calendar was read whole, and why the others do not (R51).

Pure. What a link knows was read, sent and decided before; here it is only weighed, against the item itself.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from contracts.calendar import Code, Fingerprints, Integration, Item, Link, LinkState, Origin
from contracts.times import as_day
from handlers.fingerprints import TIME_FIELDS, are_alike, fingerprints_of_event
from handlers.judgement import days_to_read
from handlers.link_states import UNWRITTEN_STATES, rewrite, want
from handlers.plan import RemoveEvent, WriteEvent, belongs_on_calendar, desired_event
from handlers.texts.compose import compose, event_span


class Why(StrEnum):
    """Why a pair does not agree: a closed set, each with its sentence."""

    ON_ITS_WAY = "on_its_way"
    ANSWER = "answer"
    """Its deletion waits for a person's answer (R11)."""
    REFUSED = "refused"
    NOT_POSSIBLE = "not_possible"
    """A rule or the calendar forbids it; the code says which."""
    CHANGED_THERE = "changed_there"
    """By hand, and not taken over (R7)."""
    LEFT_OFF = "left_off"
    """Its copy was taken off the calendar by hand, and the item stays (R6, R7, R50)."""
    KEPT_THERE = "kept_there"
    """Its owner keeps on the calendar what Vorex had taken off."""
    TYPE_OFF = "type_off"
    OUT_OF_REACH = "out_of_reach"
    """Cronofy does not show its days, so nobody can look."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The complete read that agreement is judged by; moments by the store's clock, in seconds."""

    read_since: float
    """What was read later than this was shown by it."""
    now: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Why one pair does not agree, and since when it is on its way."""

    why: Why
    code: Code | None = None
    since: datetime | None = None


_UNEXPLAINED = Difference(why=Why.UNEXPLAINED)


def is_counted(item: Item, integration: Integration, link: Link, check: Check) -> bool:
    """Whether the pair is one that could agree: something is, or should be, on a side that can be read."""
    there = link.exists_there or link.state in UNWRITTEN_STATES
    if not there and not belongs_on_calendar(item, integration):
        return False
    span = event_span(item.content) if item.content is not None else None
    first, _ = _days_read(check)
    return span is None or as_day(span[1]) >= first


def why_different(item: Item, integration: Integration, link: Link, check: Check) -> Difference | None:
    """Why both sides of a counted pair are not alike; None where they are."""
    match link.state:
        case LinkState.BEHIND | LinkState.RETRYING:
            return Difference(why=Why.ON_ITS_WAY, since=_wanted_since(item, link))
        case LinkState.HELD:
            answer = link.code is Code.HELD_DELETION
            return Difference(why=Why.ANSWER if answer else Why.ON_ITS_WAY, since=item.changed_at)
        case LinkState.FAILED:
            return Difference(why=Why.REFUSED, code=link.code)
        case LinkState.LET_GO:
            return Difference(why=Why.KEPT_THERE if link.exists_there else Why.LEFT_OFF, code=link.code)
        case LinkState.FROZEN:
            off = link.code is Code.TYPE_OFF
            return Difference(why=Why.TYPE_OFF if off else Why.NOT_POSSIBLE, code=link.code)
    return _at_rest(item, integration, link, check)


def _at_rest(item: Item, integration: Integration, link: Link, check: Check) -> Difference | None:
    if link.differs:
        return Difference(why=Why.CHANGED_THERE)
    belongs = belongs_on_calendar(item, integration)
    if belongs is not link.exists_there:
        return _UNEXPLAINED
    return _there(item, link, check) if belongs else None


def _there(item: Item, link: Link, check: Check) -> Difference | None:
    unseen = link.read_at is None or link.read_at < check.read_since
    if unseen and _is_beyond(item, check):
        return Difference(why=Why.OUT_OF_REACH)
    if link.writes:
        return Difference(why=Why.ON_ITS_WAY, since=_moment(link.writes[-1].sent_at))
    if unseen and link.accepted_at is not None and link.accepted_at >= check.read_since:
        return Difference(why=Why.ON_ITS_WAY, since=_moment(link.accepted_at))
    return None if not unseen and is_alike(item, link) else _UNEXPLAINED


def _is_beyond(item: Item, check: Check) -> bool:
    """Ahead of the days that are read; or over, for how far back a calendar can be read differs (R11)."""
    span = event_span(item.content) if item.content is not None else None
    _, beyond = _days_read(check)
    return span is not None and (as_day(span[0]) >= beyond or as_day(span[1]) < _moment(check.now).date())


def is_alike(item: Item, link: Link) -> bool:
    """Whether what was read of the event says what the item says.

    Times must be the item's own (R18). A text may also be as both sides agreed on it: of the title of an
    appointment its owner may have dropped the account's name (R13).
    """
    fields = compose(item.content) if item.content is not None else None
    if fields is None or item.content is None:
        return False
    wanted = fingerprints_of_event(fields, item.content)
    settled = (link.agreed or {}) if link.applied_revision >= item.revision else {}
    return all(_says(name, read, wanted, settled) for name, read in (link.last_read or {}).items())


def _says(name: str, read: str | bool, wanted: Fingerprints, settled: Fingerprints) -> bool:
    known = [wanted[name]] if name in wanted else []
    if name not in TIME_FIELDS and name in settled:
        known.append(settled[name])
    return not known or any(are_alike(name, read, each) for each in known)


def tried_words(*, again: bool, tried: bool) -> str:
    """What an item's story says of a difference without a reason; ``again``: it was found before."""
    if tried:
        return "Both sides differ, and nothing says why. The linked calendar is put right once more."
    if again:
        return "Both sides differ still, and nothing says why. An operator is told."
    return "Both sides differ, and nothing says why. The next check looks once more."


def written_once_more(item: Item, integration: Integration, link: Link, check: Check) -> Link | None:
    """What is tried where a copy of ours differs and nothing says why; None where nothing may be written."""
    if link.origin is not Origin.OURS or link.state is not LinkState.AGREED:
        return None
    wished = desired_event(item, integration, rewrite(link, now=check.now))
    if not isinstance(wished, WriteEvent | RemoveEvent):
        return None
    again = rewrite(link, now=check.now)
    fields = wished.fields if isinstance(wished, WriteEvent) else None
    return want(again, fields, revision=item.revision) if again.state in UNWRITTEN_STATES else again


def _days_read(check: Check) -> tuple[date, date]:
    return days_to_read(_moment(check.now))


def _wanted_since(item: Item, link: Link) -> datetime:
    """When the newest thing that waits was wanted: by a change, or by a read that found it otherwise."""
    latest = max(link.rewrites, default=0.0)
    return max(item.changed_at, _moment(latest)) if latest else item.changed_at


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)

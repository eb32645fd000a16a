"""What a complete reading after an absence shows under other ids than before (R36).

Pure. Cronofy drops what it had cached of an account that it is not let at for long, and gives the same
events new ids afterwards (CRONOFY.md C14). What is unknown is therefore paired with what is known and was not
seen, by title, start, end and all-day flag, where exactly one fits.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

from contracts.calendar import (
    Code,
    Direction,
    Fingerprints,
    Integration,
    Item,
    Link,
    LinkId,
    LogAction,
    LogEntry,
    Outcome,
)
from contracts.cronofy import CronofyEvent
from contracts.times import as_day, wire_time
from contracts.vorex import ItemContent, ItemType
from handlers.arrivals.before import alike_key, event_keys, undecided_key
from handlers.arrivals.look_alikes import look_of_event, looks_of_item
from handlers.edits import masked_event
from handlers.fingerprints import fingerprints_of_event
from handlers.judgement import Reading, days_to_read, is_gone
from handlers.link_beginnings import found
from handlers.link_states import align
from handlers.log_entries import RowLog
from handlers.matching import MatchKey, match_key_of_event
from handlers.texts.compose import compose

_T = TypeVar("_T")
Sign = tuple[str, str, str]
"""Title, start and end, in the form of a text or of its print."""
STRAY_TITLE = "A copy whose item is not known"
STRAY_LEFT = "An event that was once written from here stands for no item any more; it is left as it is."
_ANY_APPOINTMENT = ItemContent(id="any", type=ItemType.APPOINTMENT, title="any", assignees=("any",))


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownIdentity:
    """By what the event of a link, or of an item without one, is known, and no more: there may be many."""

    key: str
    """The id of the link, or the ref of an item that has none here."""
    event_id: str | None = None
    event_uid: str | None = None
    stands: bool = True
    """Whether an event of it should be there."""
    signs: frozenset[Sign] = frozenset()
    looks: frozenset[MatchKey] = frozenset()
    """What an event looks like that may be it; of a link alone."""

    @classmethod
    def of_link(cls, link: Link, item: Item | None) -> "KnownIdentity":
        signs = {_sign_of_prints(prints) for prints in (link.agreed, link.last_read)}
        forms = [link.desired, compose(item.content) if item is not None and item.content else None]
        signs |= {match_key_of_event(form) for form in forms if form is not None}
        return cls(
            key=link.id,
            event_id=link.event_id,
            event_uid=link.event_uid,
            stands=link.exists_there and link.ended_at is None and item is not None and not item.deleted,
            signs=frozenset(sign for sign in signs if sign is not None),
            looks=frozenset(looks_of_item(item)) if item is not None else frozenset(),
        )

    @classmethod
    def of_item(cls, item: Item) -> "KnownIdentity":
        fields = compose(item.content) if item.content else None
        return cls(key=item.ref, signs=frozenset({match_key_of_event(fields)} if fields else ()))


def _sign_of_prints(prints: Fingerprints | None) -> Sign | None:
    """Of an appointment as it was agreed; of other types no title is ever read (R6)."""
    values = [(prints or {}).get(name) for name in ("title", "start", "end")]
    title, start, end = values
    if isinstance(title, str) and isinstance(start, str) and isinstance(end, str):
        return title, start, end
    return None


def _signs_of_event(event: CronofyEvent) -> frozenset[Sign]:
    view = masked_event(event)
    printed = _sign_of_prints(fingerprints_of_event(view, _ANY_APPOINTMENT))
    return frozenset({match_key_of_event(view), *({printed} if printed else ())})


@dataclass(kw_only=True, slots=True)
class RecognisedEvents:
    """What is to be done about the events that came under ids that nobody knows."""

    found: list[tuple[str, CronofyEvent]] = field(default_factory=list)
    """Keys of known identities, each with the event that it is."""
    prior: list[str] = field(default_factory=list)
    """Keys of events that were there before and are not to be brought (R33)."""
    undecided: list[str] = field(default_factory=list)
    """Keys of events that may be something known: all is not read once more for them."""
    strays: list[CronofyEvent] = field(default_factory=list)
    """Copies of ours that stand for nothing that is known."""


def recognise(
    events: Sequence[CronofyEvent],
    known: Sequence[KnownIdentity],
    *,
    prior: Collection[str],
    known_since: datetime | None,
    had_prior: bool = True,
    asked: Collection[str] = (),
) -> RecognisedEvents:
    """Pair these events, all that stand on the calendar, with what is known and was not seen among them.

    ``prior``: keys of events that are not to be brought, as known before; ``had_prior``: whether there was
    any such event. ``asked``: the uids of those about which a person is asked. ``known_since``: until when
    all that was on the calendar is known; None at the first reading, when only our own copies are looked at.
    """
    living = [event for event in events if not is_gone(event)]
    names = {name for each in known for name in (each.event_id, each.event_uid) if name is not None}
    seen = {name for event in living for name in (event.event_id, event.event_uid) if name is not None}
    waiting = [each for each in known if each.stands and not seen & {each.event_id, each.event_uid}]
    open_to_all = [
        event
        for event in living
        if not names & {event.event_id, event.event_uid} and _is_open(event, prior, known_since)
    ]
    pairs = _pairs(open_to_all, waiting)
    taken = {event.event_uid for _, event in pairs}
    left = [event for event in open_to_all if event.event_uid not in taken]
    stand = _ids_stand(living, known, prior, had_prior=had_prior)
    paired = {key for key, _ in pairs}
    missed = {look for each in waiting if each.key not in paired for look in each.looks}
    open_questions = {uid for event in left if (uid := event.event_uid) in asked or alike_key(event) in prior}
    there = [
        event
        for event in left
        if event.event_uid not in open_questions and _was_there(event, known_since, undated=not stand)
    ]
    return RecognisedEvents(
        found=pairs,
        prior=[key for event in there for key in event_keys(event)],
        undecided=[undecided_key(event) for event in left if _may_be_known(event, known_since, missed)],
        strays=[event for event in left if event.event_id is not None and stray_key(event) not in prior],
    )


def _is_open(event: CronofyEvent, prior: Collection[str], known_since: datetime | None) -> bool:
    """Whether it is to be found out what the event is: any copy of ours, others where they came anew."""
    if event.event_id is not None:
        return True
    return known_since is not None and not any(key in prior for key in event_keys(event))


def _ids_stand(
    living: Iterable[CronofyEvent],
    known: Iterable[KnownIdentity],
    prior: Collection[str],
    *,
    had_prior: bool,
) -> bool:
    """Whether events have the ids that they had, so that an unknown one without a stamp is new.

    One that is known by its id proves it; so does a calendar on which nothing was.
    """
    names = {each.event_uid for each in known if each.stands and each.event_id is None}
    foreign = [event for event in living if event.event_id is None]
    if any(event.event_uid in names or any(key in prior for key in event_keys(event)) for event in foreign):
        return True
    return not names and not had_prior


def _was_there(event: CronofyEvent, known_since: datetime | None, *, undated: bool) -> bool:
    """Whether the last complete reading showed it; ``undated``: what becomes of an event without a stamp.

    One made before that reading, but outside of the days that it could see, is none of those.
    """
    # Of a daily series, made in January, the reading of 1 June showed the occurrences up to 17 December. That
    # of the 18th is made of January, too, and was never seen.
    if event.event_id is not None or known_since is None:
        return False
    first, beyond = days_to_read(known_since)
    if as_day(event.start) >= beyond or as_day(event.end) < first:
        return False
    return undated if event.created is None else event.created < known_since.replace(microsecond=0)


def _may_be_known(event: CronofyEvent, known_since: datetime | None, missed: Collection[MatchKey]) -> bool:
    """Whether it looks like something known that was not seen, and nobody can say that it is that.

    Else all would be read once more to find that out, for ever.
    """
    return event.event_id is None and known_since is not None and look_of_event(event) in missed


def _pairs(
    events: Iterable[CronofyEvent], waiting: Iterable[KnownIdentity]
) -> list[tuple[str, CronofyEvent]]:
    """Those of both sides that fit each other and nothing else."""
    there: defaultdict[Sign, dict[str, CronofyEvent]] = defaultdict(dict)
    here: defaultdict[Sign, dict[str, KnownIdentity]] = defaultdict(dict)
    for event in events:
        for sign in _signs_of_event(event):
            there[sign][event.event_uid] = event
    for each in waiting:
        for sign in each.signs:
            here[sign][each.key] = each
    pairs: list[tuple[str, CronofyEvent]] = []
    for each in {one.key: one for ones in here.values() for one in ones.values()}.values():
        fits = _only_one(there.get(sign, {}) for sign in each.signs)
        if fits is not None and _only_one(here.get(sign, {}) for sign in _signs_of_event(fits)) is not None:
            pairs.append((each.key, fits))
    return pairs


def _only_one(named: Iterable[Mapping[str, _T]]) -> _T | None:
    """What all of these name, where it is one; of more no more than two are looked at."""
    found: dict[str, _T] = {}
    for each in named:
        found |= islice(each.items(), 2)
        if len(found) > 1:
            return None
    return next(iter(found.values()), None)


def stray_key(event: CronofyEvent) -> str:
    """Under which a stray copy is remembered as told."""
    return f"id:{event.event_id}"


def stray_entry(event: CronofyEvent, integration: Integration, reading: Reading) -> LogEntry:
    """That such a copy is there: told once, without its texts, which may be anybody's."""
    return LogEntry(
        integration_id=integration.id,
        trigger=reading.trigger,
        direction=Direction.TO_MY_CALENDAR,
        action=LogAction.NONE,
        outcome=Outcome.SKIPPED,
        code=Code.DIFFERS,
        reason=f"{STRAY_LEFT} Its day: {wire_time(event.start)[:10]}.",
        title=STRAY_TITLE,
        run_id=reading.run_id,
    )


def linked_stray(
    item: Item, event: CronofyEvent, integration: Integration, reading: Reading, link_id: LinkId
) -> tuple[Link, LogEntry]:
    """The link of an item to a copy that was written for it under an id that nobody knew any more."""
    assert item.content is not None
    agreed = fingerprints_of_event(event, item.content)
    link = align(found(item, integration, event, reading, link_id), item, agreed, last_read=agreed)
    reason = "A copy that was written from here before: linked again instead of written beside it."
    entry = RowLog(item, integration, reading)(LogAction.LINK, Outcome.DONE, Code.OK, reason)
    return link, entry

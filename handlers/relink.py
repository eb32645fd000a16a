"""Linking again: events that an earlier integration of the same person knew are adopted, not doubled (R21).

Pure. Found by our event id, else by event uid, else by title, start and end where exactly one fits.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts.calendar import (
    Code,
    Fingerprints,
    Integration,
    Item,
    ItemRef,
    Link,
    LinkId,
    LinkState,
    LogAction,
    LogEntry,
    Origin,
    Outcome,
)
from contracts.cronofy import CronofyEvent
from handlers.edits import masked_event
from handlers.fingerprints import NO_EVENT, fingerprints_of_event
from handlers.inbound_event import judge_row
from handlers.judgement import NO_CHANGE, Judgement, Reading, content_of, is_gone
from handlers.link_beginnings import carry_over, found
from handlers.link_states import recall
from handlers.log_entries import RowLog
from handlers.matching import MatchKey, match_key_of_event
from handlers.outbound_message import LEAVE_REASONS, outbound_entry
from handlers.plan import belongs_on_calendar
from handlers.reconcile import compared_link
from handlers.texts.compose import compose


@dataclass(frozen=True, kw_only=True, slots=True)
class Tombstone:
    """What is left of a pair whose integration was deleted."""

    link: Link
    item: Item
    same_calendar: bool
    """Whether it stood for the very calendar that is linked now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TombstoneSign:
    """What tells of which event a tombstone speaks, and no more: there may be very many."""

    item_ref: ItemRef
    event_id: str | None
    event_uid: str | None
    alive: bool
    twin: MatchKey | None
    stands_unseen: bool

    @classmethod
    def of(cls, tombstone: Tombstone) -> "TombstoneSign":
        return cls(
            item_ref=tombstone.item.ref,
            event_id=tombstone.link.event_id,
            event_uid=tombstone.link.event_uid,
            alive=_alive(tombstone),
            twin=_twin_of_item(tombstone.item),
            stands_unseen=_stands_unseen(tombstone),
        )


@dataclass(kw_only=True, slots=True)
class TombstonePairing:
    """Which event each tombstone speaks of."""

    found: list[tuple[TombstoneSign, CronofyEvent]] = field(default_factory=list)
    unseen: list[TombstoneSign] = field(default_factory=list)
    """Foreign events of this calendar that the reading did not show, which says nothing of them (R11)."""


def pair_up(events: Sequence[CronofyEvent], signs: Sequence[TombstoneSign]) -> TombstonePairing:
    """Say which of these events are known from before; there is one sign of each item."""
    living = [event for event in events if not is_gone(event)]
    waiting = {each.item_ref: each for each in signs}
    pairing = TombstonePairing()
    _take(pairing, waiting, _by_event_id(living))
    rest = [event for event in living if event.event_id is None]
    _take(pairing, waiting, {f"uid:{event.event_uid}": event for event in rest})
    taken = {event.event_uid for _, event in pairing.found}
    _take_equals(pairing, waiting, [event for event in rest if event.event_uid not in taken])
    pairing.unseen = [each for each in waiting.values() if each.stands_unseen]
    return pairing


def _by_event_id(events: Sequence[CronofyEvent]) -> dict[str, CronofyEvent]:
    return {f"id:{event.event_id}": event for event in events if event.event_id is not None}


def _take(
    pairing: TombstonePairing, waiting: dict[ItemRef, TombstoneSign], events: Mapping[str, CronofyEvent]
) -> None:
    for ref, each in list(waiting.items()):
        keys = (f"id:{each.event_id}", f"uid:{each.event_uid}")
        event = next((events[key] for key in keys if key in events), None)
        if event is not None and (event.event_id is not None or each.alive):
            pairing.found.append((each, event))
            del waiting[ref]


def _alive(tombstone: Tombstone) -> bool:
    """A foreign event of an item that is gone is foreign again."""
    return not tombstone.item.deleted and tombstone.item.content is not None


def _take_equals(
    pairing: TombstonePairing, waiting: dict[ItemRef, TombstoneSign], events: Sequence[CronofyEvent]
) -> None:
    there = {match_key_of_event(event): event for event in events if not event.event_private}
    often = Counter(match_key_of_event(event) for event in events)
    here = Counter(each.twin for each in waiting.values() if each.twin)
    for ref, each in list(waiting.items()):
        twin = each.twin
        if twin in there and often[twin] == 1 and here[twin] == 1:
            pairing.found.append((each, there[twin]))
            del waiting[ref]


def _twin_of_item(item: Item) -> MatchKey | None:
    fields = compose(item.content) if item.content and not item.deleted else None
    return match_key_of_event(fields) if fields else None


def _stands_unseen(each: Tombstone) -> bool:
    foreign = each.link.origin is Origin.EXTERNAL and each.link.exists_there
    return foreign and each.same_calendar and _alive(each)


def was_never_sent(link: Link) -> bool:
    """A wish from before the reading, of which nothing has left yet."""
    return link.state is LinkState.HELD and link.applied_revision == 0 and not link.exists_there


KNOWN_FROM_BEFORE = "Known from an earlier integration: linked again instead of copied."
CAME_BACK = "It came back under another id: linked again instead of copied."


def adopted_link(
    tombstone: Tombstone,
    event: CronofyEvent,
    integration: Integration,
    reading: Reading,
    link_id: LinkId,
    *,
    reason: str = KNOWN_FROM_BEFORE,
) -> Judgement:
    """The link to an event that was found again, with what either side changed meanwhile (R19)."""
    item = tombstone.item
    link = _link(tombstone, event, integration, reading, link_id)
    judged = NO_CHANGE
    if belongs_on_calendar(item, integration) and not (
        link.origin is Origin.EXTERNAL and event.event_private
    ):
        judged = judge_row(event, link, item, integration, reading)
    after = judged.item or item
    seen = judged.link or link
    settled = compared_link(seen, after, integration) or seen
    linked = RowLog(after, integration, reading)(LogAction.LINK, Outcome.DONE, Code.OK, reason)
    entries = [linked, *judged.entries, *_frozen(settled, after, integration)]
    return Judgement(link=settled, item=judged.item, entries=entries)


def carried_link(tombstone: Tombstone, integration: Integration, link_id: LinkId) -> Judgement:
    """The link to a foreign event that was known and not shown: its item is never created beside it."""
    old, item = tombstone.link, tombstone.item
    link = carry_over(old, item, integration, link_id)
    link = recall(link, old, item, agreed=_remembered(old), last_read=old.last_read)
    settled = compared_link(link, item, integration) or link
    return Judgement(link=settled, entries=_frozen(settled, item, integration))


def _link(
    tombstone: Tombstone, event: CronofyEvent, integration: Integration, reading: Reading, link_id: LinkId
) -> Link:
    old, item = tombstone.link, tombstone.item
    ours = event.event_id is not None
    view = event if ours else masked_event(event)
    known = None if view.event_private and not ours else _remembered(old)
    unread = replace(reading, now=reading.asked_at)  # the row itself is judged next, as one that came later
    return recall(
        found(item, integration, event, unread, link_id),
        old,
        item,
        agreed=known or fingerprints_of_event(view, content_of(item)),
        last_read=old.last_read if known else None,
    )


def _remembered(old: Link) -> Fingerprints | None:
    """What the calendar held when it was last known: the newest write that was accepted, else what agreed."""
    accepted = [write for write in old.writes if write.accepted_at is not None and write.prints != NO_EVENT]
    if not accepted:
        return old.agreed
    return {**(old.agreed or {}), **accepted[-1].prints}


def _frozen(link: Link, item: Item, integration: Integration) -> list[LogEntry]:
    """Why Vorex's newer values cannot be written over a foreign event (R10)."""
    if link.state is not LinkState.FROZEN or link.code is None:
        return []
    entry = outbound_entry(
        item,
        integration.id,
        action=LogAction.UPDATE,
        outcome=Outcome.SKIPPED,
        code=link.code,
        reason=LEAVE_REASONS[link.code],
        received=None,
    )
    return [entry]

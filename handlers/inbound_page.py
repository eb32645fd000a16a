"""What a read of the linked calendar does to My Calendar: known rows are judged, foreign ones arrive.

Pure. The rules are R1 (shared mailboxes), R3, R5, R8, R9, R11 and R33.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from contracts.calendar import (
    Code,
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
    item_ref,
)
from contracts.cronofy import CronofyEvent
from contracts.times import as_day
from contracts.vorex import ItemType
from handlers.echo import outstanding_writes
from handlers.edits import imported_item, masked_event, read_only_code
from handlers.fingerprints import fingerprints_of_event
from handlers.inbound_event import judge_row
from handlers.judgement import Judgement, Reading, calendar_time, content_of, is_gone
from handlers.link_states import align, found
from handlers.log_entries import RowLog
from handlers.matching import MatchKey, match_key_of_event

READ_DAYS_BACK = 41
READ_DAYS_AHEAD = 200
MOST_FREE_DELETIONS = 10
LARGEST_FREE_SHARE = 3
"""One in so many of the pairs may go without a question."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownRows:
    """What the store knows that bears on the rows of a page."""

    integration: Integration
    links: Sequence[Link]
    items: Mapping[ItemRef, Item]
    prior: frozenset[str]
    """Keys of events that real-time sync does not bring (R33)."""
    twins: frozenset[MatchKey] = frozenset()
    """Living copies of other people's syncs on the same calendar (R1)."""
    equals: Mapping[MatchKey, Sequence[Item]] = field(default_factory=dict)
    """Items of this person that are not linked here, by what makes an event equal to them (R29)."""
    undecided: bool = False
    """Whether an equal event may still come on a later page, so that nothing can be decided about one."""


@dataclass(kw_only=True, slots=True)
class PageChanges:
    """What one page does, gathered for one transaction."""

    links: list[Link] = field(default_factory=list)
    new_links: list[Link] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)
    gone: list[Link] = field(default_factory=list)
    prior: list[str] = field(default_factory=list)
    again: bool = False
    linked: int = 0
    """Events that were found to be equal to an item and are linked to it (R29)."""
    left: list[tuple[MatchKey, str]] = field(default_factory=list)
    """Events, by their uids, about which is decided when all of their equals are known (R29)."""

    def take(self, judgement: Judgement) -> None:
        """Add what one row does."""
        if judgement.link is not None:
            (self.gone if judgement.gone else self.links).append(judgement.link)
        if judgement.item is not None:
            self.items.append(judgement.item)
        self.entries.extend(judgement.entries)
        self.again = self.again or judgement.again


def event_keys(event: CronofyEvent) -> list[str]:
    """The keys under which an event, and its series, is remembered as not to be brought (R33)."""
    keys = [f"uid:{event.event_uid}"]
    return [*keys, f"series:{event.series_identifier}"] if event.series_identifier else keys


def judge_page(
    events: Iterable[CronofyEvent],
    known: KnownRows,
    reading: Reading,
    *,
    new_id: Callable[[], str],
    by_name: bool = False,
) -> PageChanges:
    """Everything that the rows of one page do.

    ``by_name``: a run asked for them, which brings whatever it finds and deletes nothing (R26).
    """
    changes = PageChanges()
    events = [event for event in events if not (by_name and is_gone(event))]
    by_link, foreign = _sorted(events, known, reading)
    for link, rows in by_link:
        item = known.items.get(link.item_ref)
        if item is not None:
            changes.take(judge_row(_telling_of(link, rows), link, item, known.integration, reading))
    arrivals = _Arrivals(known=known, reading=reading, new_id=new_id, changes=changes)
    for event in foreign:
        (arrivals.bring_by_name if by_name else arrivals.bring)(event)
    return changes


def match_page(
    events: Iterable[CronofyEvent], known: KnownRows, reading: Reading, *, new_id: Callable[[], str]
) -> PageChanges:
    """Link the foreign events that equal an item, and do nothing else (R29)."""
    changes = PageChanges()
    _, foreign = _sorted([event for event in events if not is_gone(event)], known, reading)
    arrivals = _Arrivals(known=known, reading=reading, new_id=new_id, changes=changes)
    for event in foreign:
        arrivals.match(event)
    return changes


def _sorted(
    events: Iterable[CronofyEvent], known: KnownRows, reading: Reading
) -> tuple[list[tuple[Link, list[CronofyEvent]]], list[CronofyEvent]]:
    ours, uids = _index(known.links)
    rows: dict[LinkId, list[CronofyEvent]] = defaultdict(list)
    pairs: dict[LinkId, Link] = {}
    foreign: dict[str, list[CronofyEvent]] = defaultdict(list)
    for event in events:
        link = ours.get(event.event_id) if event.event_id else uids.get(event.event_uid)
        if link is not None and not _restored(event, link, known, reading):
            rows[link.id].append(event)
            pairs[link.id] = link
        elif event.event_id is None:
            foreign[event.event_uid].append(event)
    return [(pairs[key], rows[key]) for key in pairs], [_telling(each) for each in foreign.values()]


def _restored(event: CronofyEvent, link: Link, known: KnownRows, reading: Reading) -> bool:
    """Whether a foreign event whose appointment was deleted for it is back: it arrives anew."""
    item = known.items.get(link.item_ref)
    if link.origin is not Origin.EXTERNAL or link.exists_there or is_gone(event):
        return False
    if item is None or not item.deleted or event.updated is None or link.event_updated is None:
        return False
    if outstanding_writes(
        (*link.overtaken, *link.writes), reading
    ):  # an edit of ours, made before, may have touched it
        return False
    # a deletion of ours may not show yet
    shown = link.accepted_at is None or event.updated.timestamp() > link.accepted_at
    return shown and event.updated > link.event_updated


def _index(links: Sequence[Link]) -> tuple[dict[str, Link], dict[str, Link]]:
    """By our event id, and by uid; an ended link gives way to a living one."""
    ordered = sorted(links, key=lambda link: (link.ended_at is None, link.exists_there, link.id))
    ours = {link.event_id: link for link in ordered if link.event_id}
    uids = {link.event_uid: link for link in ordered if link.event_uid}
    return ours, uids


def _telling_of(link: Link, rows: Sequence[CronofyEvent]) -> CronofyEvent:
    """What the rows tell of a link: where the event that it knows is gone too, nothing newer lives."""
    telling = _telling(rows)
    known = is_gone(telling) and any(row.event_uid == link.event_uid for row in rows)
    return replace(telling, event_uid=link.event_uid or telling.event_uid) if known else telling


def _telling(rows: Sequence[CronofyEvent]) -> CronofyEvent:
    """The newest row of each event; of several events under one id a living one tells."""
    never = datetime.min.replace(tzinfo=UTC)
    newest: dict[str, CronofyEvent] = {}
    for event in sorted(rows, key=lambda event: (event.updated or never, not is_gone(event))):
        newest[event.event_uid] = event
    return max(newest.values(), key=lambda event: (not is_gone(event), event.updated or never))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arrivals:
    """Foreign events of one page that are not linked; what becomes of them is added to ``changes``."""

    known: KnownRows
    reading: Reading
    new_id: Callable[[], str]
    changes: PageChanges

    def bring(self, event: CronofyEvent) -> None:
        """Real-time sync brings what was made since Finish, where Create is checked (R3, R33)."""
        keys, integration = event_keys(event), self.known.integration
        if is_gone(event) or any(key in self.known.prior for key in keys):
            return
        if _slid_in(event, integration):
            self.changes.prior.extend(keys)
        elif not integration.event_types.create:
            reason = "Create is not checked for this calendar."
            self._pass_over(event, Code.CREATE_OFF, reason)
        elif match_key_of_event(event) in self.known.twins:
            reason = "A copy that another person's sync put on this shared calendar."
            self._pass_over(event, Code.SHARED_MAILBOX, reason)
        else:
            self._import(event, "Added to the linked calendar.")

    def bring_by_name(self, event: CronofyEvent) -> None:
        """The user asked for it by its range: neither Create nor what was there before counts (R26)."""
        if match_key_of_event(event) not in self.known.twins and not self.match(event):
            self._import(event, "Retrieved from the linked calendar.")

    def match(self, event: CronofyEvent) -> bool:
        """Link an event that equals exactly one item instead of copying it (R29).

        Whether that was done, or is decided when all of the event's equals are known.
        """
        twin = match_key_of_event(event)
        equal = self.known.equals.get(twin, ())
        if len(equal) != 1:
            return False
        if self.known.undecided:
            self.changes.left.append((twin, event.event_uid))
            return True
        if event.event_private:
            return False
        self._link_equal(event, equal[0])
        return True

    def _link_equal(self, event: CronofyEvent, item: Item) -> None:
        self.changes.new_links.append(self._linked(event, item))
        self.changes.linked += 1
        reason = "The same on both sides: linked instead of copied."
        self._log(item, LogAction.LINK, Outcome.DONE, Code.OK, reason)

    def _import(self, event: CronofyEvent, reason: str) -> None:
        item = self._item_of(event)
        self.changes.items.append(item)
        self.changes.new_links.append(self._linked(event, item))
        self._log(item, LogAction.CREATE, Outcome.DONE, Code.OK, reason)

    def _linked(self, event: CronofyEvent, item: Item) -> Link:
        agreed = fingerprints_of_event(masked_event(event), content_of(item))
        link = found(item, self.known.integration, event, self.reading, LinkId(self.new_id()))
        return align(link, item, agreed, last_read=agreed)

    def _pass_over(self, event: CronofyEvent, code: Code, reason: str) -> None:
        """Say once why an event is not brought; boxes checked later count from then on."""
        self.changes.prior.extend(event_keys(event)[:1])
        self._log(self._item_of(event), LogAction.CREATE, Outcome.SKIPPED, code, reason)

    def _item_of(self, event: CronofyEvent) -> Item:
        """The appointment that the event becomes, or would become."""
        item_id, integration = self.new_id(), self.known.integration
        user_id, zone = integration.user_id, integration.time_zone
        return Item(
            ref=item_ref(integration.tenant_id, ItemType.APPOINTMENT, item_id),
            tenant_id=integration.tenant_id,
            type=ItemType.APPOINTMENT,
            id=item_id,
            version=1,
            vorex_version=0,
            sync_version=1,
            revision=1,
            deleted=False,
            content=imported_item(event, item_id=item_id, user_id=user_id, time_zone=zone),
            changed_at=calendar_time(event, self.reading),
            changed_by=integration.id,
            imported_by=integration.id,
            read_only_reason=code.value if (code := read_only_code(event)) else None,
        )

    def _log(self, item: Item, action: LogAction, outcome: Outcome, code: Code, reason: str) -> None:
        entry = RowLog(item, self.known.integration, self.reading)
        self.changes.entries.append(entry(action, outcome, code, reason))


def _slid_in(event: CronofyEvent, integration: Integration) -> bool:
    """Whether the event was there at Finish, outside what the reading at Finish could see (R33)."""
    finished = integration.finished_at
    if finished is None or event.created is None or event.created >= finished:
        return False
    first, beyond = days_to_read(finished)
    return as_day(event.start) >= beyond or as_day(event.end) < first


def days_to_read(at: datetime) -> tuple[date, date]:
    """The days that a full read asks for: 41 back, and up to 200 ahead."""
    today = at.astimezone(UTC).date()
    return today - timedelta(days=READ_DAYS_BACK), today + timedelta(days=READ_DAYS_AHEAD)


def was_there_before(event: CronofyEvent, integration: Integration) -> bool:
    """Whether a row of the reading at Finish was on the calendar before Finish (R33)."""
    if event.event_id is not None or integration.finished_at is None:
        return False
    return event.created is None or event.created < integration.finished_at.replace(microsecond=0)


def too_many_deletions(*, new: int, recent: int, pairs: int) -> bool:
    """Whether the deletions of a day are so many that a person must be asked first (R11).

    ``recent`` were carried out within 24 hours, ``pairs`` counts the links before any of them.
    """
    together = new + recent
    return together > MOST_FREE_DELETIONS and together * LARGEST_FREE_SHARE > pairs


def missing_copies(links: Iterable[Link], *, first: date, beyond: date, began_at: float) -> list[Link]:
    """Copies of ours that a complete read should have shown and did not: to be written again (R11)."""
    return [link for link in links if _should_have_shown(link, first, beyond, began_at)]


def _should_have_shown(link: Link, first: date, beyond: date, began_at: float) -> bool:
    unseen = all(at is None or at < began_at for at in (link.read_at, link.accepted_at))
    alive = link.state is LinkState.AGREED and link.exists_there and link.ended_at is None
    if link.origin is not Origin.OURS or not unseen or not alive or link.desired is None:
        return False
    return as_day(link.desired.start) < beyond and as_day(link.desired.end) > first

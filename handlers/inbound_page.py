"""What a read of the linked calendar does to My Calendar: known rows are judged, foreign ones arrive.

Pure. The rules are R1 (shared mailboxes), R3, R5, R8, R9, R11 and R33.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.calendar import (
    Code,
    Integration,
    Item,
    ItemRef,
    Link,
    LinkId,
    LogAction,
    LogEntry,
    Outcome,
    item_ref,
)
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers.arrivals.before import alike_key, event_keys, remembered_keys, slid_in
from handlers.arrivals.floods import is_doubtful
from handlers.arrivals.former_events import is_to_go
from handlers.arrivals.imported_ids import imported_id
from handlers.arrivals.look_alikes import CreationBrake, look_of_event
from handlers.arrivals.series import belongs_to_series, series_detail
from handlers.arrivals.telling import telling_of_link, telling_row
from handlers.edits import imported_item, masked_event, read_only_code
from handlers.fingerprints import fingerprints_of_event
from handlers.inbound_event import judge_row
from handlers.judgement import Judgement, Reading, calendar_time, content_of, is_gone
from handlers.link_beginnings import found
from handlers.link_states import align
from handlers.log_entries import RowLog
from handlers.matching import MatchKey, match_key_of_event

ALREADY_THERE = "The same is on My Calendar already: it is not brought a second time."
FORMER_EVENT = "Another copy of the same item took its place before: it is not brought."
OWN_SERIES = "A copy of this sync was made recurring: its further occurrences are not brought."
TOO_MANY_ALIKE = (
    "More than 20 events that resemble each other came within a minute; this one waits for an answer."
)
TOO_MANY_UNKNOWN = "Many events appeared at once that are not new; this one waits for an answer."
ASKED_ABOUT = "held"
"""How an event stands about which a person is asked."""


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
    former: Mapping[str, Link] = field(default_factory=dict)
    """By the uids of events in whose place another one stands, its link; owners may fetch them back."""
    own_series: frozenset[str] = frozenset()
    """Series that a copy of ours was made into (R39)."""
    alike: frozenset[MatchKey] = frozenset()
    """What the person's living items look like that begin when these events do."""
    recent: Sequence[tuple[str, str | None]] = ()
    """Title and series of what reads have created for this person within a minute."""
    series_wait: bool = False
    """Whether what is part of a series waits for the last page, which tells what it takes the place of."""
    known_until: datetime | None = None
    """When the last complete reading ended: what was made before and is unknown is doubtful (R36)."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Events, by their uids, about which a person is asked, or has answered that they are to be brought."""
    taken: frozenset[ItemRef] = frozenset()
    """Own ids of these events under which there is, or was, an item."""
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
    doubtful: list[CronofyEvent] = field(default_factory=list)
    """Events that are brought with the read's last page, unless they are too many (R36)."""
    alike: list[CronofyEvent] = field(default_factory=list)
    """Events that look like what is there already: perhaps the same, under another id (R36)."""
    held: list[tuple[CronofyEvent, Code]] = field(default_factory=list)
    """Events about which a person is to be asked, and why."""
    answered: list[str] = field(default_factory=list)
    """Events, by their uids, about which nobody need be asked any more."""
    again: bool = False
    silent: list[Code] = field(default_factory=list)
    """Why events were passed over of which that is not said, or was said before."""
    linked: int = 0
    """Events that were found to be equal to an item and are linked to it (R29)."""
    waiting: list[CronofyEvent] = field(default_factory=list)
    """Occurrences that came, and wait for the last page (R39)."""
    priors: list[CronofyEvent] = field(default_factory=list)
    """Occurrences that are gone, of series that are not brought (R33)."""
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
    by_link, foreign = _sorted(events, known)
    own = {event.series_identifier for event in events if event.event_id and event.series_identifier}
    known = replace(known, own_series=known.own_series | own)
    for link, rows in by_link:
        item = known.items.get(link.item_ref)
        if item is not None:
            changes.take(judge_row(telling_of_link(link, rows), link, item, known.integration, reading))
    brake = CreationBrake(known.recent)
    arrivals = _Arrivals(known=known, reading=reading, new_id=new_id, changes=changes, brake=brake)
    for event in foreign:
        (arrivals.bring_by_name if by_name else arrivals.bring)(event)
    return changes


def match_page(
    events: Iterable[CronofyEvent], known: KnownRows, reading: Reading, *, new_id: Callable[[], str]
) -> PageChanges:
    """Link the foreign events that equal an item, and do nothing else (R29)."""
    changes = PageChanges()
    _, foreign = _sorted([event for event in events if not is_gone(event)], known)
    arrivals = _Arrivals(known=known, reading=reading, new_id=new_id, changes=changes)
    for event in foreign:
        arrivals.match(event)
    return changes


def _sorted(
    events: Iterable[CronofyEvent], known: KnownRows
) -> tuple[list[tuple[Link, list[CronofyEvent]]], list[CronofyEvent]]:
    ours, uids = _index(known.links)
    rows: dict[LinkId, list[CronofyEvent]] = defaultdict(list)
    pairs: dict[LinkId, Link] = {}
    foreign: dict[str, list[CronofyEvent]] = defaultdict(list)
    for event in events:
        link = ours.get(event.event_id) if event.event_id else uids.get(event.event_uid)
        if link is not None:
            rows[link.id].append(event)
            pairs[link.id] = link
        elif event.event_id is None:
            foreign[event.event_uid].append(event)
    return [(pairs[key], rows[key]) for key in pairs], [telling_row(each) for each in foreign.values()]


def _index(links: Sequence[Link]) -> tuple[dict[str, Link], dict[str, Link]]:
    """By our event id, and by uid; an ended link gives way to a living one."""
    ordered = sorted(links, key=lambda link: (link.ended_at is None, link.exists_there, link.id))
    ours = {link.event_id: link for link in ordered if link.event_id}
    uids = {link.event_uid: link for link in ordered if link.event_uid}
    return ours, uids


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arrivals:
    """Foreign events of one page that are not linked; what becomes of them is added to ``changes``."""

    known: KnownRows
    reading: Reading
    new_id: Callable[[], str]
    changes: PageChanges
    brake: CreationBrake = field(default_factory=lambda: CreationBrake(()))
    brought: set[MatchKey] = field(default_factory=set)
    """What those look like that this page has brought."""

    def bring(self, event: CronofyEvent) -> None:
        """Real-time sync brings what was made since Finish, where Create is checked (R3, R33)."""
        keys, integration = event_keys(event), self.known.integration
        asked = self.known.held.get(event.event_uid)
        if self._is_settled(event, keys, asked) or self._is_ours(event):
            return
        if self.known.series_wait and belongs_to_series(event):
            self.changes.waiting.append(event)
        elif slid_in(event, integration):
            self.changes.prior.extend(keys)
        elif not integration.event_types.create:
            self._pass_over(event, Code.CREATE_OFF, "Create is not checked for this calendar.")
        elif match_key_of_event(event) in self.known.twins:
            reason = "A copy that another person's sync put on this shared calendar."
            self._pass_over(event, Code.SHARED_MAILBOX, reason)
        elif look_of_event(event) in self.known.alike or self._waits_for_complete_read(event):
            self._pass_over_alike(event)
        elif asked is None and is_doubtful(event, self.known.known_until):
            self.changes.doubtful.append(event)
        else:
            self.bring_anyway(event)

    def _is_settled(self, event: CronofyEvent, keys: Sequence[str], asked: str | None) -> bool:
        """Whether it is gone, or not brought, or a person is asked about it."""
        # *Bring them* was said of it since it became one of those that were there before
        prior = asked in {None, ASKED_ABOUT} and any(key in self.known.prior for key in keys)
        if is_gone(event) and asked is not None:
            self.changes.answered.append(event.event_uid)
        if prior and is_gone(event) and belongs_to_series(event):
            self.changes.priors.append(event)
        return prior or is_gone(event) or asked == ASKED_ABOUT

    def _waits_for_complete_read(self, event: CronofyEvent) -> bool:
        """Whether it was passed over: what mirrors another event follows that one a moment later."""
        return alike_key(event) in self.known.prior and self.reading.complete_since is None

    def bring_anyway(self, event: CronofyEvent) -> None:
        """It is new by every sign, or not so many are doubtful that a person must be asked (R36).

        But what looks like an item that is there is passed over, and about too many that look alike a
        person is asked; the answer *Bring them* counts.
        """
        look = look_of_event(event)
        wanted = event.event_uid in self.known.held
        if look in self.known.alike or look in self.brought:
            self._pass_over_alike(event)
        elif not self.brake.lets_through(event) and not wanted:
            self.hold(event, Code.LOOP_STOPPED, TOO_MANY_ALIKE)
        else:
            self.brought.add(look)
            self._import(event, "Added to the linked calendar.")

    def _pass_over_alike(self, event: CronofyEvent) -> None:
        self._answered(event)
        self.changes.alike.append(event)
        self._once(event, alike_key(event), Code.ALREADY_THERE, ALREADY_THERE)

    def _is_ours(self, event: CronofyEvent) -> bool:
        """Pass over a copy of ours under another id, said once; a former one may be like no item any more."""
        former = self.known.former.get(event.event_uid)
        if former is not None and is_to_go(event, former, self.reading):
            self.changes.silent.append(Code.ALREADY_THERE)
            return True
        if former is not None and look_of_event(event) in self.known.alike:
            self._once(event, alike_key(event), Code.ALREADY_THERE, FORMER_EVENT)
            return True
        series = event.series_identifier
        if series is None or series not in self.known.own_series:
            return False
        self._once(event, f"series:{series}", Code.SERIES, OWN_SERIES)
        return True

    def _once(self, event: CronofyEvent, key: str, code: Code, reason: str) -> None:
        if key in self.known.prior or key in self.changes.prior:
            self.changes.silent.append(code)
        else:
            self.changes.prior.append(key)
            self._tell(event, Outcome.SKIPPED, code, reason)

    def bring_by_name(self, event: CronofyEvent) -> None:
        """The user asked for it by its range: neither Create nor what was there before counts (R26)."""
        if self._is_ours(event):
            return
        if self._came_anew(event):
            self._pass_over_alike(event)
        elif match_key_of_event(event) in self.known.twins:
            self.changes.silent.append(Code.SHARED_MAILBOX)
        elif not self.match(event):
            self._import(event, "Retrieved from the linked calendar.")

    def _came_anew(self, event: CronofyEvent) -> bool:
        """Whether it is alike, and the last complete reading did not show it under this id, as it must."""
        alike = look_of_event(event) in self.known.alike and is_doubtful(event, self.known.known_until)
        return alike and not self.known.prior.intersection(remembered_keys(event))

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
        if not event.event_private:
            self._link_equal(event, equal[0])
        return not event.event_private

    def _link_equal(self, event: CronofyEvent, item: Item) -> None:
        self.changes.new_links.append(self._linked(event, item))
        self.changes.linked += 1
        reason = "The same on both sides: linked instead of copied."
        self._log(item, LogAction.LINK, reason)

    def _import(self, event: CronofyEvent, reason: str) -> None:
        item = self._item_of(event)
        self._answered(event)
        self.changes.items.append(item)
        self.changes.new_links.append(self._linked(event, item))
        self._log(item, LogAction.CREATE, reason)

    def _linked(self, event: CronofyEvent, item: Item) -> Link:
        agreed = fingerprints_of_event(masked_event(event), content_of(item))
        link = found(item, self.known.integration, event, self.reading, LinkId(self.new_id()))
        return align(link, item, agreed, last_read=agreed)

    def hold(self, event: CronofyEvent, code: Code, reason: str) -> None:
        """Keep it for a person's answer (R36)."""
        self._tell(event, Outcome.HELD, code, reason)
        self.changes.held.append((event, code))

    def _pass_over(self, event: CronofyEvent, code: Code, reason: str) -> None:
        """Say once why an event is not brought; boxes checked later count from then on."""
        self._answered(event)
        self.changes.prior.extend(event_keys(event)[:1])
        self._tell(event, Outcome.SKIPPED, code, reason)

    def _answered(self, event: CronofyEvent) -> None:
        if event.event_uid in self.known.held:
            self.changes.answered.append(event.event_uid)

    def _item_of(self, event: CronofyEvent) -> Item:
        """The appointment that the event becomes, or would become."""
        integration = self.known.integration
        item_id = imported_id(event, integration, self.known.taken, new_id=self.new_id)
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

    def _tell(self, event: CronofyEvent, outcome: Outcome, code: Code, reason: str) -> None:
        """Of an event that is not brought."""
        entry = RowLog(self._item_of(event), self.known.integration, self.reading)
        told = entry(LogAction.CREATE, outcome, code, reason, detail=series_detail(event))
        self.changes.entries.append(told)

    def _log(self, item: Item, action: LogAction, reason: str) -> None:
        entry = RowLog(item, self.known.integration, self.reading)
        self.changes.entries.append(entry(action, Outcome.DONE, Code.OK, reason))


def settle_doubtful(
    events: Iterable[CronofyEvent],
    known: KnownRows,
    reading: Reading,
    *,
    new_id: Callable[[], str],
    hold: bool,
) -> PageChanges:
    """What becomes of the doubtful events of a read when all of them are known: brought, or held (R36)."""
    changes = PageChanges()
    brake = CreationBrake(known.recent)
    arrivals = _Arrivals(known=known, reading=reading, new_id=new_id, changes=changes, brake=brake)
    _, foreign = _sorted(events, known)
    for event in foreign:
        if hold:
            arrivals.hold(event, Code.HELD_IMPORT, TOO_MANY_UNKNOWN)
        else:
            arrivals.bring_anyway(event)
    return changes

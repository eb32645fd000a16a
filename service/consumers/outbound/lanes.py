"""Lanes: for each integration the links that wait to be sent, and when a lane sends."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from operator import itemgetter

from contracts.calendar import IntegrationId, ItemRef, LinkId
from contracts.ports import Turn, Urgency
from contracts.vorex import ItemTraits, ItemType
from contracts.writes import EventWrite
from handlers.landing import SentWrite
from service.back_off import back_off
from service.telemetry.spans import NO_SPAN, Span

FULL_LANE_LINKS = 50
LANE_MESSAGES = 200
LANE_REFILL = 100
FIRST_LANE_PAUSE_SECONDS, LONGEST_LANE_PAUSE_SECONDS = 1.0, 60.0


@dataclass(kw_only=True, slots=True)
class LinkTask:
    """A link that is to be written, with everything that its answer will need."""

    link_id: LinkId
    integration_id: IntegrationId
    calendar_id: str
    write: EventWrite
    sent: SentWrite
    item_ref: ItemRef
    item_id: str
    item_type: ItemType
    title: str | None
    tenant_id: str
    message_id: str | None = None
    trace_id: str | None = None
    span: Span = NO_SPAN
    """Of the message that it is written for."""
    attempt: int | None = None
    run_id: str | None = None
    since: float = 0.0
    place: int = 0
    """How many messages the process had taken in before it."""
    not_before: float = 0.0
    alone: bool = False
    """Whether a request refused as a whole must be tried without its neighbours."""
    traits: ItemTraits | None = None
    """Of the item, for what an event is given beside its fields."""
    exists_there: bool = False
    plain: bool = False
    """Whether the calendar refused what it was given beside them."""
    zones_tried: tuple[str, ...] = ()
    """Names of zones that Cronofy did not know, the item's own first."""
    background: bool = False
    """Whether nobody waits for it: live changes come first (R32)."""
    verifies: bool = False
    """Whether the link is in agreement and only written once more to be sure."""

    def replaces(self, older: "LinkTask") -> "LinkTask":
        """Itself, in the place of an older one; another process's write may still be in the air."""
        if older.sent.verify:
            self.sent = replace(self.sent, verify=True)
        return self


@dataclass(kw_only=True, slots=True)
class Lane:
    """The links of one integration."""

    integration_id: IntegrationId
    waiting: dict[LinkId, LinkTask] = field(default_factory=dict)
    flying: dict[LinkId, LinkTask] = field(default_factory=dict)
    """Sent, and their answers not stored yet."""
    newer: dict[LinkId, LinkTask] = field(default_factory=dict)
    """What replaces links in flight once they have landed."""
    busy: bool = False
    """Whether a request is in the air, or waits for its budget."""
    not_before: float = 0.0
    pauses: int = 0
    behind_in_store: bool = False
    """Whether the store holds more links for this lane."""
    tenant_id: str = ""
    """Whose integration it is; known with the first link."""

    @property
    def empty(self) -> bool:
        return not (self.waiting or self.flying or self.newer or self.busy or self.behind_in_store)

    @property
    def background(self) -> bool:
        """Whether nothing live waits in the lane."""
        return all(task.background for task in self.waiting.values())

    @property
    def turn(self) -> Turn:
        """For whom it asks Cronofy, and how urgently."""
        urgency = Urgency.RUN if self.background else Urgency.LIVE
        return Turn(integration_id=self.integration_id, tenant_id=self.tenant_id, urgency=urgency)

    def put(self, task: LinkTask) -> None:
        """Queue the link; a newer state takes an older one's place in the queue, never the other way."""
        self.tenant_id = task.tenant_id
        if task.link_id in self.flying:
            known = self.newer.get(task.link_id, self.flying[task.link_id])
            if task.sent.revision > known.sent.revision or task.sent.epoch != known.sent.epoch:
                self.newer[task.link_id] = task.replaces(known)
            return
        known = self.waiting.get(task.link_id, task)
        if known.sent.revision <= task.sent.revision:
            task.since, task.place = min(task.since, known.since), min(task.place, known.place)
            self.waiting[task.link_id] = task.replaces(known)

    def due(self, now: float) -> Iterator[LinkTask]:
        """The links that may be sent now, oldest first."""
        if now < self.not_before:
            return
        yield from (task for task in self.waiting.values() if task.not_before <= now)

    def next_due(self, now: float) -> LinkTask | None:
        """The first link that may be sent now, if any."""
        return next(self.due(now), None)

    def take(self, most: int, now: float) -> list[LinkTask]:
        """Move up to so many links into flight, each event at most once."""
        chosen: dict[tuple[str, str], LinkTask] = {}
        for task in self.due(now):
            if task.alone and chosen:
                continue
            chosen.setdefault(task.write.key, task)
            if len(chosen) >= most or task.alone:
                break
        for task in chosen.values():
            self.flying[task.link_id] = self.waiting.pop(task.link_id)
        return list(chosen.values())

    def give_back(self, tasks: Iterable[LinkTask]) -> None:
        """Put links that were not sent back to the head, unless a newer state has taken their place."""
        kept: dict[LinkId, LinkTask] = {}
        for task in tasks:
            self.flying.pop(task.link_id, None)
            kept[task.link_id] = self.newer.pop(task.link_id, task).replaces(task)
        self.waiting = kept | {key: task for key, task in self.waiting.items() if key not in kept}

    def land(self, link_id: LinkId) -> LinkTask | None:
        """The link's answer is stored; what is to be sent next for it, already queued again."""
        self.flying.pop(link_id, None)
        following = self.newer.pop(link_id, None)
        if following is not None:
            self.put(following)
        return following

    def drop(self, link_id: LinkId) -> None:
        """Forget what waits for this link."""
        self.waiting.pop(link_id, None)
        self.newer.pop(link_id, None)

    def pause(self, now: float, retry_after: float | None) -> None:
        """Wait as asked, else 1, 2, 4 … 60 s."""
        usual = back_off(self.pauses, first=FIRST_LANE_PAUSE_SECONDS, longest=LONGEST_LANE_PAUSE_SECONDS)
        self.pauses += 1
        self.not_before = now + (usual if retry_after is None else retry_after)

    def relax(self) -> None:
        self.pauses = 0


DueLane = tuple[Lane, LinkTask]
"""A lane, and the first of its links that may be sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LanePressure:
    """What around the lanes decides whether they wait for company."""

    coming: int = 0
    """How many messages are about to be taken in, as far as is known."""
    taken_in: int = 0
    """How many messages the process has taken in so far."""
    patience: int = 2 * FULL_LANE_LINKS
    """A link whose lane is not full after so many other messages waits for no more of them."""
    crowd_of: str | None = None
    """The tenant that makes more than half of a crowd."""
    quiet: bool = True
    """Nothing is in flight, being taken in or being written."""
    stopping: bool = False


class Lanes:
    """All lanes of a process, in the order of their turns."""

    def __init__(self) -> None:
        self._lanes: dict[IntegrationId, Lane] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def __getitem__(self, integration_id: IntegrationId) -> Lane:
        return self._lanes.setdefault(integration_id, Lane(integration_id=integration_id))

    @property
    def empty(self) -> bool:
        return all(lane.empty for lane in self._lanes.values())

    @property
    def waiting(self) -> int:
        """How many links wait in all of them."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def held(self) -> list[LinkId]:
        """Every link whose claim must be kept."""
        return [
            link_id
            for lane in self._lanes.values()
            for group in (lane.waiting, lane.flying, lane.newer)
            for link_id in group
        ]

    def clean(self) -> None:
        """Forget lanes that have nothing left."""
        for key in [key for key, lane in self._lanes.items() if lane.empty]:
            del self._lanes[key]

    def turn(self, lane: Lane) -> None:
        """The lane has had its turn."""
        if lane.integration_id in self._lanes:
            self._lanes[lane.integration_id] = self._lanes.pop(lane.integration_id)

    def ready(self, now: float, pressure: LanePressure) -> list[Lane]:
        """The lanes that are to send now: live ones first, tenants in turn, who waits longest first.

        A lane waits for company, not for a clock: as long as what is coming would bring each waiting
        lane another link. Say three lanes wait. While forty messages are being taken in, only a full one
        sends; when two are left, all three do, and no request of theirs would have been much fuller.
        Nobody waits who was passed by often enough, or whose company another tenant's crowd would be (R44).
        """
        able: list[DueLane] = [
            (lane, first)
            for lane in self._lanes.values()
            if not lane.busy and (first := lane.next_due(now)) is not None
        ]
        if pressure.stopping or pressure.coming < len(able):
            return self._in_turn(able)
        ready = [
            (lane, first)
            for lane, first in able
            if len(lane.waiting) >= FULL_LANE_LINKS
            or pressure.taken_in - first.place >= pressure.patience
            or pressure.crowd_of not in {None, lane.tenant_id}
        ]
        if not ready and able and pressure.quiet:
            return [max((lane for lane, _ in able), key=lambda lane: len(lane.waiting))]
        return self._in_turn(ready)

    def _in_turn(self, ready: Iterable[DueLane]) -> list[Lane]:
        before = self.in_the_air()
        placed: list[tuple[tuple[bool, int], Lane]] = []
        for background, _, lane in sorted(
            ((lane.background, first.since, lane) for lane, first in ready), key=itemgetter(0, 1)
        ):
            placed.append(((background, before[lane.tenant_id]), lane))
            before[lane.tenant_id] += 1
        return [lane for _, lane in sorted(placed, key=itemgetter(0))]

    def in_the_air(self) -> Counter[str]:
        """How many lanes of each tenant have a request in the air, or wait for its budget."""
        return Counter(lane.tenant_id for lane in self._lanes.values() if lane.busy)

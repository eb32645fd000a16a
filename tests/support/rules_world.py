"""A world of values for the pure rules alone: Vorex, a store, and calendars that lag and reorder.

Nothing here decides anything: every decision is asked of ``handlers``.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

from contracts.calendar import Integration, IntegrationId, Item, ItemRef, Link, LinkState, LogEntry, Origin
from contracts.cronofy import CronofyEvent, EventOptions
from contracts.envelope import ItemChanged
from contracts.event_fields import fields_hash
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent
from contracts.writes import Delete, EventWrite, ForeignEdit, Upsert
from handlers.conflicts import fact_of
from handlers.deletions import carry_out_deletion
from handlers.inbound_event import WRITE_IN_FLIGHT_SECONDS
from handlers.inbound_page import KnownRows, judge_page
from handlers.judgement import Reading
from handlers.landing import (
    RESULT_ACCEPTED,
    ResultKind,
    RetrySchedule,
    SendResult,
    SentWrite,
    land_result,
    write_of,
)
from handlers.link_states import UNWRITTEN_STATES
from handlers.outbound_message import (
    ItemMessage,
    choose_for_link,
    fingerprints_after,
    judge_messages,
    remembered_writes,
)
from tests.builders import FREELY, NOW, an_integration

UNKNOWN = SendResult(kind=ResultKind.TRANSIENT, unknown=True)
QUARTER_SECONDS = 15 * 60
REMEMBERED_STATES = 4
"""How many states back a calendar's answer may lag."""


@dataclass(kw_only=True)
class WriteInFlight:
    """A write that was sent and not answered yet."""

    key: tuple[IntegrationId, ItemRef]
    sent: SentWrite
    at: float


@dataclass(kw_only=True)
class RulesCalendar:
    """A linked calendar: its events now and a few states ago, and writes that have not arrived."""

    integration: Integration
    events: dict[str, CronofyEvent] = field(default_factory=dict)
    before: list[dict[str, CronofyEvent]] = field(default_factory=list)
    arriving: list[EventWrite] = field(default_factory=list)

    def living(self) -> list[CronofyEvent]:
        return [event for event in self.events.values() if not event.deleted]

    def put(self, event: CronofyEvent) -> None:
        self.before = [*self.before, dict(self.events)][-REMEMBERED_STATES:]
        self.events[event.event_uid] = event

    def rows(self, lag: int) -> list[CronofyEvent]:
        past = self.before[max(len(self.before) - lag, 0) :]
        return list((past[0] if past else self.events).values())


class RulesWorld:
    """Two calendars of one person, and the items that Vorex and they share."""

    def __init__(self) -> None:
        self.now = NOW
        self.numbers = count(1)
        self.calendars = [
            RulesCalendar(integration=an_integration(id=IntegrationId(f"i{n}"), calendar_id=f"cal_{n}"))
            for n in (1, 2)
        ]
        self.items: dict[ItemRef, Item] = {}
        self.links: dict[tuple[IntegrationId, ItemRef], Link] = {}
        self.vorex: dict[tuple[str, str], tuple[int, bool, ItemContent]] = {}
        self.messages: list[ItemChanged] = []
        self.facts: list[ItemChanged] = []
        self.flights: list[WriteInFlight] = []
        self.told: list[LogEntry] = []

    # Time and names

    def seconds(self) -> float:
        return self.now.timestamp()

    def tick(self, seconds: int = 2) -> None:
        self.now += timedelta(seconds=seconds)

    def new_id(self) -> str:
        return f"n-{next(self.numbers)}"

    # Vorex

    def publish(self, content: ItemContent, *, deleted: bool = False) -> None:
        """Vorex changes an item: the last version it knew, plus 1."""
        key = (content.type, content.id)
        version = self.vorex[key][0] + 1 if key in self.vorex else 1
        self.vorex[key] = (version, deleted, content)
        data = ItemChangedData(
            tenant_id="acme",
            action=Action.DELETED if deleted else Action.UPDATED,
            version=version,
            actor=Actor(kind=ActorKind.USER, id="ann"),
            item=content,
        )
        self.messages.append(ItemChanged.of(data, id=self.new_id(), time=self.now, source="/vorex/acme"))

    def hear(self, fact: ItemChanged) -> None:
        """Vorex takes a fact above its own version and ignores others."""
        data = fact.data
        key = (data.item.type, data.item.id)
        if key not in self.vorex or data.version > self.vorex[key][0]:
            self.vorex[key] = (data.version, data.deleted, data.item)

    # To the calendars

    def take_in(self, message: ItemChanged) -> None:
        """One message reaches the store and the links of its item."""
        refs = [item for item in self.items.values() if (item.type, item.id) == _key(message)]
        verdicts = judge_messages(refs[0] if refs else None, [ItemMessage(message=message)])
        self.save(verdicts.item)
        if not verdicts.current:
            return
        for calendar in self.calendars:
            key = (calendar.integration.id, verdicts.item.ref)
            choice = choose_for_link(
                verdicts, calendar.integration, self.links.get(key), now=self.seconds(), new_id=self.new_id
            )
            if choice is not None:
                self.save_link(key, choice.link)
        fact = fact_of(verdicts, self.calendars[0].integration.id)
        if fact is not None:
            self._tell(fact)

    def unfinished(self) -> list[tuple[IntegrationId, ItemRef]]:
        busy = {flight.key for flight in self.flights}
        return [key for key, link in self.links.items() if link.state in UNWRITTEN_STATES and key not in busy]

    def send(self, key: tuple[IntegrationId, ItemRef]) -> None:
        """What a link should be is handed to Cronofy."""
        link = self.links[key]
        writes = remembered_writes(link, self.items[link.item_ref], link.desired, self.seconds())
        self.links[key] = replace(link, writes=writes)
        sent = SentWrite(
            revision=link.desired_revision,
            epoch=0,
            applied_hash=fields_hash(link.desired),
            gone=link.desired is None,
            prints=fingerprints_after(link, self.items[link.item_ref], link.desired),
        )
        self.flights.append(WriteInFlight(key=key, sent=sent, at=self.seconds()))
        self._calendar(key).arriving.append(write_of(link, link.desired))

    def answer(self, flight: WriteInFlight, *, known: bool) -> None:
        """Cronofy's answer arrives, or never does; nobody waits for it longer than a minute."""
        self.flights.remove(flight)
        result = (
            RESULT_ACCEPTED if known and self.seconds() - flight.at < WRITE_IN_FLIGHT_SECONDS else UNKNOWN
        )
        landing = land_result(
            self.links[flight.key],
            flight.sent,
            result,
            mine=True,
            now=self.seconds(),
            patience=RetrySchedule(retry_in=1.0),
        )
        self.save_link(flight.key, landing.link)

    def arrive(self, calendar: RulesCalendar, write: EventWrite) -> None:
        """An accepted write reaches the calendar, in whatever order."""
        calendar.arriving.remove(write)
        match write:
            case Upsert():
                self._upsert(calendar, write)
            case ForeignEdit():
                self._edit_foreign(calendar, write)
            case Delete():
                self._delete(calendar, write)

    # A person at a calendar

    def add(self, calendar: RulesCalendar, **fields: Any) -> None:
        uid = self.new_id()
        form: dict[str, Any] = {"summary": "Theirs", "description": "", "location": ""}
        form |= {"transparency": "opaque", "event_private": False, "options": FREELY}
        self._put(
            calendar,
            CronofyEvent(
                calendar_id=calendar.integration.calendar_id or "",
                event_uid=uid,
                created=self.now,
                **(form | fields),
            ),
        )

    def touch(self, calendar: RulesCalendar, event: CronofyEvent, **fields: Any) -> None:
        self._put(calendar, replace(event, **fields))

    # From the calendars

    def read(self, calendar: RulesCalendar, *, lag: int = 0) -> int:
        """A whole read, one page; how much came of it."""
        integration = calendar.integration
        asked = self.seconds()
        rows = calendar.rows(lag)
        self.tick(1)
        reading = Reading(asked_at=asked, now=self.seconds())
        links = [link for key, link in self.links.items() if key[0] == integration.id]
        known = KnownRows(
            integration=integration,
            links=links,
            items=self.items,
            prior=frozenset(),
            former={link.former_uid: link for link in links if link.former_uid},
            taken=frozenset(self.items),
        )
        changes = judge_page(rows, known, reading, new_id=self.new_id)
        for link in changes.gone:
            if self._still_gone(link, reading):
                changes.take(carry_out_deletion(link, self.items[link.item_ref], integration, reading))
        self.told.extend(changes.entries)
        for item in changes.items:
            self.save(item)
        written = 0
        for link in (*changes.links, *changes.new_links):
            key = (integration.id, link.item_ref)
            written += link.state in UNWRITTEN_STATES and link != self.links.get(key)
            self.save_link(key, link)
        for item in changes.items:
            self._tell_of(item, integration)
        return len(changes.items) + len(changes.entries) + written

    # What must never happen

    def save(self, item: Item) -> None:
        known = self.items.get(item.ref)
        assert known is None or (item.version, item.revision) >= (known.version, known.revision)
        self.items[item.ref] = item

    def save_link(self, key: tuple[IntegrationId, ItemRef], link: Link) -> None:
        known = self.links.get(key)
        assert known is None or link.applied_revision >= known.applied_revision, "R17: revision went back"
        self.links[key] = link

    def _still_gone(self, judged: Link, reading: Reading) -> bool:
        standing = self.links[judged.integration_id, judged.item_ref]
        if (standing.accepted_at or 0.0) > reading.asked_at:
            return False
        if standing.state is not LinkState.AGREED and standing.origin is Origin.OURS:
            return False
        return not self.items[judged.item_ref].deleted

    def _tell_of(self, item: Item, integration: Integration) -> None:
        assert item.content is not None
        self._tell(
            ItemChangedData(
                tenant_id=item.tenant_id,
                action=Action.DELETED if item.deleted else Action.UPDATED,
                version=item.version,
                actor=Actor(kind=ActorKind.CALENDAR_SYNC, id=integration.id),
                item=item.content,
            )
        )

    def _tell(self, data: ItemChangedData) -> None:
        fact = ItemChanged.of(data, id=self.new_id(), time=self.now)
        self.messages.append(fact)
        self.facts.append(fact)

    def _calendar(self, key: tuple[IntegrationId, ItemRef]) -> RulesCalendar:
        return next(each for each in self.calendars if each.integration.id == key[0])

    def _put(self, calendar: RulesCalendar, event: CronofyEvent) -> None:
        calendar.put(replace(event, updated=self.now.replace(microsecond=0)))

    def _upsert(self, calendar: RulesCalendar, write: Upsert) -> None:
        standing = [each for each in calendar.living() if each.event_id == write.event_id]
        said = write.fields
        fresh = CronofyEvent(
            calendar_id=write.calendar_id,
            event_uid=self.new_id(),
            event_id=write.event_id,
            start=said.start,
            end=said.end,
            created=self.now,
            options=EventOptions(),
        )
        self._put(
            calendar,
            replace(
                standing[0] if standing else fresh,
                summary=said.summary,
                description=said.description,
                location=said.location,
                start=said.start,
                end=said.end,
                transparency=said.transparency,
                event_private=said.event_private,
            ),
        )

    def _edit_foreign(self, calendar: RulesCalendar, write: ForeignEdit) -> None:
        event = calendar.events[write.event_uid]
        if event.deleted:
            return
        edit = write.fields
        said = {"description": edit.description, "location": edit.location}
        said |= {"transparency": edit.transparency}
        fields: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        self._put(calendar, replace(event, summary=edit.summary, start=edit.start, end=edit.end, **fields))

    def _delete(self, calendar: RulesCalendar, write: Delete) -> None:
        ours = write.event_id is not None
        for event in calendar.living():
            same = event.event_id == write.event_id if ours else event.event_uid == write.event_uid
            if same:
                self._put(calendar, replace(event, deleted=True))


def _key(message: ItemChanged) -> tuple[str, str]:
    return message.data.item.type, message.data.item.id


def send_all(world: RulesWorld) -> None:
    while world.messages:
        world.take_in(world.messages.pop(0))
    for key in world.unfinished():
        world.send(key)
        world.answer(world.flights[-1], known=True)
    world.tick()


def settle(world: RulesWorld, *, quiet: bool = False) -> None:
    """Everything under way arrives, the newest first; calendars are read until nothing happens.

    ``quiet``: nothing takes so long that an older write of ours passes for a person's edit.
    """
    for turn in range(12):
        happened = 0
        for _ in range(30):
            if not (world.messages or world.facts or world.unfinished() or world.flights):
                break
            deliver(world)
            happened += 1
        for calendar in world.calendars:
            happened += world.read(calendar)  # nothing of it has arrived
            while calendar.arriving:
                world.arrive(calendar, calendar.arriving[-1])
                happened += 1
        world.tick(60 if quiet and not turn else QUARTER_SECONDS + 1)
        happened += sum(world.read(calendar) for calendar in world.calendars)
        if turn and not happened and not world.messages and not world.unfinished():
            return
    raise AssertionError("it never comes to rest")


def deliver(world: RulesWorld) -> None:
    while world.messages:
        world.take_in(world.messages.pop(0))
    for fact in sorted(world.facts, key=lambda fact: fact.data.version):
        world.hear(fact)
    world.facts.clear()
    for key in world.unfinished():
        world.send(key)
    for flight in list(world.flights):
        world.answer(flight, known=True)
    world.tick()

"""Two people with runs that go on by themselves, and what people do with integrations as a whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from contracts.envelope import RunRequested, decode
from contracts.errors import Transient
from contracts.messages import QUEUE_RUNS
from contracts.ports import Delivery, Subscription
from contracts.vorex import Action, ItemContent
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.held_deletions import HeldDeletions
from service.integrations import Integrations
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import DeletionChoice, IntegrationDeletion
from service.integrations.run_requests import request_run
from service.integrations.runs import IntegrationRuns
from service.keeper import due_runs
from service.store.integrations.listing import Owner
from service.store.tables import integrations, links, runs
from tests.support.one_person import NINE, TEN, OnePerson
from tests.support.two_people import TwoPeople, two_people

ANN = Owner(tenant_id="acme", user_id="ann")
MOST_ATTEMPTS = 6


@dataclass(kw_only=True)
class TwoPeopleWithRuns:
    """Ann's linked calendar, and every verb she has."""

    people: TwoPeople
    accounts: Integrations
    switching: IntegrationSwitch
    syncing: IntegrationRuns
    leaving: IntegrationDeletion
    held: HeldDeletions
    mine: str
    """Her integration's id."""
    subscription: list[Subscription] = field(default_factory=list)
    linked: bool = True
    """Whether she has an integration; without one ``mine`` is the deleted one."""
    chosen: str = "Calendar"
    """The calendar of hers that is linked."""
    last_left: str = "keep"
    """What became of the copies when she last deleted her integration."""
    killed: int = 0
    """How many of the next steps are handled and then die before they are acknowledged."""

    @property
    def home(self) -> OnePerson:
        return self.people.home

    @property
    def calendar(self) -> str:
        """Her calendar's id at Cronofy."""
        return self.home.calendars[self.mine]

    def calendar_of(self, person: str) -> str:
        """The provider's key of the calendar that they look at, linked or not."""
        name = self.chosen if person == "ann" else "Calendar"
        calendars = self.people.world.mailboxes[f"{person}@example.com"].calendars.values()
        return next(calendar.key for calendar in calendars if calendar.name == name)

    def calendar_id(self) -> str:
        """What Cronofy calls the calendar of hers that is chosen."""
        bound = [
            each for profile in self.people.world.profiles("ann@example.com") for each in profile.bindings
        ]
        return next(each.calendar_id for each in bound if each.calendar.name == self.chosen)

    # -- the consumer of runs -------------------------------------------------------------------

    def deliver(self, delivery: Delivery) -> None:
        self.people.handle(lambda: self._handle(delivery))

    def lost(self, generation: int) -> None: ...

    async def _handle(self, delivery: Delivery) -> None:
        message = decode(delivery.body, expected=RunRequested)
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                await self.home.runs(ReceivedMessage(message=message, attempt=attempt))
                if not self.killed:
                    break
                self.killed -= 1
            except Transient as error:
                self.people.failures.append(error)
                await self.people.clock.sleep(5)
        await self.subscription[0].ack([delivery])

    # -- time -----------------------------------------------------------------------------------

    async def read(self, *, after: float = 0.0) -> None:
        """So many seconds later her calendar is read completely, and what that leads to has been written."""
        await self.people.pass_time(after)
        await self.home.reader.read_all(self.mine)
        await self.people.outbound.sweep()
        await self.people.settle()

    async def rest(self) -> None:
        """Whatever waits for somebody or for a moment has been done."""
        for _ in range(60):
            await due_runs(self.home.store).work()
            await self.people.settle()
            over = not await self.unfinished()
            await self.people.outbound.sweep()
            await self.people.settle()
            if over:
                await self.people.pass_time(5)
                return
            await self.people.pass_time(3)
        raise AssertionError(f"runs do not end: {await self.unfinished()}")

    async def unfinished(self) -> list[tuple[str, str, str]]:
        """Kind, step and state of the runs that have not ended."""
        rows = await self.rows(runs, runs.c.ended_at.is_(None))
        return [(row["kind"], row["step"], row["state"]) for row in rows]

    # -- what Ann and Vorex do ------------------------------------------------------------------

    async def say(self, item_id: str, *, action: Action = Action.UPDATED, **changes: Any) -> None:
        """Vorex changes one of her appointments, or makes it."""
        known = {item.id: item.content for item in await self.home.items()}
        usual = {
            "id": item_id,
            "type": "appointment",
            "title": item_id,
            "start": NINE,
            "end": TEN,
            "assignees": ["ann"],
        }
        before = known.get(item_id)
        form = {**(before.to_json_dict() if before else usual), **changes}
        await self.people.say(ItemContent.from_json_dict(form), action=action)

    async def retitle(self, title: str, to: str) -> None:
        """Vorex changes the title of one of her items."""
        (item_id,) = [one.id for one in await self.home.items() if one.content and one.content.title == title]
        await self.say(item_id, title=to)

    def add_event(self, summary: str, **fields: Any) -> str:
        """She adds an event to her calendar; its uid."""
        form = {"summary": summary, "start": NINE, "end": TEN, **fields}
        (event, *_) = self.people.world.add_event(self.calendar, **form)
        return str(event["event_uid"])

    async def delete(self, copies: DeletionChoice = "keep") -> None:
        await self.leaving.delete(ANN, self.mine, copies=copies)

    async def link_again(self, **options: Any) -> None:
        """She connects the same calendar anew and finishes the settings; ``options`` are Finish's."""
        await self.relink(**options)
        await self.rest()

    async def relink(self, **options: Any) -> None:
        """As ``link_again``, and nothing has followed yet."""
        row = {"provider_name": "google", "permission_level": "unrestricted", "baseline_at": None}
        ranges = {name: options.pop(name, None) for name in ("retrieve", "send")}
        row |= {"calendar_name": self.chosen}
        self.mine = await self.home.integration("ann@example.com", **row | options)
        self.linked = True
        self.home.calendars[self.mine] = self.calendar_id()
        await self.home.set(self.mine, calendar_id=self.calendar)
        self.people.integrations["ann"] = self.mine
        self.people.world.set_permission(self.calendar, str(options.get("permission_level", "unrestricted")))
        await self.start("finish", **ranges)

    async def work(self) -> None:
        """What can be done now is done."""
        await due_runs(self.home.store).work()
        await self.people.settle()

    async def start(self, kind: str, **ranges: Any) -> str:
        """A run as Finish begins it; its id."""
        store = self.home.store
        async with store.begin() as connection:
            return await request_run(store, connection, self.mine, kind=kind, started_by="ann", **ranges)

    # -- what is there --------------------------------------------------------------------------

    def events(self) -> list[tuple[str, bool]]:
        """Title and whether it is ours, of each event on her calendar."""
        there = [event for event in self.people.world.events(self.calendar) if not event["deleted"]]
        return sorted((event["summary"], event["event_id"] is not None) for event in there)

    async def titles(self) -> list[str]:
        """The titles of her My Calendar."""
        return sorted(item.content.title for item in await self.people.mine("ann") if item.content)

    async def rows(self, table: Any, *where: Any) -> list[Any]:
        async with self.home.store.read() as connection:
            return list((await connection.execute(select(table).where(*where))).mappings())

    async def row(self) -> Any:
        """Her integration's."""
        (only,) = await self.rows(integrations, integrations.c.id == self.mine)
        return only

    async def her_links(self) -> list[Any]:
        return await self.rows(links, links.c.integration_id == self.mine)


@asynccontextmanager
async def two_people_with_runs(database_url: str = "", **options: Any) -> AsyncIterator[TwoPeopleWithRuns]:
    """Two people whose runs are handled; Ann's integration has a channel. ``options`` as there."""
    async with two_people(database_url, **options) as place:
        home = place.home
        built = TwoPeopleWithRuns(
            people=place,
            accounts=home.accounts,
            switching=IntegrationSwitch(home.store),
            syncing=IntegrationRuns(home.store),
            leaving=IntegrationDeletion(home.store),
            held=home.held,
            mine=place.integrations["ann"],
        )
        (profile,) = place.world.profiles("ann@example.com")
        (channel,) = profile.account.channels
        now = datetime.fromtimestamp(place.world.clock.now(), UTC)
        async with home.store.begin() as connection:
            await connection.execute(
                update(integrations)
                .where(integrations.c.id == built.mine)
                .values(channel_id=channel, finished_at=now)
            )
        built.subscription.append(await place.broker.subscribe(QUEUE_RUNS, prefetch=20, sink=built))
        yield built
        await built.subscription[0].close()

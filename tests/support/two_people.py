"""Two people, their linked calendars at the simulator, and the whole product between, on one manual clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
from sqlalchemy import update
from sqlalchemy.engine import make_url

from contracts.calendar import Item
from contracts.envelope import ItemChanged, NoticeReceived, decode, encode
from contracts.messages import FACTS_EXCHANGE, ITEMS_EXCHANGE, NoticeData
from contracts.ports import Outgoing
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent
from service.broker.memory import MemoryBroker
from service.consumers.failures import ReceivedMessage
from service.consumers.outbound.engine import OutboundConsumer
from service.demo.simulator.clock import SteppedClock as SimulatedTime
from service.demo.simulator.world import SimulatedWorld
from service.outbox import LeasedOutbox
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.tables import integration_state, links
from tests.support.clock import ManualClock
from tests.support.one_person import OnePerson, at_home
from tests.support.reused import ReusedDatabase, WatchedStore
from tests.support.wiring import HERE, simulated_cronofy, the_simulator

PEOPLE = ("ann", "bob")
QUARTER_SECONDS = 960.0
"""Longer than a write may take to arrive."""
PATIENCE_SECONDS = 0.05
"""Seconds by the loop, which a ``LeisurelyLoop`` has only once nobody can do anything more."""
FORGET_SECONDS = 61.0
"""Seconds after which nothing is left of the rights of a process that died."""

Work = Callable[[], Awaitable[object]]


@dataclass(kw_only=True)
class PublishedEvents:
    """Vorex listening in on what this service publishes."""

    broker: MemoryBroker
    facts: list[bytes] = field(default_factory=list)

    async def publish(self, message: Outgoing) -> None:
        if message.exchange == FACTS_EXCHANGE:
            self.facts.append(message.body)
        await self.broker.publish(message)


@dataclass(kw_only=True)
class TwoPeople:
    """The home of everyone, and Vorex's own book of what it last said."""

    home: OnePerson
    broker: MemoryBroker
    hire: Callable[[], OutboundConsumer]
    """Another process that sends."""
    outbound: OutboundConsumer
    outbox: LeasedOutbox
    clock: ManualClock
    tap: PublishedEvents
    notices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    said: list[Outgoing] = field(default_factory=list)
    """Every message that Vorex has published, for saying it again."""
    versions: dict[str, int] = field(default_factory=dict)
    integrations: dict[str, str] = field(default_factory=dict)
    toggled: set[str] = field(default_factory=set)
    """Integrations whose boxes were changed on the way."""
    reading: list[asyncio.Task[None]] = field(default_factory=list)
    work: dict[asyncio.Task[None], Work] = field(default_factory=dict)
    """What each of these does, for doing it again when its process has died."""
    sending: list[asyncio.Task[None]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @property
    def world(self) -> SimulatedWorld:
        return self.home.world

    async def stop(self) -> None:
        """All that is under way, reading at once and sending when it has ended."""
        for task in self.reading:
            task.cancel()
        await asyncio.gather(*self.reading, return_exceptions=True)
        await self.outbound.stop()
        await asyncio.gather(*self.sending)

    # -- Vorex ----------------------------------------------------------------------------------

    async def say(self, content: ItemContent, *, action: Action) -> None:
        """Vorex changes an item: one version more than it knows, having seen all facts so far."""
        await self.hear()
        key = f"{content.type}/{content.id}"
        self.versions[key] = self.versions.get(key, 0) + 1
        data = ItemChangedData(
            tenant_id="acme",
            action=action,
            version=self.versions[key],
            actor=Actor(kind=ActorKind.USER, id="u-1"),
            item=content,
        )
        message = ItemChanged.of(data, id=new_id(), time=self.clock.now(), source="/vorex/acme")
        outgoing = Outgoing(
            exchange=ITEMS_EXCHANGE,
            routing_key=message.routing_key,
            body=encode(message),
            message_id=message.id,
        )
        self.said.append(outgoing)
        await self.broker.publish(outgoing)

    async def repeat(self, at: int) -> None:
        """Vorex publishes an old message once more."""
        if self.said:
            await self.broker.publish(self.said[at % len(self.said)])

    async def hear(self) -> None:
        """Vorex takes in the facts: one above its own version counts."""
        for body in self.tap.facts:
            told = decode(body, expected=ItemChanged).data
            key = f"{told.item.type}/{told.item.id}"
            self.versions[key] = max(self.versions.get(key, 0), told.version)
        self.tap.facts.clear()

    async def mine(self, person: str) -> list[Item]:
        """The living items of a person."""
        return [item for item in await self.home.items() if person in item.assignees]

    # -- time -----------------------------------------------------------------------------------

    async def pass_time(self, seconds: float) -> None:
        await self.world.advance(seconds)
        await self.clock.pass_time(seconds)

    async def notice(self, at: int) -> None:
        """Hand over one of the notices that wait, in any order."""
        if self.notices:
            path, body = self.notices.pop(at % len(self.notices))
            self._read(path.rpartition("/")[2], body)

    def _read(self, integration_id: str, body: dict[str, Any]) -> None:
        now = self.clock.now()
        data = NoticeData(integration_id=integration_id, received_at=now, notification=body["notification"])
        message = NoticeReceived.of(data, id=new_id(), time=now)
        received = ReceivedMessage(message=message)
        self.handle(lambda: self.home.notices(received))

    # -- processes ------------------------------------------------------------------------------

    def handle(self, work: Work) -> None:
        """Have a consumer see to it."""

        async def handled() -> None:
            await work()

        task = asyncio.create_task(handled())
        self.reading.append(task)
        self.work[task] = work

    def start_sending(self) -> None:
        self.sending.append(asyncio.create_task(self.outbound.run()))

    async def kill(self) -> None:
        """Every consumer dies in the midst of what it does; others go on when its rights have lapsed."""
        store = self.home.store
        if isinstance(store, WatchedStore):
            await store.between_transactions()
        dying = [task for task in self.reading if not task.done()]
        for task in (*dying, *self.sending):
            task.cancel()
        await asyncio.gather(*dying, *self.sending, return_exceptions=True)
        self.sending.clear()
        await self._leave_rights_behind()
        self.outbound = self.hire()
        self.start_sending()
        await self.pass_time(FORGET_SECONDS)
        for task in dying:
            self.handle(self.work[task])

    async def _leave_rights_behind(self) -> None:
        """Who dies gives nothing back."""
        now = self.clock.now().timestamp()
        rights = {"claimed_by": "the dead", "claimed_until": now + 30.0}
        async with self.home.store.begin() as connection:
            await connection.execute(
                update(links).where(links.c.state.in_(("behind", "retrying"))).values(rights)
            )
            await connection.execute(
                update(integration_state)
                .where(integration_state.c.reading_since.is_not(None))
                .values(read_until=now + 60.0)
            )

    async def settle(self) -> None:
        """Everything that can happen without time passing has happened; time passes for who waits for it."""
        for _ in range(1000):
            async with asyncio.timeout(90):
                await self.outbound.idle()
            self.reading = [task for task in self.reading if not self._ended(task)]
            more = await self._unsent()
            if not self.reading:
                if not more:
                    return
                continue
            done, _ = await asyncio.wait(
                self.reading, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                await self.pass_time(0.5)
        raise AssertionError("the two people's calendars do not come to rest")

    async def _unsent(self) -> bool:
        more = await self.outbox.flush()
        return more or not self.outbound.quiet

    def _ended(self, task: asyncio.Task[None]) -> bool:
        if not task.done():
            return False
        self.work.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)
        return True

    async def rest(self, *, reads: bool = True) -> None:
        """Days go by without anybody touching anything."""
        for _ in range(3):
            await self._quarter()
        for _ in range(4 if reads else 0):
            before = len(self.world.log.writes)
            for integration_id in self.integrations.values():
                self.handle(partial(self.home.reader.read_all, integration_id))
                await self.settle()
            await self._quarter()
            if len(self.world.log.writes) == before:
                return

    async def _quarter(self) -> None:
        while self.notices:
            await self.notice(0)
        await self.settle()
        await self.pass_time(QUARTER_SECONDS)
        while self.notices:
            await self.notice(0)
        await self.settle()
        for integration_id, _ in await self.home.reader.pending():
            self.handle(partial(self.home.reader.catch_up, integration_id))
        await self.settle()
        await self.outbound.sweep()
        await self.settle()


@asynccontextmanager
async def two_people(
    database_url: str = "",
    *,
    change: Callable[[SimulatedWorld], None] = lambda _: None,
    reused: ReusedDatabase | None = None,
    people: Sequence[str] = PEOPLE,
    through: Callable[[SimulatedWorld], httpx.AsyncBaseTransport] = the_simulator,
) -> AsyncIterator[TwoPeople]:
    """An active integration for each of the people, on a store of its own or on one used before.

    ``through``: the way to that world.
    """
    if reused is not None:
        given = (reused.store, reused.clock, change, people, through)
        async with reused.emptied(), _two_people(*given) as place:
            yield place
        return
    clock = ManualClock()
    kind = WatchedStore if make_url(database_url).get_backend_name() == "sqlite" else Store
    store = kind(database_url, clock=clock)
    await store.upgrade()
    try:
        async with _two_people(store, clock, change, people, through) as place:
            yield place
    finally:
        await store.close()


@asynccontextmanager
async def _two_people(
    store: Store,
    clock: ManualClock,
    change: Callable[[SimulatedWorld], None],
    people: Sequence[str],
    through: Callable[[SimulatedWorld], httpx.AsyncBaseTransport],
) -> AsyncIterator[TwoPeople]:
    waiting: list[tuple[str, dict[str, Any]]] = []

    async def post(url: str, body: bytes, headers: Any) -> int:
        waiting.append((url, httpx.Response(200, content=body).json()))
        return 202

    world = SimulatedWorld(clock=SimulatedTime(), post=post)
    cronofy = simulated_cronofy(store, clock, world, wire=through(world))
    broker = MemoryBroker(clock=clock)
    await broker.open()
    await broker.declare()
    tap = PublishedEvents(broker=broker)
    home = at_home(world, store, cronofy, clock)
    hire = partial(
        OutboundConsumer,
        store=store,
        broker=broker,
        cronofy=cronofy.gateway,
        budget=cronofy.budget,
        looker=home.looker,
        clock=clock,
    )
    place = TwoPeople(
        home=home,
        broker=broker,
        hire=hire,
        outbound=hire(),
        outbox=LeasedOutbox(store=store, publisher=tap, holder="vorex", written=asyncio.Event()),
        clock=clock,
        tap=tap,
        notices=waiting,
    )
    place.integrations |= {person: await _integration_with_channel(home, person) for person in people}
    await world.settle()
    waiting.clear()
    change(world)
    place.start_sending()
    try:
        yield place
    finally:
        await place.stop()
        await broker.close()
        await cronofy.close()


async def _integration_with_channel(home: OnePerson, person: str) -> str:
    """That person's active integration, whose calendar may be edited freely."""
    integration_id = await home.integration(f"{person}@example.com", permission_level="unrestricted")
    calendar_id = home.calendars[integration_id]
    home.world.set_permission(calendar_id, "unrestricted")
    sub = (await home.value(integration_id)).sub
    address = f"{HERE}/cronofy/notices/{integration_id}"
    await home.cronofy.gateway.create_channel(sub, address, calendar_ids=[calendar_id])
    return integration_id

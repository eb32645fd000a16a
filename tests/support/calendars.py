"""A linked calendar in memory, and an outbound engine over it: everything but Cronofy is the real thing."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, insert, select, update

from contracts.calendar import Link, Status
from contracts.envelope import ItemChanged, encode
from contracts.messages import ITEMS_EXCHANGE, QUEUE_OUTBOUND, REPLAY_EXCHANGE
from contracts.ports import REPLAY_HEADER, Broker, Delivery, Outgoing, Permit, Turn
from contracts.vorex import ItemChangedData, ItemType
from contracts.writes import Answer, Delete, EventWrite, Upsert
from service.broker.memory import MemoryBroker
from service.broker.topology import RETRY_DELAYS
from service.consumers.outbound.engine import OutboundConsumer
from service.store.engine.store import Store
from service.store.links import links
from service.store.tables import dead_letters, inbox, integration_state, integrations, log_entries
from service.store.tables import links as links_table
from tests.support.choices import OFF
from tests.support.clock import ManualClock
from tests.support.waiting import until

Fault = Exception | int
"""What happens instead of a write: the status of one entry, or an error of the whole request."""
ALL_TYPES = {kind.value: True for kind in ItemType}
MORNING = datetime(2026, 12, 3, 9, tzinfo=UTC)


@dataclass
class MemoryCalendars:
    """Does what Cronofy does with upserts and deletes: the last one for an event id counts."""

    events: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    writes: list[EventWrite] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    faults: deque[Fault | None] = field(default_factory=deque)
    """For the next requests, whole: None lets one pass."""
    refused: dict[str, int] = field(default_factory=dict)
    """Status by the summary or event id of a write that is always refused."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    largest_batch: int = 50
    before: Callable[[Sequence[EventWrite]], Any] | None = None

    def __post_init__(self) -> None:
        self.gate.set()

    def cost(self, writes: int) -> int:
        return 1

    async def write(self, sub: str, writes: Sequence[EventWrite], *, turn: Turn) -> Sequence[Answer]:
        self.requests.append(len(writes))
        if self.before is not None:
            await self.before(writes)
        await self.gate.wait()
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        return [Answer(status=fault) if fault else self._one(write) for write in writes]

    def _one(self, write: EventWrite) -> Answer:
        title = "" if isinstance(write, Delete) else write.fields.summary
        status = self.refused.get(title, self.refused.get(write.key[1], 202))
        if status != 202:
            return Answer(status=status)
        self.writes.append(write)
        if isinstance(write, Delete):
            self.events.pop(write.key, None)
        else:
            self.events[write.key] = write.body()
        return Answer(status=202)

    @property
    def titles(self) -> list[str]:
        return sorted(event["summary"] for event in self.events.values())

    def history(self, event_id: str) -> list[str | None]:
        """The titles that one event had, None where it was deleted."""
        return [
            write.fields.summary if isinstance(write, Upsert) else None
            for write in self.writes
            if write.key[1] == event_id
        ]


@dataclass
class FreeBudget:
    """Lets everything pass, and counts it."""

    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most: int | None = None

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        self.taken[turn.integration_id] += cost
        return Permit(until=float("inf"))

    async def penalise(self, turn: Turn) -> None: ...


@dataclass
class FixedLooker:
    """Finds what the test says."""

    finding: Literal["not_connected", "fine"] = "fine"
    looked: list[str] = field(default_factory=list)

    async def look(self, integration_id: str, *, at_once: bool = False) -> Literal["not_connected", "fine"]:
        del at_once
        self.looked.append(integration_id)
        return self.finding


@dataclass
class Outbound:
    """A store, a broker and calendars, and consumers between them."""

    store: Store
    clock: ManualClock
    broker: Broker
    calendars: MemoryCalendars = field(default_factory=MemoryCalendars)
    budget: FreeBudget = field(default_factory=FreeBudget)
    looker: FixedLooker = field(default_factory=FixedLooker)
    consumers: list[OutboundConsumer] = field(default_factory=list)
    _runs: list["asyncio.Task[None]"] = field(default_factory=list)
    _made: int = 0

    def consumer(self, **options: Any) -> OutboundConsumer:
        """Another consumer, not started."""
        usual: dict[str, Any] = {"shutdown_grace": 5.0, "retry_delays": RETRY_DELAYS}
        made = OutboundConsumer(
            store=self.store,
            broker=options.pop("broker", self.broker),
            cronofy=options.pop("cronofy", self.calendars),
            budget=options.pop("budget", self.budget),
            looker=self.looker,
            clock=self.clock,
            **usual | options,
        )
        self.consumers.append(made)
        return made

    async def start(self, consumer: OutboundConsumer | None = None, **options: Any) -> OutboundConsumer:
        """Run a consumer until the test ends."""
        consumer = consumer or self.consumer(**options)
        self._runs.append(asyncio.create_task(consumer.run()))
        await until(lambda: consumer.ready, what="a ready consumer")
        return consumer

    async def integration(self, user: str = "u-17", name: str = "Work", **changes: Any) -> str:
        """A finished, active integration of that user."""
        self._made += 1
        integration_id = f"{self._made:08}-0000-7000-8000-000000000000"
        now = self.clock.now()
        row: dict[str, Any] = {
            "id": integration_id,
            "tenant_id": "acme",
            "user_id": user,
            "sub": f"acc_{self._made}",
            "profile_id": f"pro_{self._made}",
            "profile_name": f"{user}@example.com",
            "provider_name": "google",
            "provider_service": "google",
            "account_name": f"{user}@example.com",
            "time_zone": "Europe/London",
            "calendar_id": f"cal_{self._made}",
            "calendar_name": f"{name} {self._made}",
            "active": True,
            "status": Status.CONNECTED.value,
            "event_types": {"create": True, "update": True, "delete": True},
            "item_types": ALL_TYPES,
            "retrieve": OFF,
            "send": OFF,
            "created_at": now,
            "finished_at": now,
            "baseline_at": now,
            **changes,
        }
        async with self.store.begin() as connection:
            await connection.execute(insert(integrations), [row])
            await connection.execute(insert(integration_state), [{"integration_id": integration_id}])
        return integration_id

    async def change_integration(self, integration_id: str, **changes: Any) -> None:
        async with self.store.begin() as connection:
            await connection.execute(
                update(integrations).where(integrations.c.id == integration_id).values(**changes)
            )

    async def publish(self, *messages: Outgoing) -> None:
        for message in messages:
            await self.broker.publish(message)

    async def at_rest(self) -> None:
        """Return when everything that can be done now has been done."""
        for _ in range(3):
            if isinstance(self.broker, MemoryBroker):
                await self.broker.drain()
            for consumer in self.consumers:
                async with asyncio.timeout(90):
                    await consumer.idle()

    async def settled(self, *, seconds: float = 60) -> None:
        """As ``at_rest``, with the time passing: waits between processes end."""

        async def quiet() -> bool:
            await self.clock.pass_time(0.25)
            assert isinstance(self.broker, MemoryBroker)
            await self.broker.drain()
            waiting = await self.broker.depth(QUEUE_OUTBOUND)
            return not waiting and all(consumer.quiet for consumer in self.consumers)

        await until(quiet, seconds=seconds, what="rest")

    async def send(self, *messages: Outgoing) -> None:
        await self.publish(*messages)
        await self.at_rest()

    async def ended(self) -> None:
        """Return when every consumer has stopped."""
        await asyncio.gather(*self._runs)

    def interrupt(self) -> None:
        """Cut the broker's channels."""
        assert isinstance(self.broker, MemoryBroker)
        self.broker.interrupt()

    async def return_all(self, times: int) -> None:
        """Hand everything that waits to somebody who dies with it, so many times."""
        for _ in range(times):
            idler = await self.broker.subscribe(QUEUE_OUTBOUND, prefetch=1000, sink=_Idler())
            if isinstance(self.broker, MemoryBroker):
                await self.broker.drain()
            await idler.close()

    async def replay(self, letter: Any) -> None:
        """Send a dead letter again, as an operator's replay does."""
        async with self.store.begin() as connection:
            where = dead_letters.c.id == letter["id"]
            await connection.execute(update(dead_letters).where(where).values(state="replaying"))
            await connection.execute(delete(inbox).where(inbox.c.message_id == letter["message_id"]))
        await self.send(
            Outgoing(
                exchange=REPLAY_EXCHANGE,
                routing_key=QUEUE_OUTBOUND,
                body=letter["body"],
                message_id=letter["message_id"],
                headers={REPLAY_HEADER: letter["id"]},
            )
        )

    async def rows(self, table: Any, *where: Any) -> list[Any]:
        async with self.store.read() as connection:
            found = await connection.execute(select(table).where(*where))
            return list(found.mappings())

    async def logged(self) -> list[tuple[str, str, str]]:
        """Action, outcome and code of every log entry, in order."""
        found = sorted(await self.rows(log_entries), key=lambda row: row["id"])
        return [(row["action"], row["outcome"], row["code"]) for row in found]

    async def letters(self) -> list[Any]:
        return await self.rows(dead_letters)

    async def finished(self) -> dict[str, str]:
        """The inbox's outcome of every message."""
        return {row["message_id"]: row["outcome"] for row in await self.rows(inbox)}

    async def links(self) -> list[Link]:
        return [links.link_of(row) for row in await self.rows(links_table)]

    async def close(self) -> None:
        for consumer in self.consumers:
            await consumer.stop()
        await asyncio.gather(*self._runs)
        await self.broker.close()


class _Idler:
    """Takes messages and does nothing."""

    def deliver(self, delivery: Delivery) -> None: ...

    def lost(self, generation: int) -> None: ...


@asynccontextmanager
async def outbound(store: Store, clock: ManualClock, broker: Broker | None = None) -> AsyncIterator[Outbound]:
    """Open the broker with its topology, and close everything at the end."""
    broker = broker or MemoryBroker(clock=clock)
    await broker.open()
    await broker.declare()
    world = Outbound(store=store, clock=clock, broker=broker)
    try:
        yield world
    finally:
        world.calendars.gate.set()
        await world.close()


_numbers = iter(range(1, 10**9))


def changed(item_id: str = "5512", version: int = 1, **changes: Any) -> Outgoing:
    """An item-changed message as Vorex publishes it; what is not named is ordinary."""
    envelope = {
        name: changes.pop(name) for name in ("id", "time", "source", "traceparent") if name in changes
    }
    data = {
        name: changes.pop(name)
        for name in ("action", "actor", "seen_version", "tenant_id")
        if name in changes
    }
    item: dict[str, Any] = {
        "id": item_id,
        "type": "appointment",
        "title": f"{item_id} v{version}",
        "start": MORNING,
        "end": MORNING + timedelta(hours=1),
        "assignees": ["u-17"],
        **changes,
    }
    form = ItemChangedData.model_validate(
        {
            "tenant_id": "acme",
            "action": "created" if version == 1 else "updated",
            "version": version,
            "actor": {"kind": "user", "id": "u-17"},
            "item": item,
            **data,
        }
    )
    message = ItemChanged.of(
        form,
        id=envelope.get("id", f"m-{next(_numbers)}"),
        time=envelope.get("time", MORNING - timedelta(days=2) + timedelta(minutes=version)),
        source=envelope.get("source", "/vorex/acme"),
        traceparent=envelope.get("traceparent"),
    )
    return Outgoing(
        exchange=ITEMS_EXCHANGE,
        routing_key=message.routing_key,
        body=encode(message),
        message_id=message.id,
    )


def raw(body: bytes, message_id: str) -> Outgoing:
    """Bytes that somebody published."""
    return Outgoing(
        exchange=ITEMS_EXCHANGE, routing_key="appointment.created", body=body, message_id=message_id
    )

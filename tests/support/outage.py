"""The outbound engine on a real broker and a simulated Cronofy, whose troubles and time are the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from service.app.cronofy import CronofyParts
from service.broker.rabbitmq import RabbitBroker
from service.consumers.brake import Gate
from service.consumers.outbound.engine import OutboundConsumer
from service.consumers.owners import tenants_here
from service.demo.simulator.app import create_app
from service.demo.simulator.clock import SteppedClock as SimulatedTime
from service.demo.simulator.world import LinkedAccount, SimulatedWorld
from service.store.engine.store import Store
from service.store.tables import attempts
from tests.support.calendars import FreeBudget, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.processes import SECRETS
from tests.support.waiting import until
from tests.support.wiring import access_to, simulated_cronofy

DELAYS = (1, 2, 3, 4, 5)
"""Seconds of the retry queues, which are real: RabbitMQ keeps no time of ours."""
Garble = Callable[[httpx.Request, httpx.Response], httpx.Response]


@dataclass(kw_only=True)
class FaultyTransport(httpx.AsyncBaseTransport):
    """The way to Cronofy, which a test may close, stop, or have say something else."""

    inner: httpx.AsyncBaseTransport
    clock: ManualClock
    refuses: bool = False
    stalls: bool = False
    garble: Garble | None = None
    seconds: float = 0.0
    """That each answer takes."""
    passable: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[float, str, bool]] = field(default_factory=list)
    """When, for which path, and whether with a token."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        signed = "Authorization" in request.headers
        self.asked.append((self.clock.monotonic(), request.url.path, signed))
        if self.refuses:
            raise httpx.ConnectError("connection refused", request=request)
        if self.stalls:
            await asyncio.Event().wait()
        await self.passable.wait()
        await asyncio.sleep(self.seconds)
        answer = await self.inner.handle_async_request(request)
        await answer.aread()
        return self.garble(request, answer) if self.garble else answer


@dataclass(kw_only=True)
class Engine:
    """A consumer, what it writes to, and the clock of both."""

    world: Outbound
    there: SimulatedWorld
    line: FaultyTransport
    cronofy: CronofyParts
    clock: ManualClock
    consumer: OutboundConsumer
    linked: dict[str, LinkedAccount] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether the breaker is."""
        return self.cronofy.breaker.open

    async def people(self, *users: str) -> None:
        """Each with a linked calendar and an active integration."""
        for user in users:
            self.there.add_mailbox(email=f"{user}@example.com")
            self.linked[user] = linked = self.there.link(f"{user}@example.com")
            account = Account(
                sub=linked.account.account_id,
                calendar_id=next(iter(linked.calendar_ids.values())),
                access_token=linked.access_token,
                refresh_token=linked.refresh_token,
            )
            await link(self.world, user, account, at=self.clock.now().timestamp())

    async def say(self, user: str, *titles: str) -> list[Outgoing]:
        """Vorex publishes new items of that user."""
        messages = [changed(title, id=f"m-{title}", assignees=[user]) for title in titles]
        for at in range(0, len(messages), 100):
            await asyncio.gather(*(self.world.broker.publish(each) for each in messages[at : at + 100]))
        return messages

    def shown(self, user: str) -> list[str]:
        """The titles on that person's calendar."""
        (calendar_id,) = self.linked[user].calendar_ids.values()
        return sorted(event["summary"] for event in self.there.events(calendar_id))

    def writes(self) -> list[tuple[float, str]]:
        """When and by which path writes were tried."""
        return [(at, path) for at, path, signed in self.line.asked if signed and "userinfo" not in path]

    async def pass_time(self, seconds: float, *, step: float = 1.0) -> None:
        """On both sides, slowly enough for everybody to act between."""
        for _ in range(int(seconds / step)):
            await self.there.advance(step)
            await self.clock.pass_time(step)
            await asyncio.sleep(0.005)

    async def at_once(self, condition: Callable[[], Any], what: str) -> None:
        """Return when it holds, at this very moment of both clocks however long the machine takes."""
        await until(condition, what=what)

    async def until(
        self, condition: Callable[[], Any], what: str, *, step: float = 0.25, seconds: float = 60
    ) -> None:
        """Let time pass until it holds; so many seconds of the machine's at the most."""

        async def holds() -> bool:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if not answer:
                await self.pass_time(step, step=step)
            return bool(answer)

        await until(holds, seconds=seconds, what=what)

    async def all_done(self, messages: int) -> None:
        """Return once every message has ended well and nothing waits."""

        async def ended() -> bool:
            outcomes = await self.world.finished()
            return list(outcomes.values()) == ["done"] * messages

        await self.until(ended, f"{messages} messages done")
        assert await self.world.letters() == []
        assert await self.world.broker.depth(QUEUE_OUTBOUND) == 0

    async def tried(self) -> dict[str, int]:
        """How many attempts at each message have failed."""
        counts: dict[str, int] = {}
        for row in await self.world.rows(attempts):
            counts[row["message_id"]] = counts.get(row["message_id"], 0) + 1
        return counts


@asynccontextmanager
async def engine(
    database_url: str, broker_url: str, *, time_limit: float = 10.0, **options: Any
) -> AsyncIterator[Engine]:
    """Everything open and the consumer running."""
    clock, there = ManualClock(), SimulatedWorld(clock=SimulatedTime())
    there.faults.change(apply_delay=0.0)
    store = Store(database_url, clock=clock)
    await store.upgrade()
    line = FaultyTransport(inner=httpx.ASGITransport(create_app(there)), clock=clock)
    line.passable.set()
    cronofy = simulated_cronofy(
        store,
        clock,
        there,
        access=access_to("http://cronofy.test"),
        key=SECRETS["ENCRYPTION_KEYS"],
        budget=FreeBudget(),
        wire=line,
        time_limit=time_limit,
    )
    broker = RabbitBroker(broker_url, retry_delays=DELAYS)
    async with outbound(store, clock, broker) as world:
        gate = Gate(
            queue=QUEUE_OUTBOUND, clock=clock, census=partial(tenants_here, store), breaker=cronofy.breaker
        )
        made = world.consumer(cronofy=cronofy.gateway, gate=gate, retry_delays=DELAYS, **options)
        await world.start(made)
        yield Engine(world=world, there=there, line=line, cronofy=cronofy, clock=clock, consumer=made)
    await cronofy.close()
    await store.close()

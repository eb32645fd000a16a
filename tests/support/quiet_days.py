"""Days of many people on one manual clock, and what each of them costs at Cronofy, request by request."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from sqlalchemy import update

from contracts.envelope import RunRequested, decode
from contracts.messages import QUEUE_RUNS
from contracts.ports import Clock, Delivery, Subscription
from contracts.vorex import Action, ItemContent
from service.consumers.failures import ReceivedMessage
from service.demo.simulator.world import SimulatedWorld
from service.keeper import Chore, daily_reads, due_runs, lost_channels, missing_channels, unread_notices
from service.store.tables import integration_state, integrations
from tests.support.clock import ManualClock
from tests.support.two_people import TwoPeople, two_people
from tests.support.wiring import parts_of, the_simulator

DAY_SECONDS = 86_400.0
WORK_BEGINS, WORK_ENDS = 8 * 3600.0, 18 * 3600.0
CHANGES, NOTICES = 20, 10
"""Of the person of the sizing table, on one day."""
NEW_ITEMS = 5
"""Of the changes; the others change those."""


class CountedWire(httpx.AsyncBaseTransport):
    """The way to Cronofy, with a book of what went over it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.asked: Counter[str] = Counter()
        self.moments: list[tuple[str, float]] = []
        """What was asked, and when by the clock."""
        self.clock: Clock = ManualClock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        word = _word(request)
        self.asked[word] += 1
        self.moments.append((word, self.clock.now().timestamp()))
        return await self._inner.handle_async_request(request)


def _word(request: httpx.Request) -> str:
    path, names = request.url.path, request.url.params
    if request.method == "GET" and path == "/v1/events":
        return "a complete read" if "from" in names else "a read of changes"
    if request.method == "POST" and path == "/v1/batch":
        return "a write"
    if path.endswith("/events"):
        return "a write"
    return {
        "/oauth/token": "a token",
        "/v1/channels": "a look at the channels",
        "/v1/userinfo": "a look at the account",
    }.get(path, f"{request.method} {path}")


@dataclass(kw_only=True)
class RunsConsumer:
    """Does the step of a run that is due, as it comes."""

    people: TwoPeople
    subscription: list[Subscription] = field(default_factory=list)

    def deliver(self, delivery: Delivery) -> None:
        self.people.handle(lambda: self._handle(delivery))

    def lost(self, generation: int) -> None: ...

    async def _handle(self, delivery: Delivery) -> None:
        message = decode(delivery.body, expected=RunRequested)
        await self.people.home.runs(ReceivedMessage(message=message))
        await self.subscription[0].ack([delivery])


@dataclass(kw_only=True)
class QuietDays:
    """People with linked calendars, the keeper's chores for their sake, and the time that passes."""

    people: TwoPeople
    wire: CountedWire
    step: float
    """Seconds between two rounds of the keeper."""
    chores: Sequence[Chore] = ()
    chance: random.Random = field(default_factory=lambda: random.Random(18))
    known: dict[str, list[ItemContent]] = field(default_factory=dict)

    async def pass_day(self, *, busy: Sequence[str] = ()) -> Counter[str]:
        """One day, with the usual changes and notices of these people; what Cronofy was asked meanwhile."""
        self.wire.asked.clear()
        self.wire.moments.clear()
        ahead = self._agenda(busy)
        for at in range(int(DAY_SECONDS / self.step)):
            while ahead and ahead[-1][0] < (at + 1) * self.step:
                _, person, of_vorex = ahead.pop()
                await (self._change(person) if of_vorex else self._edit(person))
                await self._round()
            await self.people.pass_time(self.step)
            await self._round()
        return Counter(self.wire.asked)

    def _agenda(self, busy: Sequence[str]) -> list[tuple[float, str, bool]]:
        moments = [
            (self.chance.uniform(WORK_BEGINS, WORK_ENDS), person, of_vorex)
            for person in busy
            for of_vorex in [True] * CHANGES + [False] * NOTICES
        ]
        return sorted(moments, reverse=True)

    async def _round(self) -> None:
        while self.people.notices:
            await self.people.notice(0)
        await self.people.settle()
        for chore in self.chores:
            await chore.work()
        await self.people.settle()
        await self.people.outbound.sweep()
        await self.people.settle()

    async def _change(self, person: str) -> None:
        mine = self.known.setdefault(person, [])
        if len(mine) < NEW_ITEMS:
            item = _item(person, len(mine), self.people.clock.now())
            mine.append(item)
            await self.people.say(item, action=Action.CREATED)
            return
        at = self.chance.randrange(NEW_ITEMS)
        mine[at] = ItemContent.from_json_dict(
            mine[at].to_json_dict() | {"title": f"Visit {self.chance.random()}"}
        )
        await self.people.say(mine[at], action=Action.UPDATED)

    async def _edit(self, person: str) -> None:
        """Their owner adds an event, of which Cronofy tells."""
        start = self.people.clock.now() + timedelta(days=2)
        self.people.world.add_event(
            self.people.home.calendars[self.people.integrations[person]],
            summary=f"Lunch {self.chance.random()}",
            start=start.strftime("%Y-%m-%dT%H:00:00Z"),
            end=start.strftime("%Y-%m-%dT%H:30:00Z"),
        )
        await self.people.pass_time(5)


def _item(person: str, number: int, now: datetime) -> ItemContent:
    start = now + timedelta(days=1 + number)
    return ItemContent.from_json_dict({
        "id": f"{person}-{number}-{now.timestamp():.0f}",
        "type": "appointment",
        "title": f"Visit {number}",
        "start": start.strftime("%Y-%m-%dT%H:00:00Z"),
        "end": start.strftime("%Y-%m-%dT%H:30:00Z"),
        "assignees": [person],
    })  # fmt: skip


@asynccontextmanager
async def quiet_days(database_url: str, *, people: int, step: float) -> AsyncIterator[QuietDays]:
    """So many people who have been linked for long: read and looked after a day ago, spread over that day."""
    wires: list[CountedWire] = []

    def through(world: SimulatedWorld) -> CountedWire:
        wires.append(CountedWire(the_simulator(world)))
        return wires[0]

    names = [f"person-{number:04}" for number in range(people)]
    async with two_people(database_url, people=names, through=through) as place:
        (wire,) = wires
        wire.clock = place.clock
        store = place.home.store
        parts = parts_of(store, place.home.cronofy, place.clock)
        consumer = RunsConsumer(people=place)
        consumer.subscription.append(await place.broker.subscribe(QUEUE_RUNS, prefetch=20, sink=consumer))
        await _as_if_for_long(place)
        chores = (
            daily_reads(store),
            due_runs(store),
            unread_notices(parts.reader),
            missing_channels(parts.integrations.ensure_channels),
            lost_channels(parts.audit, parts.integrations.ensure_channels),
        )
        yield QuietDays(people=place, wire=wire, step=step, chores=chores)
        await consumer.subscription[0].close()


async def _as_if_for_long(place: TwoPeople) -> None:
    """Each was read whole at another moment of the day before, and half were asked for channels then."""
    world, now = place.world, place.clock.now()
    async with place.home.store.begin() as connection:
        for number, (person, integration_id) in enumerate(sorted(place.integrations.items())):
            (profile,) = world.profiles(f"{person}@example.com")
            (channel,) = profile.account.channels.values()
            read_at = now - timedelta(days=(number + 0.5) / len(place.integrations))
            mine = integrations.c.id == integration_id
            await connection.execute(
                update(integrations).where(mine).values(channel_id=channel.channel_id, finished_at=now)
            )
            days = number % 2
            await connection.execute(
                update(integration_state)
                .where(integration_state.c.integration_id == integration_id)
                .values(
                    full_read_at=read_at,
                    last_checked_at=read_at,
                    heard_at=read_at.timestamp() - 3 * DAY_SECONDS,
                    audited_at=read_at.timestamp() - days * DAY_SECONDS,
                )
            )

"""The process is killed at each numbered crash point of reading and started again, on RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from contracts.envelope import ItemChanged, NoticeReceived, decode, encode
from contracts.fields import rfc3339
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, NoticeData
from contracts.ports import Delivery, Outgoing
from contracts.vorex import Action
from service.app.cronofy import open_cronofy
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.consumers.failures import ReceivedMessage
from service.crashpoints import EXIT_KILLED
from service.cronofy.budget import NoBudget
from service.demo.simulator.server import serve_inside
from service.demo.simulator.world import SimulatedWorld
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations.credentials import CredentialsTable
from service.store.tables import inbox, integration_state, items, leases, outbox
from tests.support.brokers import take
from tests.support.calendars import Outbound, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.processes import SECRETS, Started, started
from tests.support.waiting import until
from tests.support.wiring import access_to, parts_of

EMAIL = "sam@contoso.example"
FIRST, LATER = ("one", "two", "three", "four"), ("five", "six", "seven", "eight", "nine")
FINAL = {"one": False, "two, moved": False, "three": True, "four": False} | dict.fromkeys(LATER, False)
"""The titles on My Calendar at the end, and whether their item is deleted."""

POINTS = ("inbound.1", "inbound.2", "inbound.3#2", "inbound.4", "inbound.5")
"""Each in the read of three pages for the only notice that this process ever sees.

A process that also made an earlier read would pass the first two points once more whenever that one is tried
again, and so might die too soon.
"""
LATEST = 120.0
"""Seconds for a process to start, read and end where many others want the processor."""

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(600)]


@dataclass(kw_only=True)
class Ground:
    """A linked calendar, the store behind My Calendar, and the consumer's settings."""

    calendar: SimulatedWorld
    calendar_id: str
    world: Outbound
    integration_id: str
    settings: Mapping[str, str]
    folder: Path

    def add(self, *titles: str) -> None:
        for hour, title in enumerate(titles):
            start = self._tomorrow(hour)
            end = start + timedelta(minutes=30)
            self.calendar.add_event(
                self.calendar_id, summary=title, start=rfc3339(start), end=rfc3339(end), tzid="Etc/UTC"
            )

    def change_things(self) -> None:
        """One event is changed, one deleted, five are added."""
        uids = {event["summary"]: event["event_uid"] for event in self.calendar.events(self.calendar_id)}
        self.calendar.change_event(self.calendar_id, uids["two"], summary="two, moved")
        self.calendar.delete_event(self.calendar_id, uids["three"])
        self.add(*LATER)

    def _notice(self) -> NoticeReceived:
        now = datetime.now(UTC)
        since = rfc3339(now - timedelta(minutes=5))
        data = NoticeData(
            integration_id=self.integration_id,
            received_at=now,
            notification={"type": "change", "changes_since": since},
        )
        return NoticeReceived.of(data, id=new_id(), time=now)

    async def read(self) -> str:
        """A notice that nothing disturbs; its id."""
        message = self._notice()
        access = access_to(
            self.settings["CRONOFY_API_URL"],
            (SECRETS["CRONOFY_CLIENT_ID"], SECRETS["CRONOFY_CLIENT_SECRET"]),
        )
        store, clock = self.world.store, SystemClock()
        tokens = CredentialsTable(store, [SECRETS["ENCRYPTION_KEYS"]])
        cronofy = open_cronofy(access, credentials=tokens, budget=NoBudget(), clock=clock)
        handle = parts_of(store, cronofy, clock).notices
        await handle(ReceivedMessage(message=message))
        await cronofy.close()
        return message.id

    async def notice(self) -> str:
        """What the relay publishes when Cronofy tells of changes; the message's id."""
        message = self._notice()
        await self.world.publish(
            Outgoing(
                exchange=message.exchange,
                routing_key=message.routing_key,
                body=encode(message),
                message_id=message.id,
            )
        )
        return message.id

    def consumer(self, *, crash_at: str = "") -> Any:
        """The command itself in a process of its own; it dies at the point named."""
        settings = {**self.settings, "TEST_CRASH_AT": crash_at}
        return started("consume", "inbound", settings=settings, folder=self.folder)

    async def done(self, *message_ids: str) -> bool:
        found = await self.world.rows(inbox, inbox.c.consumer == QUEUE_INBOUND)
        return {row["message_id"]: row["outcome"] for row in found} == dict.fromkeys(message_ids, "done")

    async def let_the_rights_of_the_dead_expire(self) -> None:
        """A reader and a sender that died keep others out for a while that nobody waits for here."""
        async with self.world.store.begin() as connection:
            await connection.execute(update(integration_state).values(read_until=0.0))
            await connection.execute(update(leases).values(until=0.0))

    async def _facts(self) -> list[Delivery]:
        """Everything that was published for the person's other calendars."""
        told = await self.world.broker.depth(QUEUE_OUTBOUND)
        taker, subscription = await take(self.world.broker, QUEUE_OUTBOUND)
        facts = await taker.received(told)
        await subscription.close()
        return list(facts)

    async def as_it_should_be(self) -> None:
        found = await self.world.rows(items)
        assert {row["content"]["title"]: row["deleted"] for row in found} == FINAL
        assert len(found) == len(FINAL)
        written = {row["message_id"] for row in await self.world.rows(outbox)}
        told = [decode(fact.body, expected=ItemChanged) for fact in await self._facts()]
        assert {fact.id for fact in told} == written
        changes = {(fact.id, fact.data.item.id, fact.data.action) for fact in told}
        assert len(changes) == len(written) == len(FINAL) + 2
        made = [item for _, item, action in changes if action is Action.CREATED]
        assert len(made) == len(set(made)) == len(FINAL)

    @staticmethod
    def _tomorrow(hour: int) -> datetime:
        day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
        return day + timedelta(days=1, hours=hour)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, once of each engine."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def ground(database_url: str, broker_url: str, tmp_path: Path) -> AsyncIterator[Ground]:
    async with opened(database_url, broker_url, tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(url: str, broker_url: str, folder: Path) -> AsyncIterator[Ground]:
    calendar = SimulatedWorld(
        client_id=SECRETS["CRONOFY_CLIENT_ID"], client_secret=SECRETS["CRONOFY_CLIENT_SECRET"]
    )
    calendar.faults.change(page_size=3, read_lag=0.0)
    calendar.add_mailbox(email=EMAIL, calendars=("Calendar",))
    linked = calendar.link(EMAIL)
    calendar_id = linked.calendar_ids["Calendar"]
    account = Account(
        sub=linked.account.account_id,
        profile_id=linked.account.profiles[0].profile_id,
        calendar_id=calendar_id,
        access_token=linked.access_token,
        refresh_token=linked.refresh_token,
    )
    store = Store(url)
    await store.upgrade()
    async with (
        serve_inside(calendar, host="127.0.0.1", port=0) as address,
        outbound(store, ManualClock(), RabbitBroker(broker_url)) as world,
    ):
        yield Ground(
            calendar=calendar,
            calendar_id=calendar_id,
            world=world,
            integration_id=await link(world, "u-17", account),
            settings={
                **SECRETS,
                "DATABASE_URL": url,
                "BROKER_URL": broker_url,
                "CRONOFY_API_URL": address,
            },
            folder=folder,
        )
    await store.close()


@pytest.mark.parametrize("point", POINTS)
async def test_r30_killed_while_reading_and_started_again_all_is_as_if_nothing_had_been(
    ground: Ground, point: str
) -> None:
    """Every event one item, every change one fact by one id, the notice settled and nothing left."""
    ground.add(*FIRST)
    before = await ground.read()
    ground.change_things()
    fatal = await ground.notice()
    with ground.consumer(crash_at=point) as doomed:
        assert await _ended(doomed) == EXIT_KILLED
    await ground.let_the_rights_of_the_dead_expire()
    with ground.consumer() as consumer:
        await until(lambda: ground.done(before, fatal), seconds=LATEST, what="the second read")
        await until(lambda: _all_told(ground), seconds=LATEST, what="the facts on the broker")
        assert await asyncio.to_thread(consumer.stop) == 0
    await ground.as_it_should_be()
    assert await ground.world.broker.depth(QUEUE_INBOUND) == 0
    assert await ground.world.letters() == []


async def _ended(process: Started) -> int:
    return await asyncio.to_thread(process.process.wait, LATEST)


async def _all_told(ground: Ground) -> bool:
    return all(row["sent_at"] is not None for row in await ground.world.rows(outbox))

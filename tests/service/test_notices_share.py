"""Notices of one calendar in quick succession are read for once, and none is lost (R32)."""

import asyncio
from datetime import datetime

import pytest

from contracts.envelope import NoticeReceived
from contracts.messages import NoticeData
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.notices import NoticeHandler
from service.consumers.inbound.reader import CalendarReader
from service.store.engine.ids import new_id
from service.store.integrations import reads
from service.store.messages.inbox import MessageKey
from service.store.tables import inbox
from tests.support.one_person import OnePerson
from tests.support.waiting import until

FLOOD = 30


class HeldReader:
    """The reader, whose reads begin when the gate is opened."""

    def __init__(self, reader: CalendarReader) -> None:
        self._reader = reader
        self.gate = asyncio.Event()
        self.waiting = 0

    async def read(
        self,
        integration_id: str,
        *,
        noticed_at: float,
        key: MessageKey | None = None,
        told_at: datetime | None = None,
    ) -> None:
        self.waiting += 1
        await self.gate.wait()
        await self._reader.read(integration_id, noticed_at=noticed_at, key=key, told_at=told_at)


class Notices:
    """Posts notices for one integration to a handler with a held reader."""

    def __init__(self, home: OnePerson, integration_id: str) -> None:
        self.home, self.integration_id = home, integration_id
        self.reader = HeldReader(home.reader)
        self.handler: NoticeHandler = home.notice_handler(self.reader)

    async def post(self) -> str:
        now = self.home.clock.now()
        data = NoticeData(
            integration_id=self.integration_id, received_at=now, notification={"type": "change"}, channel={}
        )
        message = NoticeReceived.of(data, id=new_id(), time=now)
        await self.handler(ReceivedMessage(message=message))
        return message.id

    async def outcomes(self) -> list[str]:
        async with self.home.store.read() as connection:
            return sorted((await connection.scalars(inbox.select().with_only_columns(inbox.c.outcome))).all())

    def asked(self) -> int:
        return int(self.home.world.stats()["requests"])


@pytest.fixture
async def notices(home: OnePerson) -> Notices:
    return Notices(home, await home.integration())


async def test_r32_notices_that_come_while_another_waits_share_its_read(notices: Notices) -> None:
    """They are done with at once, and what they told of is brought by that one read."""
    home = notices.home
    first = asyncio.create_task(notices.post())
    await until(lambda: notices.reader.waiting == 1)
    home.add_event(notices.integration_id)
    for _ in range(FLOOD):
        await asyncio.wait_for(notices.post(), 60)
    assert (notices.reader.waiting, await notices.outcomes()) == (1, ["noted"] * FLOOD)

    await home.world.advance(5)
    before = notices.asked()
    notices.reader.gate.set()
    await first
    assert notices.asked() - before == 1
    assert len(await home.items()) == 1
    assert await home.reader.pending() == []


async def test_r32_a_notice_that_comes_after_the_read_began_is_read_for_anew(notices: Notices) -> None:
    """The read in hand may have passed what it tells of; those behind it share the next one."""
    home, mine = notices.home, notices.integration_id
    first = asyncio.create_task(notices.post())
    await until(lambda: notices.reader.waiting == 1)
    async with home.store.begin() as connection:
        turn = await reads.take_turn(connection, mine, now=await home.store.now(connection))
    assert turn is not None, "a read begins"

    second = asyncio.create_task(notices.post())
    await until(lambda: notices.reader.waiting == 2)
    await asyncio.wait_for(notices.post(), 60)
    assert notices.reader.waiting == 2

    async with home.store.begin() as connection:
        await reads.give_up_turn(connection, turn)
    home.add_event(mine)
    await home.world.advance(5)
    notices.reader.gate.set()
    await asyncio.gather(first, second)
    assert len(await home.items()) == 1
    assert await home.reader.pending() == []

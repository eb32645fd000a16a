"""The process is killed at each numbered crash point of writing and started again, on RabbitMQ."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import QUEUE_OUTBOUND
from service.broker.rabbitmq import RabbitBroker
from service.crashpoints import EXIT_KILLED
from service.store.engine.store import Store
from service.store.tables import links
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.processes import Process, beside
from tests.support.waiting import until

POINTS = ("outbound.1", "outbound.2", "outbound.3", "outbound.4", "outbound.5", "outbound.6", "outbound.7")

pytestmark = pytest.mark.rabbitmq


@dataclass(frozen=True)
class Ground:
    database: str
    broker: str
    calendar: Path

    def consumer(self, *, crash_at: str = "", refuses: str = "") -> AbstractContextManager[Process]:
        """A consumer's process; it dies at the point named."""
        words = (self.database, self.broker, str(self.calendar), refuses)
        return beside("tests.support.killable_consumer", *words, TEST_CRASH_AT=crash_at)

    def events(self) -> Mapping[str, Any]:
        """What is on the calendar by the writes that arrived, by event id."""
        there: dict[str, Any] = {}
        for line in self.calendar.read_text().splitlines() if self.calendar.exists() else ():
            method, _, key, body = json.loads(line)
            if method == "DELETE":
                there.pop(key, None)
            elif not body["summary"].startswith("refused"):
                there[key] = body
        return there


@pytest.mark.parametrize("point", POINTS)
async def test_r30_killed_at_a_crash_point_and_started_again_all_is_as_if_nothing_had_been(
    point: str, broker_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Newest versions, one event per item, one dead letter for the refused one, nothing left anywhere."""
    store = Store(sqlite_url, clock=None)
    await store.upgrade()
    broker = RabbitBroker(broker_url, retry_delays=(1,))
    ground = Ground(sqlite_url, broker_url, tmp_path / "calendar.jsonl")
    async with outbound(store, ManualClock(), broker) as world:
        await world.integration()
        await world.publish(*(changed(f"i-{item}", version) for version in (1, 2) for item in range(20)))
        await world.publish(changed("refused", title="refused for good"))
        with ground.consumer(crash_at=point, refuses="i-7 v2") as doomed:
            assert await asyncio.to_thread(doomed.wait, 90) == EXIT_KILLED
        await _let_claims_expire(world)
        with ground.consumer():
            await until(lambda: _ended(world), seconds=90, what="everything done")
        await _as_it_should_be(world, ground)
    await store.close()


async def _let_claims_expire(world: Outbound) -> None:
    async with world.store.begin() as connection:
        await connection.execute(links.update().values(claimed_until=0.0))


async def _ended(world: Outbound) -> bool:
    finished = await world.finished()
    return len(finished) == 41 and await world.broker.depth(QUEUE_OUTBOUND) == 0


async def _as_it_should_be(world: Outbound, ground: Ground) -> None:
    titles = sorted(event["summary"] for event in ground.events().values())
    assert titles == sorted(f"i-{item} v2" for item in range(20))
    assert [letter["code"] for letter in await world.letters()] == ["refused"]
    states = sorted({str(link.state) for link in await world.links()})
    assert states == ["agreed", "failed"]

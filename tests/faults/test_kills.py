"""Processes are killed and the broker restarted while events pour in: nothing is lost, nothing doubled."""

import asyncio
import random
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from tests.support.knobs import FULL, examples, sized
from tests.support.processes import Started
from tests.support.rabbitmq import RabbitMQ
from tests.support.stage import CONSUME, Stage, shuffled, staged, versions_of
from tests.support.waiting import until

KILLS = sized(8, 50)
RESTARTS = 2
ITEMS, VERSIONS = sized(60, 1000), 10
USERS = [f"u-{number}" for number in range(sized(6, 40))]
GONE = range(0, ITEMS, 10)
"""Items whose last version deletes them."""
CONSUMERS = 3
ENGINES = ("postgresql", "sqlite") if FULL else ("postgresql",)

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgresql, pytest.mark.timeout(sized(600, 3600))]


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


async def test_r17_r31_killed_at_random_points_nothing_is_lost_and_nothing_doubled(
    database_url: str, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    """50 SIGKILLs and two restarts of the broker during 10,000 events, a fifth of them twice."""
    seed = examples("FAULTS_SEED", secrets.randbelow(10**6))
    print(f"FAULTS_SEED={seed}")  # noqa: T201 -- shown when it fails, to fail again
    async with staged(database_url, rabbitmq.url, tmp_path, PREFETCH="300", INTAKE_SIZE="100") as stage:
        await stage.people(*USERS)
        await stage.faults(latency_ms=50)
        events = _events()
        survivors = await _storm(stage, rabbitmq, shuffled(events, seed=seed), random.Random(seed))
        await stage.settled(len(events), seconds=sized(300, 1800))
        # what came twice may be in hand still, or wait for another attempt
        await until(lambda: _nothing_left(rabbitmq), seconds=sized(300, 1800), what="empty queues")
        assert await stage.stop(survivors) == [0] * CONSUMERS
        await _everything_recorded(stage, events)
        for place, user in enumerate(USERS):
            mine = (item for item in range(place, ITEMS, len(USERS)) if item not in GONE)
            await stage.shows(user, *(f"i-{item} v{VERSIONS}" for item in mine))


async def _nothing_left(rabbitmq: RabbitMQ) -> bool:
    return set((await asyncio.to_thread(rabbitmq.queues)).values()) == {0}


def _events() -> list[Outgoing]:
    return [
        event
        for item in range(ITEMS)
        for event in versions_of(item, USERS[item % len(USERS)], upto=VERSIONS, gone=item in GONE)
    ]


async def _storm(
    stage: Stage, rabbitmq: RabbitMQ, messages: Sequence[Outgoing], chance: random.Random
) -> list[Started]:
    """Publish bit by bit; after each bit somebody dies. The consumers that live in the end."""
    living = await stage.start(*CONSUME, count=CONSUMERS)
    blows = ["consumer"] * KILLS + ["broker"] * RESTARTS
    chance.shuffle(blows)
    size = -(-len(messages) // len(blows))
    for number, blow in enumerate(blows):
        publishing = asyncio.create_task(stage.publish(messages[number * size : (number + 1) * size]))
        await asyncio.sleep(chance.uniform(0.0, 0.8))
        if blow == "broker":
            await asyncio.to_thread(rabbitmq.restart)
        else:
            victim = chance.choice(await _ready(stage, living))
            assert await asyncio.to_thread(victim.stop, signal.SIGKILL) == -signal.SIGKILL
        await publishing
    return await _ready(stage, living, least=CONSUMERS)


async def _ready(stage: Stage, living: list[Started], *, least: int = 1) -> list[Started]:
    """The consumers that take messages; one that has ended is begun anew, as a supervisor does."""

    def ready() -> list[Started]:
        for place, each in enumerate(living):
            if each.process.poll() is not None:  # killed, or begun while there was no broker
                living[place] = stage.begin(*CONSUME)
        return [each for each in living if any("process.started" in line for line in each.err)]

    await until(lambda: len(ready()) >= least, seconds=300, what=f"{least} ready consumers")
    return ready()


async def _everything_recorded(stage: Stage, events: Sequence[Outgoing]) -> None:
    """No message was acknowledged without its record, and none was given up."""
    outcomes = await stage.world.finished()
    assert sorted(outcomes) == sorted(event.message_id for event in events)
    assert await stage.world.letters() == []
    assert set(outcomes.values()) <= {"done", "superseded", "stale", "stored"}
    assert await stage.world.broker.depth(QUEUE_OUTBOUND) == 0

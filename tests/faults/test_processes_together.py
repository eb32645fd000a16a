"""Several real processes at one account and one budget, and one of them stopped at the worst moment."""

import asyncio
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest
from sqlalchemy import make_url, update

from service.cronofy.allowance import MINUTE_SPAN, SECOND_SPAN, Allowance
from service.store.operations.budget import read_budget
from service.store.tables import credentials, integrations, links
from tests.support.calendars import changed
from tests.support.forked_processes import ForkedProcess
from tests.support.knobs import FULL, sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.stage import CONSUME, Stage, staged
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

CONSUMERS = 3
BUDGET_USERS = [f"u-{number}" for number in range(sized(12, 40))]
ROUNDS = sized(12, 40)

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 1800))]


async def test_t7_a_worker_stopped_past_its_claim_and_continued_changes_nothing_in_the_end(
    rabbitmq: RabbitMQ, sqlite_url: str, tmp_path: Path
) -> None:
    """Its old write lands after another's newer one: its answer does not count, the newest is verified."""
    async with staged(sqlite_url, rabbitmq.url, tmp_path) as stage:
        port = int(stage.settings["SIMULATOR_PORT"])
        async with TcpProxy("127.0.0.1", port) as wire:
            await stage.people("u-17")
            way = f"http://127.0.0.1:{wire.port}"
            # with a prefetch of one, what is published while it is stopped goes to the other at once
            (zombie,) = await stage.start(*CONSUME, CRONOFY_API_URL=way, PREFETCH="1")
            wire.freeze()
            await stage.publish([changed("a", 1)])
            await until(lambda: wire.holds(b"a v1"), what="a request on the wire")
            await _stop_between_transactions(zombie.process, make_url(sqlite_url).database)

            (living,) = await stage.start(*CONSUME)
            await stage.publish([changed("a", 2)])
            await until(lambda: _desired(stage, 2), what="the newer wish in the store")
            await _let_claims_expire(stage)
            await stage.shows("u-17", "a v2")
            wire.thaw()
            await stage.shows("u-17", "a v1")  # Cronofy knows no fence: the late one overwrites
            zombie.process.send_signal(signal.SIGCONT)
            await stage.settled(2)
            await until(lambda: _to_be_verified(stage), what="a link to be verified")
            await _verify_now(stage)
            await stage.shows("u-17", "a v2")

        told = [write["data"]["summary"] for write in await stage.writes()]
        assert told[:2] == ["a v2", "a v1"]
        assert told[-1] == "a v2"
        assert len({write["key"] for write in await stage.writes()}) == 1
        assert await stage.world.letters() == []
        assert await stage.stop([zombie, living]) == [0, 0]


async def _stop_between_transactions(process: Popen[bytes] | ForkedProcess, database: str | None) -> None:
    """Not within one: SQLite has one lock for all writers, and nothing takes it from who stands still."""
    assert database is not None

    async def stopped() -> bool:
        process.send_signal(signal.SIGSTOP)
        if await asyncio.to_thread(_is_free, database):
            return True
        process.send_signal(signal.SIGCONT)
        return False

    await until(stopped, what="a moment without a transaction")


def _is_free(database: str) -> bool:
    with closing(sqlite3.connect(database, timeout=1.0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


async def _desired(stage: Stage, revision: int) -> bool:
    return [link.desired_revision for link in await stage.world.links()] == [revision]


async def _to_be_verified(stage: Stage) -> bool:
    (row,) = await stage.world.rows(links)
    return row["verify_at"] is not None and row["state"] == "agreed"


async def _let_claims_expire(stage: Stage) -> None:
    async with stage.world.store.begin() as connection:
        await connection.execute(update(links).values(claimed_until=0.0))


async def _verify_now(stage: Stage) -> None:
    async with stage.world.store.begin() as connection:
        await connection.execute(update(links).values(verify_at=0.0))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def ground(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A database and what Cronofy counts; each engine and each count once."""
    cost = "request" if request.param == "sqlite" else "entry"
    return str(request.getfixturevalue(f"{request.param}_url")), cost


async def test_r32_processes_together_keep_the_budget_and_renew_a_token_once(
    ground: tuple[str, str], rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    """Every request was paid for and no window holds too much; all tokens end before it begins.

    What a busy machine delays on the way arrives in heaps, so the grants are what counts; in full size,
    where the machine is ours, the simulator enforces Cronofy's limits and refuses nobody.
    """
    database_url, cost = ground
    limits = {"CRONOFY_REQUESTS_PER_SECOND": "50", "CRONOFY_REQUESTS_PER_MINUTE": "500"}
    async with staged(
        database_url, rabbitmq.url, tmp_path, **limits, CRONOFY_BATCH_COST=cost, PREFETCH="60"
    ) as stage:
        await stage.people(*BUDGET_USERS)
        enforced = {"per_second": 50, "per_minute": 500} if FULL else {}
        await stage.faults(batch_cost=cost, expire_access_tokens=True, **enforced)
        consumers = await stage.start(*CONSUME, count=CONSUMERS)
        messages = [changed(f"{user}-{n}", assignees=[user]) for n in range(ROUNDS) for user in BUDGET_USERS]
        granted: dict[int, int] = {}
        watching = asyncio.create_task(_watch(stage, granted))
        await stage.publish(messages)
        await stage.settled(len(messages), seconds=sized(300, 900))
        watching.cancel()
        granted |= await _grants(stage)

        told = await stage.requests()
        assert {one["status"] for one in told} <= {200, 202, 207, 401}
        assert _most(granted, SECOND_SPAN) <= 45
        assert _most(granted, MINUTE_SPAN) <= 475
        paid = sum(one["entries"] if cost == "entry" else 1 for one in told)
        assert paid <= sum(granted.values())
        renewals = [one for one in told if one["path"] == "/oauth/token"]
        assert len(renewals) == len(BUDGET_USERS)
        assert await stage.world.letters() == []
        assert await stage.stop(consumers) == [0] * CONSUMERS


async def _watch(stage: Stage, granted: dict[int, int]) -> None:
    """Keep what the processes grant each other, of which they themselves forget all but a minute."""
    while True:
        granted |= await _grants(stage)
        await asyncio.sleep(1)


async def _grants(stage: Stage) -> dict[int, int]:
    """The cost granted by its moment in milliseconds."""
    text, _ = await read_budget(stage.world.store)
    granted: Counter[int] = Counter()
    for at, cost, _ in Allowance.parse(text).sent:
        granted[at] += cost
    return granted


def _most(granted: dict[int, int], span: int) -> int:
    """The most that any sliding window of that length holds."""
    return max(sum(cost for at, cost in granted.items() if start <= at < start + span) for start in granted)


async def test_r22_killed_between_cronofys_answer_and_saving_it_nobody_is_locked_out(
    rabbitmq: RabbitMQ, sqlite_url: str, tmp_path: Path
) -> None:
    """The rotated refresh token dies with the process; the old one still works for whoever comes next."""
    async with staged(sqlite_url, rabbitmq.url, tmp_path) as stage:
        await stage.people("u-17")
        await stage.faults(expire_access_tokens=True)
        doomed = stage.begin(*CONSUME, TEST_CRASH_AT="tokens.1")
        await stage.publish([changed("a")])
        assert await asyncio.to_thread(doomed.process.wait, 240) == -signal.SIGKILL
        assert len(await stage.requests(path="/oauth/token")) == 1

        async with stage.world.store.begin() as connection:
            await connection.execute(update(credentials).values(refreshing_until=0.0))
        await _let_claims_expire(stage)
        (heir,) = await stage.start(*CONSUME)
        await stage.settled(1)
        await stage.shows("u-17", "a v1")
        assert len(await stage.requests(path="/oauth/token")) == 2
        assert [row["status"] for row in await stage.world.rows(integrations)] == ["connected"]
        assert await stage.stop([heir]) == [0]

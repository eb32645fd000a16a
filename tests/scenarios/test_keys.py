"""The keys of the stored tokens: a wrong one burns nothing, and one is changed under traffic."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from tests.support.calendars import changed
from tests.support.processes import SECRETS, Started, run
from tests.support.secrecy import planted
from tests.support.stage import CONSUME, Stage, staged
from tests.support.waiting import until

OLD, NEW = SECRETS["ENCRYPTION_KEYS"], planted(Fernet.generate_key().decode())
MANY = 40

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
async def stage(sqlite_url: str, broker_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Two people with a linked calendar; what fails comes again at once, and twice at most."""
    async with staged(sqlite_url, broker_url, tmp_path, RETRY_DELAYS="1,1") as opened:
        run("topology", settings=opened.settings, folder=tmp_path)
        await opened.faults(access_token_seconds=1)
        await opened.people("u-17", "u-18")
        yield opened


class Traffic:
    """Somebody's items, one after the other, until it ends."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sent = 0
        self._over = False
        self._flow = asyncio.create_task(self._run())

    async def some(self) -> None:
        """Return when a part of what is published from now on has been done."""
        wanted = self._sent + 20

        async def done() -> bool:
            return await self._stage.recorded() >= wanted

        await until(done, what="the end of twenty more messages")

    async def ends(self) -> None:
        """Return when everything has crossed, once; there is no dead letter."""
        self._over = True
        await self._flow
        await self._stage.settled(self._sent)
        assert await self._stage.shown("u-17") == sorted(f"t-{number} v1" for number in range(self._sent))
        assert await self._stage.world.letters() == []

    async def _run(self) -> None:
        while not self._over:
            await self._stage.publish([changed(f"t-{self._sent}", assignees=["u-17"])])
            self._sent += 1
            await asyncio.sleep(0.03)


async def replaced(stage: Stage, before: Sequence[Started], given: str) -> list[Started]:
    """One process after the other, as a rolling update does."""
    after = []
    for old in before:
        after += await stage.start(*CONSUME, ENCRYPTION_KEYS=given)
        assert await stage.stop([old]) == [0]
    return after


def some(name: str, user: str = "u-17") -> list[Outgoing]:
    return [changed(f"{name}-{number}", assignees=[user]) for number in range(MANY)]


def keys(stage: Stage, *words: str, given: str) -> tuple[int, dict[str, int]]:
    """What ``calendar-sync keys`` says under these keys, and its exit code."""
    settings = {**stage.settings, "ENCRYPTION_KEYS": given}
    ended = run("keys", *words, "--json", settings=settings, folder=stage.folder)
    return ended.returncode, json.loads(ended.stdout)


async def ready(process: Started) -> tuple[int, list[str]]:
    """What its ``/readyz`` says."""
    address = process.logged("process.starting")["address"]
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["because"]


async def test_r30_a_wrong_key_is_an_outage_and_burns_nothing(stage: Stage) -> None:
    """Not one message is taken, readiness says why, and with the right key all of them cross."""
    wrong = (await stage.start("consume", "all", ENCRYPTION_KEYS=NEW))[0]
    wrong.logged("keys.wrong")
    await stage.publish(some("a"))

    assert await ready(wrong) == (503, ["encryption keys"])
    assert await stage.world.broker.depth(QUEUE_OUTBOUND) == MANY
    assert await stage.recorded() == 0
    assert keys(stage, "status", given=NEW) == (1, {"newest": 0, "older": 0, "unopened": 2})

    assert await stage.stop([wrong]) == [0]
    right = (await stage.start("consume", "all"))[0]
    await stage.settled(MANY)
    assert await stage.shown("u-17") == sorted(f"a-{number} v1" for number in range(MANY))
    assert await stage.world.letters() == []
    assert await ready(right) == (200, [])


async def test_r30_a_key_that_is_lost_for_good_is_given_up_and_the_consumers_go_on(stage: Stage) -> None:
    """The tokens are erased, after they were counted; what waited is held until the person connects again."""
    process = (await stage.start(*CONSUME, ENCRYPTION_KEYS=NEW))[0]
    await stage.publish(some("a"))

    assert keys(stage, "give-up", given=NEW) == (0, {"accounts": 2, "dry_run": True})
    wrong = {**stage.settings, "ENCRYPTION_KEYS": NEW}
    refused = run("keys", "give-up", "--expect", "3", settings=wrong, folder=stage.folder)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert keys(stage, "give-up", "--expect", "2", given=NEW) == (0, {"accounts": 2, "dry_run": False})

    await stage.settled(MANY)
    assert await stage.world.letters() == []
    assert {entry[1:] for entry in await stage.world.logged()} == {("held", "not_connected")}
    assert await ready(process) == (200, [])


async def test_r30_one_key_takes_the_place_of_another_under_traffic(stage: Stage) -> None:
    """Known everywhere, then first, then alone: tokens are renewed all the while, and no message notices."""
    running = await stage.start(*CONSUME, count=2)
    traffic = Traffic(stage)
    for given in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
        running = await replaced(stage, running, given)
        await traffic.some()
    code, counts = keys(stage, "rotate", given=f"{NEW},{OLD}")
    assert (code, counts["older"], counts["unopened"]) == (0, 0, 0)
    running = await replaced(stage, running, NEW)
    await traffic.some()

    await traffic.ends()
    assert keys(stage, "status", given=NEW) == (0, {"newest": 2, "older": 0, "unopened": 0})
    assert [process.process.poll() for process in running] == [None, None]

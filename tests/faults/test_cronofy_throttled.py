"""Cronofy asks one integration to wait: it waits to the second, and nobody waits with it (R32)."""

from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.messages import QUEUE_OUTBOUND
from tests.support.outage import Engine, engine

pytestmark = pytest.mark.rabbitmq

HASTY, PATIENT = "u-1", "u-2"
FORTY_MINUTES = 2400
"""Longer than RabbitMQ leaves a message unsettled with a consumer."""


@pytest.fixture
async def bench(sqlite_url: str, broker_url: str) -> AsyncIterator[Engine]:
    async with engine(sqlite_url, broker_url) as made:
        await made.people(HASTY, PATIENT)
        yield made


async def _told_to_wait(bench: Engine) -> float:
    """When the hasty one was: no time passes before its lane has understood."""
    await bench.at_once(lambda: any(lane.pauses for lane in bench.consumer._state.lanes), "a pause")
    return bench.clock.monotonic()


async def test_t14_retry_after_holds_one_integration_to_the_second_and_counts_nothing(bench: Engine) -> None:
    """61 seconds: not a second less and hardly one more; the other's changes cross meanwhile."""
    sub = bench.linked[HASTY].account.account_id
    bench.there.faults.change(only_accounts=[sub], next_429=1, retry_after=61)
    await bench.say(HASTY, "mine")
    await _told_to_wait(bench)
    await bench.say(PATIENT, *(f"p-{number}" for number in range(10)))
    await bench.at_once(lambda: len(bench.shown(PATIENT)) == 10, "the other's changes")
    await bench.pass_time(60)
    assert bench.shown(HASTY) == []

    await bench.pass_time(2)
    await bench.at_once(lambda: bench.shown(HASTY), "the change that waited")
    await bench.all_done(11)
    assert await bench.tried() == {}
    assert bench.there.stats()["refused_429"] == 1


async def test_t14_no_message_stays_unsettled_while_its_integration_has_to_wait_long(bench: Engine) -> None:
    """Forty minutes: the messages end as stored, the links wait alone, and all crosses when it may."""
    sub = bench.linked[HASTY].account.account_id
    bench.there.faults.change(only_accounts=[sub], next_429=1, retry_after=FORTY_MINUTES)
    await bench.say(HASTY, "first")
    refused = await _told_to_wait(bench)
    await bench.say(HASTY, "second")
    await bench.say(PATIENT, "other")
    await bench.until(lambda: _ended(bench, 3), "an end of all messages", step=0.1)
    assert bench.clock.monotonic() < refused + 120
    outcomes = await bench.world.finished()
    assert outcomes == {"m-first": "stored", "m-second": "stored", "m-other": "done"}
    await bench.pass_time(refused + FORTY_MINUTES - 1 - bench.clock.monotonic())
    assert bench.shown(HASTY) == []

    await bench.until(lambda: len(bench.shown(HASTY)) == 2, "the changes that waited")
    assert bench.there.stats()["refused_429"] == 1
    assert await bench.tried() == {}
    assert await bench.world.letters() == []
    assert await bench.world.broker.depth(QUEUE_OUTBOUND) == 0


async def _ended(bench: Engine, messages: int) -> bool:
    return len(await bench.world.finished()) == messages


async def test_503_with_retry_after_is_a_request_to_wait_and_no_attempt(bench: Engine) -> None:
    """Messaging 2: throttled is 429, and 503 with Retry-After."""
    refusals = [httpx.Response(503, headers={"Retry-After": "20"})]
    told: list[float] = []

    def garble(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if refusals and request.method == "POST":
            told.append(bench.clock.monotonic())
            return refusals.pop()
        return answer

    bench.line.garble = garble
    await bench.say(HASTY, "mine")
    first = await _told_to_wait(bench)
    await bench.pass_time(19)
    assert [at for at, _ in bench.writes()] == told == [first]

    await bench.pass_time(2)
    await bench.at_once(lambda: len(bench.writes()) == 2, "the second try")
    await bench.all_done(1)
    assert await bench.tried() == {}

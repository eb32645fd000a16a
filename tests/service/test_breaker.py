"""When Cronofy counts as down for everyone, and when it is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from contracts.errors import SyncError
from contracts.ports import Turn
from service.cronofy.breaker import FIRST_PROBE_SECONDS, OUTAGE_FAILURES, CronofyBreaker
from service.cronofy.budget import NoBudget
from service.cronofy.transport import CronofyRequest, CronofyTransport, open_client
from tests.support.clock import ManualClock
from tests.support.scripted import transport_over
from tests.support.waiting import until


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A transport, and the breaker that watches it."""

    transport: CronofyTransport
    breaker: CronofyBreaker


def is_open(watched: Watched) -> bool:
    return watched.breaker.open


class Line:
    """The way to a Cronofy that answers as the test says."""

    def __init__(self) -> None:
        self.status = 200
        self.probed: int | None = None
        """What the synthetic call is answered, where it is something else."""
        self.cut = False
        self.asked = 0
        self.clock = ManualClock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.cut:
            raise httpx.ConnectError("cut", request=request)
        probing = request.url.path == "/v1/userinfo"
        return httpx.Response(self.probed if probing and self.probed else self.status)


@asynccontextmanager
async def connected(line: Line) -> AsyncIterator[Watched]:
    async with open_client("http://cronofy.test", wire=httpx.MockTransport(line)) as http:
        transport, breaker = transport_over(http, NoBudget(), line.clock)
        yield Watched(transport=transport, breaker=breaker)
        await breaker.close()


async def call(watched: Watched, owner: str = "one") -> None:
    try:
        await watched.transport.plain(
            CronofyRequest(method="GET", path="/v1/events", account=owner, turn=Turn(tenant_id=owner))
        )
    except SyncError:
        return


async def test_a_cronofy_that_cannot_be_reached_opens_the_breaker_and_a_probe_closes_it() -> None:
    """The probe is a synthetic call; it asks seldom, and its first answer ends the outage."""
    line = Line()
    line.cut = True
    async with connected(line) as watched:
        for _ in range(OUTAGE_FAILURES - 1):
            await call(watched)
        assert not is_open(watched)
        await call(watched)
        assert is_open(watched)

        before = line.asked
        for seconds in (FIRST_PROBE_SECONDS, 2 * FIRST_PROBE_SECONDS):
            await asyncio.sleep(0)
            await line.clock.pass_time(seconds)
            await until(lambda: line.clock._sleepers, what="the next pause")
        assert (line.asked, is_open(watched)) == (before + 2, True)
        line.cut, line.status = False, 401
        await line.clock.pass_time(4 * FIRST_PROBE_SECONDS)
        await until(lambda: not is_open(watched), what="an end of the outage")


@pytest.mark.parametrize(
    ("owners", "probed", "opens"),
    [(["one"] * 30, 401, False), (["one"] * 30, 503, True), (["one", "two"] * 3, 401, True)],
)
async def test_r44_server_errors_count_only_across_tenants(
    owners: list[str], probed: int, opens: bool
) -> None:
    """R23: one tenant's fault is not an outage; where there is only one, a call without any decides."""
    line = Line()
    line.status, line.probed = 503, probed
    async with connected(line) as watched:
        for owner in owners:
            await call(watched, owner)
            await asyncio.sleep(0)
        await until(lambda: is_open(watched) is opens, what="the breaker as it should be")


@pytest.mark.parametrize("status", [200, 401, 404, 422, 429])
async def test_whatever_cronofy_answers_begins_the_count_anew(status: int) -> None:
    """A refusal is an answer."""
    line = Line()
    async with connected(line) as watched:
        for _ in range(3):
            line.status = 500
            for number in range(OUTAGE_FAILURES - 1):
                await call(watched, f"owner-{number}")
            line.status = status
            await call(watched)
        assert not is_open(watched)


async def test_a_probe_that_stumbles_does_not_end_the_probing() -> None:
    """An outage that nobody looks at would never end."""
    clock = ManualClock()
    asked: list[int] = []

    async def probe() -> None:
        asked.append(1)
        raise ZeroDivisionError

    breaker = CronofyBreaker(clock, probe)
    for _ in range(OUTAGE_FAILURES):
        breaker.failed("one", unreachable=True)
    for count in (1, 2):
        await until(lambda: clock._sleepers, what="a pause")
        await clock.pass_time(30)
        assert len(asked) == count
    await breaker.close()

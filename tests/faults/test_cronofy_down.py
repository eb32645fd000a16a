"""Cronofy is down, stalls, or talks nonsense: nothing is burnt and all crosses once it is back."""

from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.messages import QUEUE_OUTBOUND
from tests.support.outage import Engine, engine

pytestmark = pytest.mark.rabbitmq

TEN_MINUTES = 600
USERS = ("u-1", "u-2", "u-3")


@pytest.fixture
async def bench(sqlite_url: str, broker_url: str) -> AsyncIterator[Engine]:
    async with engine(sqlite_url, broker_url, time_limit=1.5) as made:
        await made.people(*USERS)
        yield made


async def _talk(bench: Engine, *numbers: int) -> None:
    for user in USERS:
        await bench.say(user, *(f"{user} i-{number}" for number in numbers))


async def _down(bench: Engine) -> None:
    """The breaker is open, and what was on its way when it opened has arrived."""
    await bench.until(lambda: bench.open, "an open breaker")
    await bench.until(lambda: not bench.consumer._scheduler.sends, "nothing in the air")


async def _all_there(bench: Engine, *numbers: int) -> None:
    """Everything crossed, once."""
    await bench.all_done(len(USERS) * len(numbers))
    for user in USERS:
        assert bench.shown(user) == sorted(f"{user} i-{number} v1" for number in numbers)


async def test_t13_500_for_ten_minutes_opens_the_breaker_and_burns_nothing(bench: Engine) -> None:
    """Writes stop at once, a call without token finds out, the window goes back, no attempt is used."""
    bench.there.faults.change(next_errors=-1)
    await _talk(bench, *range(10))
    await _down(bench)
    tried = len(bench.writes())
    assert tried <= 10
    await _talk(bench, *range(10, 20))
    await bench.pass_time(TEN_MINUTES)

    assert bench.open
    assert len(bench.writes()) == tried
    probes = [at for at, path, signed in bench.line.asked if path == "/v1/userinfo" and not signed]
    assert 10 < len(probes) < 40
    await bench.at_once(lambda: bench.world.broker.depth(QUEUE_OUTBOUND), "what was given back")
    assert bench.consumer.ready
    assert await bench.world.letters() == []

    bench.there.faults.change(next_errors=0)
    await _all_there(bench, *range(20))
    burnt = await bench.tried()
    assert max(burnt.values(), default=0) <= 2
    assert not [message for message in burnt if int(message.partition(" i-")[2]) >= 10]


async def test_t13_an_outage_in_which_all_tokens_end_is_an_outage(bench: Engine) -> None:
    """Nothing but the token endpoint is asked then, and that for many accounts."""
    await bench.pass_time(3700, step=100)
    bench.there.faults.change(next_errors=-1)
    await _talk(bench, *range(10))
    await bench.until(lambda: bench.open, "an open breaker")
    bench.there.faults.change(next_errors=0)
    await _all_there(bench, *range(10))


async def test_t13_an_outage_that_only_one_integration_can_meet_is_one_too(bench: Engine) -> None:
    """A call without any integration decides whether the fault is its own."""
    bench.there.faults.change(next_errors=-1)
    await bench.say(USERS[0], "alone")
    await bench.until(lambda: bench.open, "an open breaker")
    bench.there.faults.change(next_errors=0)
    await bench.all_done(1)


async def test_t13_a_cronofy_that_refuses_connections_or_stalls_is_down_too(bench: Engine) -> None:
    """Whether nobody is there or nobody answers: a stalled request ends in time, its outcome unknown."""
    for first, switch in ((0, "refuses"), (4, "stalls")):
        setattr(bench.line, switch, True)
        await _talk(bench, first, first + 1)
        await _down(bench)
        before = len(bench.writes())
        await _talk(bench, first + 2, first + 3)
        await bench.pass_time(30)
        assert len(bench.writes()) == before
        setattr(bench.line, switch, False)
        await _all_there(bench, *range(first + 4))
    assert max((await bench.tried()).values()) <= 2


async def test_r30_what_cronofy_says_wrongly_is_tried_again_until_it_makes_sense(bench: Engine) -> None:
    """Nonsense, a page of a proxy, fewer answers than writes: nobody's event is taken for written."""
    nonsense = iter(
        [
            httpx.Response(207, content=b"\xff\xfe not json"),
            httpx.Response(200, text="<html>Please sign in to the network</html>"),
            httpx.Response(207, json={"batch": [{"status": 202}]}),
            httpx.Response(207, json={"batch": "no"}),
            httpx.Response(302, headers={"Location": "http://elsewhere.test/"}),
        ]
    )

    def garble(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        return next(nonsense, answer) if request.url.path == "/v1/batch" else answer

    bench.line.garble = garble
    await _talk(bench, *range(10))
    await _all_there(bench, *range(10))
    assert next(nonsense, None) is None
    assert not bench.open

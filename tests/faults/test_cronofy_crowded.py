"""One integration with thousands of changes keeps nobody else waiting (R32, T24)."""

import asyncio
import time

import pytest

from contracts.messages import QUEUE_OUTBOUND
from tests.support.knobs import FULL, sized
from tests.support.outage import Engine, engine

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 1200))]

CROWD, OTHERS, EACH = sized(1500, 10_000), sized(10, 50), 10
WINDOW = sized(400, 2000)
PATIENCE = sized(180, 600)


@pytest.mark.parametrize("slow", [0.0, 0.2] if FULL else [0.0])
async def test_t24_one_integration_never_fills_the_window(
    slow: float, sqlite_url: str, broker_url: str
) -> None:
    """Behind a crowd larger than the window the others are taken in while nothing can be sent.

    Then they are done long before the crowd.
    """
    options = {"prefetch": WINDOW, "intake_size": WINDOW // 4, "time_limit": 200.0}
    async with engine(sqlite_url, broker_url, **options) as bench:
        await bench.people("crowd", *(f"u-{number}" for number in range(OTHERS)))
        bench.line.seconds = slow
        bench.line.passable.clear()
        await bench.say("crowd", *(f"c-{number}" for number in range(CROWD)))
        for number in range(OTHERS):
            await bench.say(f"u-{number}", *(f"o-{number}-{each}" for each in range(EACH)))
        await bench.until(lambda: _taken_in(bench), "everything taken in", seconds=PATIENCE)
        assert not any(len(bench.shown(user)) for user in bench.linked)
        bench.line.passable.set()
        arrived = time.monotonic()
        await bench.until(lambda: _others_done(bench), "the others' changes")
        left = CROWD - len(bench.shown("crowd"))
        took = time.monotonic() - arrived

        assert left > CROWD // 4
        assert took < 20 or not FULL
        await bench.until(lambda: len(bench.shown("crowd")) == CROWD, "the crowd's changes", seconds=PATIENCE)
        await bench.until(lambda: _all_ended(bench), "an end of all messages", seconds=PATIENCE)
        assert set((await bench.world.finished()).values()) <= {"done", "stored"}
        assert await bench.world.letters() == []
        assert await bench.world.broker.depth(QUEUE_OUTBOUND) == 0


async def _taken_in(bench: Engine) -> bool:
    """Whether the crowd is left to the store, and nothing is left in the queue."""
    kept = len(await bench.world.links())
    return kept == CROWD + OTHERS * EACH and await bench.world.broker.depth(QUEUE_OUTBOUND) == 0


def _others_done(bench: Engine) -> bool:
    return all(len(bench.shown(f"u-{number}")) == EACH for number in range(OTHERS))


async def _all_ended(bench: Engine) -> bool:
    await asyncio.sleep(0.05)
    return len(await bench.world.finished()) == CROWD + OTHERS * EACH

"""A process that is asked to end with work in hand (T6)."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.calendars import changed
from tests.support.knobs import sized
from tests.support.rabbitmq import RabbitMQ
from tests.support.stage import CONSUME, staged
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(600)]


async def test_t6_a_process_asked_to_end_finishes_what_it_sends_and_gives_back_the_rest(
    rabbitmq: RabbitMQ, sqlite_url: str, tmp_path: Path
) -> None:
    """Exit code 0 although Cronofy is slow; the next process does the rest, each event written once."""
    count = sized(400, 2000)
    async with staged(sqlite_url, rabbitmq.url, tmp_path) as stage:
        await stage.people("u-17")
        (leaving,) = await stage.start(*CONSUME, PREFETCH="100", INTAKE_SIZE="40")
        await stage.faults(latency_ms=2000.0)
        await stage.publish([changed(f"i-{number}", id=f"m-{number}") for number in range(count)])
        await until(stage.writes, what="the first write")
        assert (await stage.stop([leaving])) == [0]
        done = await stage.recorded()
        assert 0 < done < count
        assert len(await stage.writes()) == done

        await stage.faults(latency_ms=0.0)
        (coming,) = await stage.start(*CONSUME)
        await stage.settled(count)
        await stage.shows("u-17", *(f"i-{number} v1" for number in range(count)))
        writes = Counter(write["key"] for write in await stage.writes())
        assert set(writes.values()) == {1}
        assert await stage.world.letters() == []
        assert coming.stop(signal.SIGINT) == 0

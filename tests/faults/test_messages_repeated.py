"""Messages that come more than once, come late, or end the process that reads them (T16, T17, T20)."""

import json
from collections import Counter
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contracts.ports import ATTEMPT_HEADER
from service.crashpoints import EXIT_KILLED
from service.store.engine.store import Store
from service.store.tables import attempts, links
from tests.support.calendars import changed
from tests.support.faults_broker import RETRY_DELAYS, ConsumersOnRabbitMQ, consumers_on_rabbitmq, events_of
from tests.support.knobs import sized
from tests.support.processes import Process, beside
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(sized(600, 3600))]

TIMES = 5
UNATTRIBUTED, ATTRIBUTED = 2, 3
"""Deaths after which a message is taken in alone, and deaths over it alone."""


async def test_t20_one_id_many_times_in_one_intake_and_in_several_processes_is_written_once(
    rabbitmq: RabbitMQ, store: Store
) -> None:
    """Half of the copies wait when the first consumer starts, the others come while two more work."""
    events = events_of(sized(40, 400), 1)
    async with consumers_on_rabbitmq(rabbitmq, store) as place:
        await place.publish(events * TIMES)
        await place.consumer()
        for _ in range(2):
            await place.consumer(prefetch=20, intake_size=7)
        await place.publish(events * TIMES)
        await place.settled(event.message_id for event in events)
        await place.newest_once(events)
        writes = Counter(write.key for write in place.world.calendars.writes)
        assert set(writes.values()) == {1}
        assert len(await place.world.finished()) == len(events)


async def test_t16_retries_come_home_in_time_with_their_attempt_until_none_is_left(
    rabbitmq: RabbitMQ, some_store: Store
) -> None:
    """Never before their delay, body and id unchanged; after the last rung the message is a dead letter."""
    event = changed("late", id="late")
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
        place.world.calendars.refused = {"late v1": 503}
        await place.consumer()
        await place.publish([event])
        await until(place.world.letters, what="the dead letter")
        (letter,) = await place.world.letters()
        tried = sorted(await place.world.rows(attempts), key=lambda row: row["attempt"])

        assert [row["attempt"] for row in tried] == [1, 2]
        assert (letter["code"], len(letter["attempts"])) == ("exhausted", len(RETRY_DELAYS) + 1)
        assert bytes(letter["body"]) == event.body
        assert letter["headers"][ATTEMPT_HEADER] == len(RETRY_DELAYS) + 1
        moments = [*(row["at"] for row in tried), letter["last_failed_at"]]
        waited = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
        assert [seconds >= rung for seconds, rung in zip(waited, RETRY_DELAYS, strict=True)] == [True, True]
        await until(place.empty, what="empty queues")


def mortal(url: str, rabbitmq: RabbitMQ, calendar: Path, deadly: str) -> AbstractContextManager[Process]:
    """A consumer's process that dies where the deadly text is about to be stored."""
    return beside("tests.support.killable_consumer", url, rabbitmq.url, str(calendar), "", deadly)


async def test_t17_a_message_that_kills_every_process_is_found_and_its_neighbours_are_done(
    rabbitmq: RabbitMQ, some_store: Store, tmp_path: Path
) -> None:
    """Three processes die over it alone, then it is a dead letter; nobody else is suspected for good."""
    good, calendar = events_of(sized(6, 60), 1), tmp_path / "calendar.jsonl"
    deadly = changed("deadly", id="deadly", title="the deadly one")
    async with consumers_on_rabbitmq(rabbitmq, some_store) as place:
        await place.publish([*good[::2], deadly, *good[1::2]], at_once=1)
        deaths = 0
        while not await _buried(place):
            with mortal(some_store.url, rabbitmq, calendar, "the deadly one") as process:
                if await _died(process, place):
                    deaths += 1
                    await _let_claims_expire(place)
                else:
                    await place.settled([*(event.message_id for event in good), "deadly"])

        (letter,) = await place.world.letters()
        assert (letter["code"], letter["message_id"]) == ("crash_loop", "deadly")
        assert ATTRIBUTED <= deaths <= UNATTRIBUTED + ATTRIBUTED
        written = [json.loads(line) for line in calendar.read_text().splitlines()]
        titles = {body["summary"] for _, _, _, body in written}
        assert titles == {f"m-i-{number} v1" for number in range(len(good))}


async def _buried(place: ConsumersOnRabbitMQ) -> bool:
    return bool(await place.world.letters())


async def _died(process: Process, place: ConsumersOnRabbitMQ) -> bool:
    """Whether it died, and not its message."""

    async def over() -> Any:
        return process.poll() is not None or await _buried(place)

    await until(over, seconds=90, what="a death or a dead letter")
    assert process.poll() in {None, EXIT_KILLED}
    return process.poll() == EXIT_KILLED


async def _let_claims_expire(place: ConsumersOnRabbitMQ) -> None:
    """As half a minute would."""
    async with place.world.store.begin() as connection:
        await connection.execute(links.update().values(claimed_until=0.0))

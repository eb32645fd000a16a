"""An error that nobody foresaw is told by its class and its place, never by its words (R27)."""

from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs

from service.store.engine.store import AsyncConnection, Store
from service.store.tables import attempts, log_entries
from tests.support.calendars import Outbound, changed
from tests.support.message_loop import loop_under_test

PRIVATE = "Dentist, 3 December"
ODD = f"{PRIVATE}: not a time"
TOLD = "an unexpected ValueError"


class Stumbling:
    """A store that cannot tell the time as often as it is told to stumble."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stumbles = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def now(self, connection: AsyncConnection) -> float:
        if self.stumbles:
            self.stumbles -= 1
            raise ValueError(ODD)
        return await self._store.now(connection)


async def _stumbling(world: Outbound) -> Stumbling:
    """The store under a consumer that is started with it."""
    await world.integration()
    consumer = world.consumer(retry_delays=(10,))
    store = consumer._state.store = Stumbling(world.store)  # type: ignore[assignment]
    await world.start(consumer)
    return store


async def _told(world: Outbound, lines: Sequence[Any]) -> list[str]:
    """The reasons of all attempts, after a look for private words wherever something is told."""
    tried = [dict(row) for row in await world.rows(attempts)]
    entries = [dict(row) for row in await world.rows(log_entries)]
    letters = [{**row, "body": b""} for row in await world.letters()]
    assert "Dentist" not in repr((lines, tried, entries, letters))
    return [row["error"] for row in tried] + [letter["reason"] for letter in letters]


async def test_r27_a_bug_of_the_sender_is_told_without_its_words(world: Outbound) -> None:
    """In the lines, the link log, the attempts and the letter, whose exception is class and places."""
    await world.integration()
    await world.start(retry_delays=(10,))
    world.calendars.faults.extend([ValueError(ODD)] * 2)
    with capture_logs() as lines:
        await world.send(changed())
        await world.clock.pass_time(10)
        await world.at_rest()

    assert await _told(world, lines) == [TOLD, TOLD]
    assert [line["reason"] for line in lines if line["event"] == "message.settled"] == [TOLD, TOLD]
    assert {row["reason"] for row in await world.rows(log_entries)} == {TOLD}
    (letter,) = await world.letters()
    first, *places = letter["exception"].splitlines()
    assert first == "ValueError"
    assert places
    assert all(place.startswith("  at service/") for place in places)


async def test_r27_a_bug_of_the_intake_is_told_without_its_words(world: Outbound) -> None:
    """The message comes again for it."""
    store = await _stumbling(world)
    store.stumbles = 1
    with capture_logs() as lines:
        await world.send(changed())

    assert await _told(world, lines) == [TOLD]
    assert [line["reason"] for line in lines if line["event"] == "message.settled"] == [TOLD]


async def test_r27_a_bug_of_the_settling_is_told_without_its_words(world: Outbound) -> None:
    """The answer is given up by this process."""
    store = await _stumbling(world)

    async def stumble(_: object) -> None:
        store.stumbles = 2

    world.calendars.before = stumble
    with capture_logs() as lines:
        await world.send(changed(id="m-1"))

    assert await _told(world, lines) == [TOLD]
    faults = [line for line in lines if line["event"] == "outbound.fault"]
    assert len(faults) == 2
    assert all("m-1" in str(line) for line in faults), "whose answers they were"
    assert [line["reason"] for line in lines if line["event"] == "message.settled"] == [TOLD]


async def test_r27_a_bug_of_a_handler_is_told_without_its_words(store: Store) -> None:
    """The loop of notices and runs, as outbound."""
    with capture_logs() as lines:
        async with loop_under_test(store, *[ValueError(ODD)] * 3) as ground:
            await ground.publish("m-1")
            await ground.retry(10, attempts=2)
            await ground.retry(60, attempts=3)
            await ground.settle("m-1")
            (letter,) = await ground.letters()

    assert "Dentist" not in repr((lines, {**letter, "body": b""}))
    assert [line["reason"] for line in lines if line["event"] == "message.settled"] == [TOLD] * 3
    assert [each["error"] for each in letter["attempts"]] == [TOLD] * 3
    assert (letter["reason"], letter["exception"].splitlines()[0]) == (TOLD, "ValueError")

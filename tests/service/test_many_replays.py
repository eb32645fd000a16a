"""Many letters at once: replayed in a stream, at a pace, and stopped (R30, T19 of messaging.md)."""

import asyncio
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select

from service.broker.topology import QUEUE_OUTBOUND
from service.operations import DeadLetters, Matching
from service.store import Store
from service.store.dead_letters import NewLetter, bury
from service.store.letters import ON_ITS_WAY
from service.store.tables import outbox
from tests.support.knobs import examples

LETTERS = examples("REPLAYED_LETTERS", 600)
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
KILOBYTES = 4
MEBIBYTE = 1024 * 1024


def a_letter(number: int, *, code: str = "exhausted") -> NewLetter:
    return NewLetter(
        queue=QUEUE_OUTBOUND,
        source="/vorex/acme",
        message_id=f"m-{number}",
        code=code,
        reason="Cronofy answered 503",
        routing_key="task.created",
        headers={},
        body=b"%05d" % number + b" " * 1024 * KILOBYTES,
        tenant_id="acme",
        integration_id=f"i-{number % 20}",
    )


async def test_thousands_of_letters_are_replayed_in_a_stream_and_stopped(store: Store) -> None:
    """The memory is that of a few hundred, the pace holds, and what waits can be taken back."""
    for first in range(0, LETTERS, 500):
        async with store.begin() as connection:
            some = range(first, min(first + 500, LETTERS))
            await bury(connection, [a_letter(number) for number in some], now=NOW)
    desk = DeadLetters(store, who="olga")
    async with store.read() as connection:
        began = await store.now(connection)

    tracemalloc.start()
    chunks = [sent async for sent in desk.replaying(Matching(), expect=LETTERS)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (sum(chunks), max(chunks)) == (LETTERS, 250)
    assert peak < 16 * MEBIBYTE
    async with store.read() as connection:
        moments = list(await connection.scalars(select(outbox.c.due_at)))
    assert max(Counter(int(moment - min(moments) + 1e-6) for moment in moments).values()) <= 5
    assert max(moments) - began >= LETTERS / 5 - 1
    stopped = await desk.stop()
    async with store.read() as connection:
        on_their_way = 5 * (await store.now(connection) - began + ON_ITS_WAY + 1)
    assert LETTERS - on_their_way <= stopped < LETTERS
    assert await desk.count(Matching(state="open")) == stopped


async def moments(store: Store) -> Sequence[float]:
    async with store.read() as connection:
        return list(await connection.scalars(select(outbox.c.due_at).where(outbox.c.due_at.is_not(None))))


def most_in_a_second(given: Sequence[float]) -> int:
    return max(Counter(int(moment + 1e-6) for moment in given).values())


async def test_a_replay_in_many_transactions_leaves_room_for_one_that_began_later(store: Store) -> None:
    """R30: two operators together make five a second, whatever each saw when it began."""
    kinds = {"exhausted": 260, "bug": 40}
    async with store.begin() as connection:
        for kind, (code, many) in enumerate(kinds.items()):
            some = range(1000 * kind, 1000 * kind + many)
            await bury(connection, [a_letter(number, code=code) for number in some], now=NOW)
    first = DeadLetters(store, who="olga").replaying(Matching(code="exhausted"))

    assert await anext(first) == 250
    assert await DeadLetters(store, who="otto").replay_matching(Matching(code="bug")) == 40
    assert [sent async for sent in first] == [10]

    assert len(await moments(store)) == 300
    assert most_in_a_second(await moments(store)) <= 5


async def test_two_replays_at_the_same_instant_see_each_other(store: Store) -> None:
    """R30: whoever spaces replays does so alone, in whichever process."""
    elsewhere = Store(store.url)
    async with store.begin() as connection:
        await bury(connection, [a_letter(number) for number in range(60)], now=NOW)
    ids = list(await DeadLetters(store, who="olga").oldest(Matching(), limit=60))

    await asyncio.gather(
        DeadLetters(store, who="olga").replay(ids[:30]), DeadLetters(elsewhere, who="otto").replay(ids[30:])
    )
    await elsewhere.close()

    assert most_in_a_second(await moments(store)) <= 5

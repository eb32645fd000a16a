"""Many letters at once: replayed in a stream, at a pace, and stopped (R30, T19 of messaging.md)."""

import tracemalloc
from collections import Counter
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


def a_letter(number: int) -> NewLetter:
    return NewLetter(
        queue=QUEUE_OUTBOUND,
        source="/vorex/acme",
        message_id=f"m-{number}",
        code="exhausted",
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

"""Many letters at once: replayed in a stream, at a pace, and stopped (R30, T19)."""

import asyncio
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import RowMapping, insert, select
from structlog.testing import capture_logs

from contracts.messages import QUEUE_OUTBOUND
from service.keeper import bulk_replays
from service.operations import DeadLetters, LetterFilter, LetterReader
from service.store.engine.store import Store
from service.store.messages import replays
from service.store.messages.burying import NewDeadLetter, bury
from service.store.messages.dead_letters import REPLAY_ON_ITS_WAY_SECONDS
from service.store.messages.replays import BulkReplay
from service.store.tables import bulk_replays as bulk_rows
from service.store.tables import dead_letter_acts, outbox
from tests.support.knobs import examples

LETTERS = examples("REPLAYED_LETTERS", 600)
MANY = 1010
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
KILOBYTES = 4
MEBIBYTE = 1024 * 1024


def a_letter(number: int, *, code: str = "exhausted") -> NewDeadLetter:
    return NewDeadLetter(
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
    chunks = [sent async for sent in desk.replaying(LetterFilter(), expect=LETTERS)]
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
        on_their_way = 5 * (await store.now(connection) - began + REPLAY_ON_ITS_WAY_SECONDS + 1)
    assert LETTERS - on_their_way <= stopped < LETTERS
    assert await desk.count(LetterFilter(state="open")) == stopped


async def buried(store: Store, many: int) -> DeadLetters:
    for first in range(0, many, 500):
        async with store.begin() as connection:
            some = range(first, min(first + 500, many))
            await bury(connection, [a_letter(number) for number in some], now=NOW)
    return DeadLetters(store, who="olga", reader=LetterReader(tenant_id="acme", user_id="olga"))


async def test_more_than_a_thousand_are_noted_and_sent_on_by_any_keeper(store: Store) -> None:
    """R30: the answer is there at once, and what a process that died had begun goes on at its rate."""
    desk = await buried(store, MANY)
    assert await desk.hand_over(LetterFilter(), expect=MANY, rate=100) == MANY
    told = await desk.progress()
    assert (told.noted, told.waiting, told.ended) == (MANY, 0, False)
    (noted,) = await left(store)
    assert await DeadLetters(store, who="olga").send_on(noted.id)

    elsewhere = Store(store.url)
    await bulk_replays(elsewhere).work()
    await elsewhere.close()

    told = await desk.progress()
    assert (told.noted, told.waiting) == (0, MANY)
    assert await left(store) == []
    given = await moments(store)
    assert max(given) - min(given) >= MANY / 100 - 1
    assert {row["who"] for row in await acts(store)} == {"olga"}


async def test_r44_a_replay_that_cannot_be_read_hinders_no_other(store: Store) -> None:
    desk = await buried(store, MANY)
    await desk.hand_over(LetterFilter())
    async with store.begin() as connection:
        row = (await connection.execute(select(bulk_rows))).mappings().one()
        damaged = {**row, "id": "0", "tenant_id": "other", "matching": {"reason": 5}}
        await connection.execute(insert(bulk_rows).values(**damaged))
    with capture_logs() as lines:
        await bulk_replays(store).work()
    assert (await desk.progress()).waiting > 0
    assert [line["replay"] for line in lines if line["event"] == "keeper.hindered"] == ["0"]


async def test_what_is_noted_can_be_stopped(store: Store) -> None:
    """Also by an operator of another process; another tenant's operator stops nothing of it."""
    desk = await buried(store, MANY)
    await desk.hand_over(LetterFilter())
    stranger = DeadLetters(store, who="eve", reader=LetterReader(tenant_id="other", user_id="eve"))
    await stranger.stop()
    (noted,) = await left(store)
    assert await desk.send_on(noted.id)

    assert await desk.stop() >= MANY - 250

    assert not await desk.send_on(noted.id)
    assert (await desk.progress()).noted == 0
    assert await desk.count(LetterFilter(state="open")) > MANY - 250


async def left(store: Store) -> Sequence[BulkReplay]:
    async with store.read() as connection:
        return await replays.noted(connection)


async def acts(store: Store) -> Sequence[RowMapping]:
    async with store.read() as connection:
        return (await connection.execute(select(dead_letter_acts))).mappings().all()


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
    first = DeadLetters(store, who="olga").replaying(LetterFilter(code="exhausted"))

    assert await anext(first) == 250
    assert await DeadLetters(store, who="otto").replay_matching(LetterFilter(code="bug")) == 40
    assert [sent async for sent in first] == [10]

    assert len(await moments(store)) == 300
    assert most_in_a_second(await moments(store)) <= 5


async def test_two_replays_at_the_same_instant_see_each_other(store: Store) -> None:
    """R30: whoever spaces replays does so alone, in whichever process."""
    elsewhere = Store(store.url)
    async with store.begin() as connection:
        await bury(connection, [a_letter(number) for number in range(60)], now=NOW)
    ids = list(await DeadLetters(store, who="olga").oldest(LetterFilter(), limit=60))

    await asyncio.gather(
        DeadLetters(store, who="olga").replay(ids[:30]), DeadLetters(elsewhere, who="otto").replay(ids[30:])
    )
    await elsewhere.close()

    assert most_in_a_second(await moments(store)) <= 5

"""Any number of messages under one id are letters of their own, and none is dearer than another (R44)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from contracts.calendar import ItemRef
from contracts.ports import REPLAY_HEADER
from service.store.engine.store import Store
from service.store.messages import burying, sources
from service.store.messages.burying import LETTERS_OF_AN_ID, NewDeadLetter, bury
from service.store.messages.dead_letters import LetterFilter
from service.store.messages.letter_counts import MOST_GROUPS, groups
from service.store.messages.sources import MOST_SOURCES, VersionDoubt
from service.store.tables import dead_letters
from tests.support.clock import START
from tests.support.letters import a_letter

FLOOD = 5 * LETTERS_OF_AN_ID


def under_one_id(number: int, **different: Any) -> NewDeadLetter:
    return a_letter(body=b'{"id":"same","number":%d}' % number, message_id="same", **different)


async def buried(store: Store, *letters: NewDeadLetter) -> None:
    async with store.begin() as connection:
        await bury(connection, letters, now=START)


async def ids(store: Store) -> Mapping[bytes, str]:
    async with store.read() as connection:
        rows = await connection.execute(select(dead_letters.c.body, dead_letters.c.id))
        return {bytes(row.body): row.id for row in rows}


async def test_r44_a_flood_under_one_id_is_not_read_again_with_every_letter(store: Store) -> None:
    """Their bodies may be as large as RabbitMQ takes them."""
    for start in range(0, FLOOD, 10):
        await buried(store, *(under_one_id(number) for number in range(start, start + 10)))
    assert len(await ids(store)) == FLOOD

    async with store.begin() as connection:
        near = await burying.unsettled(connection, [under_one_id(FLOOD)])
    assert len(near) == LETTERS_OF_AN_ID


async def test_r30_what_comes_again_after_a_crash_is_still_one_letter(store: Store) -> None:
    """It is among the newest."""
    await buried(store, *(under_one_id(number) for number in range(FLOOD)))
    before = await ids(store)
    await buried(store, under_one_id(FLOOD - 1), under_one_id(FLOOD - LETTERS_OF_AN_ID))
    assert await ids(store) == before


async def test_r30_a_replay_that_fails_finds_its_letter_however_old(store: Store) -> None:
    """By the id that it carries."""
    await buried(store, *(under_one_id(number) for number in range(FLOOD)))
    before = await ids(store)
    oldest = before[under_one_id(0).body]
    await buried(store, under_one_id(0, headers={REPLAY_HEADER: oldest}))
    assert await ids(store) == before


async def test_r44_causes_worded_in_any_number_of_ways_make_no_list_without_end(store: Store) -> None:
    """What is frequent comes first, however many there are of which each is alone."""
    worded = [under_one_id(number, reason=f"not {_word(number)} Time") for number in range(MOST_GROUPS + 50)]
    await buried(store, *(under_one_id(10_000 + number, code="bug") for number in range(3)), *worded)
    async with store.read() as connection:
        told = await groups(connection, LetterFilter(state="open"))
    assert len(told) == MOST_GROUPS
    assert (told[0]["code"], told[0]["count"]) == ("bug", 3)


async def test_r44_sources_made_up_in_any_number_make_no_list_without_end(store: Store) -> None:
    """The worst are told."""
    doubts = [a_doubt(f"/made/up/{number}", "1") for number in range(MOST_SOURCES + 50)]
    real = [a_doubt("/vorex/acme", f"item {number}") for number in range(3)]
    async with store.begin() as connection:
        await sources.note(connection, [*doubts, *real], now=0.0)
        told = await sources.doubtful(connection, since=0.0)
    assert len(told) == MOST_SOURCES
    assert (told[0].source, told[0].items) == ("/vorex/acme", 3)


def _word(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def a_doubt(source: str, ref: str) -> VersionDoubt:
    return VersionDoubt(
        source=source,
        item_ref=ItemRef(ref),
        kind="conflicting",
        version=1,
        said_at=START,
        message_id="m",
        body=b"{}",
    )

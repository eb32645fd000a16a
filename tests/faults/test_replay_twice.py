"""Two operators replay the same dead letters at the same instant: each goes out once (R30, messaging 3.3)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from service.operations import DeadLetters
from service.store.engine.store import Store
from service.store.messages.burying import NewDeadLetter, bury
from service.store.messages.dead_letters import LetterConflict, LetterFilter
from service.store.tables import dead_letter_acts, dead_letters, outbox
from tests.support.knobs import sized
from tests.support.office import Office, open_office

LETTERS = sized(12, 100)
OPERATORS = ("olga", "otto")


@pytest.fixture
async def elsewhere(database_url: str, store: Store) -> AsyncIterator[Store]:
    """The same database as another process opens it."""
    assert store.url == database_url
    opened = Store(database_url)
    yield opened
    await opened.close()


async def _buried(store: Store) -> list[str]:
    letters = [
        NewDeadLetter(
            queue="calendar-sync.outbound",
            source="/vorex/acme",
            message_id=f"e-{number}",
            code="refused",
            reason="no",
            routing_key="calendar-sync.outbound",
            headers={},
            body=b"{}",
            tenant_id="acme",
        )
        for number in range(LETTERS)
    ]
    async with store.begin() as connection:
        await bury(connection, letters, now=datetime.now(UTC))
    async with store.read() as connection:
        return sorted(await connection.scalars(select(dead_letters.c.id)))


async def _rows(store: Store, table: Any) -> Sequence[Any]:
    async with store.read() as connection:
        return (await connection.execute(select(table))).all()


async def test_r30_the_same_letter_replayed_by_two_at_once_goes_out_once(
    store: Store, elsewhere: Store
) -> None:
    """One of the two is told that it is replaying already; so is whoever comes later."""
    ids = await _buried(store)
    desks = [DeadLetters(opened, who=who) for opened, who in zip((store, elsewhere), OPERATORS, strict=True)]
    for letter_id in ids:
        answers = await asyncio.gather(*(desk.replay([letter_id]) for desk in desks), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, LetterConflict)]
        assert [answer for answer in answers if not isinstance(answer, LetterConflict)] == [1]
        assert [answer.code for answer in refused] == ["replaying"]
    await _each_once(store, ids)
    with pytest.raises(LetterConflict):
        await desks[0].replay(ids[:1])


async def test_r30_everything_replayed_by_two_at_once_goes_out_once(store: Store, elsewhere: Store) -> None:
    """Both press the button for all; together they send each letter once."""
    ids = await _buried(store)
    sent = await asyncio.gather(
        *(
            DeadLetters(opened, who=who).replay_matching(LetterFilter())
            for opened, who in zip((store, elsewhere), OPERATORS, strict=True)
        )
    )
    assert sum(sent) == LETTERS
    await _each_once(store, ids)


async def _each_once(store: Store, ids: Sequence[str]) -> None:
    assert sorted(row.message_id for row in await _rows(store, outbox)) == sorted(
        f"e-{number}" for number in range(LETTERS)
    )
    assert {row.state for row in await _rows(store, dead_letters)} == {"replaying"}
    acts = await _rows(store, dead_letter_acts)
    assert sorted(act.letter_id for act in acts) == list(ids)
    assert {act.who for act in acts} <= set(OPERATORS)


async def test_r30_two_requests_at_once_are_answered_202_and_409(database_url: str) -> None:
    """As the page sends them when it is clicked twice."""
    async with open_office(database_url) as office:
        ids = await _buried(office.store)
        for letter_id in ids[:4]:
            answers = await asyncio.gather(*(_clicked(office, who, letter_id) for who in OPERATORS))
            assert sorted(answer[0] for answer in answers) == [202, 409]
            assert [code for status, code in answers if status == 409] == ["replaying"]
        assert len(await office.rows(outbox)) == 4


async def _clicked(office: Office, who: str, letter_id: str) -> tuple[int, str | None]:
    headers = office.bearer(who, role="operator")
    answer = await office.client.post(
        "/api/v1/dead-letters/replay", json={"ids": [letter_id]}, headers=headers
    )
    return answer.status_code, answer.json().get("code")

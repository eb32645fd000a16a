"""R43: however much of one person begins at one moment, no read of a calendar takes it all into memory."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from service.store.items import items
from service.store.items.items import MOST_AT_A_MOMENT, MOST_BEGINNING
from service.store.tables import item_assignees
from service.store.tables import items as items_table
from tests.support.clock import START
from tests.support.one_person import OnePerson

MIB = 1024 * 1024
LONG_BODY = b"x" * 4_000
CROWD = 2_100
MOMENT = START.replace(day=3, hour=9)


async def _crowd(home: OnePerson, number: int, user_id: str) -> None:
    same = {
        "tenant_id": "acme", "item_type": "appointment", "version": 1, "vorex_version": 1,
        "sync_version": 0, "revision": 1, "deleted": False, "changed_at": START, "stored_at": START,
        "starts_at": MOMENT, "ends_at": MOMENT, "message_body": LONG_BODY,
    }  # fmt: skip
    rows = [
        same | {"ref": str(uuid4()), "item_id": f"{user_id}-{at}", "content": _content(at)}
        for at in range(number)
    ]
    owned = [{"item_ref": row["ref"], "tenant_id": "acme", "user_id": user_id} for row in rows]
    async with home.store.begin() as connection:
        await connection.execute(items_table.insert(), rows)
        await connection.execute(item_assignees.insert(), owned)


def _content(at: int) -> dict[str, object]:
    known = {"id": f"{at}", "type": "appointment", "assignees": ["ann"], "title": f"Item {at}"}
    return {**known, "start": "2026-12-03T09:00:00Z", "end": None, "description": "d" * 2_000}


@contextmanager
def _statements(home: OnePerson) -> Iterator[list[str]]:
    told: list[str] = []

    def note(*given: object) -> None:
        told.append(str(given[2]))

    event.listen(home.store.engine.sync_engine, "before_cursor_execute", note)
    yield told
    event.remove(home.store.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.parametrize("question", [items.of_person_at, items.unlinked], ids=lambda one: one.__name__)
async def test_r43_of_a_crowd_at_one_moment_some_are_looked_at(home: OnePerson, question: Any) -> None:
    """More for a page with many moments; those of others at the tenant take no room."""
    mine = await home.value(await home.integration())
    await _crowd(home, CROWD, "ann")
    await _crowd(home, MOST_BEGINNING, "ben")
    async with home.store.read() as connection:
        assert len(await question(connection, mine, [MOMENT])) == MOST_BEGINNING
        many = [MOMENT + timedelta(minutes=at) for at in range(2 * MOST_BEGINNING // MOST_AT_A_MOMENT)]
        assert len(await question(connection, mine, many)) == 2 * MOST_BEGINNING


async def test_r43_a_read_loads_no_message_that_brought_an_item(home: OnePerson) -> None:
    """It may be a quarter of a MiB, of names that nobody knows."""
    mine = await home.integration()
    await _crowd(home, MOST_BEGINNING, "ann")
    home.add_event(mine, "Event")
    with _statements(home) as told:
        tracemalloc.start()
        await home.changed(mine)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert any("items.content" in one for one in told)
    assert not any("SELECT" in one and "items.message_body" in one for one in told)
    assert peak < 64 * MIB

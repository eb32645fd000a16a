"""A page's address expires in the middle of a run: it reads again, and counts each event once (R25, R27)."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from contracts.envelope import RunRequested
from contracts.errors import Transient
from contracts.messages import RunData
from service.consumers.failures import ReceivedMessage
from service.store.engine.ids import new_id
from service.store.tables import log_entries
from service.store.tables import runs as runs_table
from tests.support.circle import Circle
from tests.support.one_person import NINE, TEN, OnePerson, one_person

WEEK = {"past": "1_week", "future": "1_week"}
EVENTS, PAGE = 25, 5
PAGES = EVENTS // PAGE
ADDRESS_SECONDS = 0.5
COUNTS = ("done", "total", "found", "created", "updated", "skipped", "failed")
NONE_BUT = dict.fromkeys(COUNTS, 0) | {"done": EVENTS, "total": EVENTS, "found": EVENTS}


@pytest.fixture
async def home(sqlite_url: str) -> AsyncIterator[OnePerson]:
    async with one_person(sqlite_url) as built:
        yield built


async def _with_events(home: OnePerson) -> str:
    """An integration whose calendar is read in five pages."""
    mine = await home.integration()
    for at in range(EVENTS):
        home.add_event(mine, f"Event {at:02}")
    await home.world.advance(60)
    home.world.faults.change(page_size=PAGE, page_seconds=ADDRESS_SECONDS)
    return mine


async def _shown(home: OnePerson, run_id: str) -> dict[str, int]:
    async with home.store.read() as connection:
        row = (await connection.execute(select(runs_table).where(runs_table.c.id == run_id))).one()
    return {"ended": row.state == "done"} | {name: getattr(row, name) for name in COUNTS}


async def _retrieve(home: OnePerson, mine: str, *, expires_before: set[int]) -> list[dict[str, int]]:
    """What the page of a whole run shows after each step; before some of them the address has expired."""
    run_id = await home.run_steps(mine, retrieve=WEEK, steps=1)
    shown: list[dict[str, int]] = []
    for number in range(1, 40):
        if number in expires_before:
            await home.world.advance(2 * ADDRESS_SECONDS)
        data = RunData(run_id=run_id, integration_id=mine, step=number)
        message = RunRequested.of(data, id=new_id(), time=home.clock.now())
        await home.runs(ReceivedMessage(message=message))
        shown.append(await _shown(home, run_id))
        if shown[-1].pop("ended"):
            return shown
    raise AssertionError(shown)


@pytest.mark.parametrize("expires_before", [{2}, {4}, {PAGES}, {2, 5}])
async def test_r25_a_reading_that_begins_again_counts_each_event_once(
    expires_before: set[int], home: OnePerson
) -> None:
    """And what was counted stays counted: progress never goes back."""
    mine = await _with_events(home)

    shown = await _retrieve(home, mine, expires_before=expires_before)

    assert shown[-1] == {**NONE_BUT, "created": EVENTS}
    for name in COUNTS:
        assert [step[name] for step in shown] == sorted(step[name] for step in shown), name
    assert len(await home.items()) == EVENTS


async def test_r25_what_was_skipped_is_counted_once_too(home: OnePerson) -> None:
    """Known already, and nothing to do."""
    mine = await _with_events(home)
    await _retrieve(home, mine, expires_before=set())

    shown = await _retrieve(home, mine, expires_before={3})

    assert shown[-1] == {**NONE_BUT, "skipped": EVENTS}


async def test_r25_r29_the_second_reading_counts_each_event_once(home: OnePerson) -> None:
    """Where events equal items, and it begins again: those are linked as they are, and nothing is updated."""
    mine = await _with_events(home)
    for at in (1, 7, 13, 19):
        await home.own_item(f"Event {at:02}", kind="appointment", start=NINE, end=TEN)

    shown = await _retrieve(home, mine, expires_before={3, PAGES + 4})

    assert shown[-1] == {**NONE_BUT, "created": EVENTS - 4, "skipped": 4}


async def test_r27_an_event_that_was_passed_over_stands_once_in_the_log_of_the_run(home: OnePerson) -> None:
    """Update is not checked, and the event differs, however often it is read."""
    mine = await _with_events(home)
    await _retrieve(home, mine, expires_before=set())
    await home.set(mine, event_types={"create": True, "update": False, "delete": True})
    for event in home.world.events(home.calendars[mine])[:PAGE]:
        home.world.change_event(home.calendars[mine], event["event_uid"], summary="Changed")
    await home.world.advance(60)

    shown = await _retrieve(home, mine, expires_before={3})

    assert shown[-1] == {**NONE_BUT, "skipped": EVENTS}
    async with home.store.read() as connection:
        rows = await connection.execute(select(log_entries).where(log_entries.c.outcome == "skipped"))
    assert set(Counter((row.run_id, row.item_ref) for row in rows).values()) == {1}


async def test_r26_pages_that_lead_in_a_circle_end_the_reading(home: OnePerson) -> None:
    """Else its steps would follow them until somebody cancels, at everybody's expense (R32)."""
    mine = await _with_events(home)
    circle: Any = Circle(home.cronofy.gateway)
    home.runs = home.runs_over(circle)

    with pytest.raises(Transient, match="in a circle"):
        await _retrieve(home, mine, expires_before=set())

    assert await home.items() == []

"""A history that fails once fails every time, however busy the computer is: its steps depend on nothing else.

``SAME_HISTORIES=20 pytest tests/scenarios/test_same_histories.py`` lives it that many times.
"""

import asyncio
import threading
from pathlib import Path

from sqlalchemy import select

from service.demo.simulator.world import SimulatedWorld
from service.store.tables import log_entries
from tests.support.histories import Step, do
from tests.support.in_step import LeisurelyLoop
from tests.support.knobs import examples
from tests.support.odd_days import Diary
from tests.support.reused import ReusedDatabase
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

TIMES = examples("SAME_HISTORIES", 3)
HISTORY = [
    Step("create", "ann", 1, 1),
    Step("add event", "ann", 0, 2),
    Step("create", "bob", 0, 3),
    Step("notice", "ann", 0, 0),
    Step("share", "bob", 0, 0),
    Step("sync both", "ann", 1, 1),
    Step("retitle", "ann", 1, 4),
    Step("edit ours", "ann", 0, 5),
    Step("kill", "ann", 0, 0),
    Step("move event", "ann", 0, 6),
    Step("delete", "ann", 2, 0),
    Step("notice", "bob", 1, 0),
    Step("wait", "bob", 0, 3),
    Step("settle", "bob", 0, 0),
]


def unevenly(world: SimulatedWorld) -> None:
    """Everything late by chance, and failures."""
    world.faults.change(
        apply_delay=1.0, write_jitter=6.0, read_lag=2.0, notice_delay=1.0, page_size=3, error_ratio=0.2
    )


async def _trace(reused: ReusedDatabase) -> list[object]:
    async with two_people_with_runs(change=unevenly, reused=reused) as here:
        diary = Diary()
        for step in HISTORY:
            await do(here, step, diary)
        await here.people.rest()
        return [*_writes(here), *await _log(here), here.people.clock.monotonic()]


def _writes(here: TwoPeopleWithRuns) -> list[object]:
    written = here.people.world.log.writes
    return [(each.at, each.kind, each.binding.calendar.mailbox.email) for each in written]


async def _log(here: TwoPeopleWithRuns) -> list[object]:
    columns = (log_entries.c.action, log_entries.c.outcome, log_entries.c.code, log_entries.c.title)
    async with here.home.store.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(log_entries.c.id))]


def test_a_history_goes_the_same_way_every_time(tmp_path: Path) -> None:
    """With writes, reads, runs and a death in between, at the same moments, and all in one thread."""
    before = threading.active_count()
    with asyncio.Runner(loop_factory=LeisurelyLoop) as runner:
        reused = ReusedDatabase(tmp_path / "same.db")
        runner.run(reused.open())
        first, *others = (runner.run(_trace(reused)) for _ in range(TIMES))
        assert threading.active_count() == before
        runner.run(reused.close())

    assert len(first) > len(HISTORY)
    assert all(other == first for other in others)

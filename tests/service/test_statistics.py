"""The planner's knowledge follows what a run fills."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from service.store.engine.statistics import (
    LEAST_CHANGED_ROWS,
    STATISTICS_BACK_OFF_SECONDS,
    STATISTICS_REST_SECONDS,
    PlannerStatistics,
)
from service.store.engine.store import Store
from service.store.messages import inbox
from tests.support.clock import ManualClock
from tests.support.waiting import until


async def _fill(store: Store, *, first: int, count: int) -> None:
    async with store.begin() as connection:
        keys = [(("vorex", f"m-{number}"), "done") for number in range(first, first + count)]
        await inbox.record(connection, "calendar-sync.runs", keys, now=1.0)


@pytest.mark.postgresql
async def test_a_table_that_has_doubled_is_examined_once(postgresql_url: str) -> None:
    """Then the planner knows how many rows there are, until there are half as many more."""
    store, clock = Store(postgresql_url), ManualClock()
    await store.upgrade()
    statistics = PlannerStatistics(store, clock)

    async def found() -> Sequence[str]:
        await clock.pass_time(STATISTICS_REST_SECONDS)
        return await statistics.follow()

    async def rows() -> int:
        async with store.read() as connection:
            return int(await connection.scalar(text("SELECT reltuples FROM pg_class WHERE relname='inbox'")))

    await _fill(store, first=0, count=2 * LEAST_CHANGED_ROWS)
    await until(found, what="an examined table")
    assert await rows() == 2 * LEAST_CHANGED_ROWS
    await _fill(store, first=2 * LEAST_CHANGED_ROWS, count=LEAST_CHANGED_ROWS // 2)
    assert await found() == []
    await store.close()


async def test_between_two_looks_a_second_passes(store: Store) -> None:
    """A run of a thousand steps a minute does not ask a thousand times."""
    statistics = PlannerStatistics(store, ManualClock())
    await statistics.follow()
    await _fill(store, first=0, count=2 * LEAST_CHANGED_ROWS)
    assert await statistics.follow() == []


async def test_a_database_that_does_not_answer_is_asked_again_after_a_while() -> None:
    """Nothing depends on what the planner knows: no step of a run fails for it."""
    store, clock = Store("postgresql+asyncpg://127.0.0.1:1/nowhere"), ManualClock()
    statistics = PlannerStatistics(store, clock)
    with capture_logs() as said:
        assert await statistics.follow() == []
        await clock.pass_time(STATISTICS_REST_SECONDS)
        assert await statistics.follow() == []
        assert len(said) == 1
        await clock.pass_time(STATISTICS_BACK_OFF_SECONDS)
        assert await statistics.follow() == []
    assert [entry["event"] for entry in said] == ["statistics.delayed"] * 2
    await store.close()

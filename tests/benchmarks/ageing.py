"""What becomes of tables that have grown for years: their plans, and how fast they are forgotten."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from service.keeper import MORE, forgetting
from service.store.engine.store import Store
from tests.benchmarks.ground import ENGINES, Failed, Job, Servers, place
from tests.benchmarks.results import Found, Line
from tests.support.grown import grow
from tests.support.hot_queries import QUERIES
from tests.support.plans import watching

A_DAY = 1_000_000
DAY_SECONDS = 86_400.0
GROWN = frozenset({"inbox", "log_entries"})


async def keep_their_plans(store: Store) -> None:
    """Raises Failed where a query beside the traffic reads all of what has grown."""
    for name, (query, _) in QUERIES.items():
        with watching(store, large=GROWN) as watch:
            async with store.begin() as connection:
                await query(connection)
        if watch.bad:
            raise Failed(f"{name}: {watch.complaints()}")


async def purging(servers: Servers, count: int) -> Found:
    """How fast the keeper forgets what is old, against a million new rows a day."""
    lines = []
    for engine in ENGINES:
        async with place(servers, Job(events=0, integrations=1), engine) as here:
            store = Store(here.url)
            await grow(store, count, since=datetime.now(UTC) - timedelta(days=400))
            began = time.monotonic()
            for chore in forgetting(store, inbox_days=30, log_days=90)[:2]:
                while await chore.work() is MORE:
                    pass
            took = time.monotonic() - began
            await _nothing_left(store)
            await store.close()
        what = f"days of a million events that one day forgets, {engine}"
        lines.append(Line(what=what, value=round(count / took * DAY_SECONDS / A_DAY, 1), least=2))
    return Found(lines=lines)


async def _nothing_left(store: Store) -> None:
    async with store.read() as connection:
        for table in sorted(GROWN):
            if left := await connection.scalar(text(f"SELECT count(*) FROM {table}")):
                raise Failed(f"{left} old rows are left in {table}")

"""What PostgreSQL's planner knows of tables that grow quickly (DESIGN 10)."""

from sqlalchemy import text

from contracts.ports import Clock
from service.store import Store
from service.store.tables import metadata

PAUSE = 1.0
"""Seconds between two looks; the server counts changes about as often."""
LEAST = 1000
"""Rows below which no plan is bad enough to matter."""

OUTGROWN = text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = current_schema()"
    " AND n_mod_since_analyze > :least AND n_mod_since_analyze > n_live_tup / 2"
)


class Statistics:
    """Renews them where a run has outgrown them: a server looks by itself once a minute at the most.

    Until then it plans for tables that are nearly empty, and each page of a Retrieve reads all pages before
    it once more. SQLite plans without knowing how full its tables are.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._not_before = float("-inf")

    async def follow(self) -> list[str]:
        """Have the tables examined that have doubled since they last were; their names."""
        if self._store.sqlite or self._clock.monotonic() < self._not_before:
            return []
        self._not_before = self._clock.monotonic() + PAUSE
        async with self._store.begin() as connection:
            outgrown = await connection.scalars(OUTGROWN, {"least": LEAST})
            names = [name for name in outgrown if name in metadata.tables]
            for name in names:
                await connection.execute(text(f'ANALYZE (SKIP_LOCKED) "{name}"'))
        return names

"""What PostgreSQL's planner knows of tables that grow quickly."""

import structlog
from sqlalchemy import text

from contracts.errors import Transient
from contracts.ports import Clock
from service.store.engine.store import Store
from service.store.tables import metadata
from service.telemetry.logs import EventName

log = structlog.get_logger(__name__)

STATISTICS_DELAYED: EventName = "statistics.delayed"
STATISTICS_POLL_SECONDS, STATISTICS_REST_SECONDS, STATISTICS_BACK_OFF_SECONDS = 1.0, 5.0, 60.0
"""Seconds until the next look: after one that found nothing, after an examination, and after a failure."""
LEAST_CHANGED_ROWS = 1000
"""Rows below which no plan is bad enough to matter."""

OUTGROWN = text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = current_schema()"
    " AND n_mod_since_analyze > :least AND n_mod_since_analyze > n_live_tup / 2"
)
SHORT_STATEMENT_TIMEOUT = text("SET LOCAL statement_timeout = '4s'")
"""No transaction lasts longer than five seconds."""


class PlannerStatistics:
    """Renews them where a run has outgrown them: a server looks by itself once a minute at the most.

    Until then it plans for tables that are nearly empty, and each page of a Retrieve reads all pages before
    it once more. SQLite plans without knowing how full its tables are.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._not_before = float("-inf")

    async def follow(self) -> list[str]:
        """Have the tables examined that have grown by half since they last were; their names.

        Nobody depends on it: what hinders it is told, and tried again after a while.
        """
        if self._store.sqlite or self._clock.monotonic() < self._not_before:
            return []
        examined: list[str] = []
        pause = STATISTICS_POLL_SECONDS
        try:
            for name in await self._outgrown():
                pause = STATISTICS_REST_SECONDS
                async with self._store.begin() as connection:
                    await connection.execute(SHORT_STATEMENT_TIMEOUT)
                    await connection.execute(text(f'ANALYZE (SKIP_LOCKED) "{name}"'))
                examined.append(name)
        except Transient as error:
            pause = STATISTICS_BACK_OFF_SECONDS
            log.warning(STATISTICS_DELAYED, reason=str(error))
        self._not_before = self._clock.monotonic() + pause
        return examined

    async def _outgrown(self) -> list[str]:
        async with self._store.read() as connection:
            names = await connection.scalars(OUTGROWN, {"least": LEAST_CHANGED_ROWS})
            return [name for name in names if name in metadata.tables]

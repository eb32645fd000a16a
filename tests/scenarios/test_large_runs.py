"""One Retrieve and one Send of very many: everything crosses once, progress shows, memory stays flat (R25).

``LARGE_RUN=50000 pytest tests/scenarios/test_large_runs.py`` takes as many as the product promises; within
Cronofy's own limits and against the clock they are run by ``make bench ARGS="--runs 50000"``.
"""

from pathlib import Path

import pytest

from tests.support.knobs import examples
from tests.support.large_runs import Kind, Limits, RunSeen, large_runs

MANY = examples("LARGE_RUN", 5000)
PAGE, BATCH = 100, 50
OTHER_REQUESTS = 10
"""Questions about the account, and batches that were sent before they were full, at most a tenth of all."""
MOST_GROWTH = 24.0
"""MiB; what is allocated once, and by chance, is less."""

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(900)]


async def _ran(kind: Kind, sqlite_url: str, broker_url: str, folder: Path) -> tuple[RunSeen, int]:
    limits = Limits(per_second=0, per_minute=0)
    async with large_runs(sqlite_url, broker_url, folder, limits) as place:
        if kind == "retrieve":
            place.fill_calendar(MANY)
        else:
            await place.fill_vorex(MANY)
        told = await place.sync(kind)
        there = sum(not event["deleted"] for event in place.calendar.events(place.calendar_id))
    return told, there


@pytest.mark.parametrize(("kind", "at_once"), [("retrieve", PAGE), ("send", BATCH)])
async def test_r25_a_run_over_very_many_shows_progress_and_keeps_its_memory(
    kind: Kind, at_once: int, sqlite_url: str, broker_url: str, tmp_path: Path
) -> None:
    """Each once, in as few requests as there are pages or batches."""
    told, there = await _ran(kind, sqlite_url, broker_url, tmp_path)

    counts = {name: told.run[name] for name in ("state", "found", "created", "failed", "done", "total")}
    assert counts == {
        "state": "done",
        "found": MANY,
        "created": MANY,
        "failed": 0,
        "done": MANY,
        "total": MANY,
    }
    assert there == MANY
    assert told.requests <= 1.1 * MANY / at_once + OTHER_REQUESTS
    done = [seen for seen, _ in told.progress]
    assert done == sorted(done)
    assert len({seen for seen in done if 0 < seen < MANY}) >= 3
    assert told.growth <= MOST_GROWTH

"""A run's process is killed between and inside its steps and started again: counts stay right (R25)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from service.crashpoints import EXIT_KILLED
from service.integrations.activate import IntegrationSwitch
from service.integrations.catch_up import DAILY_RUN, request_comparison
from service.integrations.delete import IntegrationDeletion
from service.integrations.undoing.whole_runs import RunUndo
from service.keeper import due_runs
from service.store.integrations import integrations
from service.store.tables import credentials, integration_state, leases, links, runs
from service.store.tables import items as items_table
from tests.support.large_runs import OWNER, LargeRuns, Limits, large_runs
from tests.support.waiting import until

EVENTS, ITEMS = 8, 120
LATEST = 120.0
"""Seconds for a process to start, work and end where many others want the processor."""

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(600)]

Act = Callable[[LargeRuns], Awaitable[None]]


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The address of an empty database of the engine that the test names."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def place(database: str, broker_url: str, tmp_path: Path) -> AsyncIterator[LargeRuns]:
    async with large_runs(database, broker_url, tmp_path, Limits(per_second=0, per_minute=0)) as made:
        made.calendar.faults.change(page_size=3)
        yield made


async def _nothing_lasts_of_the_dead(place: LargeRuns) -> None:
    """What a dead process holds keeps others out for a while that nobody waits for here."""
    async with place.world.store.begin() as connection:
        await connection.execute(update(integration_state).values(read_until=0.0))
        await connection.execute(update(leases).values(until=0.0))
        # A link that was claimed is looked after by nobody for two minutes.
        await connection.execute(update(links).values(claimed_until=0.0, touched_at=0.0))


async def _newest_run(place: LargeRuns) -> Mapping[str, Any]:
    rows = await place.world.rows(runs)
    return max(rows, key=lambda row: str(row["id"]))


async def _over(place: LargeRuns) -> bool:
    return (await _newest_run(place))["ended_at"] is not None


@asynccontextmanager
async def _kept(place: LargeRuns) -> AsyncIterator[None]:
    """The keeper's part: runs that wait for a moment are asked to go on."""

    async def keep() -> None:
        while True:
            await due_runs(place.world.store).work()
            await asyncio.sleep(1.0)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def _killed_and_started_again(place: LargeRuns, act: Act, point: str) -> Mapping[str, Any]:
    """The run that follows the act, as it ended at last."""
    with place.consumer(crash_at=point) as doomed:
        await asyncio.to_thread(doomed.logged, "process.started", seconds=LATEST)
        await act(place)
        async with _kept(place):
            await until(lambda: doomed.process.poll() is not None, seconds=LATEST, what="its end")
        assert doomed.process.returncode == EXIT_KILLED
    await _nothing_lasts_of_the_dead(place)
    with place.consumer():
        async with _kept(place):
            await until(lambda: _over(place), seconds=LATEST, what="the end of the run")
    return await _newest_run(place)


def _counts(run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("state", "done", "total", "found", "created", "updated", "skipped", "failed")
    return {name: run[name] for name in names}


async def _titles_there(place: LargeRuns) -> list[str]:
    events = place.calendar.events(place.calendar_key)
    return sorted(event["summary"] for event in events if not event["deleted"])


async def _titles_here(place: LargeRuns) -> list[str]:
    rows = await place.world.rows(items_table)
    return sorted(row["content"]["title"] for row in rows if not row["deleted"])


POSTGRESQL = pytest.mark.postgresql
SQLITE_AND_POSTGRESQL = ("sqlite", pytest.param("postgresql", marks=POSTGRESQL))


@pytest.mark.parametrize("point", ["runs.1#3", "runs.2#3", "runs.3#4"])
@pytest.mark.parametrize("database", SQLITE_AND_POSTGRESQL, indirect=True)
async def test_r25_a_retrieve_survives_a_kill(place: LargeRuns, point: str) -> None:
    """Before a step, inside a page's transaction, and after it."""
    place.fill_calendar(EVENTS)

    run = await _killed_and_started_again(place, _retrieve, point)

    assert _counts(run) == {
        "state": "done", "done": EVENTS, "total": EVENTS, "found": EVENTS, "created": EVENTS,
        "updated": 0, "skipped": 0, "failed": 0,
    }  # fmt: skip
    assert await _titles_here(place) == await _titles_there(place)


@pytest.mark.parametrize(
    ("database", "point"),
    [
        ("sqlite", "runs.2#4"),
        ("sqlite", "runs.3#3"),
        pytest.param("postgresql", "outbound.4#2", marks=POSTGRESQL),
    ],
    indirect=["database"],
)
async def test_r25_a_send_survives_a_kill(place: LargeRuns, point: str) -> None:
    """Inside a step, between two, and while its links are written."""
    await place.fill_vorex(ITEMS)

    run = await _killed_and_started_again(place, _send, point)

    assert _counts(run) == {
        "state": "done", "done": ITEMS, "total": ITEMS, "found": ITEMS, "created": ITEMS,
        "updated": 0, "skipped": 0, "failed": 0,
    }  # fmt: skip
    assert await _titles_there(place) == await _titles_here(place)


@pytest.mark.parametrize(
    ("database", "point"),
    [("sqlite", "runs.3#2"), pytest.param("postgresql", "runs.2#3", marks=POSTGRESQL)],
    indirect=["database"],
)
@pytest.mark.parametrize("kind", ["catch_up", "daily"])
async def test_r20_a_comparison_survives_a_kill(place: LargeRuns, kind: str, point: str) -> None:
    """Events that nobody announced come over once."""
    place.fill_calendar(EVENTS)

    run = await _killed_and_started_again(place, {"catch_up": _pause, "daily": _a_day}[kind], point)

    assert (run["kind"], run["state"], run["found"]) == (kind, "done", EVENTS)
    assert await _titles_here(place) == await _titles_there(place)


@pytest.mark.parametrize(
    ("database", "point"),
    [("sqlite", "runs.2#2"), pytest.param("postgresql", "runs.3#3", marks=POSTGRESQL)],
    indirect=["database"],
)
async def test_r21_a_deletion_that_removes_copies_survives_a_kill(place: LargeRuns, point: str) -> None:
    """None of ours is left, no foreign one is touched, and the tokens are erased."""
    place.fill_calendar(1)
    await place.fill_vorex(EVENTS)
    await place.sync("send")

    run = await _killed_and_started_again(place, _leave, point)

    assert (run["kind"], run["state"], run["found"]) == ("delete", "done", EVENTS)
    assert await _titles_there(place) == ["Event 0"]
    assert await place.world.rows(credentials) == []
    assert all(row["ended_at"] is not None for row in await place.world.rows(links))


@pytest.mark.parametrize(
    ("database", "point"),
    [("sqlite", "runs.2#2"), pytest.param("postgresql", "runs.3#2", marks=POSTGRESQL)],
    indirect=["database"],
)
async def test_r50_an_undo_survives_a_kill(place: LargeRuns, point: str) -> None:
    """Inside the step that puts back, and after it: each change once, and the calendar as it was."""
    place.fill_calendar(EVENTS)
    await place.sync("retrieve")
    assert len(await _titles_here(place)) == EVENTS

    run = await _killed_and_started_again(place, _undo, point)

    assert (run["kind"], run["state"], run["updated"], run["skipped"]) == ("undo", "done", EVENTS, 0)
    assert (await _titles_here(place), len(await _titles_there(place))) == ([], EVENTS)


async def _undo(place: LargeRuns) -> None:
    retrieved = await _newest_run(place)
    await RunUndo(place.world.store).start(OWNER, retrieved["id"], started_by="ann")


async def _retrieve(place: LargeRuns) -> None:
    await place.start("retrieve")


async def _send(place: LargeRuns) -> None:
    await place.start("send")


async def _pause(place: LargeRuns) -> None:
    switching = IntegrationSwitch(place.world.store)
    await switching.deactivate(OWNER, place.integration_id)
    await switching.activate(OWNER, place.integration_id)


async def _a_day(place: LargeRuns) -> None:
    store = place.world.store
    async with store.begin() as connection:
        (mine,) = (await integrations.load(connection, [place.integration_id], lock=True)).values()
        await request_comparison(store, connection, mine, kind=DAILY_RUN)


async def _leave(place: LargeRuns) -> None:
    await IntegrationDeletion(place.world.store).delete(OWNER, place.integration_id, copies="remove")

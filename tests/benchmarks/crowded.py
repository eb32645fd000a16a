"""How everything keeps its time beside very many integrations, items and links, on PostgreSQL."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from service.keeper import bulk_replays, daily_reads, delays, due_runs, old_tombstones, runs_at_a_standstill
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import channels, listing, reads
from tests.benchmarks import pages
from tests.benchmarks.ground import INTEGRATIONS, Job, Place, Servers, place
from tests.benchmarks.results import Curve, Found, Line
from tests.benchmarks.throughput import consumed
from tests.support.grown import Size, fill
from tests.support.hot_queries import QUERIES

MOST_OF_EMPTY = 1.5
TIMES = 9
DAY_SECONDS = 86_400.0
NOBODY = Size(integrations=10, items=10, at_rest=True)


async def _silent(connection: AsyncConnection) -> object:
    """Those whose turn it is now, of which there are few: their daily read was a moment ago."""
    now = time.time()
    asked_before = {"heard_before": now - DAY_SECONDS, "audited_before": now - DAY_SECONDS}
    return await channels.take_silent(connection, **asked_before, now=now, limit=10)


LOOKS: Mapping[str, Callable[[AsyncConnection], Awaitable[object]]] = {
    "unread notices": lambda c: reads.unread(c, now=1.0),
    "missing channels": channels.without_channel,
    "silent channels": _silent,
    "lost calendars": lambda c: listing.take_lost(c, before=1.0, now=1.0, limit=10),
}
Timed = dict[str, float]
"""Milliseconds by what was done; the median."""


async def growth(servers: Servers, events: int, integrations: int, items: int) -> Found:
    """Beside so many, and a tenth of them, what it is beside nobody."""
    job = Job(events=events, integrations=INTEGRATIONS)
    sizes = [
        NOBODY,
        Size(integrations=integrations // 10, items=items // 10, at_rest=True),
        Size(integrations=integrations, items=items, at_rest=True),
    ]
    rates: list[float] = []
    found: list[dict[str, Timed]] = []
    for size in sizes:
        async with place(servers, job, "PostgreSQL") as here:
            store = here.world.store
            await fill(store, until=datetime.now(UTC) - timedelta(hours=1), size=size)
            await here.fill(job.messages())
            rates.append((await consumed(here, job)).rate)
            found.append(await _timed(here, store))
    points = [(float(size.integrations), rate) for size, rate in zip(sizes, rates, strict=True)]
    curve = Curve(
        name="throughput-by-people",
        title="Throughput by integrations already there, 50 items and links each",
        across="integrations",
        up="events a second",
        series={"PostgreSQL": points},
        logarithmic=True,
    )
    speed = Line(
        what=f"speed beside {integrations:,} integrations and {items / 1e6:g} million items",
        value=round(rates[-1] / rates[0], 2),
        unit="×",
        least=round(1 / MOST_OF_EMPTY, 2),
    )
    return Found(lines=[speed, *_beside(found[0], found[-1])], curves=[curve])


def _beside(empty: Mapping[str, Timed], full: Mapping[str, Timed]) -> Sequence[Line]:
    """The whole of each group, and the one of it that grew most."""
    lines = []
    for group, timed in full.items():
        before = empty[group]
        whole = sum(timed.values()) / sum(before.values())
        worst = max(timed, key=lambda name: timed[name] - before[name])
        what = f"{group}, of what they take beside nobody"
        lines.append(Line(what=what, value=round(whole, 2), unit="×", most=MOST_OF_EMPTY))
        lines.append(Line(what=f"that grew most of them: {worst}", value=round(timed[worst], 1), unit="ms"))
    return lines


async def _timed(here: Place, store: Store) -> dict[str, Timed]:
    """Statements, chores and pages, each made several times."""
    asked = {name: await _median(store, query) for name, (query, _) in QUERIES.items()}
    chores = {name: await _median(store, look) for name, look in LOOKS.items()}
    for chore in (
        due_runs(store),
        bulk_replays(store),
        runs_at_a_standstill(store),
        delays(store),
        daily_reads(store),
        old_tombstones(store),
    ):
        chores[chore.name] = await _median_of(chore.work)
    shown = {page.name: page.median for page in await pages.measured(here.url)}
    return {"statements": asked, "the keeper's chores": chores, "pages": shown}


async def _median(store: Store, query: Callable[[AsyncConnection], Awaitable[object]]) -> float:
    async def work() -> None:
        async with store.begin() as connection:
            await query(connection)

    return await _median_of(work)


async def _median_of(work: Callable[[], Awaitable[object]]) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await work()
        took.append(1000 * (time.perf_counter() - began))
    return median(took)

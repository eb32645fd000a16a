"""Tables as years of traffic leave them: rows made by the database itself, with time-ordered ids."""

import time

from sqlalchemy import text

from service.purging import forgetting
from service.store import Store
from tests.benchmarks.ground import ENGINES, OLD, Failed, Job, Servers, place
from tests.benchmarks.results import Found, Line

CHUNK = 250_000
A_DAY = 1_000_000
DAY_SECONDS = 86_400.0
NUMBERS = {
    True: (
        "(WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
        " SELECT i FROM n)"
    ),
    False: "(SELECT i FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS g(i))",
}
IDS = {
    True: "printf('%08x-%04x-7000-8000-%012x', (:at + i) / 65536, (:at + i) % 65536, i)",
    False: (
        "lpad(to_hex((CAST(:at AS bigint) + i) / 65536), 8, '0') || '-' ||"
        " lpad(to_hex((CAST(:at AS bigint) + i) % 65536), 4, '0') || '-7000-8000-' ||"
        " lpad(to_hex(i), 12, '0')"
    ),
}
MOMENTS = {True: "datetime(:seconds, 'unixepoch') || '.000000'", False: "to_timestamp(:seconds)"}


async def grow(store: Store, count: int, *, days_ago: float = 1.0) -> None:
    """So many inbox rows and log entries, written days ago."""
    numbers, ids, moments = (each[store.sqlite] for each in (NUMBERS, IDS, MOMENTS))
    async with store.read() as connection:
        one = await connection.scalar(text("SELECT id FROM integrations ORDER BY id LIMIT 1"))
    seconds = time.time() - days_ago * DAY_SECONDS
    told = {"at": int(seconds * 1000), "seconds": seconds, "old": OLD, "integration": one}
    for first in range(0, count, CHUNK):
        part = told | {"first": first + 1, "last": min(first + CHUNK, count)}
        async with store.begin() as connection:
            await connection.execute(
                text(_inbox(numbers, ids)), {k: part[k] for k in ("at", "seconds", "old", "first", "last")}
            )
            await connection.execute(text(_log(numbers, ids, moments)), part)
    async with store.begin() as connection:
        await connection.execute(text("ANALYZE"))


def _inbox(numbers: str, ids: str) -> str:
    return (
        "INSERT INTO inbox (consumer, source, message_id, outcome, processed_at)"
        f" SELECT 'calendar-sync.outbound', :old, {ids}, 'done', :seconds FROM {numbers} AS numbers"
    )


def _log(numbers: str, ids: str, moments: str) -> str:
    return (
        'INSERT INTO log_entries (id, integration_id, at, "trigger", direction, action, outcome, code,'
        " item_id, item_type, title, reason, message_id, attempt)"
        f" SELECT {ids}, :integration, {moments}, 'real_time', 'to_linked_calendar', 'create', 'done', 'ok',"
        f" 'old', :old, 'An old appointment', 'Sent to the linked calendar.', {ids}, 1"
        f" FROM {numbers} AS numbers"
    )


async def purging(servers: Servers, count: int) -> Found:
    """How fast the keeper forgets what is old, against a million new rows a day."""
    lines = []
    for engine in ENGINES:
        async with place(servers, Job(events=0, integrations=1), engine) as here:
            store = Store(here.url)
            await grow(store, count, days_ago=400)
            began = time.monotonic()
            for chore in forgetting(store, inbox_days=30, log_days=90)[:2]:
                await chore.work()
            took = time.monotonic() - began
            await _nothing_left(store)
            await store.close()
        what = f"days of a million events that one day forgets, {engine}"
        lines.append(Line(what=what, value=round(count / took * DAY_SECONDS / A_DAY, 1), least=2))
    return Found(lines=lines)


async def _nothing_left(store: Store) -> None:
    async with store.read() as connection:
        for table in ("inbox", "log_entries"):
            if left := await connection.scalar(text(f"SELECT count(*) FROM {table}")):
                raise Failed(f"{left} old rows are left in {table}")

"""Many processes write into one SQLite file (T12)."""

import asyncio
import sys

from sqlalchemy import func, select

from service.store.engine.store import Store
from service.store.tables import inbox
from tests.support.knobs import sized
from tests.support.processes import ROOT

WRITER = """
import asyncio, sys, time
from service.store.engine.store import Store
from service.store.engine.ids import new_id
from service.store.messages.inbox import record

async def write(url, name, seconds):
    store, written = Store(url), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or not written:
        async with store.begin() as connection:
            await record(connection, "writers", [((name, new_id()), "done")], now=time.time())
        written += 1
    await store.close()
    print(written)

asyncio.run(write(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


async def test_t12_processes_that_write_at_once_wait_for_each_other_and_lose_nothing(
    sqlite_url: str,
) -> None:
    """Nobody is told that the database is locked; every transaction that committed is there."""
    seconds = sized(3, 60)
    writers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITER, sqlite_url, f"/writer/{number}", str(seconds)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for number in range(8)
    ]
    told = await asyncio.gather(*(writer.communicate() for writer in writers))

    assert [(writer.returncode, said) for writer, (_, said) in zip(writers, told, strict=True)] == [
        (0, b"")
    ] * 8
    store = Store(sqlite_url)
    async with store.read() as connection:
        found = await connection.scalar(select(func.count()).select_from(inbox))
    await store.close()
    assert found == sum(int(count) for count, _ in told)

"""What lies on the disk is for its owner alone."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from service.store.engine.single_process import be_the_only_process
from service.store.engine.store import Store


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


async def test_an_sqlite_database_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    """With all that SQLite and the lock put beside it, whatever mask the process was given."""
    mask = os.umask(0)
    try:
        store = Store(f"sqlite+aiosqlite:///{tmp_path}/sync.db")
        async with be_the_only_process(store):
            await store.upgrade()
            async with store.begin():
                found = modes(tmp_path)
        await store.close()
    finally:
        os.umask(mask)
    names = ["sync.db", "sync.db-wal", "sync.db-shm", "sync.db-up", "sync.db-up-journal"]
    assert found == dict.fromkeys(names, "0o600")


def open_up(folder: Path, mode: int) -> None:
    for path in folder.iterdir():
        path.chmod(mode)


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o640), (0o666, 0o660), (0o600, 0o600), (0o640, 0o640)]
)
async def test_a_database_of_a_former_version_is_closed_to_everybody_else(
    tmp_path: Path, before: int, after: int
) -> None:
    """With the log beside it; whom its owner let in by the group stays in."""
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/sync.db")
    await store.upgrade()
    async with store.begin():
        open_up(tmp_path, before)
    await store.close()

    again = Store(f"sqlite+aiosqlite:///{tmp_path}/sync.db")
    async with again.begin():
        found = modes(tmp_path)
    await again.close()

    assert found == dict.fromkeys(["sync.db", "sync.db-wal", "sync.db-shm"], oct(after))


async def test_a_database_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite+aiosqlite:///:memory:")
    async with store.begin():
        pass
    await store.close()
    assert modes(tmp_path) == {}


COMES_BY = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE visited (at INTEGER)")
connection.commit()
connection.close()
"""


async def test_another_connection_of_this_process_gives_up_no_lock_of_the_first(tmp_path: Path) -> None:
    """POSIX locks go with any descriptor of the file that a process closes; then another process that ends
    takes itself for the last one, and removes the log that is in use."""
    path = tmp_path / "calendar-sync.db"
    store, other = Store(f"sqlite+aiosqlite:///{path}"), Store(f"sqlite+aiosqlite:///{path}")
    await store.upgrade()
    async with store.read() as first, other.read() as second:
        await first.execute(text("SELECT count(*) FROM items"))
        await second.execute(text("SELECT count(*) FROM items"))
        visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", COMES_BY, str(path))
        assert await visitor.wait() == 0
        assert path.with_name(f"{path.name}-wal").exists()
    await store.close()
    await other.close()

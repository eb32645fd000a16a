"""What lies on the disk is for its owner alone."""

import os
import stat
from pathlib import Path

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

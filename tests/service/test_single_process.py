"""One `up` with the embedded broker at a time on one database."""

import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from service.store.engine.single_process import DatabaseOccupied, be_the_only_process
from service.store.engine.store import Store
from tests.support.processes import SECRETS, run, started


async def test_a_second_one_is_refused_until_the_first_has_gone(store: Store, database_url: str) -> None:
    """On either database; the sentence says what to do."""
    second = Store(database_url)
    async with be_the_only_process(store):
        with pytest.raises(DatabaseOccupied, match="stop that one first"):
            async with be_the_only_process(second):
                pass
    async with be_the_only_process(second):
        pass
    await second.close()


@pytest.mark.postgresql
async def test_who_was_the_only_one_ends_in_order_where_the_server_was_restarted(postgresql_url: str) -> None:
    """The lock went with its connection: there is nothing left to give back."""
    store, second = Store(postgresql_url), Store(postgresql_url)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    async with be_the_only_process(store), second.begin() as connection:
        await connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))
    async with be_the_only_process(second):
        pass
    await store.close()
    await second.close()


def test_a_second_up_on_one_file_refuses_and_one_that_was_killed_leaves_no_lock(
    tmp_path: Path, sqlite_url: str
) -> None:
    """Two brokers in memory over one outbox would send everything twice."""
    settings = {**SECRETS, "DATABASE_URL": sqlite_url, "PORT": "0", "CRONOFY_API_URL": "http://127.0.0.1:9"}
    with started("up", settings=settings, folder=tmp_path) as first:
        first.logged("process.started")
        second = run("up", settings=settings, folder=tmp_path)
        assert second.returncode == 1
        assert b"Another `calendar-sync up`" in second.stderr
        first.stop(signal.SIGKILL)
    with started("up", settings=settings, folder=tmp_path) as third:
        third.logged("process.started")

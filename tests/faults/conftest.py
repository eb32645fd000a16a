"""The store on both engines: what outlives a fault must do so on either."""

from collections.abc import AsyncIterator

import pytest

from service.store.engine.store import Store
from tests.support.knobs import FULL


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, once of each engine."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = Store(database_url)
    await opened.upgrade()
    yield opened
    await opened.close()


POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)


@pytest.fixture(params=["sqlite", POSTGRESQL] if FULL else ["sqlite"])
def some_url(request: pytest.FixtureRequest) -> str:
    """A database where the engine hardly matters: both in full size, else the one always there."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def some_store(some_url: str) -> AsyncIterator[Store]:
    opened = Store(some_url)
    await opened.upgrade()
    yield opened
    await opened.close()

"""The store on both engines, for whatever promises the same on either; pages and API."""

from collections.abc import AsyncIterator

import pytest

from service.store import Store
from tests.support.office import Office, open_office


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


@pytest.fixture
async def office(sqlite_url: str) -> AsyncIterator[Office]:
    """Pages and API over a store of their own, for whoever does not say otherwise."""
    async with open_office(sqlite_url) as opened:
        yield opened

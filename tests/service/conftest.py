"""The store on both engines, for whatever promises the same on either, and what stands on it."""

from collections.abc import AsyncIterator

import pytest

from service.store.engine.store import Store
from tests.support.calendars import Outbound, outbound
from tests.support.clock import ManualClock
from tests.support.company import Company, open_company
from tests.support.office import Office, open_office
from tests.support.one_person import OnePerson, one_person


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
async def world(database_url: str) -> AsyncIterator[Outbound]:
    """An outbound engine over a calendar in memory, on a manual clock."""
    clock = ManualClock()
    store = Store(database_url, clock=clock)
    await store.upgrade()
    async with outbound(store, clock) as made:
        yield made
    await store.close()


@pytest.fixture
async def home(database_url: str) -> AsyncIterator[OnePerson]:
    """A linked calendar at the simulator, and the inbound half of the product."""
    async with one_person(database_url) as built:
        yield built


@pytest.fixture
async def office(sqlite_url: str) -> AsyncIterator[Office]:
    """Pages and API over a store of their own, for whoever does not say otherwise."""
    async with open_office(sqlite_url) as opened:
        yield opened


@pytest.fixture
async def company(database_url: str) -> AsyncIterator[Company]:
    """A company whose administrator connects its people, on both engines."""
    async with open_company(database_url) as opened:
        yield opened


@pytest.fixture
async def small(new_sqlite_url: str) -> AsyncIterator[Company]:
    """The same for what does not depend on the engine."""
    async with open_company(new_sqlite_url) as opened:
        yield opened

"""One demonstration for each module of tests of the pages in a browser."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.support.chromium import chromium, open_chromium
from tests.support.guide import GuideAddresses
from tests.support.processes import started


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuideAddresses]:
    """Everybody has integrations of their own in it; what it says is searched at the module's end."""
    chromium()
    folder = tmp_path_factory.mktemp("town")
    database = folder / "town.db"
    settings = {"DATABASE_URL": f"sqlite+aiosqlite:///{database}"}
    with started("up", "--demo", settings=settings, folder=folder) as up:
        product = up.said("ready ").removeprefix("ready ")
        provider = up.said("stand-in shows it: ").rpartition("it: ")[2]
        yield GuideAddresses(product=product, provider=provider, database=database)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as opened:
        yield opened

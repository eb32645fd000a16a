"""The composition root: what it opens works, what it closes is gone, and readiness says what is missing."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from contracts.errors import Unavailable
from service import app as root
from service.app.server import (
    CannotListen,
    SystemClock,
    TaskMinder,
    listening_socket,
    port_of,
    with_bound_port,
)
from service.demo.acceptance import walk_all
from service.demo.demonstration import demonstration
from service.monitoring.readiness import Readiness
from service.settings import Settings
from service.store.engine.store import Store
from tests.support.repository import ROOT

OF_PAGES = frozenset({"babel", "fastapi", "jinja2", "jwt", "markdown_it"})
"""What pages and their API are made with."""
KEY = SecretStr(Fernet.generate_key().decode())


def settings_at(url: str, **different: Any) -> Settings:
    return Settings(_env_file=None).model_copy(
        update={
            "database_url": url,
            "cronofy_client_id": "client",
            "cronofy_client_secret": (SecretStr("client-secret"),),
            "encryption_keys": (KEY,),
            "sign_in_secret": (SecretStr("a secret with at least thirty-two bytes"),),
            "port": 0,
            "relay_port": 0,
            "simulator_port": 0,
            "shutdown_grace": 5.0,
            **different,
        }
    )


@asynccontextmanager
async def asking(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as client:
        yield client


async def test_up_opens_everything_and_leaves_nothing_behind(new_sqlite_url: str) -> None:
    """Every task that was begun has ended when the block is left."""
    before = asyncio.all_tasks()
    async with (
        root.everything(with_bound_port(settings_at(new_sqlite_url))) as running,
        asking(running.address) as client,
    ):
        assert (await client.get("/readyz")).json() == {"ready": True, "because": []}
        assert (await client.get("/api/v1/openapi.json")).status_code == 200
        assert (await client.post("/cronofy/notices/x", content=b"{}")).status_code == 401

    assert asyncio.all_tasks() == before


async def test_up_can_be_opened_again_on_the_same_database(new_sqlite_url: str) -> None:
    """Nothing of the first time stands in the way."""
    for _ in range(2):
        async with root.everything(with_bound_port(settings_at(new_sqlite_url))) as running:
            assert running.address.startswith("http://127.0.0.1:")


async def test_the_walk_ticks_every_step(new_sqlite_url: str) -> None:
    """G17, G18, over HTTP alone."""
    said: list[str] = []
    async with (
        demonstration(with_bound_port(settings_at(new_sqlite_url))) as demo,
        root.everything(demo.settings) as running,
    ):
        token = demo.sign_in_token(SystemClock())
        went_well = await walk_all(
            product=running.address, calendar_provider=demo.simulator, token=token, say=said.append
        )

    assert went_well, said
    assert [line.split("]")[0] for line in said] == ["[ok"] * 5


async def test_a_walk_that_fails_says_where_and_stops() -> None:
    """A wrong link: the first step fails, the others are not tried."""
    said: list[str] = []
    with listening_socket("127.0.0.1", 0) as closed:
        address = f"http://127.0.0.1:{port_of(closed)}"

    went_well = await walk_all(product=address, calendar_provider=address, token="x", say=said.append)

    assert not went_well
    assert len(said) == 1
    assert said[0].startswith("[failed] Sign in")


async def test_a_demonstration_makes_its_own_secrets() -> None:
    """A newcomer needs no settings at all; the database of nobody's naming is thrown away."""
    bare = Settings(_env_file=None).model_copy(update={"simulator_port": 0, "port": 0})
    async with demonstration(bare) as demo:
        assert demo.settings.encryption_keys
        assert demo.settings.sign_in_secret
        folder = Path(demo.settings.database_url.partition("///")[2]).parent
        assert folder.exists()
    assert not folder.exists()


async def test_the_public_address_follows_the_port_unless_it_was_given(new_sqlite_url: str) -> None:
    """Redirects and notices must find the way back."""
    followed = with_bound_port(settings_at(new_sqlite_url))
    assert followed.public_url == f"http://127.0.0.1:{followed.port}"

    given = with_bound_port(settings_at(new_sqlite_url, public_url="https://sync.example.com"))
    assert given.public_url == "https://sync.example.com"


async def test_a_process_refuses_a_schema_that_is_not_current(new_sqlite_url: str) -> None:
    """It names the remedy."""
    with pytest.raises(root.SetupIncomplete, match="calendar-sync migrate"):
        async with root.web(settings_at(new_sqlite_url)):
            pass


async def test_a_port_that_is_taken_is_said() -> None:
    """In a sentence with the port."""
    with listening_socket("127.0.0.1", 0) as taken, pytest.raises(CannotListen, match=str(port_of(taken))):
        listening_socket("127.0.0.1", port_of(taken))


async def test_readiness_names_what_stands_in_the_way(new_sqlite_url: str) -> None:
    """In a word each, and nothing when all is well."""
    store = Store(new_sqlite_url)
    await store.upgrade()
    readiness = Readiness()
    assert list(await readiness()) == ["starting"]
    readiness.started()
    readiness.needs_database(store)
    readiness.needs("broker", lambda: False)
    assert list(await readiness()) == ["broker"]

    readiness.needs_database(_gone())
    assert list(await readiness()) == ["broker", "database"]
    readiness.stopping()
    assert list(await readiness()) == ["stopping"]
    await store.close()


async def test_a_minded_task_that_dies_ends_the_process() -> None:
    """A process without its sender or its pages must not look alive."""

    async def die() -> None:
        raise ZeroDivisionError

    minder = TaskMinder()
    minder.start(die(), name="dying")

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(minder.until_stopped(), 60)


def _gone() -> Any:
    class Gone:
        def read(self) -> Any:
            raise Unavailable("the database cannot be reached")

    return Gone()


def test_a_process_that_shows_no_pages_imports_nothing_that_they_are_made_with() -> None:
    """Every command but ``web`` and ``up``: a consumer does not hold 15 MiB that it never uses."""
    told = subprocess.run(
        [sys.executable, "-c", "import sys, service.cli; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = told.stdout.split()

    assert "service.consumers.outbound.engine" in imported
    assert not {name.split(".")[0] for name in imported} & OF_PAGES
    assert not {"service.app.pages", "service.web.dependencies", "service.web.catalogue"} & set(imported)

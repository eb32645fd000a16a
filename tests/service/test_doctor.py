"""What the doctor says of everything that can be set wrongly: what is wrong, and the remedy."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import make_url

from contracts.ports import Credentials
from service.app import CheckResult, check_everything
from service.app.server import SystemClock
from service.settings import Settings
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations.credentials import CredentialsTable
from service.store.integrations.sealed_tokens import SealedTokens
from service.store.people import consents
from service.store.people.consents import ConsentRow, ConsentStage
from tests.service.test_app import KEY, settings_at
from tests.support.postgresql import PostgreSQL
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import free_port

CRONOFY = {"cronofy_api_url": "http://127.0.0.1:9", "cronofy_app_url": "http://127.0.0.1:9"}


async def seen(settings: Settings, *unknown: str) -> Mapping[str, CheckResult]:
    """What was looked at, by its name."""
    found = [one async for one in check_everything(settings, SystemClock(), unknown=unknown)]
    return {one.name: one for one in found if isinstance(one, CheckResult)}


def whole(url: str, **different: Any) -> Settings:
    """Settings that lack nothing, on this machine alone."""
    secret = SecretStr("a secret that nobody guesses 4711")
    usual = {**CRONOFY, "cronofy_client_secret": (secret,), "sign_in_secret": (secret,)}
    return settings_at(url, **{**usual, **different})


def wrong(found: CheckResult) -> str:
    """What a failed line says, which names a remedy."""
    assert (found.well, bool(found.remedy)) == (False, True), found.line
    return found.line


SETTINGS: Mapping[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "a misspelt name": ({}, ("CALENDAR_SYNC_BROKER_URI is no setting",), "BROKER_URI is no setting"),
    "a short secret": ({"sign_in_secret": (SecretStr("short"),)}, (), "SIGN_IN_SECRET: secret 1 has 5"),
    "a known secret": ({"cronofy_client_secret": (SecretStr("simulated-secret"),)}, (), "known to everybody"),
    "a missing key": ({"encryption_keys": ()}, (), "ENCRYPTION_KEYS: is missing"),
    "no way for notices": (
        {"cronofy_api_url": "https://api.cronofy.com"},
        (),
        "PUBLIC_URL: Cronofy cannot reach http://127.0.0.1:8400",
    ),
    "no way for notices, said": (
        {"cronofy_api_url": "https://api.cronofy.com", "notices_url": "http://localhost:8401"},
        (),
        "NOTICES_URL: Cronofy cannot reach http://localhost:8401",
    ),
    "a guessed password": (
        {"database_url": "postgresql+asyncpg://sync:sync@db.invalid/sync"},
        (),
        "DATABASE_URL: the password can be guessed",
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
async def test_settings_that_are_misspelt_weak_or_lead_nowhere_are_told(case: str, sqlite_url: str) -> None:
    """Each as a failure with its remedy, and without what is secret."""
    different, unknown, said = SETTINGS[case]

    found = await seen(whole(sqlite_url, **different), *unknown)

    assert said in wrong(found["settings"])


async def test_settings_that_lack_nothing_are_well(sqlite_url: str) -> None:
    """The same without a slip; a password may be anything on this very machine."""
    found = await seen(whole(sqlite_url, broker_url="amqp://guest:guest@127.0.0.1:9/"))

    assert found["settings"].well


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("place", ["none/calendar-sync.db", "calendar-sync.db", "text.db", "empty.db"])
async def test_the_doctor_makes_no_file(place: str, tmp_path: Path) -> None:
    """A folder or a file that is not there, one that is none of SQLite's, and one without a schema."""
    (tmp_path / "text.db").write_text("no database " * 100)
    (tmp_path / "empty.db").touch()
    before = listed(tmp_path)
    said = {
        "none/calendar-sync.db": "there is no folder",
        "calendar-sync.db": "run: calendar-sync migrate",
        "text.db": "no SQLite database",
        "empty.db": "run: calendar-sync migrate",
    }

    found = await seen(whole(f"sqlite+aiosqlite:///{tmp_path / place}"))

    assert said[place] in wrong(found["database"])
    assert found["outbox"].well is None
    assert listed(tmp_path) == before


@asynccontextmanager
async def refusing(sqlstate: str) -> AsyncIterator[str]:
    """A PostgreSQL that lets nobody in, and says why by this state alone; its address."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        body = await reader.readexactly(length - 4)
        if body == struct.pack("!i", 80877103):  # asks for TLS first
            writer.write(b"N")
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            await reader.readexactly(length - 4)
        fields = b"SFATAL\0" + b"C" + sqlstate.encode() + b"\0" + b"Mno words of ours\0\0"
        writer.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"postgresql+asyncpg://sync:hidden-word@127.0.0.1:{server.sockets[0].getsockname()[1]}/sync"


@pytest.mark.parametrize(
    ("sqlstate", "said"),
    [
        ("28P01", "refuses this password – correct user and password"),
        ("28000", "does not let this user in – make the role"),
        ("3D000", "has no such database – make it with createdb"),
        ("53300", "takes no more connections – lower CALENDAR_SYNC_DATABASE_POOL_SIZE"),
        ("57P03", "is starting or stopping – wait"),
        ("42501", "may not do this there – grant it"),
    ],
)
async def test_a_database_that_refuses_is_told_by_what_it_refuses(sqlstate: str, said: str) -> None:
    """By the state that it names, never by its words, and without the password."""
    async with refusing(sqlstate) as url:
        line = wrong((await seen(whole(url)))["database"])

    assert said in line
    assert "hidden-word" not in line


async def test_a_database_that_is_not_there_is_told() -> None:
    """Nothing listens at that port."""
    line = wrong((await seen(whole(f"postgresql+asyncpg://sync@127.0.0.1:{free_port()}/sync")))["database"])

    assert "cannot be reached: ConnectionRefusedError – check CALENDAR_SYNC_DATABASE_URL" in line


@pytest.mark.postgresql
async def test_a_real_server_refuses_so(postgresql: PostgreSQL, new_postgresql_url: str) -> None:
    """Without the database, without the role, and without a schema."""
    stranger = make_url(new_postgresql_url).set(username="nobody_here")
    for url, said in (
        (postgresql.url("nowhere"), "has no such database"),
        (stranger.render_as_string(hide_password=False), "does not let this user in"),
        (new_postgresql_url, "run: calendar-sync migrate"),
    ):
        assert said in wrong((await seen(whole(url)))["database"])


@pytest.mark.rabbitmq
async def test_a_broker_that_refuses_is_told_by_what_it_refuses(rabbitmq: RabbitMQ, sqlite_url: str) -> None:
    """A wrong password, a virtual host that is not there, a port where nothing listens; no topology."""
    address, _, vhost = rabbitmq.url.rpartition("/")
    wrong_word = rabbitmq.url.replace("guest:guest@", "guest:hidden-word@")
    for url, said in (
        (wrong_word, "refuses this user or password (ProbableAuthenticationError) – correct both"),
        (f"{address}/nowhere", "no such virtual host, or this user may not use it"),
        (f"amqp://guest:guest@127.0.0.1:{free_port()}/{vhost}", "cannot be reached"),
        ("amqp://guest:guest@host.invalid/", "host is not known"),
    ):
        found = await seen(whole(sqlite_url, broker_url=url))
        assert said in wrong(found["broker"])
        assert "hidden-word" not in found["broker"].line
        assert found["topology"].well is None


async def test_a_token_that_no_key_opens_is_a_failure_and_an_older_key_is_told(sqlite_url: str) -> None:
    """With how many are left, and the command that ends it."""
    store = Store(sqlite_url)
    newer = SecretStr(Fernet.generate_key().decode())
    for sub, key in (("acc_1", KEY), ("acc_2", KEY), ("acc_3", newer)):
        tokens = Credentials(sub=sub, access_token="a", refresh_token="r", expires_at=1, saved_at=0)
        await CredentialsTable(store, [key.get_secret_value()]).save(tokens)
    await store.close()

    both = await seen(whole(sqlite_url, encryption_keys=(newer, KEY)))
    assert both["encryption keys"].well
    assert "2 accounts' tokens are left under an older key – " in both["encryption keys"].line
    one = await seen(whole(sqlite_url, encryption_keys=(newer,)))
    assert "none of them opens the tokens of 2 accounts" in wrong(one["encryption keys"])


@pytest.mark.parametrize(("ends_in", "unopened"), [(600.0, 1), (-1.0, 0)], ids=["waits", "has expired"])
async def test_r30_a_consent_that_no_key_opens_ends_by_itself(
    sqlite_url: str, ends_in: float, unopened: int
) -> None:
    """It is counted while somebody may still answer it, and pauses nobody."""
    store = Store(sqlite_url)
    foreign = CredentialsTable(store, [Fernet.generate_key().decode()])
    async with store.begin() as connection:
        row = ConsentRow(
            id=new_id(), tenant_id="acme", user_id="u-17", time_zone="UTC", session_id=None,
            browser_hash=None, verifier="v", stage=ConsentStage.GRANTED,
            expires_at=await store.now(connection) + ends_in,
            granted=foreign.seal("a grant"),
        )  # fmt: skip
        await consents.begin(connection, row, state_hash="x")
    given = [KEY.get_secret_value()]

    assert (await SealedTokens(store, given).counted()).unopened == unopened
    assert await CredentialsTable(store, given).readable()
    assert await SealedTokens(store, given).give_up() == unopened
    await store.close()

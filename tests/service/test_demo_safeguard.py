"""A demonstration keeps away from what somebody works with, whatever stands beside it."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from sqlalchemy import insert

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery, Outgoing
from service.broker.rabbitmq import RabbitBroker
from service.demo.demonstration import demonstration
from service.demo.safeguard import DEMO_TENANT, NotForDemonstrations, secrets_of
from service.settings import Settings
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.tables import integrations
from tests.support.processes import SECRETS, run, started
from tests.support.rabbitmq import RabbitMQ

ITEM = Outgoing(exchange="vorex.items", routing_key="task.created", body=b"{}", message_id="theirs")


class Nobody:
    """Takes what comes and settles nothing."""

    def deliver(self, delivery: Delivery) -> None: ...

    def lost(self, generation: int) -> None: ...


async def linked(url: str, tenant: str) -> None:
    """Somebody of that tenant has an integration."""
    store = Store(url)
    await store.upgrade()
    async with store.begin() as connection:
        texts = ("sub", "profile_id", "profile_name", "provider_name", "provider_service", "account_name")
        choices = ("event_types", "item_types", "retrieve", "send")
        row = {**dict.fromkeys(texts, "x"), **{each: {} for each in choices}, "created_at": datetime.now(UTC)}
        await connection.execute(
            insert(integrations), [{**row, "id": new_id(), "tenant_id": tenant, "user_id": "u-1"}]
        )
    await store.close()


def bytes_of(url: str) -> bytes:
    return Path(url.partition("///")[2]).read_bytes()


@pytest.mark.rabbitmq
@pytest.mark.says("a sign-in token")
def test_what_production_keeps_in_its_env_file_is_not_touched(
    new_sqlite_url: str, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    """Not its database, not its broker, and no link opens its pages."""
    asyncio.run(linked(new_sqlite_url, "acme"))
    production = {**SECRETS, "DATABASE_URL": new_sqlite_url, "BROKER_URL": rabbitmq.url, "HOST": "0.0.0.0"}
    lines = "".join(f"CALENDAR_SYNC_{name}={value}\n" for name, value in production.items())
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    before = bytes_of(new_sqlite_url)

    with started("up", "--demo", settings={}, folder=tmp_path) as up:
        up.said("ready http")
        link = next(line for line in up.out if line.startswith("Sign in as"))
        assert up.stop() == 0

    assert bytes_of(new_sqlite_url) == before
    assert rabbitmq.node.ctl("list_queues", "-p", rabbitmq.vhost, "--silent", "name").strip() == ""
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(link.rpartition("token=")[2], SECRETS["SIGN_IN_SECRET"], algorithms=["HS256"])


def refused(settings: Mapping[str, str], folder: Path) -> str:
    ended = run("up", "--demo", settings=settings, folder=folder)
    assert (ended.returncode, ended.stdout) == (1, b"")
    (line,) = [line for line in ended.stderr.decode().splitlines() if not line.startswith("{")]
    return line


def test_a_database_with_a_real_integration_is_refused(new_sqlite_url: str, tmp_path: Path) -> None:
    """In one sentence that says what to do, and without a byte changed."""
    asyncio.run(linked(new_sqlite_url, "acme"))
    before = bytes_of(new_sqlite_url)

    line = refused({"DATABASE_URL": new_sqlite_url}, tmp_path)

    assert "integrations of somebody else" in line
    assert line.endswith("name a new database in CALENDAR_SYNC_DATABASE_URL, or none")
    assert bytes_of(new_sqlite_url) == before


@pytest.mark.rabbitmq
@pytest.mark.parametrize("consumed", [True, False])
async def test_a_broker_that_somebody_uses_is_refused(
    consumed: bool, broker_url: str, tmp_path: Path
) -> None:
    """Whoever consumes there keeps its messages, and whoever will come back finds them."""
    production = RabbitBroker(broker_url)
    await production.open()
    await production.declare()
    if consumed:
        await production.subscribe(QUEUE_OUTBOUND, prefetch=1, sink=Nobody())
    else:
        await production.publish(ITEM)

    line = await asyncio.to_thread(refused, {"BROKER_URL": broker_url}, tmp_path)

    assert f"1 {'consumers' if consumed else 'messages'} on queue {QUEUE_OUTBOUND}" in line
    assert line.endswith("name another virtual host in CALENDAR_SYNC_BROKER_URL, or none")
    assert not re.search(r"//\w+:\w+@", line)
    assert await production.depth(QUEUE_OUTBOUND) == (0 if consumed else 1)
    await production.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("engine", ["new_sqlite_url", "sqlite_url", "new_postgresql_url", "postgresql_url"])
def test_a_named_database_keeps_the_secrets_of_its_demonstration(
    engine: str, request: pytest.FixtureRequest
) -> None:
    """New or only migrated, it can be used again; what somebody really linked in it ends that."""
    url = request.getfixturevalue(engine)
    first = asyncio.run(secrets_of(url))

    asyncio.run(linked(url, DEMO_TENANT))
    assert asyncio.run(secrets_of(url)) == first
    asyncio.run(linked(url, "acme"))
    with pytest.raises(NotForDemonstrations, match="an integration of somebody else"):
        asyncio.run(secrets_of(url))


async def test_the_database_of_another_program_is_refused(new_sqlite_url: str) -> None:
    """As it is, in whatever way SQLite keeps it."""
    store = Store(new_sqlite_url)
    async with store.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE ledger (sum INTEGER)")
    await store.close()
    before = bytes_of(new_sqlite_url)

    with pytest.raises(NotForDemonstrations, match="a table ledger"):
        await secrets_of(new_sqlite_url)
    assert bytes_of(new_sqlite_url) == before


async def test_a_named_database_is_used_whatever_its_name(tmp_path: Path) -> None:
    """Also where it is called as the default one is."""
    url = f"sqlite+aiosqlite:///{tmp_path}/calendar-sync.db"
    given = Settings(_env_file=None, database_url=url, simulator_port=0, port=0)
    async with demonstration(given) as once:
        pass
    async with demonstration(given) as again:
        assert again.settings.database_url == url
        assert again.settings.sign_in_secret == once.settings.sign_in_secret
        assert again.settings.encryption_keys == once.settings.encryption_keys

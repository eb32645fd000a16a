"""TLS to broker and database with an authority of one's own: what is taken, and what is said."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import Unavailable
from service.app import CheckResult, check_everything
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.settings import Settings
from service.store.engine.store import Store
from tests.support.tls import NAMED, Certificates, postgresql_with_tls, rabbitmq_with_tls, sign


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return sign(tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of another authority, that looks the same."""
    return sign(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def broker_port(signed: Certificates) -> Iterator[str]:
    with rabbitmq_with_tls(signed) as port:
        yield port


@pytest.fixture(scope="module")
def database_port(signed: Certificates) -> Iterator[str]:
    with postgresql_with_tls(signed) as port:
        yield port


@pytest.fixture(scope="module")
def plain_port() -> Iterator[str]:
    with postgresql_with_tls(None) as port:
        yield port


async def reach_broker(address: str) -> None:
    broker = RabbitBroker(address)
    await broker.open()
    try:
        await broker.declare()
        assert broker.ready
    finally:
        await broker.close()


async def reach_database(address: str) -> str:
    store = Store(address)
    try:
        async with store.read() as connection:
            asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            answer = (await connection.exec_driver_sql(asked)).scalar_one()
    finally:
        await store.close()
    return str(answer)


@pytest.mark.rabbitmq
class TestBroker:
    async def test_tls_with_ones_own_authority(self, signed: Certificates, broker_port: str) -> None:
        await reach_broker(f"amqps://guest:guest@{NAMED}:{broker_port}/?cafile={signed.authority}")

    @pytest.mark.parametrize(
        ("host", "trusts", "said"),
        [
            (NAMED, "stranger", "a certificate that is not trusted"),
            (NAMED, None, "a certificate that is not trusted"),
            ("127.0.0.1", "signed", "a certificate for another host"),
        ],
    )
    async def test_tls_that_is_not_trusted_is_told_by_its_cause(
        self, host: str, trusts: str | None, said: str, broker_port: str, request: pytest.FixtureRequest
    ) -> None:
        """Another authority, none named, another host; each with what to do, and no password."""
        file = f"?cafile={request.getfixturevalue(trusts).authority}" if trusts else ""
        with pytest.raises(Unavailable, match=said) as caught:
            await reach_broker(f"amqps://guest:guest@{host}:{broker_port}/{file}")
        assert "CALENDAR_SYNC_BROKER_URL" in (caught.value.remedy or "")
        assert "guest" not in str(caught.value)


@pytest.mark.postgresql
class TestDatabase:
    @pytest.mark.parametrize("mode", ["", "ssl=verify-full&", "ssl=verify-ca&"])
    async def test_tls_with_ones_own_authority(
        self, mode: str, signed: Certificates, database_port: str
    ) -> None:
        place = f"postgresql+asyncpg://postgres@{NAMED}:{database_port}/postgres"
        assert await reach_database(f"{place}?{mode}sslrootcert={signed.authority}") == "True"

    async def test_tls_that_asks_nobody_who_answers(self, database_port: str) -> None:
        """``require``: encrypted, whoever it is."""
        place = f"postgresql+asyncpg://postgres@127.0.0.1:{database_port}/postgres"
        assert await reach_database(f"{place}?ssl=require") == "True"

    async def test_tls_for_another_host_is_taken_where_only_the_authority_counts(
        self, signed: Certificates, database_port: str
    ) -> None:
        place = f"postgresql+asyncpg://postgres@127.0.0.1:{database_port}/postgres"
        assert await reach_database(f"{place}?ssl=verify-ca&sslrootcert={signed.authority}") == "True"

    async def test_tls_by_the_drivers_own_variable(
        self, signed: Certificates, database_port: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """PGSSLROOTCERT, which other programs of PostgreSQL read as well."""
        monkeypatch.setenv("PGSSLROOTCERT", str(signed.authority))
        place = f"postgresql+asyncpg://postgres@{NAMED}:{database_port}/postgres"
        assert await reach_database(f"{place}?ssl=verify-full") == "True"

    @pytest.mark.parametrize(
        ("host", "asked", "said"),
        [
            (NAMED, "sslrootcert={stranger}", "certificate is not trusted"),
            (NAMED, "sslrootcert=system", "certificate is not trusted"),
            ("127.0.0.1", "sslrootcert={signed}", "certificate is for another host"),
        ],
    )
    async def test_tls_that_is_not_trusted_is_told_by_its_cause(
        self, host: str, asked: str, said: str, database_port: str, request: pytest.FixtureRequest
    ) -> None:
        """Another authority, the system's, another host; each with what to do."""
        files = {name: request.getfixturevalue(name).authority for name in ("signed", "stranger")}
        query = asked.format(**files)
        with pytest.raises(Unavailable, match=said) as caught:
            await reach_database(f"postgresql+asyncpg://postgres@{host}:{database_port}/postgres?{query}")
        assert "CALENDAR_SYNC_DATABASE_URL" in (caught.value.remedy or "")

    async def test_tls_with_a_server_that_takes_none_is_refused(
        self, signed: Certificates, plain_port: str
    ) -> None:
        """Nothing is sent in the clear where TLS is asked for."""
        place = f"postgresql+asyncpg://postgres@{NAMED}:{plain_port}/postgres"
        with pytest.raises(Unavailable, match="takes no TLS"):
            await reach_database(f"{place}?sslrootcert={signed.authority}")

    async def test_tls_without_any_authority_says_what_is_missing(
        self, database_port: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        place = f"postgresql+asyncpg://postgres@{NAMED}:{database_port}/postgres"
        with pytest.raises(Unavailable, match="no authority") as caught:
            await reach_database(f"{place}?ssl=verify-full")
        assert "sslrootcert=" in (caught.value.remedy or "")


@pytest.mark.rabbitmq
@pytest.mark.postgresql
async def test_tls_that_is_not_trusted_is_named_by_doctor(
    broker_port: str, database_port: str, stranger: Certificates
) -> None:
    """Each of the two with its remedy, and nothing that stands on them is tried."""
    settings = Settings(
        _env_file=None,
        database_url=f"postgresql+asyncpg://postgres@{NAMED}:{database_port}/x?sslrootcert={stranger.authority}",
        broker_url=f"amqps://guest:guest@{NAMED}:{broker_port}/?cafile={stranger.authority}",
    )
    looked = [one async for one in check_everything(settings, SystemClock())]
    said = {one.name: one.line for one in looked if isinstance(one, CheckResult) and not one.well}
    assert "certificate is not trusted" in said["database"]
    assert "sslrootcert=/path/ca.pem" in said["database"]
    assert "a certificate that is not trusted" in said["broker"]
    assert "cafile=/path/ca.pem" in said["broker"]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgresql+asyncpg://u@h/d?ssl=verify-full&sslrootcert={file}"),
        ("BROKER_URL", "amqps://u:p@h/?heartbeat=5&cafile={file}"),
    ],
)
def test_tls_with_a_file_that_holds_no_certificate_is_a_wrong_setting(
    name: str, address: str, tmp_path: Path, signed: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, or something else: said before anything is tried, by the name of the file."""
    (tmp_path / "notes").write_text("no certificate")
    for file in ("gone.pem", "notes"):
        monkeypatch.setenv(f"CALENDAR_SYNC_{name}", address.format(file=tmp_path / file))
        with pytest.raises(
            ValueError, match=f"names no file that can be read and holds a certificate.*{file}"
        ):
            Settings(_env_file=None)
    monkeypatch.setenv(f"CALENDAR_SYNC_{name}", address.format(file=signed.authority))
    Settings(_env_file=None)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgresql+asyncpg://u@h/d?sslrootcert="),
        ("DATABASE_URL", "postgresql+asyncpg://u@h/d?sslrootcert=system&sslrootcert=/x.pem"),
        ("DATABASE_URL", "sqlite+aiosqlite:///x.db?sslrootcert=system"),
        ("BROKER_URL", "amqp://u:p@h/?cafile={file}"),
        ("BROKER_URL", "amqps://u:p@h/?cafile="),
        ("BROKER_URL", "amqps://u:p@h/?no_verify_ssl=1"),
        ("BROKER_URL", "amqps://u:p@h/?no_verify_ssl=false"),
        ("BROKER_URL", "amqps://u:p@h/?no_verify_ssl="),
    ],
)
def test_tls_is_never_unchecked_by_a_spelling(
    name: str, address: str, signed: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a library would take for "trust anybody", or heed not at all, is a wrong setting."""
    monkeypatch.setenv(f"CALENDAR_SYNC_{name}", address.format(file=signed.authority))
    with pytest.raises(ValueError, match=r"no_verify_ssl|belongs once|names no file"):
        Settings(_env_file=None)

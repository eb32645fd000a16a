"""Settings: what they default to, what each command needs, and how mistakes are told."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from service.settings import SECRETS_FOLDER, CommandName, Settings, SettingsProblem, load, unknown_names

KEY = Fernet.generate_key().decode()
WHOLE = {
    "DATABASE_URL": "sqlite+aiosqlite:////var/lib/calendar-sync.db",
    "BROKER_URL": "amqp://guest:secret-word@localhost/",
    "CRONOFY_CLIENT_ID": "client",
    "CRONOFY_CLIENT_SECRET": "newer-word, older-word",
    "ENCRYPTION_KEYS": KEY,
    "SIGN_IN_SECRET": "sign-in-word of at least thirty-two characters",
}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def give(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"CALENDAR_SYNC_{name}", value)


def problem(command: CommandName, env_file: Path) -> str:
    with pytest.raises(SettingsProblem) as caught:
        load(command, env_file=env_file)
    return str(caught.value)


def test_the_defaults_are_those_of_the_readme(env_file: Path) -> None:
    """Whoever sets nothing gets the embedded defaults."""
    settings = load("up", env_file=env_file, demo=True)

    assert settings.database_url == "sqlite+aiosqlite:///calendar-sync.db"
    assert settings.broker_url == "memory://"
    assert settings.retry_delays == (10, 60, 300, 1800, 7200)
    assert (settings.prefetch, settings.intake_size, settings.concurrency) == (2000, 500, 16)
    assert (settings.port, settings.relay_port, settings.simulator_port, settings.status_port) == (
        8400, 8401, 8402, 0
    )  # fmt: skip
    assert (settings.cronofy_requests_per_second, settings.cronofy_requests_per_minute) == (50, 500)
    assert settings.notices_base == settings.public_url == "http://127.0.0.1:8400"
    assert (settings.log_level, settings.database_pool_size, settings.vorex_url) == ("info", 10, None)
    assert (settings.shutdown_grace, settings.inbox_retention_days, settings.log_retention_days) == (
        20,
        30,
        90,
    )


CRONOFY = ["CRONOFY_CLIENT_ID", "CRONOFY_CLIENT_SECRET", "ENCRYPTION_KEYS"]


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("consume", ["DATABASE_URL", "BROKER_URL", *CRONOFY]),
        ("keeper", ["DATABASE_URL", "BROKER_URL", *CRONOFY]),
        ("relay", ["BROKER_URL", "CRONOFY_CLIENT_SECRET"]),
        ("web", ["DATABASE_URL", *CRONOFY, "SIGN_IN_SECRET"]),
        ("up", [*CRONOFY, "SIGN_IN_SECRET"]),
        ("topology", ["BROKER_URL"]),
        ("migrate", ["DATABASE_URL"]),
        ("publish", ["DATABASE_URL"]),
        ("dead-letters", ["DATABASE_URL"]),
    ],
)  # fmt: skip
def test_everything_a_command_lacks_is_named_in_one_message(
    command: CommandName, names: list[str], env_file: Path
) -> None:
    """One start is enough to learn all of it."""
    named = [
        line.split(":")[0].removeprefix("CALENDAR_SYNC_") for line in problem(command, env_file).splitlines()
    ]

    assert named == names


@pytest.mark.parametrize(
    "command", ["up", "consume", "keeper", "relay", "web", "topology", "migrate", "publish"]
)
def test_a_whole_set_of_settings_serves_every_command(
    command: CommandName, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is asked for."""
    give(monkeypatch, **WHOLE)

    assert load(command, env_file=env_file).cronofy_client_id == "client"


@pytest.mark.parametrize("command", ["simulator", "doctor"])
def test_simulator_and_doctor_need_nothing(command: CommandName, env_file: Path) -> None:
    """The doctor is there for when settings are missing."""
    assert load(command, env_file=env_file).broker_url == "memory://"


@pytest.mark.parametrize("command", ["consume", "relay", "topology"])
def test_the_embedded_broker_is_told_to_need_rabbitmq(command: CommandName, env_file: Path) -> None:
    """memory:// lives in one process."""
    assert "needs RabbitMQ" in problem(command, env_file)


def test_a_relative_database_lies_beside_the_env_file(env_file: Path) -> None:
    """Every command then means the same file, wherever it was started."""
    env_file.write_text("CALENDAR_SYNC_DATABASE_URL=sqlite+aiosqlite:///data/sync.db\n", encoding="utf-8")

    assert (
        load("migrate", env_file=env_file).database_url
        == f"sqlite+aiosqlite:///{env_file.parent}/data/sync.db"
    )


def test_the_environment_goes_before_the_env_file(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere."""
    env_file.write_text("CALENDAR_SYNC_PORT=1\nCALENDAR_SYNC_RELAY_PORT=2\n", encoding="utf-8")
    give(monkeypatch, PORT="3")

    settings = load("doctor", env_file=env_file)

    assert (settings.port, settings.relay_port) == (3, 2)


WRONG = [
    ("PORT", "many"),
    ("PORT", "65536"),
    ("RETRY_DELAYS", "10,soon"),
    ("RETRY_DELAYS", "0"),
    ("RETRY_DELAYS", ","),
    ("PREFETCH", "0"),
    ("CRONOFY_BATCH_COST", "free"),
    ("CRONOFY_REQUESTS_PER_SECOND", "-1"),
    ("CRONOFY_API_URL", "api.cronofy.com"),
    ("DATABASE_URL", "mysql://db"),
    ("BROKER_URL", "kafka://b"),
    ("ENCRYPTION_KEYS", "tell-tale-word"),
    ("NOTICES_URL", "https://" + "x" * 68),
    ("PUBLIC_URL", "http://sync.example.com"),
    ("PUBLIC_URL", "https://person:tell-tale@sync.example.com"),
    ("NOTICES_URL", "https://sync.example.com/?key=tell-tale"),
    ("PUBLIC_URL", "https://sync.example.com/?"),
    ("PUBLIC_URL", "https://sync.example.com\\@x"),
    ("PUBLIC_URL", "https://sync.exam\nple.com"),
    ("PUBLIC_URL", "https://sync.example.com:65536"),
    ("VOREX_URL", "http://vorex.example"),
    ("CRONOFY_API_URL", "http://api.cronofy.com"),
    ("LOG_LEVEL", "tell-tale"),
    ("DATABASE_POOL_SIZE", "0"),
    ("SECRETS_DIR", "/nowhere/at-all"),
    ("CRONOFY_CLIENT_SECRET", "x"),
    ("CRONOFY_CLIENT_SECRET", "calendar-sync-demo-secret"),
    ("ENCRYPTION_KEYS", "A" * 43 + "="),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_named_together_with_what_is_missing(
    name: str, value: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not counted as missing a second time."""
    give(monkeypatch, **{name: value})

    lines = problem("consume", env_file).splitlines()

    assert sum(line.startswith(f"CALENDAR_SYNC_{name}: ") for line in lines) == 1
    assert any(line.startswith("CALENDAR_SYNC_CRONOFY_CLIENT_ID: is missing") for line in lines)
    assert "tell-tale" not in "".join(lines)


WEAK = [
    "x",
    "a",
    "changeme",
    "sign-in-word",
    "z" * 64,
    "password" * 4,
    "0123456789abcdef" * 2,
    "thirty-one characters - no more",
]


@pytest.mark.parametrize("secret", WEAK)
@pytest.mark.parametrize("command", ["up", "web"])
def test_a_secret_that_can_be_guessed_is_refused(
    command: CommandName, secret: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever guesses it signs in as anybody; the line names which of them, and never the secret."""
    give(monkeypatch, **WHOLE | {"SIGN_IN_SECRET": f"{WHOLE['SIGN_IN_SECRET']},{secret}"})

    (line,) = problem(command, env_file).splitlines()

    assert line.startswith("CALENDAR_SYNC_SIGN_IN_SECRET: secret 2 ")
    assert secret not in line.partition("secret 2 ")[2].split() or len(secret) == 1


def test_all_weak_secrets_are_told_at_once(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One start is enough to learn of them, and of a public address that anybody can listen to."""
    weak = {"SIGN_IN_SECRET": "x", "CRONOFY_CLIENT_SECRET": "y", "PUBLIC_URL": "http://sync.example.com"}
    give(monkeypatch, **WHOLE | weak)

    named = [
        line.split(":")[0].removeprefix("CALENDAR_SYNC_") for line in problem("web", env_file).splitlines()
    ]

    assert sorted(named) == sorted(weak)


@pytest.mark.parametrize(
    "near", ["http://localhost:8400", "http://127.0.0.1:8400", "http://127.8.8.8", "http://[::1]:8400"]
)
def test_this_machine_may_be_reached_without_https(
    near: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens in between."""
    give(monkeypatch, **WHOLE, PUBLIC_URL=near, NOTICES_URL=near, CRONOFY_API_URL="http://simulator:8402")

    assert load("web", env_file=env_file).public_url == near
    for far in (
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.7",
        "http://[fe80::1]",
    ):
        give(monkeypatch, PUBLIC_URL=far)
        assert "https" in problem("web", env_file)


def test_a_folder_of_secrets_gives_what_nothing_else_gives(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file a setting, as Docker and Kubernetes mount them; the environment goes first."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    for name, value in {**WHOLE, "PORT": "1", "RELAY_PORT": "2"}.items():
        (folder / f"calendar_sync_{name.lower()}").write_text(f"{value}\n", encoding="utf-8")
    (folder / "CALENDAR_SYNC_PREFECH").write_text("3", encoding="utf-8")
    give(monkeypatch, SECRETS_DIR=str(folder), PORT="3")

    settings = load("web", env_file=env_file)

    assert (settings.port, settings.relay_port, settings.cronofy_client_id) == (3, 2, "client")
    assert [secret.get_secret_value() for secret in settings.cronofy_client_secret] == [
        "newer-word",
        "older-word",
    ]
    assert "word" not in str(settings.summary())
    assert unknown_names(env_file=env_file) == (
        "CALENDAR_SYNC_PREFECH is no setting; did you mean CALENDAR_SYNC_PREFETCH?",
    )


def test_where_docker_mounts_secrets_is_looked_unasked(env_file: Path, tmp_path: Path) -> None:
    """/run/secrets where it exists; another folder instead of it where one is named."""
    mounted, named = tmp_path / "run-secrets", tmp_path / "named"
    for folder in (mounted, named):
        folder.mkdir()
        (folder / "CALENDAR_SYNC_CRONOFY_CLIENT_ID").write_text(folder.name, encoding="utf-8")
    assert Path("/run/secrets") == SECRETS_FOLDER

    assert load("doctor", env_file=env_file, mounted=mounted).cronofy_client_id == "run-secrets"
    env_file.write_text(f"CALENDAR_SYNC_SECRETS_DIR={named}\n", encoding="utf-8")
    assert load("doctor", env_file=env_file, mounted=mounted).cronofy_client_id == "named"


def test_a_secret_that_may_not_be_read_is_a_sentence(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no text stand for every file that cannot be read."""
    (tmp_path / "calendar_sync_port").write_bytes(b"\xff\xfe")
    give(monkeypatch, SECRETS_DIR=str(tmp_path))

    assert "cannot be read" in problem("doctor", env_file)


def test_the_demonstration_takes_five_settings_and_no_file(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever production stands beside it: not its keys, not its Cronofy, not where it listens."""
    stored = "".join(f"CALENDAR_SYNC_{name}={value}\n" for name, value in WHOLE.items())
    env_file.write_text(stored, encoding="utf-8")
    (tmp_path / "calendar_sync_broker_url").write_text(WHOLE["BROKER_URL"], encoding="utf-8")
    beside = {"HOST": "0.0.0.0", "PUBLIC_URL": "https://sync.example.com", "SECRETS_DIR": str(tmp_path)}
    give(monkeypatch, **{**WHOLE, **beside}, PORT="1", RELAY_PORT="2", SIMULATOR_PORT="3", STATUS_PORT="4")
    monkeypatch.delenv("CALENDAR_SYNC_DATABASE_URL")
    monkeypatch.delenv("CALENDAR_SYNC_BROKER_URL")

    settings = load("up", env_file=env_file, demo=True)

    ports = {"port": 1, "relay_port": 2, "simulator_port": 3, "status_port": 4}
    assert settings.model_dump() == {**Settings.model_construct().model_dump(), **ports}
    give(monkeypatch, DATABASE_URL=WHOLE["DATABASE_URL"], BROKER_URL=WHOLE["BROKER_URL"])
    named = load("up", env_file=env_file, demo=True)
    assert (named.database_url, named.broker_url) == (WHOLE["DATABASE_URL"], WHOLE["BROKER_URL"])


def test_a_callback_address_of_128_characters_still_fits(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cronofy's limit, and the public address counts too when notices have none of their own."""
    give(monkeypatch, PUBLIC_URL="https://" + "x" * 67 + "/")

    settings = load("doctor", env_file=env_file)

    assert len(settings.callback_address("0" * 36)) == 128
    give(monkeypatch, PUBLIC_URL="https://" + "x" * 68)
    assert "129 characters" in problem("doctor", env_file)


def test_an_unknown_name_is_told_with_the_nearest_known_one(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment and the file alike."""
    env_file.write_text("CALENDAR_SYNC_PREFECH=3\nOTHER=1\n", encoding="utf-8")
    give(monkeypatch, BROKER_URI="amqp://x", ZZZ="1", PORT="1")

    assert unknown_names(env_file=env_file) == (
        "CALENDAR_SYNC_BROKER_URI is no setting; did you mean CALENDAR_SYNC_BROKER_URL?",
        "CALENDAR_SYNC_PREFECH is no setting; did you mean CALENDAR_SYNC_PREFETCH?",
        "CALENDAR_SYNC_ZZZ is no setting",
    )


def test_lists_are_comma_separated(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, blanks around do not matter."""
    give(monkeypatch, **WHOLE, RETRY_DELAYS="1, 2,3")

    settings = load("up", env_file=env_file)

    assert settings.retry_delays == (1, 2, 3)
    assert [secret.get_secret_value() for secret in settings.cronofy_client_secret] == [
        "newer-word",
        "older-word",
    ]


def test_an_empty_value_counts_as_not_set(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass on variables that nobody set."""
    give(monkeypatch, **WHOLE | {"SIGN_IN_SECRET": ""}, PORT="")

    assert problem("web", env_file) == "CALENDAR_SYNC_SIGN_IN_SECRET: is missing; web needs it"


def test_no_secret_is_shown_by_summary_or_repr(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set or not set is all that a log may say."""
    give(monkeypatch, **WHOLE)
    settings = load("up", env_file=env_file)

    shown = f"{settings.summary()} {settings!r}"

    assert settings.summary().keys() == Settings.model_fields.keys() | {"writes_at_once"}
    assert settings.summary()["broker_url"] == "amqp://guest@localhost/"
    assert settings.summary()["sign_in_secret"] == "set"
    assert "word" not in shown
    assert KEY not in shown


ADDRESSES = [
    ("postgresql+asyncpg://db/sync?user=me&password=tell-tale", "postgresql+asyncpg://db/sync"),
    ("postgresql+asyncpg://me:tell-tale@db/sync?ssl=tell-tale", "postgresql+asyncpg://me@db/sync"),
    ("postgresql+asyncpg://me:tell/tale@db/sync", "postgresql+asyncpg://[hidden]"),
    ("postgresql+asyncpg://me:tell?tell-tale@db/sync", "postgresql+asyncpg://[hidden]"),
    ("postgresql+asyncpg://me:tell@tale@db/sync", "postgresql+asyncpg://[hidden]"),
    ("postgresql+asyncpg://db/sync#tell-tale", "postgresql+asyncpg://db/sync"),
    ("sqlite+aiosqlite:////var/lib/sync.db?key=tell-tale", "sqlite+aiosqlite:////var/lib/sync.db"),
]


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_r27_an_address_is_shown_without_what_it_hides(
    address: str, shown: str, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its host, behind it, or written so oddly that nobody knows."""
    give(monkeypatch, DATABASE_URL=address)
    settings = load("doctor", env_file=env_file)

    told = str(settings.summary()["database_url"])

    assert "tell" not in told
    assert "tale" not in told
    assert told == shown or "[hidden]" not in shown


def test_r27_all_that_must_never_be_said_is_known(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the log's last net: as it is written in an address, and as it is meant."""
    address = "postgresql+asyncpg://me:tell%2Dtale@db/sync?sslpassword=another&pass=with%2Bplus"
    give(monkeypatch, **WHOLE | {"DATABASE_URL": address})

    assert load("web", env_file=env_file).secrets() == {
        "tell%2Dtale", "tell-tale", "another", "with%2Bplus", "with+plus", "secret-word", "newer-word",
        "older-word", KEY, WHOLE["SIGN_IN_SECRET"],
    }  # fmt: skip

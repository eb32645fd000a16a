"""Settings: what they default to, what each command needs, and how mistakes are told."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from service.settings import CommandName, Settings, SettingsProblem, load, unknown_names

KEY = Fernet.generate_key().decode()
WHOLE = {
    "DATABASE_URL": "sqlite+aiosqlite:////var/lib/calendar-sync.db",
    "BROKER_URL": "amqp://guest:secret-word@localhost/",
    "CRONOFY_CLIENT_ID": "client",
    "CRONOFY_CLIENT_SECRET": "newer-word, older-word",
    "ENCRYPTION_KEYS": KEY,
    "SIGN_IN_SECRET": "sign-in-word",
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

    assert settings.database_url == f"sqlite+aiosqlite:///{env_file.parent}/calendar-sync.db"
    assert settings.broker_url == "memory://"
    assert settings.retry_delays == (10, 60, 300, 1800, 7200)
    assert (settings.prefetch, settings.intake_size, settings.concurrency) == (2000, 500, 16)
    assert (settings.port, settings.relay_port, settings.simulator_port, settings.status_port) == (
        8400, 8401, 8402, 0
    )  # fmt: skip
    assert (settings.cronofy_requests_per_second, settings.cronofy_requests_per_minute) == (50, 500)
    assert settings.notices_base == settings.public_url == "http://127.0.0.1:8400"
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

    assert settings.summary().keys() == Settings.model_fields.keys()
    assert settings.summary()["broker_url"] == "amqp://guest@localhost/"
    assert settings.summary()["sign_in_secret"] == "set"
    assert "word" not in shown
    assert KEY not in shown

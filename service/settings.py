"""Every setting, read once from the environment, ``.env`` and the folder of secrets, and nowhere else."""

import os
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict, SettingsError

from contracts.messages import NOTICES_PATH
from service.addresses import is_loopback, secrets_of_address, shown_address
from service.setting_values import (
    LogLevel,
    PortNumber,
    RetryDelays,
    SecretKeys,
    WebAddress,
    broker_address,
    one_of,
    with_authorities,
)

ENV_PREFIX = "CALENDAR_SYNC_"
LONGEST_CALLBACK_URL = 128
CRONOFY_REQUESTS_A_SECOND, CRONOFY_REQUESTS_A_MINUTE = 50, 500
SHORTEST_SIGN_IN_SECRET = 32
SHORTEST_CLIENT_SECRET = 8
"""Characters; Cronofy makes it and it is longer, so a shorter one is a slip."""
SECRETS_FOLDER = Path("/run/secrets")
"""Where Docker mounts secrets; read where it exists, unless SECRETS_DIR names another."""
DEMO_SETTINGS = frozenset(
    {"database_url", "broker_url", "port", "relay_port", "simulator_port", "status_port"}
)
"""All that ``up --demo`` takes, and from the environment alone."""
_SQLITE = "sqlite+aiosqlite:///"
DATABASE_ADDRESSES = (_SQLITE, "postgresql+asyncpg://")
_ID_LENGTH = 36
_KEY_LENGTH = 44
_KNOWN_SECRETS = frozenset({"calendar-sync-demo-secret", "simulated-secret", "changeme", "password"})
"""The simulator's, which everybody can read, and what stands where one is to be put."""
SHORTEST_HIDDEN = 6
"""Characters; hiding a shorter word everywhere would make lines unreadable and hide nothing."""

CommandName = Literal[
    "up", "consume", "relay", "web", "keeper", "simulator", "migrate", "topology",
    "publish", "dead-letters", "integrations", "sources", "sessions", "stray", "trace", "keys", "record",
    "questions", "doctor",
]  # fmt: skip


class SettingsProblem(Exception):
    """The settings do not suffice for a command; says all that is wrong, one line each."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


class Settings(BaseSettings):
    """All settings, frozen, with their defaults; ``repr`` hides the addresses that may hold passwords."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[
        str,
        AfterValidator(one_of(DATABASE_ADDRESSES)),
        AfterValidator(with_authorities("sslrootcert", only_with="postgresql")),
        Field(repr=False),
    ] = f"{_SQLITE}calendar-sync.db"
    broker_url: Annotated[
        str,
        AfterValidator(broker_address),
        AfterValidator(with_authorities("cafile", only_with="amqps://")),
        Field(repr=False),
    ] = "memory://"
    cronofy_api_url: WebAddress = "https://api.cronofy.com"
    cronofy_app_url: WebAddress = "https://app.cronofy.com"
    cronofy_client_id: str | None = None
    cronofy_client_secret: SecretKeys = ()
    """Newest first: each verifies notices, the first signs in."""
    cronofy_requests_per_second: NonNegativeInt = CRONOFY_REQUESTS_A_SECOND
    cronofy_requests_per_minute: NonNegativeInt = CRONOFY_REQUESTS_A_MINUTE
    cronofy_batch_cost: Literal["request", "entry"] = "request"
    public_url: WebAddress = "http://127.0.0.1:8400"
    notices_url: WebAddress | None = None
    vorex_url: WebAddress | None = None
    """Where whoever is not signed in is sent."""
    host: str = "127.0.0.1"
    port: PortNumber = 8400
    relay_port: PortNumber = 8401
    simulator_port: PortNumber = 8402
    status_port: PortNumber = 0
    encryption_keys: SecretKeys = ()
    """Fernet keys, newest first: the first encrypts, each decrypts."""
    sign_in_secret: SecretKeys = ()
    """Newest first: each verifies Vorex's tokens, the first signs what is our own."""
    secrets_dir: Path | None = None
    """A folder with a file for each setting that is not given otherwise, named like its variable."""
    log_level: LogLevel = "info"
    database_pool_size: PositiveInt = 10
    prefetch: Annotated[int, Field(ge=1, le=65535)] = 2000
    intake_size: PositiveInt = 500
    concurrency: PositiveInt = 16
    retry_delays: RetryDelays = (10, 60, 300, 1800, 7200)
    shutdown_grace: NonNegativeFloat = 20
    inbox_retention_days: PositiveInt = 30
    log_retention_days: PositiveInt = 90

    @field_validator("encryption_keys")
    @classmethod
    def _are_fernet_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, key in enumerate(keys, start=1):
            try:
                Fernet(key.get_secret_value())
            except ValueError:
                raise ValueError(f"key {number} is not a Fernet key (32 bytes in URL-safe base64)") from None
        return keys

    @property
    def writes_at_once(self) -> int:
        """Requests that ``outbound`` has on their way: CONCURRENCY, or twice that where nobody set it and
        Cronofy's own limit does not bind.

        Sixteen to a Cronofy that takes 80 ms are at most 200 a second: where 50 are allowed that is enough.
        """
        set_by_hand = "concurrency" in self.model_fields_set
        binds = (
            0 < self.cronofy_requests_per_second <= CRONOFY_REQUESTS_A_SECOND
            or 0 < self.cronofy_requests_per_minute <= CRONOFY_REQUESTS_A_MINUTE
        )
        return self.concurrency if set_by_hand or binds else 2 * self.concurrency

    @property
    def embedded_broker(self) -> bool:
        """Whether messages stay inside one process."""
        return self.broker_url.startswith("memory:")

    @property
    def private(self) -> bool:
        """Whether this machine alone reaches it, by where it listens and what others are told."""
        hosts = (self.host, *(urlsplit(url).hostname or "" for url in (self.public_url, self.notices_base)))
        return all(map(is_loopback, hosts))

    @property
    def notices_base(self) -> str:
        """What Cronofy's callback addresses begin with."""
        return self.notices_url or self.public_url

    def callback_address(self, integration_id: str) -> str:
        """Where Cronofy pushes the notices of an integration."""
        return f"{self.notices_base}{NOTICES_PATH}{integration_id}"

    def summary(self) -> dict[str, Any]:
        """Every setting as it may be logged, and what follows from them: secrets as set or not set, addresses
        without passwords.
        """
        settings = {name: _shown(getattr(self, name)) for name in type(self).model_fields}
        return {**settings, "writes_at_once": self.writes_at_once}

    def secrets(self) -> frozenset[str]:
        """Every word that must never be said, however it came to stand in a text."""
        found = {word for name in type(self).model_fields for word in _secrets_in(getattr(self, name))}
        return frozenset(word for word in found if len(word) >= SHORTEST_HIDDEN)


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        secret = not value or isinstance(value[0], SecretStr)
        return ("set" if value else "not set") if secret else list(value)
    if value is None or isinstance(value, Path):
        return str(value) if value else "not set"
    return shown_address(value) if isinstance(value, str) and "://" in value else value


def _secrets_in(value: object) -> Iterable[str]:
    if isinstance(value, tuple):
        yield from (each.get_secret_value() for each in value if isinstance(each, SecretStr))
    elif isinstance(value, str) and "://" in value:
        yield from secrets_of_address(value)


def load(
    command: CommandName,
    *,
    env_file: Path = Path(".env"),
    demo: bool = False,
    mounted: Path = SECRETS_FOLDER,
) -> Settings:
    """The settings for a command; raises SettingsProblem with everything that is missing or wrong.

    ``demo``: of all that is given only DEMO_SETTINGS, from the environment; the rest are defaults.
    ``mounted``: where files with settings lie, if SECRETS_DIR names no folder.
    """
    settings, wrong = _read_demo() if demo else _read(env_file, mounted)
    if "database_url" in settings.model_fields_set or not demo:
        anywhere = command == "up" or (command == "doctor" and settings.embedded_broker)
        settings = _with_database_path(settings, env_file, anywhere=anywhere)
    lacking = () if demo else shortcomings(settings, command)
    if lines := [*wrong.values(), *(line for line in lacking if not line.startswith(tuple(wrong)))]:
        raise SettingsProblem(lines)
    return settings


def unknown_names(*, env_file: Path = Path(".env")) -> tuple[str, ...]:
    """A sentence for each CALENDAR_SYNC_ name that is no setting, with the nearest one that is."""
    known = [_variable(name) for name in Settings.model_fields]
    given = {*_given_names(env_file), *_file_names(_secrets_folder(env_file, SECRETS_FOLDER))}
    return tuple(
        _unknown(name, known) for name in sorted(given) if name.startswith(ENV_PREFIX) and name not in known
    )


def shortcomings(settings: Settings, command: CommandName) -> tuple[str, ...]:
    """What a command lacks, each line beginning with the name to set."""
    checks = _NEEDS.get(command, ())
    lacking = [line for check in checks for line in check(settings, command)]
    return (*lacking, *_callback_fits(settings))


def _read(env_file: Path, mounted: Path) -> tuple[Settings, Mapping[str, str]]:
    try:
        folder = _secrets_folder(env_file, mounted)
        if folder is None or folder.is_dir():
            return _valid(_env_file=env_file, _secrets_dir=folder)
        settings, wrong = _valid(_env_file=env_file)
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        raise SettingsProblem([f"a file with settings cannot be read: {error}"]) from None
    name = _variable("secrets_dir")
    return settings, {name: f"{name}: there is no folder {folder}", **wrong}


def _read_demo() -> tuple[Settings, Mapping[str, str]]:
    fields = Settings.model_fields.items()
    others = {name: field.default for name, field in fields if name not in DEMO_SETTINGS}
    return _valid(_env_file=None, **others)


def _valid(**given: Any) -> tuple[Settings, Mapping[str, str]]:
    """The settings with defaults in the place of wrong values, and a line for each wrong value."""
    try:
        return Settings(**given), {}
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    wrong = {str(detail["loc"][0]): detail["msg"].removeprefix("Value error, ") for detail in details}
    defaults = {name: Settings.model_fields[name].default for name in wrong}
    settings = Settings(**{**given, **defaults})
    return settings, {_variable(name): f"{_variable(name)}: {rule}" for name, rule in wrong.items()}


def _given_names(env_file: Path) -> Mapping[str, str | None]:
    """What environment and file give, by the names in capitals; the environment goes first."""
    stored = DotEnvSettingsSource(Settings, env_file=env_file).env_vars
    return {name.upper(): value for name, value in (*stored.items(), *os.environ.items())}


def _secrets_folder(env_file: Path, mounted: Path) -> Path | None:
    if given := _given_names(env_file).get(_variable("secrets_dir")):
        return Path(given)
    return mounted if mounted.is_dir() else None


def _file_names(folder: Path | None) -> Iterable[str]:
    return (path.name.upper() for path in folder.iterdir()) if folder and folder.is_dir() else ()


def _variable(name: str) -> str:
    return f"{ENV_PREFIX}{name.upper()}"


def _unknown(name: str, known: list[str]) -> str:
    words = [each.removeprefix(ENV_PREFIX) for each in known]
    nearest = get_close_matches(name.removeprefix(ENV_PREFIX), words, n=1)
    return f"{name} is no setting" + (f"; did you mean {ENV_PREFIX}{nearest[0]}?" if nearest else "")


def _with_database_path(settings: Settings, env_file: Path, *, anywhere: bool) -> Settings:
    """A relative SQLite path becomes absolute where it is clear what it is relative to."""
    path = settings.database_url.removeprefix(_SQLITE)
    relative = path != settings.database_url and not path.startswith("/")
    if not relative or not (anywhere or env_file.is_file()):
        return settings
    return settings.model_copy(update={"database_url": f"{_SQLITE}{env_file.absolute().parent / path}"})


def _callback_fits(settings: Settings) -> Iterable[str]:
    name = "NOTICES_URL" if settings.notices_url else "PUBLIC_URL"
    length = len(settings.callback_address("0" * _ID_LENGTH))
    if length > LONGEST_CALLBACK_URL:
        yield (
            f"{ENV_PREFIX}{name}: makes a callback address of {length} characters; "
            f"Cronofy takes {LONGEST_CALLBACK_URL}"
        )


SettingsCheck = Callable[[Settings, CommandName], Iterable[str]]


def _database(settings: Settings, command: CommandName) -> Iterable[str]:
    path = settings.database_url.removeprefix(_SQLITE)
    if path != settings.database_url and not path.startswith("/"):
        yield (
            f"{ENV_PREFIX}DATABASE_URL: {path.partition('?')[0]} is relative and there is no .env beside it; "
            f"{command} needs an absolute path ({_SQLITE}/…) or PostgreSQL (postgresql+asyncpg://…)"
        )


def _broker(settings: Settings, command: CommandName) -> Iterable[str]:
    if settings.embedded_broker:
        yield f"{ENV_PREFIX}BROKER_URL: memory:// serves one process only; {command} needs RabbitMQ (amqp://…)"


def _given(name: str) -> SettingsCheck:
    def check(settings: Settings, command: CommandName) -> Iterable[str]:
        if not getattr(settings, name):
            yield f"{_variable(name)}: is missing; {command} needs it"

    return check


def _secret(name: str, *, shortest: int) -> SettingsCheck:
    """Given, and nothing that could be guessed; says which of several is meant, and never what it is."""

    def check(settings: Settings, command: CommandName) -> Iterable[str]:
        yield from _given(name)(settings, command)
        for number, secret in enumerate(getattr(settings, name), start=1):
            if why := _weakness(secret.get_secret_value(), shortest):
                yield f"{_variable(name)}: secret {number} {why}; make one with: openssl rand -hex 32"

    return check


def _weakness(secret: str, shortest: int) -> str | None:
    if len(secret) < shortest:
        return f"has {len(secret)} characters, it must have at least {shortest}"
    if secret in _KNOWN_SECRETS:
        return "is known to everybody"
    if len(set(secret)) < shortest // 4 or secret in (secret * 2)[1:-1]:
        return "can be guessed"
    return None


def _addresses(*names: str, containers: bool = False) -> SettingsCheck:
    """Secrets travel to them; ``containers``: also to a neighbour, whose name has no dot."""

    def check(settings: Settings, _command: CommandName) -> Iterable[str]:
        for name in names:
            parts = urlsplit(getattr(settings, name) or "")
            host = parts.hostname or ""
            near = is_loopback(host) or (containers and "." not in host and ":" not in host)
            if parts.scheme == "http" and not near:
                yield f"{_variable(name)}: must begin with https://, unless its host is this machine"

    return check


_SECRET = _secret("cronofy_client_secret", shortest=SHORTEST_CLIENT_SECRET)
_HOSTS = _addresses("cronofy_api_url", "cronofy_app_url", containers=True)
_CRONOFY = (_given("cronofy_client_id"), _SECRET, _HOSTS)
_KEYS = _secret("encryption_keys", shortest=_KEY_LENGTH)
_SIGN_IN = _secret("sign_in_secret", shortest=SHORTEST_SIGN_IN_SECRET)
_REACHED = _addresses("public_url", "notices_url", "vorex_url")
_NEEDS: Mapping[CommandName, tuple[SettingsCheck, ...]] = {
    "up": (_database, *_CRONOFY, _KEYS, _SIGN_IN, _REACHED),
    "consume": (_database, _broker, *_CRONOFY, _KEYS, _REACHED),
    "keeper": (_database, _broker, *_CRONOFY, _KEYS, _REACHED),
    "relay": (_broker, _SECRET),
    "web": (_database, *_CRONOFY, _KEYS, _SIGN_IN, _REACHED),
    "migrate": (_database,),
    "topology": (_broker,),
    "publish": (lambda settings, command: _database(settings, command) if settings.embedded_broker else (),),
    "dead-letters": (_database,),
    "integrations": (_database,),
    **dict.fromkeys(("record", "questions", "sessions", "sources", "trace"), (_database,)),
    "stray": (_database, *_CRONOFY, _KEYS),
    "keys": (_database, _KEYS),
}
"""``publish`` needs the database where the broker is embedded; ``doctor`` asks ``shortcomings`` itself."""

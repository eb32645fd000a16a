"""docker-compose.yml: valid by the compose specification, and in step with the program."""

import json
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import jsonschema
import pytest
import typer
import yaml
from typer.testing import CliRunner

from contracts.envelope import LARGEST_BODY
from service import settings
from service.broker.topology import PERMISSIONS
from service.settings import CommandName, Settings
from service.telemetry.endpoints import health_routes, nothing_wrong
from tests.support.deployments import HEALTH_PORT, SECRET_SETTINGS, make_secrets, secrets_of
from tests.support.rabbitmq import RabbitMQ
from tests.support.repository import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("build")}
PRODUCT = {name: service for name, service in OURS.items() if name != "demo"}
IMAGE_OF_A_VERSION = re.compile(r"[a-z/-]+:v?\d+\.\d+[.\d]*(-[a-z]+)?")


def filled(text: str) -> str:
    """What compose makes of a text: each variable with a value, ``$$`` as one sign."""
    given = re.sub(r"(?<!\$)\$\{(\w+)(:-[^}]*)?\}", lambda found: _value(found[1], found[2] or ""), text)
    return given.replace("$$", "$")


def _value(name: str, rest: str) -> str:
    return "the-client" if name.endswith("CLIENT_ID") else rest[2:]


def permissions() -> dict[str, Any]:
    stated: dict[str, Any] = json.loads(config("rabbitmq-permissions"))
    return stated


def config(name: str) -> str:
    """What a file says that a service is shown."""
    file: str = COMPOSE["configs"][name]["file"]
    return (ROOT / file).read_text(encoding="utf-8")


def mounted(service: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Each secret of a service, as it lies in the container."""
    for secret in service.get("secrets", ()):
        source = made_secret(folder, COMPOSE["secrets"][secret["source"]]["file"])
        target = folder / "mounted" / secret["target"]
        target.parent.mkdir(exist_ok=True)
        target.write_text(source, encoding="utf-8")
        yield target


def made_secret(folder: Path, file: str) -> str:
    """What the script writes into it; Cronofy's is written by a person."""
    if not (folder / "secrets").exists():
        make_secrets(folder)
        (folder / "secrets" / "cronofy-client-secret").write_text("of-cronofy-as-it-shows-it")
    return (folder / file).read_text(encoding="utf-8")


def test_the_file_is_valid_by_the_compose_specification() -> None:
    """As `docker compose config` would judge."""
    schema = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_every_kind_of_process_is_there() -> None:
    """And on request a demonstration, what watches, and nothing else."""
    commands = {" ".join(service["command"]) for service in PRODUCT.values()}
    profiles = {name: form["profiles"] for name, form in COMPOSE["services"].items() if "profiles" in form}

    assert commands == {
        "migrate", "topology", "relay", "web", "consume outbound", "consume inbound", "consume runs",
        "consume people", "keeper",
    }  # fmt: skip
    assert profiles == {"demo": ["demo"], "prometheus": ["observe"], "grafana": ["observe"]}


def test_a_demonstration_needs_nothing_and_shows_itself_to_this_machine_alone() -> None:
    """No secret, no neighbour, and nothing is kept."""
    form = OURS["demo"]

    assert form["command"] == ["up", "--demo"]
    assert (form["network_mode"], form["tmpfs"]) == ("host", ["/tmp"])
    assert not {"secrets", "environment", "volumes", "depends_on", "ports"} & {*form}


def test_what_stands_in_the_file_is_there() -> None:
    """Each secret and config that a service is given is declared, each file exists, and none is left over."""
    for kind in ("secrets", "configs"):
        rows = [row for form in COMPOSE["services"].values() for row in form.get(kind, ())]
        assert {row if isinstance(row, str) else row["source"] for row in rows} == {*COMPOSE[kind]}
    for form in COMPOSE["configs"].values():
        assert (ROOT / form["file"]).is_file()


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_image_is_of_one_version(name: str) -> None:
    """Ours of the version that the package has."""
    image = COMPOSE["services"][name]["image"]

    assert IMAGE_OF_A_VERSION.fullmatch(image), image
    assert name not in OURS or image == f"calendar-sync:{PACKAGE['version']}"


@pytest.mark.parametrize("name", OURS)
def test_a_command_exists_in_the_program(name: str) -> None:
    """Its help can be read."""
    from service.cli import app

    command, *rest = OURS[name]["command"]
    known = typer.main.get_command(app)

    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    assert command in getattr(known, "commands", {})
    words = {*get_args(CommandName), "outbound", "inbound", "runs", "people", "--demo"}
    assert words >= {command, *rest}


@pytest.mark.parametrize("name", PRODUCT)
def test_a_process_gets_all_the_settings_that_it_needs_and_no_unknown_one(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program itself judges, as at its start."""
    for variable, value in OURS[name].get("environment", {}).items():
        monkeypatch.setenv(variable, filled(value))

    files = [*mounted(OURS[name], tmp_path)]

    loaded = settings.load(OURS[name]["command"][0], env_file=tmp_path / ".env", mounted=files[0].parent)

    assert settings.unknown_names(env_file=tmp_path / ".env") == ()
    known = {f"CALENDAR_SYNC_{field.upper()}" for field in Settings.model_fields}
    assert {file.name for file in files} <= known
    assert loaded.host == "0.0.0.0"
    assert not loaded.private


NOT_FOR_CONTAINERS = {
    "PORT": "fixed inside; WEB_ADDRESS says where the host shows it",
    "RELAY_PORT": "fixed inside; RELAY_ADDRESS says where the host shows it",
    "SIMULATOR_PORT": "the demonstration alone has a simulator, and its ports are fixed",
    "SECRETS_DIR": "/run/secrets, where Docker mounts them, is read without being named",
    "SHUTDOWN_GRACE": "stop_grace_period of the file is made for it",
}
CRONOFY_CLIENTS = {name for name, form in OURS.items() if form["command"][0] in {"web", "consume", "keeper"}}
SECRETS = {name: secrets_of(form["command"][0]) for name, form in PRODUCT.items()}
GIVEN_TO = {
    "LOG_LEVEL": set(PRODUCT),
    "RETRY_DELAYS": set(PRODUCT),
    "DATABASE_POOL_SIZE": {*CRONOFY_CLIENTS, "migrate"},
    "CRONOFY_REQUESTS_PER_SECOND": CRONOFY_CLIENTS,
    "CRONOFY_REQUESTS_PER_MINUTE": CRONOFY_CLIENTS,
    "CRONOFY_BATCH_COST": CRONOFY_CLIENTS,
    "PUBLIC_URL": {*CRONOFY_CLIENTS, "relay"},
    "STATUS_PORT": {*CRONOFY_CLIENTS, "relay"},
    "CONCURRENCY": CRONOFY_CLIENTS - {"web"},
    "VOREX_URL": {"web"},
}
"""What is passed on, and to nobody who has no use for it."""


def test_every_setting_is_passed_on_or_said_to_be_none_for_containers() -> None:
    """A new one is placed here, or a deployment could not set it."""
    given = {name for service in OURS.values() for name in service.get("environment", {})}
    passed = {name for name in given if name.startswith("CALENDAR_SYNC_")}
    passed |= {row["target"] for service in OURS.values() for row in service.get("secrets", ())}
    known = {f"CALENDAR_SYNC_{name.upper()}" for name in Settings.model_fields}
    kept = {f"CALENDAR_SYNC_{name}" for name in NOT_FOR_CONTAINERS}

    assert passed == known - kept
    assert kept <= known


def test_every_process_is_told_where_spans_go() -> None:
    """By the one of OpenTelemetry's names that switches tracing on; empty is as good as not given."""
    variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert {name for name, form in OURS.items() if variable in form.get("environment", {})} == set(PRODUCT)
    assert {OURS[name]["environment"][variable] for name in PRODUCT} == {f"${{{variable}:-}}"}


@pytest.mark.parametrize("name", GIVEN_TO)
def test_a_setting_reaches_the_processes_that_use_it(name: str) -> None:
    """By the name that `.env` has for it, and nobody else."""
    variable = f"CALENDAR_SYNC_{name}"
    given = {process for process, form in OURS.items() if variable in form.get("environment", {})}

    assert given == GIVEN_TO[name]
    for process in given - ({*OURS} if name == "STATUS_PORT" else set()):
        assert OURS[process]["environment"][variable].startswith(f"${{{variable}:")


@pytest.mark.parametrize("name", PRODUCT)
def test_r44_a_process_is_shown_the_secrets_that_it_uses_and_no_other(name: str) -> None:
    """As files, and none in its environment, which `docker inspect` would show."""
    given = {row["target"].removeprefix("CALENDAR_SYNC_") for row in OURS[name].get("secrets", ())}
    secret = {f"CALENDAR_SYNC_{one}" for one in SECRET_SETTINGS}

    assert given == SECRETS[name]
    assert not secret & {*OURS[name].get("environment", {})}


def test_what_is_measured_is_shown_on_no_port_of_the_host() -> None:
    """Inside, on the status port, it can be asked for; the ports that are published show none."""
    for name in ("web", "relay"):
        assert OURS[name]["environment"]["CALENDAR_SYNC_STATUS_PORT"] == "8403"
        assert all(not str(port).endswith(":8403") for port in OURS[name]["ports"])


def test_consumers_can_be_scaled() -> None:
    """No name and no port of the host that a second one would want as well."""
    for name in ("outbound", "inbound", "runs", "people", "keeper"):
        assert "container_name" not in OURS[name]
        assert "ports" not in OURS[name]


def test_every_long_running_process_is_watched_and_has_time_to_stop() -> None:
    """Longer than SHUTDOWN_GRACE, or the engine would kill it at work."""
    grace = Settings.model_fields["shutdown_grace"].default
    for name, service in OURS.items():
        assert int(service["stop_grace_period"].removesuffix("s")) > grace
        ends = name in {"migrate", "topology", "demo"}
        assert service.get("healthcheck") == ({"disable": True} if ends else None)
        assert ends or service["environment"]["CALENDAR_SYNC_STATUS_PORT"] == HEALTH_PORT


def test_the_broker_knows_exactly_the_users_of_the_topology(tmp_path: Path) -> None:
    """Least privilege as `service/broker/topology.py` states it, and no guest."""
    stated = {
        row["user"]: (row["configure"], row["write"], row["read"]) for row in permissions()["permissions"]
    }
    users = json.loads(made_secret(tmp_path, COMPOSE["secrets"]["rabbitmq-users"]["file"]))["users"]

    assert stated == {name: (each.configure, each.write, each.read) for name, each in PERMISSIONS.items()}
    assert {user["name"] for user in users} == set(PERMISSIONS)
    assert all(user["tags"] == [] for user in users)


@pytest.mark.rabbitmq
def test_a_real_broker_takes_the_definitions_as_they_stand(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """Users can sign in with their plain passwords and hold the rights that were stated."""
    users = json.loads(made_secret(tmp_path, COMPOSE["secrets"]["rabbitmq-users"]["file"]))["users"]
    rights = permissions()["permissions"]
    for row in users:
        row["name"] = f"compose-{row['name']}"
    for row in rights:
        row |= {"user": f"compose-{row['user']}", "vhost": rabbitmq.vhost}

    form = {"users": users, "permissions": rights}
    rabbitmq.node.ctl("import_definitions", given=json.dumps(form))

    password = made_secret(tmp_path, "secrets/rabbitmq-relay-password")
    assert "Success" in rabbitmq.node.ctl("authenticate_user", "compose-relay", password)
    told = json.loads(rabbitmq.node.ctl("list_permissions", "-p", rabbitmq.vhost, "--formatter", "json"))
    held = {row["user"]: (row["configure"], row["write"], row["read"]) for row in told}
    stated = {
        f"compose-{name}": (each.configure, each.write, each.read) for name, each in PERMISSIONS.items()
    }
    assert stated.items() <= held.items()


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("topology", "operator"),
        ("relay", "relay"),
        ("web", "web"),
        ("outbound", "consumer"),
        ("keeper", "consumer"),
    ],
)
def test_a_process_signs_in_as_the_user_that_may_do_no_more(name: str, user: str, tmp_path: Path) -> None:
    """Each with a password of its own."""
    (source,) = (row["source"] for row in OURS[name]["secrets"] if row["target"].endswith("BROKER_URL"))
    address = urlsplit(made_secret(tmp_path, COMPOSE["secrets"][source]["file"]).strip())

    assert (address.username, address.hostname) == (user, "rabbitmq")
    assert address.password == made_secret(tmp_path, f"secrets/rabbitmq-{user}-password")


def test_r43_rabbitmq_takes_no_message_that_would_take_long_to_read() -> None:
    """What is a little too large still becomes a dead letter that is shown whole."""
    settings = config("rabbitmq-settings").splitlines()
    (limit,) = (line.partition("=")[2] for line in settings if line.startswith("max_message_size"))

    assert int(limit) == 4 * LARGEST_BODY


def test_no_secret_stands_in_the_file() -> None:
    """None by its name, and no address with a password."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    assert re.findall(r"^ *\w*(?:PASSWORD|SECRET|KEYS|_URL): *\S+:[^/$-]\S*", text, re.MULTILINE) == []
    assert re.findall(r"\w+://\w+:", text) == []
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|KEYS", name) or value.startswith("/run/secrets/")


def test_secrets_are_made_once_and_what_follows_from_them_anew(tmp_path: Path) -> None:
    """The folder lets nobody in; a container, which is another user, reads the file that it is given."""
    make_secrets(tmp_path)
    folder = tmp_path / "secrets"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "rabbitmq-web-password").unlink()
    make_secrets(tmp_path)
    after = {path.name: path.read_text() for path in folder.iterdir()}

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    changed = {name for name, text in after.items() if text != before[name]}
    assert changed == {"rabbitmq-web-password", "broker-url-web", "rabbitmq-users.json"}
    assert len({text for name, text in after.items() if name.endswith("-password")}) == 7
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "!secrets" not in (ROOT / ".dockerignore").read_text()


def test_the_image_has_no_more_than_what_runs() -> None:
    """Pinned, not root, nothing to install with, watched, and of the version of the package."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    final = lines[max(at for at, line in enumerate(lines) if line.startswith("FROM")) :]

    assert [line for line in lines if line.startswith("ARG")] == ["ARG BASE=python:3.12.11-slim-bookworm"]
    assert {line.partition(" AS ")[0] for line in lines if line.startswith("FROM")} == {"FROM ${BASE}"}
    assert int(next(line for line in final if line.startswith("USER")).split()[1]) > 0
    assert not re.search(r"apt-get|pip3? install|gcc|COPY (?!--from=build /app /app)", "\n".join(final))
    assert "pip uninstall" in "".join(final)
    assert f'image.version="{PACKAGE["version"]}"' in "".join(final)
    health = next(line for line in final if line.strip().startswith("HEALTHCHECK"))
    assert f"'CALENDAR_SYNC_STATUS_PORT', {HEALTH_PORT}" in health
    assert "/healthz" in {route.path for route in health_routes(nothing_wrong)}
    assert "/healthz" in health

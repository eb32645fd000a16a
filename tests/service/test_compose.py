"""docker-compose.yml: valid by the compose specification, and in step with the program."""

import json
import re
from importlib import resources
from typing import Any, get_args

import jsonschema
import pytest
import typer
import yaml
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from service import settings
from service.broker.topology import PERMISSIONS
from service.settings import CommandName, Settings
from tests.support.rabbitmq import RabbitMQ
from tests.support.repository import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("build")}
VALUES = {"CALENDAR_SYNC_ENCRYPTION_KEYS": Fernet.generate_key().decode()}


def filled(text: str) -> str:
    """What compose makes of a text: each variable with a value, ``$$`` as one sign."""
    given = re.sub(r"(?<!\$)\$\{(\w+)(:[-?][^}]*)?\}", lambda found: _value(found[1], found[2] or ""), text)
    return given.replace("$$", "$")


def _value(name: str, rest: str) -> str:
    optional = rest[2:] if rest.startswith(":-") else f"value-of-{name.lower()}"
    return VALUES.get(name, optional if "URL" in name else f"value-of-{name.lower()}")


def definitions() -> dict[str, Any]:
    form: dict[str, Any] = json.loads(filled(COMPOSE["configs"]["rabbitmq-definitions"]["content"]))
    return form


def test_the_file_is_valid_by_the_compose_specification() -> None:
    """As `docker compose config` would judge."""
    schema = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_every_kind_of_process_is_there() -> None:
    """The simulator on request only."""
    commands = {" ".join(service["command"]) for service in OURS.values()}

    assert commands == {
        "migrate", "topology", "relay", "web", "consume outbound", "consume inbound", "consume runs",
        "keeper", "simulator",
    }  # fmt: skip
    assert OURS["simulator"]["profiles"] == ["simulator"]


@pytest.mark.parametrize("name", OURS)
def test_a_command_exists_in_the_program(name: str) -> None:
    """Its help can be read."""
    from service.cli import app

    command, *rest = OURS[name]["command"]
    known = typer.main.get_command(app)

    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    assert command in getattr(known, "commands", {})
    assert all(word in (*get_args(CommandName), "outbound", "inbound", "runs") for word in [command, *rest])


@pytest.mark.parametrize("name", OURS)
def test_a_process_gets_all_the_settings_that_it_needs_and_no_unknown_one(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The program itself judges, as at its start."""
    for variable, value in OURS[name].get("environment", {}).items():
        monkeypatch.setenv(variable, filled(value))

    loaded = settings.load(OURS[name]["command"][0], env_file=tmp_path / ".env")

    assert settings.unknown_names(env_file=tmp_path / ".env") == ()
    assert loaded.host == "0.0.0.0" or "healthcheck" not in OURS[name]


def test_consumers_can_be_scaled() -> None:
    """No name and no port of the host that a second one would want as well."""
    for name in ("outbound", "inbound", "runs", "keeper"):
        assert "container_name" not in OURS[name]
        assert "ports" not in OURS[name]


def test_every_long_running_process_is_watched_and_has_time_to_stop() -> None:
    """Longer than SHUTDOWN_GRACE, or the engine would kill it at work."""
    grace = Settings.model_fields["shutdown_grace"].default
    for name, service in OURS.items():
        assert int(service["stop_grace_period"].removesuffix("s")) > grace
        assert "healthcheck" in service or name in {"migrate", "topology", "simulator"}


def test_the_broker_knows_exactly_the_users_of_the_topology() -> None:
    """Least privilege as `service/broker/topology.py` states it, and no guest."""
    stated = {
        row["user"]: (row["configure"], row["write"], row["read"]) for row in definitions()["permissions"]
    }

    assert stated == {name: (each.configure, each.write, each.read) for name, each in PERMISSIONS.items()}
    assert {user["name"] for user in definitions()["users"]} == set(PERMISSIONS)
    assert all(user["tags"] == [] for user in definitions()["users"])


@pytest.mark.rabbitmq
def test_a_real_broker_takes_the_definitions_as_they_stand(rabbitmq: RabbitMQ) -> None:
    """Users can sign in with their plain passwords and hold the rights that were stated."""
    form = definitions()
    for row in form["users"]:
        row["name"] = f"compose-{row['name']}"
    for row in form["permissions"]:
        row |= {"user": f"compose-{row['user']}", "vhost": rabbitmq.vhost}

    rabbitmq.node.ctl("import_definitions", given=json.dumps(form | {"vhosts": []}))

    assert "Success" in rabbitmq.node.ctl("authenticate_user", "compose-relay", form["users"][1]["password"])
    told = json.loads(rabbitmq.node.ctl("list_permissions", "-p", rabbitmq.vhost, "--formatter", "json"))
    rights = {row["user"]: (row["configure"], row["write"], row["read"]) for row in told}
    stated = {
        f"compose-{name}": (each.configure, each.write, each.read) for name, each in PERMISSIONS.items()
    }
    assert stated.items() <= rights.items()


@pytest.mark.parametrize(
    ("name", "user"),
    [("topology", "operator"), ("relay", "relay"), ("web", "consumer"), ("outbound", "consumer")],
)
def test_a_process_signs_in_as_the_user_that_may_do_no_more(name: str, user: str) -> None:
    """Each with a password of its own."""
    address = OURS[name]["environment"]["CALENDAR_SYNC_BROKER_URL"]

    assert address.startswith(f"amqp://{user}:${{RABBITMQ_{user.upper()}_PASSWORD")


def test_no_secret_stands_in_the_file() -> None:
    """Only names of variables do."""
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEYS", name):
                assert value.startswith("${")
    assert all("${" in user["password"] for user in _raw_users())


def _raw_users() -> list[dict[str, str]]:
    content = COMPOSE["configs"]["rabbitmq-definitions"]["content"].replace("$$", "$")
    users: list[dict[str, str]] = json.loads(content)["users"]
    return users

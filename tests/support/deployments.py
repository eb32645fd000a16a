"""What every way to deploy the service has in common."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.repository import ROOT

HEALTH_PORT = "8403"
"""Inside a container: where health and metrics are asked for."""
_CLIENT = frozenset({"DATABASE_URL", "BROKER_URL", "ENCRYPTION_KEYS", "CRONOFY_CLIENT_SECRET"})
_SECRETS: Mapping[str, frozenset[str]] = {
    "migrate": frozenset({"DATABASE_URL"}),
    "topology": frozenset({"BROKER_URL"}),
    "relay": frozenset({"BROKER_URL", "CRONOFY_CLIENT_SECRET"}),
    "web": _CLIENT | {"SIGN_IN_SECRET"},
    "consume": _CLIENT,
    "keeper": _CLIENT,
}
SECRET_SETTINGS = frozenset().union(*_SECRETS.values())
"""Those that are secrets, or addresses that hold a password."""


def secrets_of(command: str) -> frozenset[str]:
    """What a process of this command is shown, and no more."""
    return _SECRETS[command]


def make_secrets(folder: Path) -> None:
    """As an operator does, in this folder."""
    script = ROOT / "deploy" / "secrets.sh"
    subprocess.run(["sh", str(script)], cwd=folder, check=True, capture_output=True, timeout=60)

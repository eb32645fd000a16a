"""``make up`` on a bare machine: secrets without an installation, and nothing started that cannot run."""

import base64
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
SYSTEM = ("sh", "od", "tr", "head", "base64", "mv", "grep", "echo", "sed", "mkdir", "chmod", "cat")
CLIENT_ID = "CALENDAR_SYNC_CRONOFY_CLIENT_ID"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the Makefile, and a system without Python on which Docker tells what it was asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in SYSTEM:
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    docker = programs / "docker"
    docker.write_text("#!/bin/sh\necho docker $@\n")
    docker.chmod(0o755)
    shutil.copy(MAKEFILE, tmp_path)
    shutil.copytree(MAKEFILE.parent / "deploy", tmp_path / "deploy")
    return tmp_path


def make(*words: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    assert program
    return subprocess.run(
        [program, *words],
        cwd=folder,
        env={"PATH": str(folder / "bin"), **given},
        capture_output=True,
        text=True,
        check=False,
    )


def written(folder: Path) -> Mapping[str, str]:
    """The secrets that follow from no other."""
    files = (path for path in (folder / "secrets").iterdir() if "url" not in path.name and path.suffix == "")
    return {path.name: text for path in files if (text := path.read_text().strip())}


def test_secrets_are_made_without_an_installation(bare: Path) -> None:
    """Each of its own and strong, in a folder for its owner alone."""
    assert make("secrets", folder=bare).returncode == 0
    first = written(bare)
    shutil.rmtree(bare / "secrets")
    make("secrets", folder=bare)

    assert len(base64.urlsafe_b64decode(first["encryption-keys"])) == 32
    assert len(bytes.fromhex(first["sign-in-secret"])) == 32
    assert len(set(first.values())) == len(first) == 9
    assert not set(first.values()) & set(written(bare).values())
    assert (bare / "secrets").stat().st_mode & 0o077 == 0
    assert not (bare / ".venv").exists()


@pytest.mark.parametrize(
    ("line", "secret", "missing"),
    [
        ("", "", [CLIENT_ID, "secrets/cronofy-client-secret"]),
        (f"{CLIENT_ID}=abc", "", ["secrets/cronofy-client-secret"]),
        (f"{CLIENT_ID}=''", "of-cronofy", [CLIENT_ID]),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    bare: Path, line: str, secret: str, missing: list[str]
) -> None:
    """Straight after the secrets were made, too."""
    if line:
        (bare / ".env").write_text(f"{line}\n")
    write_client_secret(bare, secret)

    ended = make("up", folder=bare)

    assert ended.returncode != 0
    assert "docker" not in ended.stdout
    assert [name for name in (CLIENT_ID, "secrets/cronofy-client-secret") if name in ended.stderr] == missing
    assert "make run" in ended.stderr


def write_client_secret(folder: Path, secret: str) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "cronofy-client-secret").write_text(secret)


@pytest.mark.parametrize("where", ["file", "environment"])
def test_with_an_application_everything_starts(bare: Path, where: str) -> None:
    """The id from `.env`, or as compose prefers it, from the environment; a secret that is there stays."""
    write_client_secret(bare, "of-cronofy")
    if where == "file":
        (bare / ".env").write_text(f"{CLIENT_ID}=id\n")

    ended = make("up", folder=bare, **({CLIENT_ID: "id"} if where == "environment" else {}))

    assert ended.returncode == 0, ended.stderr
    assert "docker compose up --build" in ended.stdout.splitlines()
    assert (bare / "secrets" / "cronofy-client-secret").read_text() == "of-cronofy"

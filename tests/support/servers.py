"""What every server started for tests needs: free ports, a watcher over it, plain words for absence."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import NoReturn

import pytest

PORTS = (12_000, 32_000)
"""Below those that Linux, macOS and Windows hand out by themselves."""
_random = SystemRandom()
ABSENT: dict[str, str] = {}
"""What could not be obtained in this run and how to get it; told once, loudly, at its end."""

_WATCH = """
import os, shutil, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
folder, *pids = sys.argv[1:]
sys.stdin.buffer.read()
for pid in map(int, pids):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
shutil.rmtree(folder, ignore_errors=True)
"""


def free_port() -> int:
    """One that nobody has, and that the system gives to nobody who asks for any, or for a way out."""
    while True:
        port = _random.randrange(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def absent(what: str, remedy: str) -> NoReturn:
    """Skip the test with one loud line for the run; in CI it fails instead."""
    ABSENT[what] = remedy
    if os.environ.get("CI"):
        pytest.fail(f"{what} is needed in CI: {remedy}", pytrace=False)
    pytest.skip(f"no {what}: {remedy}")


class Watcher:
    """Kills these processes and removes their folder when the test run dies in any way, SIGKILL included."""

    def __init__(self, folder: Path, pids: Iterable[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCH, str(folder), *map(str, pids)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The processes have ended properly; nothing is left to watch."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def end(process: "subprocess.Popen[bytes] | None") -> None:
    """Kill a process group that the tests started, and wait until it is gone."""
    if process is None:
        return
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def docker_answers() -> bool:
    """Whether a container engine can be used."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0

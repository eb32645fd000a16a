"""``calendar-sync`` as real processes: run to their end, or started, watched and stopped."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.support.secrecy import CLIENT_SECRET, SIGN_IN_SECRET, heard, planted

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "service")

SECRETS: Mapping[str, str] = {
    "CRONOFY_CLIENT_ID": "client",
    "CRONOFY_CLIENT_SECRET": CLIENT_SECRET,
    "ENCRYPTION_KEYS": planted(Fernet.generate_key().decode()),
    "SIGN_IN_SECRET": SIGN_IN_SECRET,
}
FREE_PORTS: Mapping[str, str] = {
    "PORT": "0",
    "RELAY_PORT": "0",
    "SIMULATOR_PORT": "0",
    "STATUS_PORT": "0",
}


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment with these settings and no others."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CALENDAR_SYNC_")}
    given = {f"CALENDAR_SYNC_{name}": value for name, value in {**FREE_PORTS, **settings}.items()}
    return own | given | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


def run(
    *words: str, settings: Mapping[str, str], folder: Path, given: bytes = b"", seconds: float = 60
) -> "subprocess.CompletedProcess[bytes]":
    """A command that ends by itself."""
    ended = subprocess.run(
        [*COMMAND, *words],
        check=False,
        capture_output=True,
        cwd=folder,
        env=environment(settings),
        input=given,
        timeout=seconds,
    )
    for output in (ended.stdout, ended.stderr):
        heard(output.decode(errors="replace"))
    return ended


@dataclass(kw_only=True)
class Started:
    """A process that stays, and what it has said so far."""

    process: "subprocess.Popen[bytes]"
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def said(self, words: str, *, seconds: float = 60) -> str:
        """The line of standard output that begins so, as soon as there is one."""
        return self._line(self.out, words, seconds)

    def logged(self, event: str, *, seconds: float = 60) -> dict[str, Any]:
        """The log line of that event, as soon as there is one."""
        found: dict[str, Any] = json.loads(self._line(self.err, f'"event": "{event}"', seconds))
        return found

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = 40) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def await_(self, condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
        """Return as soon as it holds; fail when the process ends or the time is over before."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = "\n".join([*self.out, *self.err][-30:])
                raise AssertionError(f"{what} did not come; exit code {self.process.poll()}\n{said}")
            time.sleep(0.02)

    def _line(self, lines: Sequence[str], words: str, seconds: float) -> str:
        def found() -> list[str]:
            return [line for line in list(lines) if words in line]

        if self.process.poll() is None:
            self.await_(lambda: bool(found()) or self.process.poll() is not None, words, seconds=seconds)
        if not found():
            self.finish_reading()
        return found()[0]

    def finish_reading(self) -> None:
        """Return when all that an ended process said has been read."""
        for reader in self.readers:
            reader.join()


@contextmanager
def started(*words: str, settings: Mapping[str, str], folder: Path) -> Iterator[Started]:
    """A process that stays until the block is left."""
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment(settings),
    )
    watched = Started(process=process)
    watched.readers = [
        threading.Thread(target=_read, args=(stream, lines), daemon=True)
        for stream, lines in ((process.stdout, watched.out), (process.stderr, watched.err))
    ]
    for reader in watched.readers:
        reader.start()
    try:
        yield watched
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        watched.finish_reading()
        for lines in (watched.out, watched.err):
            heard("\n".join(lines))
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def _read(stream: Any, lines: list[str]) -> None:
    for line in stream:  # one by one: whoever waits for a line sees it when it is said
        lines += [line.decode().rstrip("\n")]

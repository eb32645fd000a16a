"""``calendar-sync`` as real processes: run to their end, or started, watched and stopped."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cryptography.fernet import Fernet

from tests.support.forked_processes import ForkedProcess, fork_server
from tests.support.secrecy import CLIENT_SECRET, SIGN_IN_SECRET, heard, planted

ROOT = Path(__file__).parents[2]
PRODUCT = "service"
LATEST = 240.0
"""Seconds after which nothing more is expected of a process; on a quiet machine it takes one."""
Process = subprocess.Popen[bytes] | ForkedProcess

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


def _begun(
    module: str, *words: str, streams: Sequence[int], folder: Path, given: Mapping[str, str], cold: bool
) -> Process:
    """``python -m module`` in a process of its own; a cold one is nobody's fork."""
    if (here := fork_server()) and not cold:
        return here.bear(module, words, streams=streams, folder=folder, environment=given)
    command = [sys.executable, "-m", module, *words]
    reads, says, complains = streams
    return subprocess.Popen(command, stdin=reads, stdout=says, stderr=complains, cwd=folder, env=given)


@contextmanager
def beside(module: str, *words: str, **settings: str) -> Iterator[Process]:
    """A module of the tests in a process of its own, which is killed when the block is left."""
    with Path(os.devnull).open("rb") as nothing:
        streams, own = (nothing.fileno(), 1, 2), environment(settings)
        process = _begun(module, *words, streams=streams, folder=ROOT, given=own, cold=False)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(
    *words: str,
    settings: Mapping[str, str],
    folder: Path,
    given: bytes = b"",
    seconds: float = LATEST,
    cold: bool = False,
) -> "subprocess.CompletedProcess[bytes]":
    """A command that ends by itself."""
    with ExitStack() as stack:
        streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        streams[0].write(given)
        streams[0].seek(0)
        numbers, own = [stream.fileno() for stream in streams], environment(settings)
        process = _begun(PRODUCT, *words, streams=numbers, folder=folder, given=own, cold=cold)
        try:
            code = process.wait(seconds)
        finally:
            process.kill()
            process.wait()
        out, err = (_all_of(stream) for stream in streams[1:])
    return subprocess.CompletedProcess(words, code, out, err)


def _all_of(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    said = stream.read()
    heard(said.decode(errors="replace"))
    return said


@dataclass(kw_only=True)
class Started:
    """A process that stays, and what it has said so far."""

    process: Process
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def said(self, words: str, *, seconds: float = LATEST) -> str:
        """The line of standard output that begins so, as soon as there is one."""
        return self._line(self.out, words, seconds)

    def logged(self, event: str, *, seconds: float = LATEST) -> dict[str, Any]:
        """The log line of that event, as soon as there is one."""
        found: dict[str, Any] = json.loads(self._line(self.err, f'"event": "{event}"', seconds))
        return found

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = LATEST) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def await_(self, condition: Callable[[], bool], what: str, *, seconds: float = LATEST) -> None:
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
def started(*words: str, settings: Mapping[str, str], folder: Path, cold: bool = False) -> Iterator[Started]:
    """A process that stays until the block is left."""
    with ExitStack() as stack:
        own = environment(settings)
        (out, says), (err, complains) = (_pipe(stack) for _ in range(2))
        with Path(os.devnull).open("rb") as nothing, says, complains:
            streams = (nothing.fileno(), says.fileno(), complains.fileno())
            process = _begun(PRODUCT, *words, streams=streams, folder=folder, given=own, cold=cold)
        watched = Started(process=process)
        watched.readers = [
            threading.Thread(target=_read, args=(stream, lines), daemon=True)
            for stream, lines in ((out, watched.out), (err, watched.err))
        ]
        for reader in watched.readers:
            reader.start()
        try:
            yield watched
        finally:
            process.kill()
            process.wait()
            watched.finish_reading()
            for lines in (watched.out, watched.err):
                heard("\n".join(lines))


def _pipe(stack: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """What one end hears of the other."""
    hears, says = os.pipe()
    return stack.enter_context(os.fdopen(hears, "rb")), os.fdopen(says, "wb")


def _read(stream: Any, lines: list[str]) -> None:
    for line in stream:  # one by one: whoever waits for a line sees it when it is said
        lines += [line.decode().rstrip("\n")]

"""Processes without the second of CPU that each would spend on importing the product anew.

One process has everything imported and forks off the others. Each of them is a real process, with its own
environment, folder, streams, signals and exit code; it runs ``python -m MODULE`` from there on.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.repository import ROOT

IMPORTED = (
    *("aio_pika", "aiosqlite", "asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"),
    *("sqlalchemy.dialects.sqlite.aiosqlite", "uvicorn.lifespan.on", "uvicorn.loops.auto"),
    *("uvicorn.protocols.http.auto", "service.cli", "service.cli.demo", "tests.support.killable_consumer"),
)


class ForkedProcess:
    """A process of the fork server; it is handled as one of ``subprocess``."""

    def __init__(self, channel: socket.socket) -> None:
        self._told = channel.makefile("r", encoding="ascii")
        self._ended = threading.Event()
        self.pid = int(self._told.readline())
        self.returncode: int | None = None
        threading.Thread(target=self._listen, args=(channel,), daemon=True).start()

    def _listen(self, channel: socket.socket) -> None:
        self.returncode = int(self._told.readline())
        self._told.close()
        channel.close()
        self._ended.set()

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, or minus the signal that ended it."""
        self._ended.wait(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process with everything imported; it begins with the first that is forked, and ends when closed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._control, self._far = socket.socketpair()

    def bear(
        self,
        module: str,
        words: Sequence[str],
        *,
        streams: Sequence[int],
        folder: Path,
        environment: Mapping[str, str],
    ) -> ForkedProcess:
        """``python -m module words…`` in that folder, on these three streams."""
        channel, its = socket.socketpair()
        with self._turn, its:
            self._process = self._process or self._begin()
            socket.send_fds(self._control, [b"."], [its.fileno()])
        told = {"module": module, "words": words, "folder": str(folder), "environment": dict(environment)}
        given = memoryview(json.dumps(told).encode() + b"\n")
        sent = socket.send_fds(channel, [given], list(streams))
        channel.sendall(given[sent:])
        return ForkedProcess(channel)

    def _begin(self) -> "subprocess.Popen[bytes]":
        machine = dict(os.environ)
        with self._far:
            return subprocess.Popen(
                [sys.executable, "-m", __name__, str(self._far.fileno())],
                cwd=ROOT,
                env=machine | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                pass_fds=[self._far.fileno()],
                start_new_session=True,
            )

    def close(self) -> None:
        self._control.close()
        self._far.close()
        if self._process:
            self._process.wait(60)


_open: list[ForkServer] = []


@contextmanager
def fork_server_running() -> Iterator[None]:
    """Until the block is left there is a fork server."""
    _open.append(ForkServer())
    try:
        yield
    finally:
        _open.pop().close()


def fork_server() -> ForkServer | None:
    """The one that there is."""
    return _open[-1] if _open else None


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Returns in each process that is forked, with what it is to be; in the server itself at its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch
    while channels := socket.recv_fds(control, 1, 1)[1]:
        channel = socket.socket(fileno=channels[0])
        if os.fork() == 0:
            control.close()
            return _watch(channel)
        channel.close()
    return None


def _watch(channel: socket.socket) -> dict[str, Any]:
    """Fork once more, tell the number of the process, wait for its end, and tell that."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    said, streams, *_ = socket.recv_fds(channel, 1 << 16, 3)
    while not said.endswith(b"\n"):
        said += channel.recv(1 << 16)
    if (pid := os.fork()) == 0:
        channel.close()
        told: dict[str, Any] = json.loads(said)
        _become(told, streams)
        return told
    for stream in streams:
        os.close(stream)
    channel.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    channel.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(told: Mapping[str, Any], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv[1:] = told["words"]
    importlib.reload(importlib.import_module("service.crashpoints"))  # it reads the environment when imported


def _prepare() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _prepare()
    born = _serve(socket.socket(fileno=int(sys.argv[1])))
    if born:
        runpy.run_module(born["module"], run_name="__main__", alter_sys=True)

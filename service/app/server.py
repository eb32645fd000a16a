"""What every long-running process does alike: listen, mind its tasks, stop when told to."""

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from contracts.errors import SyncError
from service.app.bounded_http import HTTP_LIMITS, LARGEST_HEAD_BYTES, HttpLimits, bounded_http
from service.settings import Settings

CLOSING_SECONDS = 5


GC_THRESHOLDS = (50_000, 20, 50)


class CannotListen(SyncError):
    """The address is in use or not ours."""


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def collect_garbage_seldom() -> None:
    """Look for cyclic garbage seldom, and never among what a process is made of.

    A window of messages is many objects that live on and no cycles: going through them again and
    again took a fifth of the outbound consumer's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket on which connections may already wait; port 0 is a free one. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host} port {port}: {error.strerror}") from error


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def local_address(host: str, port: int) -> str:
    """How a person on this machine reaches it."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- compared, not bound
    return f"http://{reachable}:{port}"


@contextlib.asynccontextmanager
async def serve_in_background(
    app: ASGIApp, listener: socket.socket, *, limits: HttpLimits = HTTP_LIMITS
) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve until the block is left; requests in hand are answered first."""
    config = uvicorn.Config(
        app,
        http=bounded_http(limits),
        ws="none",
        h11_max_incomplete_event_size=LARGEST_HEAD_BYTES,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        yield task
    finally:
        server.should_exit = True
        await task
        listener.close()


class TaskMinder:
    """Minds the tasks that must live as long as their process; the first that ends stops it all."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._failure: BaseException | None = None

    def listen_to_signals(self) -> None:
        """From now on SIGTERM and SIGINT ask the process to stop, even while it is being opened."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
        """Begin something that must go on until the process stops."""
        task = asyncio.create_task(work, name=name)
        self.mind(task)
        return task

    def mind(self, task: "asyncio.Task[None]") -> None:
        task.add_done_callback(self._ended)

    async def until_stopped(self) -> None:
        """Return when the process is told to stop. Raises what a minded task died of."""
        await self.stopping.wait()
        if self._failure:
            raise self._failure

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error
            self.stopping.set()


async def wait_unless_stopping(waiting: "asyncio.Future[Any]", stopping: asyncio.Event) -> None:
    """Wait for the first of the two; what is not done when the process stops is cancelled."""
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not waiting.done():
        waiting.cancel()
        await asyncio.wait([waiting])


def with_bound_port(settings: Settings) -> Settings:
    """With a fixed port to listen on and, unless it was given, the public address that belongs to it."""
    with listening_socket(settings.host, settings.port) as probe:
        port = port_of(probe)
    changed: dict[str, object] = {"port": port}
    if settings.public_url == Settings.model_fields["public_url"].default:
        changed["public_url"] = local_address(settings.host, port)
    return settings.model_copy(update=changed)


class SystemClock:
    """The clock port of a real process."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

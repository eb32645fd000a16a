"""The web application on a port of its own, in a thread of its own, for whoever asks over real HTTP."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvicorn

from tests.support.office import Office, open_office

_T = TypeVar("_T")
PATIENCE = 60


@dataclass(kw_only=True)
class Served:
    """An office that is reached over HTTP."""

    address: str
    office: Office
    loop: asyncio.AbstractEventLoop = field(repr=False)

    def do(self, work: Callable[[Office], Awaitable[_T]]) -> _T:
        """Have the office's own thread do something."""

        async def done() -> _T:
            return await work(self.office)

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(PATIENCE)


@asynccontextmanager
async def listening(office: Office) -> AsyncIterator[str]:
    """The address at which this office's pages and API are served."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(office.app, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@contextmanager
def served_office(url: str) -> Iterator[Served]:
    """Open until the block is left."""
    opened: list[Served] = []
    ready, ended = threading.Event(), asyncio.Event()

    async def work() -> None:
        async with open_office(url) as office, listening(office) as address:
            opened.append(Served(address=address, office=office, loop=asyncio.get_running_loop()))
            ready.set()
            await ended.wait()

    failed: list[Any] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)
            ready.set()
            raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    assert not failed, failed
    try:
        yield opened[0]
    finally:
        opened[0].loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE)

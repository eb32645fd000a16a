"""The simulator as a process, or beside others in one event loop."""

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn

from service.demo.simulator.app import create_app
from service.demo.simulator.world import SimulatedWorld

_PEOPLE = (
    ("office365", "olivia.office@example.test", "Olivia Office"),
    ("exchange", "edgar.exchange@example.test", "Edgar Exchange"),
    ("outlook_com", "odette.outlook@example.test", "Odette Outlook"),
    ("google", "gustav.google@example.test", "Gustav Google"),
    ("icloud", "iris.icloud@example.test", "Iris iCloud"),
)


def demo_world(*, client_id: str, client_secret: str) -> SimulatedWorld:
    """One person at each of the five providers, and Cronofy's own limits.

    Accounts and calendars have other ids each time: a database of before knows none of them.
    """
    seed = secrets.randbits(32)
    world = SimulatedWorld(client_id=client_id, client_secret=client_secret, seed=seed)
    world.faults.change(per_second=50, per_minute=500)
    for provider, email, name in _PEOPLE:
        calendars = ("Calendar", "Family", {"name": "Public holidays", "read_only": True})
        world.add_mailbox(provider=provider, email=email, name=name, calendars=calendars)
    return world


class SimulatorServer(uvicorn.Server):
    """Leaves signals to whoever owns the process; ``should_exit`` ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def uvicorn_server(world: SimulatedWorld) -> SimulatorServer:
    """To be run on a socket that is already listening, in any event loop."""
    config = uvicorn.Config(
        create_app(world),
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return SimulatorServer(config)


@contextlib.asynccontextmanager
async def serve_inside(world: SimulatedWorld, *, host: str, port: int) -> AsyncIterator[str]:
    """Serve inside another program; yields the address, on which connections already wait their turn."""
    with socket.create_server((host, port)) as listening:
        running = uvicorn_server(world)
        task = asyncio.create_task(running.serve(sockets=[listening]))
        try:
            yield f"http://{host}:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            await task


async def serve_async(
    *,
    host: str,
    port: int,
    client_id: str,
    client_secret: str,
    public_url: str = "",
    begun: Callable[[str], None] = lambda _address: None,
) -> None:
    """Serve the demo's world until SIGTERM or SIGINT; ``client_secret`` may be a comma-separated list.

    ``begun`` is told the address as soon as connections may wait there.
    """
    world = demo_world(client_id=client_id, client_secret=client_secret)
    world.public_url = public_url.rstrip("/")
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve_inside(world, host=host, port=port) as address:
        begun(address)
        await stop.wait()

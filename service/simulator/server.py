"""The simulator as a process, or beside others in one event loop."""

import asyncio

import uvicorn

from service.simulator.app import create_app
from service.simulator.world import World

_PEOPLE = (
    ("office365", "olivia.office@example.test", "Olivia Office"),
    ("exchange", "edgar.exchange@example.test", "Edgar Exchange"),
    ("outlook_com", "odette.outlook@example.test", "Odette Outlook"),
    ("google", "gustav.google@example.test", "Gustav Google"),
    ("icloud", "iris.icloud@example.test", "Iris iCloud"),
)


def demo_world(*, client_id: str, client_secret: str) -> World:
    """One person at each of the five providers, and Cronofy's own limits."""
    world = World(client_id=client_id, client_secret=client_secret)
    world.faults.change(per_second=50, per_minute=500)
    for provider, email, name in _PEOPLE:
        calendars = ("Calendar", "Family", {"name": "Public holidays", "read_only": True})
        world.add_mailbox(provider=provider, email=email, name=name, calendars=calendars)
    return world


def server(world: World, *, host: str, port: int) -> uvicorn.Server:
    """Ready to be served in any event loop; ``should_exit`` ends it."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(world),
            host=host,
            port=port,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=2,
        ),
    )


async def serve_async(
    *,
    host: str,
    port: int,
    client_id: str,
    client_secret: str,
    public_url: str = "",
    world: World | None = None,
) -> None:
    """Serve until cancelled or told to stop; ``client_secret`` may be a comma-separated list."""
    world = world or demo_world(client_id=client_id, client_secret=client_secret)
    world.public_url = public_url.rstrip("/")
    await server(world, host=host, port=port).serve()


def serve(*, host: str, port: int, client_id: str, client_secret: str, public_url: str = "") -> None:
    """``calendar-sync simulator``: blocks until the process is told to end."""
    asyncio.run(
        serve_async(
            host=host,
            port=port,
            client_id=client_id,
            client_secret=client_secret,
            public_url=public_url,
        ),
    )

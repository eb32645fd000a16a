"""The composition root: settings in, an open process out (DESIGN 3)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.routing import BaseRoute

from contracts.ports import Publisher
from service.app.connections import (
    Incomplete,
    check_topology,
    open_publisher,
    open_rabbitmq,
    open_store,
    plain,
)
from service.app.doctor import Finding, examine
from service.app.process import Ground, Running
from service.broker.topology import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PARKED, QUEUE_RUNS
from service.outbox import StorePublisher
from service.relay import relay_app, relay_routes
from service.settings import Settings

__all__ = [
    "KINDS",
    "Finding",
    "Incomplete",
    "Running",
    "check_topology",
    "consuming",
    "everything",
    "examine",
    "keeping",
    "open_publisher",
    "open_rabbitmq",
    "open_store",
    "relaying",
    "web",
]

QUEUES = {"outbound": QUEUE_OUTBOUND, "inbound": QUEUE_INBOUND, "runs": QUEUE_RUNS}
"""What each kind of consumer takes from."""
KINDS = tuple(QUEUES)


@asynccontextmanager
async def consuming(settings: Settings, kinds: Sequence[str]) -> AsyncIterator[Running]:
    """``consume``: one or more kinds of consumer."""
    async with _ground(settings) as ground:
        port = await ground.serve_status()
        store = await ground.open_store()
        broker = await ground.open_broker()
        await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        await ground.open_consumers(parts, broker, kinds)
        ground.open_gauges(store, broker)
        ground.open_reports(store, does=f"consume {', '.join(kinds)}", takes=[QUEUES[one] for one in kinds])
        yield ground.running(port)


@asynccontextmanager
async def keeping(settings: Settings) -> AsyncIterator[Running]:
    """``keeper``: looks after what was left lying."""
    async with _ground(settings) as ground:
        port = await ground.serve_status()
        store = await ground.open_store()
        broker = await ground.open_broker()
        await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        ground.open_writer(parts, broker)
        ground.open_keeper(parts)
        await ground.open_parked(store, broker)
        ground.open_gauges(store, broker)
        ground.open_reports(store, does="keeper", takes=[QUEUE_PARKED])
        yield ground.running(port)


@asynccontextmanager
async def relaying(settings: Settings) -> AsyncIterator[Running]:
    """``relay``: takes Cronofy's notices; it knows no database."""
    async with _ground(settings) as ground:
        broker = await ground.open_broker()
        secrets = plain(settings.cronofy_client_secret)
        app = relay_app(broker, secrets, clock=ground.clock, because=ground.readiness)
        yield ground.running(await ground.serve(app, settings.relay_port))


@asynccontextmanager
async def web(settings: Settings) -> AsyncIterator[Running]:
    """``web``: pages and API. With the embedded broker it is ``up`` that sends what they write."""
    async with _ground(settings) as ground:
        store = await ground.open_store()
        broker = None
        if not settings.embedded_broker:
            broker = await ground.open_broker()
            await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        yield ground.running(await ground.serve(ground.pages(parts, depths=broker), settings.port))


@asynccontextmanager
async def everything(
    settings: Settings, *, beside: Iterable[BaseRoute] = (), framed: bool = False
) -> AsyncIterator[Running]:
    """``up``: relay, web, all consumers and the keeper; prepares database and broker itself.

    ``beside`` and ``framed``: pages of the demonstration, which shows ours in a frame.
    """
    async with _ground(settings) as ground:
        store = await ground.open_store(migrate=True)
        broker = await ground.open_broker(declare=True)
        await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        await ground.open_consumers(parts, broker, KINDS)
        ground.open_keeper(parts)
        await ground.open_parked(store, broker)
        ground.open_gauges(store, broker)
        ground.open_reports(store, does="up", takes=[*QUEUES.values(), QUEUE_PARKED])
        notices: Publisher = StorePublisher(store) if settings.embedded_broker else broker
        relay = relay_routes(notices, plain(settings.cronofy_client_secret), clock=ground.clock)
        pages = ground.pages(parts, depths=broker, beside=[*relay, *beside], framed=framed)
        yield ground.running(await ground.serve(pages, settings.port))


@asynccontextmanager
async def _ground(settings: Settings) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        ground = Ground(settings, stack)
        ground.minder.listen_to_signals()
        try:
            yield ground
        finally:
            ground.readiness.stopping()

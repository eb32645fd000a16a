"""The composition root: settings in, an open process out.

Objects are made here and handed on as arguments, once each; nothing here decides, asks or stores anything.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.routing import BaseRoute

from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PARKED, QUEUE_PEOPLE, QUEUE_RUNS
from contracts.ports import Publisher
from service.app.check_results import CheckResult
from service.app.connections import (
    SetupIncomplete,
    bare_store,
    check_topology,
    open_parts,
    open_publisher,
    open_rabbitmq,
    open_store,
    record_signer,
    reveal,
    sealed_tokens,
)
from service.app.doctor import check_everything
from service.app.doctor_live import LiveFinding
from service.app.doctor_settings import SETTINGS_REMEDY
from service.app.process import ProcessBuilder, RunningProcess
from service.app.tracing import tracing_if_asked
from service.outbox import StorePublisher
from service.relay import relay_app, relay_routes
from service.settings import Settings

__all__ = [
    "CONSUMER_KINDS",
    "SETTINGS_REMEDY",
    "CheckResult",
    "LiveFinding",
    "RunningProcess",
    "SetupIncomplete",
    "bare_store",
    "check_everything",
    "check_topology",
    "consuming",
    "everything",
    "keeping",
    "open_parts",
    "open_publisher",
    "open_rabbitmq",
    "open_store",
    "record_signer",
    "relaying",
    "sealed_tokens",
    "web",
]

QUEUE_OF_KIND = {
    "outbound": QUEUE_OUTBOUND,
    "inbound": QUEUE_INBOUND,
    "runs": QUEUE_RUNS,
    "people": QUEUE_PEOPLE,
}
"""What each kind of consumer takes from."""
CONSUMER_KINDS = tuple(QUEUE_OF_KIND)


@asynccontextmanager
async def consuming(settings: Settings, kinds: Sequence[str]) -> AsyncIterator[RunningProcess]:
    """``consume``: one or more kinds of consumer."""
    async with _ground(settings) as ground:
        port = await ground.serve_status()
        store = await ground.open_store()
        broker = await ground.open_broker()
        await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        await ground.open_consumers(parts, broker, kinds)
        ground.open_gauges(store, broker)
        ground.open_weather(parts)
        ground.open_reports(
            store, does=f"consume {', '.join(kinds)}", takes=[QUEUE_OF_KIND[one] for one in kinds]
        )
        yield ground.running(port)


@asynccontextmanager
async def keeping(settings: Settings) -> AsyncIterator[RunningProcess]:
    """``keeper``: looks after what was left lying."""
    async with _ground(settings) as ground:
        port = await ground.serve_status()
        store = await ground.open_store()
        broker = await ground.open_broker()
        await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        ground.open_writer(parts, broker)
        ground.open_keeper(parts, broker)
        await ground.open_parked(store, broker)
        ground.open_gauges(store, broker)
        ground.open_weather(parts)
        ground.open_reports(store, does="keeper", takes=[QUEUE_PARKED])
        yield ground.running(port)


@asynccontextmanager
async def relaying(settings: Settings) -> AsyncIterator[RunningProcess]:
    """``relay``: takes Cronofy's notices; it knows no database."""
    async with _ground(settings) as ground:
        await ground.serve_status_apart()
        broker = await ground.open_broker()
        secrets = reveal(settings.cronofy_client_secret)
        app = relay_app(
            broker, secrets, clock=ground.clock, because=ground.readiness, private=settings.private
        )
        yield ground.running(await ground.serve(app, settings.relay_port))


@asynccontextmanager
async def web(settings: Settings) -> AsyncIterator[RunningProcess]:
    """``web``: pages and API. With the embedded broker it is ``up`` that sends what they write."""
    async with _ground(settings) as ground:
        await ground.serve_status_apart()
        store = await ground.open_store()
        broker = None
        if not settings.embedded_broker:
            broker = await ground.open_broker()
            await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store, takes_messages=False)
        yield ground.running(await ground.serve(ground.pages(parts, depths=broker), settings.port))


@asynccontextmanager
async def everything(
    settings: Settings, *, beside: Iterable[BaseRoute] = (), framed: bool = False
) -> AsyncIterator[RunningProcess]:
    """``up``: relay, web, all consumers and the keeper; prepares database and broker itself.

    ``beside`` and ``framed``: pages of the demonstration, which shows ours in a frame.
    """
    async with _ground(settings) as ground:
        await ground.serve_status_apart()
        store = await ground.open_store(migrate=True)
        broker = await ground.open_broker(declare=True)
        await ground.open_outbox(store, broker)
        parts = await ground.open_parts(store)
        await ground.open_consumers(parts, broker, CONSUMER_KINDS)
        ground.open_keeper(parts, broker)
        await ground.open_parked(store, broker)
        ground.open_gauges(store, broker)
        ground.open_weather(parts)
        ground.open_reports(store, does="up", takes=[*QUEUE_OF_KIND.values(), QUEUE_PARKED])
        notices: Publisher = StorePublisher(store) if settings.embedded_broker else broker
        relay = relay_routes(notices, reveal(settings.cronofy_client_secret), clock=ground.clock)
        pages = ground.pages(parts, depths=broker, beside=[*relay, *beside], framed=framed)
        yield ground.running(await ground.serve(pages, settings.port))


@asynccontextmanager
async def _ground(settings: Settings) -> AsyncIterator[ProcessBuilder]:
    async with AsyncExitStack() as stack:
        ground = ProcessBuilder(settings, stack)
        await stack.enter_async_context(tracing_if_asked())
        ground.minder.listen_to_signals()
        try:
            yield ground
        finally:
            ground.readiness.stopping()

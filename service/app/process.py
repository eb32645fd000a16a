"""The parts of one process, opened one after the other and closed in the reverse order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from contracts.envelope import Message, NoticeReceived, PersonChanged, RunRequested
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PEOPLE, QUEUE_RUNS
from contracts.ports import Broker, QueueDepths
from service.app.chores import keepers_chores
from service.app.connections import (
    check_topology,
    open_parts,
    open_rabbitmq,
    open_store,
    reveal,
)
from service.app.parts import ProcessParts
from service.app.server import (
    SystemClock,
    TaskMinder,
    listening_socket,
    local_address,
    port_of,
    serve_in_background,
)
from service.broker.memory import MemoryBroker
from service.consumers.brake import Gate
from service.consumers.failures import MessageHandler
from service.consumers.loop import MessageLoop
from service.consumers.outbound.engine import OutboundConsumer
from service.consumers.owners import tenants_here
from service.consumers.parked import ParkedMessages
from service.keeper import Keeper
from service.monitoring.gauges import Gauges
from service.monitoring.heartbeat import Heartbeat
from service.monitoring.readiness import Readiness
from service.monitoring.vitals import Vitals
from service.monitoring.weather import WeatherReporter, data_centre_of
from service.outbox import EmbeddedOutbox, LeasedOutbox, OutboxSender, Unsettled
from service.settings import Settings
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.telemetry.endpoints import health_routes
from service.version import VERSION

log = structlog.get_logger(__name__)

StopWork = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningProcess:
    """An open process."""

    minder: TaskMinder
    address: str
    """Where its pages, its relay, or at least its health can be asked."""


class ProcessBuilder:
    """Opens what a process is made of; the order of the calls is the order of shutdown reversed."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.clock = SystemClock()
        self.minder = TaskMinder()
        self.readiness = Readiness()
        self._settings = settings
        self._stack = stack
        self._holder = new_id()
        self._outbox_written = asyncio.Event()
        self._unsettled = Unsettled(self._outbox_written)

    @property
    def _data_centre(self) -> str:
        return data_centre_of(self._settings.cronofy_api_url)

    def running(self, port: int) -> RunningProcess:
        """Everything is open."""
        self.readiness.started()
        return RunningProcess(minder=self.minder, address=local_address(self._settings.host, port))

    # -- what it stands on ----------------------------------------------------------------------

    async def open_store(self, *, migrate: bool = False) -> Store:
        """Who prepares it with messages in its own memory is the only one."""
        only = migrate and self._settings.embedded_broker
        store = await open_store(
            self._settings,
            self._stack,
            migrate=migrate,
            only=only,
            on_enqueued=self._outbox_written.set,
        )
        self.readiness.needs_database(store)
        return store

    async def open_broker(self, *, declare: bool = False) -> Broker:
        broker = await self._connected()
        if declare:
            await broker.declare()
        await check_topology(broker)
        self.readiness.needs("broker", lambda: broker.ready)
        return broker

    async def _connected(self) -> Broker:
        if not self._settings.embedded_broker:
            return await open_rabbitmq(self._settings, self._stack)
        delays, settled = self._settings.retry_delays, self._unsettled.settled
        broker = MemoryBroker(clock=self.clock, retry_delays=delays, settled=settled)
        await broker.open()
        self._stack.push_async_callback(broker.close)
        return broker

    async def open_outbox(self, store: Store, broker: Broker) -> None:
        sender = self._outbox(store, broker)
        self.readiness.needs("outbox", lambda: sender.held is None)
        task = self.minder.start(sender.run(), name="outbox")

        async def stop() -> None:
            sender.stop()
            await asyncio.wait([task])

        self._stack.push_async_callback(stop)

    def _outbox(self, store: Store, broker: Broker) -> OutboxSender:
        written = self._outbox_written
        if self._settings.embedded_broker:
            return EmbeddedOutbox(store=store, publisher=broker, unsettled=self._unsettled, written=written)
        return LeasedOutbox(store=store, publisher=broker, holder=self._holder, written=written)

    async def open_parts(self, store: Store, *, takes_messages: bool = True) -> ProcessParts:
        """Where no message is taken, a key that is missing keeps nobody from the pages."""
        parts = await open_parts(self._settings, self._stack, store, self.clock)
        keys = parts.cronofy.keys
        await keys.look()
        if takes_messages:
            self.readiness.needs("encryption keys", lambda: not keys.open)
        task = self.minder.start(keys.run(), name="encryption keys")
        self._stack.push_async_callback(self._cancelled, task)
        return parts

    # -- what works on it -----------------------------------------------------------------------

    async def open_consumers(self, parts: ProcessParts, broker: Broker, kinds: Iterable[str]) -> None:
        """All of these stop at the same time, each within the grace time."""
        stops: list[StopWork] = []
        self._stack.push_async_callback(_stop_all, stops)
        for kind in kinds:
            if kind == "outbound":
                stops.append(self._begin_outbound(parts, broker, takes_messages=True))
            else:
                stops.append(await self._begin_loop(self._loop(kind, parts, broker)))

    def open_writer(self, parts: ProcessParts, broker: Broker) -> None:
        """Writes links that nobody looks after, and takes no messages."""
        self._stack.push_async_callback(self._begin_outbound(parts, broker, takes_messages=False))

    def open_keeper(self, parts: ProcessParts, broker: Broker) -> None:
        chores = keepers_chores(parts, broker, self._settings, data_centre=self._data_centre)
        keeper = Keeper(store=parts.store, holder=self._holder, chores=chores)
        task = self.minder.start(keeper.run(), name="keeper")

        async def stop() -> None:
            keeper.stop()
            await self._ended(task)

        self._stack.push_async_callback(stop)

    def open_gauges(self, store: Store, broker: Broker) -> None:
        """Measures, every so often, what nobody comes by."""
        vitals = Vitals(store, broker)
        gauges = Gauges(
            store=store,
            vitals=vitals,
            clock=self.clock,
            holder=self._holder,
            data_centre=self._data_centre,
        )
        task = self.minder.start(gauges.run(), name="gauges")
        self._stack.push_async_callback(self._cancelled, task)

    def open_weather(self, parts: ProcessParts) -> None:
        """Tells the store how integrations fare with their providers, as far as this process sees it."""
        reporter = WeatherReporter(
            store=parts.store, watch=parts.cronofy.watch, clock=self.clock, process_id=self._holder
        )
        task = self.minder.start(reporter.run(), name="weather reports")
        self._stack.push_async_callback(self._cancelled, task)

    def open_reports(self, store: Store, *, does: str, takes: Sequence[str]) -> None:
        """Tells the store what only this process knows, for the operations page of any other one."""
        holder = self._holder
        reports = Heartbeat(store=store, clock=self.clock, process_id=holder, does=does, takes=takes)
        task = self.minder.start(reports.run(), name="reports")

        async def stop() -> None:
            task.cancel()
            await asyncio.wait([task])
            await reports.leave()

        self._stack.push_async_callback(stop)

    async def open_parked(self, store: Store, broker: Broker) -> None:
        """Makes dead letters of what RabbitMQ gave up."""
        parked = ParkedMessages(store=store, broker=broker, clock=self.clock)
        await parked.start()
        self.readiness.needs("parked", lambda: parked.alive)
        task = self.minder.start(parked.run(), name="parked messages")

        async def stop() -> None:
            await parked.stop()
            await self._ended(task)

        self._stack.push_async_callback(stop)

    def _begin_outbound(self, parts: ProcessParts, broker: Broker, *, takes_messages: bool) -> StopWork:
        settings = self._settings
        consumer = OutboundConsumer(
            store=parts.store,
            broker=broker,
            cronofy=parts.cronofy.gateway,
            budget=parts.cronofy.budget,
            looker=parts.looker,
            clock=self.clock,
            instance_id=new_id(),
            prefetch=settings.prefetch,
            intake_size=settings.intake_size,
            concurrency=settings.writes_at_once,
            retry_delays=settings.retry_delays,
            shutdown_grace=settings.shutdown_grace,
            takes_messages=takes_messages,
            gate=self._gate(QUEUE_OUTBOUND, parts),
        )
        self.readiness.needs("outbound", lambda: consumer.ready)
        task = self.minder.start(consumer.run(), name="outbound")

        async def stop() -> None:
            await consumer.stop()
            await asyncio.wait([task])

        return stop

    async def _begin_loop(self, loop: MessageLoop) -> StopWork:
        await loop.start()
        self.readiness.needs(loop.queue, lambda: loop.alive)

        async def stop() -> None:
            await loop.stop(grace=self._settings.shutdown_grace)

        return stop

    def _loop(self, kind: str, parts: ProcessParts, broker: Broker) -> MessageLoop:
        handlers: dict[str, tuple[str, type[Message], MessageHandler]] = {
            "inbound": (QUEUE_INBOUND, NoticeReceived, parts.notices),
            "runs": (QUEUE_RUNS, RunRequested, parts.runs),
            "people": (QUEUE_PEOPLE, PersonChanged, parts.people),
        }
        queue, expected, handler = handlers[kind]
        return MessageLoop(
            queue=queue,
            expected=expected,
            handler=handler,
            broker=broker,
            store=parts.store,
            clock=self.clock,
            delays=self._settings.retry_delays,
            concurrency=self._settings.concurrency,
            gate=self._gate(queue, parts),
        )

    def _gate(self, queue: str, parts: ProcessParts) -> Gate:
        """Pauses this consumer; not ready while it is bug after bug that pauses it."""
        census = partial(tenants_here, parts.store)
        gate = Gate(
            queue=queue,
            clock=self.clock,
            census=census,
            breaker=parts.cronofy.breaker,
            keys=parts.cronofy.keys,
        )
        self.readiness.needs(f"brake of {queue}", lambda: not gate.brake.on)
        return gate

    async def _cancelled(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.wait([task])

    async def _ended(self, task: "asyncio.Task[None]") -> None:
        """Wait for it, at most the grace time."""
        await asyncio.wait([task], timeout=self._settings.shutdown_grace)
        await self._cancelled(task)

    # -- what is asked of it --------------------------------------------------------------------

    def pages(
        self,
        parts: ProcessParts,
        *,
        depths: QueueDepths | None = None,
        beside: Iterable[BaseRoute] = (),
        framed: bool = False,
    ) -> ASGIApp:
        """Pages and API; ``depths`` counts what waits in the queues."""
        # Consumers and keepers show no pages: without them they start sooner and stay 25 MiB smaller.
        from service.app.pages import make_web_services  # noqa: PLC0415
        from service.web.application import create_web  # noqa: PLC0415

        settings = self._settings
        services = make_web_services(
            parts,
            self.clock,
            sign_in_secrets=reveal(settings.sign_in_secret),
            public_url=settings.public_url,
            data_centre=self._data_centre,
            vorex_url=settings.vorex_url,
            depths=depths,
            per_second=settings.cronofy_requests_per_second,
            per_minute=settings.cronofy_requests_per_minute,
        )
        return create_web(
            services, because=self.readiness, beside=beside, framed=framed, private=settings.private
        )

    async def serve_status_apart(self) -> None:
        """For what serves pages or takes notices: a port of its own, where the world reaches those."""
        if self._settings.private:
            log.info("process.starting", version=VERSION)
        else:
            await self.serve_status()

    async def serve_status(self) -> int:
        """Health and metrics alone; open first, so that they can be asked to the end."""
        port = await self.serve(Starlette(routes=health_routes(self.readiness)), self._settings.status_port)
        log.info(
            "process.starting", version=VERSION, port=port, address=local_address(self._settings.host, port)
        )
        return port

    async def serve(self, app: ASGIApp, port: int) -> int:
        """The port on which the application is served."""
        listener = listening_socket(self._settings.host, port)
        self.minder.mind(await self._stack.enter_async_context(serve_in_background(app, listener)))
        return port_of(listener)


async def _stop_all(stops: Sequence[StopWork]) -> None:
    await asyncio.gather(*(stop() for stop in stops))

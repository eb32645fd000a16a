"""``doctor``: looks at everything that a process stands on, and names the remedy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

from contracts.errors import GrantRefused, SyncError
from contracts.messages import QUEUE_PARKED
from contracts.ports import Broker, Clock
from service.app.connections import open_parts, open_rabbitmq
from service.keeper import CHORE_LEASE_PREFIX
from service.monitoring.vitals import LATE_MESSAGE_SECONDS, QueueDepth, Vitals
from service.settings import CommandName, Settings, shortcomings
from service.store.engine import leases
from service.store.engine.store import Store
from service.store.integrations import channels

LONG_QUEUE_MESSAGES = 10_000
_NO_TOKEN = "calendar-sync-doctor"  # noqa: S105 -- refused by Cronofy, and that is the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One line of the doctor's."""

    name: str
    well: bool | None
    """None where it could not be looked at."""
    said: str
    remedy: str | None = None

    @property
    def line(self) -> str:
        mark = {True: "ok", False: "failed", None: "skipped"}[self.well]
        return f"[{mark}] {self.name}: {self.said}" + (f" – {self.remedy}" if self.remedy else "")

    def form(self) -> dict[str, Any]:
        return asdict(self)


async def check_everything(settings: Settings, clock: Clock) -> AsyncIterator[CheckResult]:
    """What was found, one thing after the other; what stands on a broken thing is skipped."""
    lacking = _settings(settings)
    yield lacking
    async with AsyncExitStack() as stack:
        store = Store(settings.database_url, pool_size=settings.database_pool_size)
        stack.push_async_callback(store.close)
        schema = await _schema(store)
        yield schema
        broker, found = await _broker(settings, stack)
        yield found
        yield await _topology(broker, found)
        vitals = Vitals(store, broker)
        if schema.well:
            yield await _cronofy(settings, stack, store, clock)
            yield await _channels(store)
            yield await _outbox(vitals)
            yield await _letters(vitals)
            yield await _integrations(vitals)
            yield await _keepers(store)
        else:
            for name in ("cronofy", "channels", "outbox", "dead letters", "integrations", "keeper"):
                yield _skipped(name, "the database")
        for queue, depth in (await vitals.queues()).items():
            yield _queue(queue, depth)


def _settings(settings: Settings) -> CheckResult:
    commands: Sequence[CommandName] = ("up",) if settings.embedded_broker else ("consume", "relay", "web")
    lines = {line.split(";")[0]: line for command in commands for line in shortcomings(settings, command)}
    said = "; ".join(lines.values()) or "complete"
    return CheckResult(
        name="settings",
        well=not lines,
        said=said,
        remedy="set them in the environment or in .env" if lines else None,
    )


async def _schema(store: Store) -> CheckResult:
    try:
        difference = await store.behind()
    except SyncError as error:
        return _failed("database", str(error), "check CALENDAR_SYNC_DATABASE_URL and that the server runs")
    if difference:
        return _failed("database", difference, "run: calendar-sync migrate")
    return CheckResult(name="database", well=True, said="reachable, schema up to date")


async def _broker(settings: Settings, stack: AsyncExitStack) -> tuple[Broker | None, CheckResult]:
    if settings.embedded_broker:
        return None, CheckResult(name="broker", well=True, said="embedded in up; it begins and ends with it")
    try:
        broker = await open_rabbitmq(settings, stack)
    except SyncError as error:
        remedy = "check CALENDAR_SYNC_BROKER_URL and that RabbitMQ runs"
        return None, _failed("broker", str(error), remedy)
    return broker, CheckResult(name="broker", well=True, said="reachable")


async def _topology(broker: Broker | None, found: CheckResult) -> CheckResult:
    if broker is None:
        return _skipped("topology", "the broker") if not found.well else _well("topology", "embedded")
    try:
        missing = await broker.missing()
    except SyncError as error:
        return _failed("topology", str(error), "see the broker")
    if missing:
        return _failed("topology", f"missing {', '.join(missing)}", "run: calendar-sync topology")
    return _well("topology", "complete")


async def _cronofy(settings: Settings, stack: AsyncExitStack, store: Store, clock: Clock) -> CheckResult:
    """A token that does not exist is refused, and how it is refused tells whether we are known."""
    remedy = "check CALENDAR_SYNC_CRONOFY_CLIENT_ID, _CLIENT_SECRET and _API_URL"
    if not (settings.encryption_keys and settings.cronofy_client_id and settings.cronofy_client_secret):
        return _skipped("cronofy", "the settings")
    parts = await open_parts(settings, stack, store, clock)
    try:
        await parts.cronofy.gateway.refresh(_NO_TOKEN)
    except GrantRefused:
        return _well("cronofy", "reachable, it knows this client id and secret")
    except SyncError as error:
        return _failed("cronofy", str(error), remedy)
    return _failed("cronofy", "it gave a token for none", remedy)


async def _channels(store: Store) -> CheckResult:
    async with store.read() as connection:
        lacking = await channels.without_channel(connection)
    if lacking:
        said = f"{len(lacking)} integrations get no notices, the first is {lacking[0]}"
        return _failed("channels", said, "is a keeper running, and NOTICES_URL reachable for Cronofy?")
    return _well("channels", "every connected integration has one")


async def _outbox(vitals: Vitals) -> CheckResult:
    late = (await vitals.outbox(longer_than=LATE_MESSAGE_SECONDS)).waiting
    if late:
        said = f"{late} messages wait for longer than {LATE_MESSAGE_SECONDS:.0f} seconds"
        return _failed("outbox", said, "is any process running, and the topology complete?")
    return _well("outbox", "nothing waits")


async def _letters(vitals: Vitals) -> CheckResult:
    count = sum((await vitals.open_letters()).values())
    said = f"{count} open"
    return _well("dead letters", said + (" – see: calendar-sync dead-letters groups" if count else ""))


async def _integrations(vitals: Vitals) -> CheckResult:
    """How they stand; what is not connected waits for its owner, and that is no failure."""
    counted = (await vitals.integrations()).items()
    words = (f"{number} {state.replace('_', ' ')}" for state, number in counted if number)
    return _well("integrations", ", ".join(words) or "none yet")


async def _keepers(store: Store) -> CheckResult:
    """None is no failure while everything else is stopped too, so it is only said."""
    async with store.read() as connection:
        running = await leases.count_holders(connection, CHORE_LEASE_PREFIX, now=await store.now(connection))
    said = f"{running} at work" if running else "none is running – start one: calendar-sync keeper"
    return _well("keeper", said)


def _queue(queue: str, depth: QueueDepth) -> CheckResult:
    if depth is None:
        return _skipped(queue, "the broker")
    if isinstance(depth, SyncError):
        return _failed(queue, str(depth), "run: calendar-sync topology")
    if queue == QUEUE_PARKED and depth:
        return _failed(queue, f"{depth} messages", "a keeper makes dead letters of them: is one running?")
    if depth >= LONG_QUEUE_MESSAGES:
        return _failed(queue, f"{depth} messages", "start more consumers, or see their logs")
    return _well(queue, f"{depth} messages")


def _well(name: str, said: str) -> CheckResult:
    return CheckResult(name=name, well=True, said=said)


def _failed(name: str, said: str, remedy: str) -> CheckResult:
    return CheckResult(name=name, well=False, said=said, remedy=remedy)


def _skipped(name: str, cause: str) -> CheckResult:
    return CheckResult(name=name, well=None, said=f"not looked at, for {cause} is not there")

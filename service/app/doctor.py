"""``doctor``: looks at everything that a process stands on, and names the remedy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

from contracts.errors import GrantRefused, SyncError, Unavailable
from contracts.messages import QUEUE_PARKED
from contracts.ports import Broker, Clock
from service.app.check_results import CheckResult, failed, skipped, well
from service.app.connections import open_parts, open_rabbitmq, sealed_tokens
from service.app.doctor_live import LiveFinding, try_everything
from service.app.doctor_settings import look_at_settings
from service.app.tracing import look_at_tracing
from service.cronofy.live.calendar import TrialCalendar
from service.keeper import CHORE_LEASE_PREFIX
from service.monitoring.vitals import LATE_MESSAGE_SECONDS, QueueDepth, Vitals
from service.monitoring.weather import WeatherNotices, data_centre_of
from service.operations.weather_words import describe_weather
from service.settings import Settings
from service.store.engine import leases
from service.store.engine.store import Store
from service.store.integrations import channels, listing

ON_THE_DATABASE = (
    "encryption keys", "cronofy", "channels", "outbox", "dead letters", "integrations", "old protocol",
    "keeper", "provider weather",
)  # fmt: skip
LONG_QUEUE_MESSAGES = 10_000
_DATABASE_REMEDY = "check CALENDAR_SYNC_DATABASE_URL and that the server runs"
_BROKER_REMEDY = "check CALENDAR_SYNC_BROKER_URL and that RabbitMQ runs"
_NO_TOKEN = "calendar-sync-doctor"  # noqa: S105 -- refused by Cronofy, and that is the answer


async def check_everything(
    settings: Settings, clock: Clock, *, unknown: Sequence[str] = (), live: bool = False
) -> AsyncIterator[CheckResult | LiveFinding]:
    """What was found, one thing after the other; what stands on a broken thing is skipped, and none is made.

    ``unknown``: a sentence for each name that is no setting. ``live``: what is assumed of Cronofy is tried
    as well, on a calendar without a person.
    """
    yield look_at_settings(settings, unknown)
    yield look_at_tracing()
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
            yield await _keys(settings, store)
            yield await _cronofy(settings, stack, store, clock)
            yield await _channels(store)
            yield await _outbox(vitals)
            yield await _letters(vitals)
            yield await _integrations(vitals)
            yield await _old_protocol(store)
            yield await _keepers(store)
            yield await _weather(settings, store)
        else:
            for name in ON_THE_DATABASE:
                yield skipped(name, "the database")
        for queue, depth in (await vitals.queues()).items():
            yield _queue(queue, depth)
        if live and schema.well and _knows_cronofy(settings):
            async for finding in _tried(settings, stack, store, clock):
                yield finding
        elif live:
            yield skipped("live", "the database, or one of Cronofy's settings,")


def _knows_cronofy(settings: Settings) -> bool:
    return bool(settings.encryption_keys and settings.cronofy_client_id and settings.cronofy_client_secret)


async def _tried(
    settings: Settings, stack: AsyncExitStack, store: Store, clock: Clock
) -> AsyncIterator[LiveFinding]:
    cronofy = (await open_parts(settings, stack, store, clock)).cronofy
    calendar = TrialCalendar(
        transport=cronofy.transport,
        oauth=cronofy.oauth,
        clock=clock,
        callback_address=settings.callback_address,
    )
    async for finding in try_everything(calendar):
        yield finding


async def _schema(store: Store) -> CheckResult:
    if (missing := store.missing_file()) is not None:
        return failed("database", *missing)
    try:
        schema = await store.schema()
    except SyncError as error:
        return failed("database", str(error), _remedy(error, _DATABASE_REMEDY))
    if schema.trouble:
        return failed("database", *schema.trouble)
    later = f"schema at {schema.present}, made by a later version that this one can work beside"
    return well("database", f"reachable, {later if schema.later else 'schema up to date'}")


def _remedy(error: SyncError, otherwise: str) -> str:
    return (error.remedy if isinstance(error, Unavailable) else None) or otherwise


async def _keys(settings: Settings, store: Store) -> CheckResult:
    if not settings.encryption_keys:
        return skipped("encryption keys", "CALENDAR_SYNC_ENCRYPTION_KEYS")
    counts = await sealed_tokens(settings, store).counted()
    if counts.unopened:
        said = f"none of them opens the tokens of {counts.unopened} accounts"
        return failed("encryption keys", said, "give the missing key back; see: calendar-sync keys status")
    if counts.older:
        said = f"{counts.older} accounts' tokens are left under an older key"
        return well("encryption keys", said, "to need it no more: calendar-sync keys rotate")
    return well("encryption keys", f"the newest opens the tokens of all {counts.newest} accounts")


async def _broker(settings: Settings, stack: AsyncExitStack) -> tuple[Broker | None, CheckResult]:
    if settings.embedded_broker:
        return None, well("broker", "embedded in up; it begins and ends with it")
    try:
        broker = await open_rabbitmq(settings, stack)
    except SyncError as error:
        return None, failed("broker", str(error), _remedy(error, _BROKER_REMEDY))
    return broker, well("broker", "reachable")


async def _topology(broker: Broker | None, found: CheckResult) -> CheckResult:
    if broker is None:
        return skipped("topology", "the broker") if not found.well else well("topology", "embedded")
    try:
        missing = await broker.missing()
    except SyncError as error:
        return failed("topology", str(error), "see the broker")
    if missing:
        return failed("topology", f"missing {', '.join(missing)}", "run: calendar-sync topology")
    return well("topology", "complete")


async def _cronofy(settings: Settings, stack: AsyncExitStack, store: Store, clock: Clock) -> CheckResult:
    """A token that does not exist is refused, and how it is refused tells whether we are known."""
    remedy = "check CALENDAR_SYNC_CRONOFY_CLIENT_ID, _CLIENT_SECRET and _API_URL"
    if not _knows_cronofy(settings):
        return skipped("cronofy", "the settings")
    parts = await open_parts(settings, stack, store, clock)
    try:
        await parts.cronofy.gateway.refresh(_NO_TOKEN)
    except GrantRefused:
        return well("cronofy", "reachable, it knows this client id and secret")
    except SyncError as error:
        return failed("cronofy", str(error), remedy)
    return failed("cronofy", "it gave a token for none", remedy)


async def _channels(store: Store) -> CheckResult:
    async with store.read() as connection:
        lacking = await channels.without_channel(connection)
    if lacking:
        said = f"{len(lacking)} integrations get no notices, the first is {lacking[0]}"
        return failed("channels", said, "is a keeper running, and NOTICES_URL reachable for Cronofy?")
    return well("channels", "every connected integration has one")


async def _outbox(vitals: Vitals) -> CheckResult:
    late = (await vitals.outbox(longer_than=LATE_MESSAGE_SECONDS)).waiting
    if late:
        said = f"{late} messages wait for longer than {LATE_MESSAGE_SECONDS:.0f} seconds"
        return failed("outbox", said, "is any process running, and the topology complete?")
    return well("outbox", "nothing waits")


async def _letters(vitals: Vitals) -> CheckResult:
    count = sum((await vitals.open_letters()).values())
    said = f"{count} open"
    return well("dead letters", said + (" – see: calendar-sync dead-letters groups" if count else ""))


async def _integrations(vitals: Vitals) -> CheckResult:
    """How they stand; what is not connected waits for its owner, and that is no failure."""
    counted = (await vitals.integrations()).items()
    words = (f"{number} {state.replace('_', ' ')}" for state, number in counted if number)
    return well("integrations", ", ".join(words) or "none yet")


async def _old_protocol(store: Store) -> CheckResult:
    """Accounts that will stop working one day; their owners find the way out on their list (R22)."""
    async with store.read() as connection:
        count = await listing.count_old_protocol(connection)
    told = (
        f"{count} accounts are reached by Exchange's old protocol – their owners can move them on their list"
    )
    return well("old protocol", told if count else "no account is reached by Exchange's old one")


async def _keepers(store: Store) -> CheckResult:
    """None is no failure while everything else is stopped too, so it is only said."""
    async with store.read() as connection:
        running = await leases.count_holders(connection, CHORE_LEASE_PREFIX, now=await store.now(connection))
    said = f"{running} at work" if running else "none is running – start one: calendar-sync keeper"
    return well("keeper", said)


async def _weather(settings: Settings, store: Store) -> CheckResult:
    """Told, and no failure of this installation."""
    told = await WeatherNotices(store, data_centre=data_centre_of(settings.cronofy_api_url)).all()
    said = " ".join(describe_weather(one).said for one in told)
    return well("provider weather", said or "no provider is slow or failing for many")


def _queue(queue: str, depth: QueueDepth) -> CheckResult:
    if depth is None:
        return skipped(queue, "the broker")
    if isinstance(depth, SyncError):
        return failed(queue, str(depth), "run: calendar-sync topology")
    if queue == QUEUE_PARKED and depth:
        return failed(queue, f"{depth} messages", "a keeper makes dead letters of them: is one running?")
    if depth >= LONG_QUEUE_MESSAGES:
        return failed(queue, f"{depth} messages", "start more consumers, or see their logs")
    return well(queue, f"{depth} messages")

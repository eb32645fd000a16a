"""Opens what a process reaches outside itself: the database, RabbitMQ, Cronofy."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from contracts.errors import Permanent
from contracts.ports import Broker, Clock, Publisher
from service.app.cronofy import CronofyParts, open_budget, open_cronofy
from service.app.parts import CompanyAddresses, ProcessParts, assemble
from service.broker.rabbitmq import RabbitBroker
from service.cronofy.oauth import CronofyAccess
from service.integrations.leavers.signing import RecordSigner
from service.outbox import StorePublisher
from service.settings import Settings
from service.store.engine.single_process import be_the_only_process
from service.store.engine.store import Store
from service.store.integrations.credentials import CredentialsTable
from service.store.integrations.sealed_tokens import SealedTokens
from service.store.operations.budget import BudgetRow
from service.web.paths import CALLBACK_PATH


class SetupIncomplete(Permanent):
    """Something that another command prepares is missing."""


async def open_store(
    settings: Settings,
    stack: AsyncExitStack,
    *,
    migrate: bool = False,
    only: bool = False,
    on_enqueued: Callable[[], None] = lambda: None,
) -> Store:
    """The store with the schema that this program needs. Raises SetupIncomplete where it is another.

    ``only``: for one process at a time. Raises DatabaseOccupied. ``on_enqueued``: called after
    a commit that put messages into the outbox.
    """
    store = bare_store(settings, stack, creates=migrate, on_enqueued=on_enqueued)
    if only:
        await stack.enter_async_context(be_the_only_process(store))
    if trouble := (await store.upgrade() if migrate else await store.schema()).trouble:
        raise SetupIncomplete("; ".join(trouble))
    return store


def bare_store(
    settings: Settings,
    stack: AsyncExitStack,
    *,
    creates: bool = False,
    on_enqueued: Callable[[], None] = lambda: None,
) -> Store:
    """The store with whatever schema it has. Raises SetupIncomplete where its file is not there.

    ``creates``: the file is made where it is not there.
    """
    store = Store(settings.database_url, on_enqueued=on_enqueued, pool_size=settings.database_pool_size)
    stack.push_async_callback(store.close)
    if not creates and (missing := store.missing_file()):
        raise SetupIncomplete("; ".join(word for word in missing if word))
    return store


async def open_rabbitmq(settings: Settings, stack: AsyncExitStack) -> Broker:
    """RabbitMQ, whatever of the topology is there. Raises Unavailable."""
    broker = RabbitBroker(settings.broker_url, retry_delays=settings.retry_delays)
    stack.push_async_callback(broker.close)
    await broker.open()
    return broker


async def check_topology(broker: Broker) -> None:
    """Raises SetupIncomplete naming what is missing."""
    if missing := await broker.missing():
        raise SetupIncomplete(f"missing on RabbitMQ: {', '.join(missing)}; run: calendar-sync topology")


def sealed_tokens(settings: Settings, store: Store) -> SealedTokens:
    """What is encrypted in the store, and the keys to it."""
    return SealedTokens(store, reveal(settings.encryption_keys))


def record_signer(settings: Settings) -> RecordSigner:
    """What signs records of removal (R54)."""
    return RecordSigner(reveal(settings.encryption_keys))


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[Publisher]:
    """Where ``publish`` hands over: RabbitMQ, or the outbox that ``up`` sends."""
    async with AsyncExitStack() as stack:
        if settings.embedded_broker:
            yield StorePublisher(await open_store(settings, stack))
        else:
            broker = await open_rabbitmq(settings, stack)
            await check_topology(broker)
            yield broker


async def open_parts(settings: Settings, stack: AsyncExitStack, store: Store, clock: Clock) -> ProcessParts:
    """Cronofy's gateway with budget and tokens from the store, and what is built on it."""
    cronofy = _cronofy(settings, store, clock)
    stack.push_async_callback(cronofy.close)
    return assemble(
        store,
        cronofy,
        clock,
        callback_address=settings.callback_address,
        redirect_uri=f"{settings.public_url}{CALLBACK_PATH}",
        company_addresses=CompanyAddresses.at(settings.public_url),
        delays=settings.retry_delays,
    )


def _cronofy(settings: Settings, store: Store, clock: Clock) -> CronofyParts:
    return open_cronofy(
        CronofyAccess(
            api_url=settings.cronofy_api_url,
            app_url=settings.cronofy_app_url,
            client_id=settings.cronofy_client_id or "",
            client_secrets=reveal(settings.cronofy_client_secret),
        ),
        credentials=CredentialsTable(store, reveal(settings.encryption_keys)),
        budget=open_budget(
            BudgetRow(store),
            clock,
            per_second=settings.cronofy_requests_per_second,
            per_minute=settings.cronofy_requests_per_minute,
        ),
        clock=clock,
        batch_cost=settings.cronofy_batch_cost,
    )


def reveal(secrets: Sequence[SecretStr]) -> list[str]:
    """The secrets as those who need them take them."""
    return [secret.get_secret_value() for secret in secrets]

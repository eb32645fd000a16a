"""Messages that the broker gave up become dead letters."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import structlog

from contracts.envelope import NoticeReceived, PersonLeft, RunRequested, SessionRevoked
from contracts.errors import SyncError
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, QUEUE_PARKED, QUEUE_PEOPLE, QUEUE_RUNS
from contracts.ports import Broker, Clock, Delivery, Subscription
from handlers.settlement import LinkFailure
from service.broker.topology import WORK_QUEUES
from service.consumers.failures import form_of, identity_of, letter_of
from service.consumers.owners import MessageOwners
from service.integrations.facts import tell_failed_runs
from service.store.engine.store import Store
from service.store.messages.burying import bury
from service.store.messages.inbox import known_of
from service.store.messages.ownership import trace_of
from service.telemetry.logs import MESSAGE_WAITING, EventName

log = structlog.get_logger(__name__)

LETTER_IMPORTED: EventName = "letter.imported"
PARKED_A_TRANSACTION = 100
PARKED_AT_HAND = 4 * PARKED_A_TRANSACTION
"""Among these tenants take turns; to send on what waits behind them costs as much as to import it."""
MOST_TURNS_KEPT = 1_000
"""Tenants whose last turn is remembered."""
PARKED_PAUSE_SECONDS = 2.0
"""Seconds after which what could not be stored is tried again."""
BURY_RETURNED_TOO_OFTEN = LinkFailure(
    transient=False,
    code="delivery_limit",
    reason="RabbitMQ gave this message up: it was returned unsettled too often.",
)
BURY_EXPIRED = LinkFailure(
    transient=False,
    code="delivery_limit",
    reason="RabbitMQ gave this message up: it was published to expire, and did before it was taken.",
)
_HOMES = {
    NoticeReceived.type_word(): QUEUE_INBOUND,
    RunRequested.type_word(): QUEUE_RUNS,
    SessionRevoked.type_word(): QUEUE_PEOPLE,
    PersonLeft.type_word(): QUEUE_PEOPLE,
}


class ParkedMessages:
    """Takes from the last net and acknowledges what is stored; several processes may do so at once.

    Each transaction is one tenant's, and of those that wait it is the one's whose last turn is longest ago:
    nobody's costs more for what another has parked (R44).
    """

    def __init__(self, *, store: Store, broker: Broker, clock: Clock) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._waiting: deque[Delivery] = deque()
        self._owners = MessageOwners(store)
        self._turns: list[str] = []
        self._arrived = asyncio.Event()
        self._stopping = False
        self._subscription: Subscription | None = None

    @property
    def alive(self) -> bool:
        return self._subscription is not None and self._subscription.alive

    def deliver(self, delivery: Delivery) -> None:
        self._waiting.append(replace(delivery, queue=_home(delivery)))
        self._arrived.set()

    def lost(self, generation: int) -> None:
        self._waiting = deque(each for each in self._waiting if each.generation != generation)

    async def start(self) -> None:
        self._subscription = await self._broker.subscribe(QUEUE_PARKED, prefetch=PARKED_AT_HAND, sink=self)

    async def run(self) -> None:
        """Import until ``stop``."""
        while not self._stopping:
            self._arrived.clear()
            if not self._waiting:
                await self._arrived.wait()
                continue
            if left := await self._import(await self._next()):
                self._waiting.extend(left)
                await self._clock.sleep(PARKED_PAUSE_SECONDS)

    async def _next(self) -> Sequence[Delivery]:
        """Taken out of those that wait: the oldest of the tenant whose turn it is."""
        waiting = list(self._waiting)
        tenants = await self._owners.of(waiting)
        rank = {tenant: place for place, tenant in enumerate(self._turns)}
        turn = min(tenants, key=lambda tenant: rank.get(tenant, -1))
        self._turns = [*[each for each in self._turns if each != turn][-MOST_TURNS_KEPT + 1 :], turn]
        theirs = [each for each, tenant in zip(waiting, tenants, strict=True) if tenant == turn]
        taken = {id(each): each for each in theirs[:PARKED_A_TRANSACTION]}
        here = [each for each in self._waiting if id(each) in taken]  # some may have been lost meanwhile
        self._waiting = deque(each for each in self._waiting if id(each) not in taken)
        return here

    async def stop(self) -> None:
        self._stopping = True
        self._arrived.set()
        if self._subscription:
            await self._subscription.close()

    async def _import(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that could not be stored; one that is refused for what it holds hinders no other."""
        try:
            await self._keep(deliveries)
        except Exception as error:  # noqa: BLE001 -- whatever it is, nothing is acknowledged that is not kept
            if not isinstance(error, SyncError) and len(deliveries) > 1:
                return [one for each in deliveries for one in await self._import([each])]
            reason = str(error) if isinstance(error, SyncError) else type(error).__name__
            log.warning(MESSAGE_WAITING, queue=QUEUE_PARKED, reason=reason, seconds=PARKED_PAUSE_SECONDS)
            return deliveries
        assert self._subscription is not None
        await self._subscription.ack(deliveries)
        return ()

    async def _keep(self, deliveries: Sequence[Delivery]) -> None:
        keys = [(each.queue, identity_of(each)) for each in deliveries]
        async with self._store.begin() as connection:
            finished = await known_of(connection, keys)  # only the acknowledgement was lost each time
            unknown = [each for each, key in zip(deliveries, keys, strict=True) if key not in finished]
            letters = [await letter_of(each, identity_of(each), _why(each)) for each in unknown]
            now = await self._store.moment(connection)
            whose = await bury(connection, letters, now=now)
            await tell_failed_runs(connection, whose, now=now)
        for letter in letters:
            trace_id = trace_of(letter.body, (letter.source, letter.message_id))
            log.warning(LETTER_IMPORTED, queue=letter.queue, message_id=letter.message_id, trace_id=trace_id)


def _why(delivery: Delivery) -> LinkFailure:
    return BURY_EXPIRED if delivery.expired else BURY_RETURNED_TOO_OFTEN


def _home(delivery: Delivery) -> str:
    """The queue that gave it up; where nobody says so, the one that such messages come by."""
    if delivery.origin in WORK_QUEUES:
        return delivery.origin
    kind = form_of(delivery.body).get("type")
    return _HOMES.get(kind, QUEUE_OUTBOUND) if isinstance(kind, str) else QUEUE_OUTBOUND

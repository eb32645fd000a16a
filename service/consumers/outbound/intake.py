"""Taking messages in: readable ones as one set, unreadable and dangerous ones apart."""

from collections.abc import Collection, Sequence

from contracts.calendar import LinkId
from contracts.envelope import ItemChanged
from contracts.errors import Permanent, Transient
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery, HandOver
from handlers.settlement import LinkFailure
from service.consumers.failures import (
    CRASH_FAILURE,
    MOST_CRASHES,
    failure_of,
    identity_of,
    note_age,
    read_message,
)
from service.consumers.outbound.faults import say_fault
from service.consumers.outbound.state import OutboundState
from service.consumers.outbound.transaction_a import (
    DecodedDelivery,
    StoredIntake,
    TransactionA,
    update_memory,
)
from service.consumers.outbound.transaction_b import TransactionB
from service.consumers.outbound.window import WindowEntry
from service.consumers.outcomes import begin_message, log_finished
from service.crashpoints import crash_point
from service.store.engine.store import IntegrityError, SQLAlchemyError
from service.store.messages import suspects
from service.store.messages.ownership import owner_in_turns, trace_of
from service.telemetry.spans import SpanOrigin, did, moment

INTAKE_ATTEMPTS = 10
"""How often another process may be first with an item before the set is halved."""


class Intake:
    """The way of deliveries into the window; raises Transient where the store cannot be used."""

    def __init__(self, state: OutboundState, transaction_b: TransactionB, hand_over: HandOver) -> None:
        self._state = state
        self._transaction_b = transaction_b
        self._hand_over = hand_over
        self._noted: dict[str, int] = {}
        """Suspects that this process has in hand, and how often others died over each before."""
        self.handled: set[int] = set()
        """The deliveries of the present call that are dealt with, by identity."""

    async def together(self, deliveries: Sequence[Delivery]) -> None:
        """Take these in as one set, the unreadable ones as dead letters."""
        decoded = [await self._decoded(delivery) for delivery in deliveries]
        arrived = [each for each in decoded if each is not None]
        await self._take(arrived)

    async def watched(self, deliveries: Sequence[Delivery]) -> None:
        """Take in messages among which may be what killed this consumer: each over which one died alone."""
        names = {id(each): suspects.name_of(each.body) for each in deliveries}
        async with self._state.store.read() as connection:
            known = await suspects.crashes_over(connection, QUEUE_OUTBOUND, {*names.values()})
        crashes = {**known, **self._noted}
        calm = [each for each in deliveries if not crashes.get(names[id(each)])]
        await self._noting(calm)
        for each in (one for one in deliveries if crashes.get(names[id(one)])):
            if crashes[names[id(each)]] >= MOST_CRASHES:
                await self._refuse(each, CRASH_FAILURE)
            else:
                await self._noting([each])

    async def _noting(self, deliveries: Sequence[Delivery]) -> None:
        names = {suspects.name_of(each.body) for each in deliveries}
        await self._note(names - self._noted.keys())
        decoded = [await self._decoded(delivery) for delivery in deliveries]
        await self._take([each for each in decoded if each is not None], watched=names)
        for name in names:
            self._noted.pop(name, None)

    async def _note(self, names: Collection[str]) -> None:
        """Once per life of this process, for trying again is no crash."""
        if names:
            async with self._state.writing() as connection:
                moment = await self._state.store.moment(connection)
                before = await suspects.suspect(connection, QUEUE_OUTBOUND, names, now=moment)
            self._noted |= before

    async def _decoded(self, delivery: Delivery) -> DecodedDelivery | None:
        message = read_message(delivery, expected=ItemChanged)
        if isinstance(message, LinkFailure):
            await self._refuse(delivery, message)
            return None
        return DecodedDelivery.of(delivery, message)

    async def _refuse(self, delivery: Delivery, failure: LinkFailure) -> None:
        """Hand a message to the settling that no link will ever answer for."""
        entry = await entry_without_item(delivery)
        entry.failures[_NO_LINK] = failure
        self._state.window.add(entry, ())
        self.handled.add(id(delivery))

    async def _take(self, arrived: Sequence[DecodedDelivery], *, watched: Collection[str] = ()) -> None:
        if not arrived and not watched:
            return
        since = moment()
        try:
            taken = await self._commit(arrived, watched)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 -- some message's data: found by halving
            await self._divide(arrived, watched, error)
            return
        crash_point("outbound.2")
        update_memory(self._state, taken)
        self.handled.update(id(each.delivery) for each in arrived)
        did("plan", (each.span for each in arrived), since=since)
        now = self._state.clock.now()
        for each in arrived:
            note_age(now, each.received.message.time, each.delivery)
        await self._transaction_b.acknowledge(taken.finished)
        log_finished(QUEUE_OUTBOUND, taken.ended)
        if taken.outbox:
            await self._hand_over(taken.outbox)

    async def _commit(self, arrived: Sequence[DecodedDelivery], watched: Collection[str]) -> StoredIntake:
        for _ in range(INTAKE_ATTEMPTS):
            try:
                return await TransactionA(self._state, arrived).run(watched=watched)
            except IntegrityError:
                continue  # another process stored one of these items first: judge against its row
        return await TransactionA(self._state, arrived).run(watched=watched)

    async def _divide(
        self, arrived: Sequence[DecodedDelivery], watched: Collection[str], error: Exception
    ) -> None:
        if len(arrived) > 1:
            middle = len(arrived) // 2
            later = {suspects.name_of(each.delivery.body) for each in arrived[middle:]} if watched else set()
            await self._take(arrived[:middle], watched=[name for name in watched if name not in later])
            await self._take(arrived[middle:], watched=later)
            return
        for each in arrived:
            say_fault(error, step="take_in alone", deliveries=[each.delivery])
            await self._refuse(each.delivery, failure_of(_judged(error)))


_NO_LINK = LinkId("")


def _judged(error: Exception) -> Exception:
    """Of a message that is alone, what the database does not take is the message's own fault."""
    if not isinstance(error, SQLAlchemyError):
        return error
    refused = Permanent(f"the database refuses it ({type(error).__name__})")
    return refused.with_traceback(error.__traceback__)


async def entry_without_item(delivery: Delivery) -> WindowEntry:
    """A message in hand of which only the delivery is certain."""
    owner = await owner_in_turns(delivery.body)
    key = identity_of(delivery)
    origin = SpanOrigin(trace_id=trace_of(delivery.body, key))
    span = begin_message(QUEUE_OUTBOUND, key[1], delivery, origin)
    return WindowEntry(
        delivery=delivery, key=key, tenant_id=owner.tenant_id, trace_id=origin.trace_id, span=span
    )

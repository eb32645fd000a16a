"""Taking messages in: readable ones as one set, unreadable and dangerous ones apart (DESIGN 6.1)."""

import hashlib
import json
from collections.abc import Sequence

import structlog

from contracts.calendar import LinkId
from contracts.envelope import LARGEST_BODY, ItemChanged, decode
from contracts.errors import Malformed, Transient
from contracts.fields import LONGEST_ID
from contracts.ports import Delivery, HandOver
from handlers.settlement import Failure
from service.broker.topology import QUEUE_OUTBOUND
from service.consumers.failures import note_age
from service.consumers.outbound.outcomes import tell_finished
from service.consumers.outbound.sender import frames
from service.consumers.outbound.state import InHand
from service.consumers.outbound.transaction_a import Arrived, Taken, TransactionA, follow
from service.consumers.outbound.transaction_b import Settling
from service.consumers.outbound.window import Entry
from service.crashpoints import crash_point
from service.store.engine.store import IntegrityError, SQLAlchemyError
from service.store.messages import suspects
from service.telemetry.logs import EventName

log = structlog.get_logger(__name__)

FAULT: EventName = "outbound.fault"
SUSPICIOUS = 2
"""Returns from which on a message may be the one that kills its consumer."""
CRASHES = 3
OVERTAKEN = 10
"""How often another process may be first with an item before the set is halved."""


class Taking:
    """The way of deliveries into the window; raises Transient where the store cannot be used."""

    def __init__(self, hand: InHand, settling: Settling, hand_over: HandOver) -> None:
        self._hand = hand
        self._settling = settling
        self._hand_over = hand_over
        self._noted: set[str] = set()
        self.handled: set[int] = set()
        """The deliveries of the present call that are dealt with, by identity."""

    async def together(self, deliveries: Sequence[Delivery]) -> None:
        """Take these in as one set, the unreadable ones as dead letters."""
        arrived = [each for delivery in deliveries if (each := self._decoded(delivery)) is not None]
        await self._take(arrived)

    async def alone(self, delivery: Delivery) -> None:
        """Take in a message that may be what killed this consumer before (DESIGN 6.1)."""
        name = _name(delivery)
        if await self._note(name) >= CRASHES:
            reason = f"The consumer died {CRASHES} times while it had only this message in hand."
            self._refuse(delivery, Failure(transient=False, reason=reason, code="crash_loop"))
            return
        arrived = self._decoded(delivery)
        await self._take([arrived] if arrived else [], suspect=name)
        self._noted.discard(name)

    async def _note(self, name: str) -> int:
        """How often a process died over it; noted once per life of this one, for trying again is no crash."""
        if name in self._noted:
            return 0
        async with self._hand.writing() as connection:
            moment = await self._hand.store.moment(connection)
            crashes = await suspects.suspect(connection, QUEUE_OUTBOUND, name, now=moment)
        self._noted.add(name)
        return crashes

    def _decoded(self, delivery: Delivery) -> Arrived | None:
        try:
            return Arrived.of(delivery, decode(delivery.body, expected=ItemChanged))
        except Malformed as error:
            self._refuse(
                delivery,
                Failure(transient=False, reason=str(error), code=error.code, field=error.field),
            )
            return None

    def _refuse(self, delivery: Delivery, failure: Failure) -> None:
        """Hand a message to the settling that no link will ever answer for."""
        entry = entry_without_item(delivery)
        entry.failures[_NO_LINK] = failure
        self._hand.window.add(entry, ())
        self.handled.add(id(delivery))

    async def _take(self, arrived: Sequence[Arrived], *, suspect: str | None = None) -> None:
        if not arrived and suspect is None:
            return
        try:
            taken = await self._commit(arrived, suspect)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 -- some message's data: found by halving
            await self._divide(arrived, error)
            return
        crash_point("outbound.2")
        follow(self._hand, taken)
        self.handled.update(id(each.delivery) for each in arrived)
        now = self._hand.clock.now()
        for each in arrived:
            note_age(now, each.received.message.time, each.delivery)
        await self._settling.acknowledge(taken.finished)
        tell_finished(taken.finished, taken.outcomes)
        if taken.outbox:
            await self._hand_over(taken.outbox)

    async def _commit(self, arrived: Sequence[Arrived], suspect: str | None) -> Taken:
        for _ in range(OVERTAKEN):
            try:
                return await TransactionA(self._hand, arrived).run(suspect=suspect)
            except IntegrityError:
                continue  # another process stored one of these items first: judge against its row
        return await TransactionA(self._hand, arrived).run(suspect=suspect)

    async def _divide(self, arrived: Sequence[Arrived], error: Exception) -> None:
        if len(arrived) > 1:
            middle = len(arrived) // 2
            await self._take(arrived[:middle])
            await self._take(arrived[middle:])
            return
        for each in arrived:
            refused = isinstance(error, SQLAlchemyError)
            log.error(FAULT, message_id=each.key[1], exception=frames(error))
            failure = Failure(
                transient=not refused,
                reason=f"the database refuses it ({type(error).__name__})"
                if refused
                else f"an unexpected {type(error).__name__}",
                code="refused" if refused else "bug",
                exception=frames(error),
            )
            self._refuse(each.delivery, failure)


_NO_LINK = LinkId("")


def entry_without_item(delivery: Delivery) -> Entry:
    """A message in hand of which only the delivery is certain."""
    source, message_id, tenant_id = _said(delivery)
    return Entry(delivery=delivery, key=(source, message_id), tenant_id=tenant_id)


def _said(delivery: Delivery) -> tuple[str, str, str | None]:
    """Source, id and tenant as far as the body can be read at all."""
    try:
        form = json.loads(delivery.body) if len(delivery.body) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        form = None
    whole = form if isinstance(form, dict) else {}
    data = whole.get("data")
    tenant = data.get("tenant_id") if isinstance(data, dict) else None
    return (
        _word(whole.get("source")) or "",
        _word(whole.get("id")) or _name(delivery),
        _word(tenant),
    )


def _word(value: object) -> str | None:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()
    return str(value) if fits else None


def _name(delivery: Delivery) -> str:
    return _word(delivery.message_id) or hashlib.sha256(delivery.body).hexdigest()

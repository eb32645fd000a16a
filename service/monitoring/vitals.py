"""The vital signs of the whole installation, each read in one way by whoever tells them."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.errors import SyncError
from contracts.messages import QUEUE_PARKED
from contracts.ports import QueueDepths
from service.broker.topology import WORK_QUEUES
from service.cronofy.allowance import MINUTE_SPAN, SECOND_SPAN, Allowance
from service.store.engine.store import Store
from service.store.integrations import delays
from service.store.links import agreement
from service.store.messages import dead_letters, letter_counts, outbox
from service.store.messages.dead_letters import LetterFilter
from service.store.operations.budget import read_budget

LATE_MESSAGE_SECONDS = 60.0
"""What waits for longer than this, in the outbox or in a queue, is worth a sentence."""
BUDGET_WINDOWS: Mapping[str, int] = {"second": SECOND_SPAN, "minute": MINUTE_SPAN}
"""The spans over which Cronofy's budget is counted, in milliseconds."""

QueueDepth = int | SyncError | None
"""Messages that wait in a queue, what was in the way of counting, or None where there is no broker to ask."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxReading:
    """How many messages should have gone out, and for how many seconds the oldest has waited."""

    waiting: int
    age: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetReading:
    """What of Cronofy's budget is used in each window, and which part of it is taken at present (R32)."""

    at: float
    """Seconds since 1970 by the store."""
    used: Mapping[str, int]
    level: float
    """From 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementReading:
    """How many pairs agreed when each calendar was read whole last (R51)."""

    agree: int
    of: int
    unexplained: int
    """Pairs that differed in several checks in a row without a reason."""

    @property
    def ratio(self) -> float:
        """From 0 to 1; 1 where there is nothing to compare."""
        return self.agree / self.of if self.of else 1.0


class Vitals:
    """Reads what all processes share: whoever asks is told the same."""

    def __init__(self, store: Store, depths: QueueDepths | None) -> None:
        self._store = store
        self._depths = depths

    async def queues(self) -> Mapping[str, QueueDepth]:
        """The depth of every queue."""
        return {queue: await self._depth(queue) for queue in (*WORK_QUEUES, QUEUE_PARKED)}

    async def _depth(self, queue: str) -> QueueDepth:
        if self._depths is None:
            return None
        try:
            return await self._depths.depth(queue)
        except SyncError as error:
            return error

    async def outbox(self, *, longer_than: float = 0.0) -> OutboxReading:
        """What has waited for longer than so many seconds; a replay waits from its own moment on."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            waiting = await outbox.waiting(connection, before=now - longer_than)
            oldest = await outbox.oldest(connection)
        return OutboxReading(waiting=waiting, age=0.0 if oldest is None else max(0.0, now - oldest))

    async def open_letters(self, *, tenant: str | None = None) -> Mapping[str, int]:
        """Dead letters that wait for an operator, by code; of a tenant with those that are nobody's."""
        async with self._store.read() as connection:
            return await letter_counts.open_by_code(connection, tenant=tenant)

    async def replaying(self, *, tenant: str | None = None) -> int:
        """Dead letters whose replay has not come through; of a tenant with those that are nobody's."""
        async with self._store.read() as connection:
            return await dead_letters.count(connection, LetterFilter(state="replaying", tenant=tenant))

    async def replays_waiting(self) -> int:
        """Replays whose moment has not come."""
        async with self._store.read() as connection:
            return await outbox.count_paced(connection)

    async def integrations(self) -> Mapping[str, int]:
        """How many integrations are connected, delayed, not connected and unfinished (R23)."""
        async with self._store.read() as connection:
            return await delays.count_by_standing(connection)

    async def agreement(self) -> AgreementReading:
        """How many pairs of active integrations agree, and how many differ without a reason (R51)."""
        async with self._store.read() as connection:
            total = await agreement.summed(connection, tenant_id=None)
            unexplained = await agreement.count_unexplained(connection)
        return AgreementReading(agree=total.agree, of=total.of, unexplained=unexplained)

    async def budget(self) -> BudgetReading:
        """What all processes together have spent."""
        text, seconds = await read_budget(self._store)
        allowance, now = Allowance.parse(text), int(seconds * 1000)
        used = {name: allowance.used(now, span) for name, span in BUDGET_WINDOWS.items()}
        return BudgetReading(at=seconds, used=used, level=allowance.present_level(now))

"""What no message passes by: depths, ages and the budget, measured every so often (DESIGN 3)."""

from collections.abc import Mapping

from contracts.errors import SyncError
from contracts.ports import Broker, Clock
from service.broker.topology import QUEUE_PARKED, WORK_QUEUES
from service.cronofy.allowance import MINUTE, SECOND, Allowance
from service.store.engine.store import Store
from service.store.integrations import delays
from service.store.messages import dead_letters, outbox
from service.store.operations.budget import BudgetRow
from service.telemetry.metrics import (
    BUDGET_LEVEL,
    BUDGET_USED,
    INTEGRATIONS,
    OPEN_LETTERS,
    OUTBOX_AGE,
    OUTBOX_MESSAGES,
    QUEUE_AGE,
    QUEUE_MESSAGES,
    REPLAYS_WAITING,
)

EVERY = 15.0
"""Seconds; as often as Prometheus usually asks."""
WINDOWS: Mapping[str, int] = {"second": SECOND, "minute": MINUTE}


class Gauges:
    """Looks at the shared things: every process that does so finds the same."""

    def __init__(self, *, store: Store, broker: Broker, clock: Clock) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock

    async def run(self) -> None:
        """Measure until cancelled; what cannot be asked now keeps its last value."""
        while True:
            for look in (self.queues, self.outbox, self.letters, self.integrations, self.budget):
                try:
                    await look()
                except SyncError:
                    continue
            await self._clock.sleep(EVERY)

    async def queues(self) -> None:
        for queue in (*WORK_QUEUES, QUEUE_PARKED):
            depth = await self._broker.depth(queue)
            QUEUE_MESSAGES.labels(queue).set(depth)
            if not depth:
                QUEUE_AGE.labels(queue).set(0)

    async def outbox(self) -> None:
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            waiting = await outbox.waiting(connection, before=now)
            oldest = await outbox.oldest(connection)
        OUTBOX_MESSAGES.set(waiting)
        OUTBOX_AGE.set(0 if oldest is None else max(0.0, now - oldest))

    async def letters(self) -> None:
        async with self._store.read() as connection:
            counted = await dead_letters.open_by_code(connection)
            replays = await outbox.count_paced(connection)
        REPLAYS_WAITING.set(replays)
        OPEN_LETTERS.clear()
        for code, count in counted.items():
            OPEN_LETTERS.labels(code).set(count)

    async def integrations(self) -> None:
        async with self._store.read() as connection:
            counted = await delays.standing(connection)
        for state, count in counted.items():
            INTEGRATIONS.labels(state).set(count)

    async def budget(self) -> None:
        text, seconds = await BudgetRow(self._store).look()
        allowance, now = Allowance.parse(text), int(seconds * 1000)
        for name, span in WINDOWS.items():
            used = sum(cost for at, cost in allowance.sent if at > now - span)
            BUDGET_USED.labels(name).set(used)
        BUDGET_LEVEL.set(allowance.present_level(now))

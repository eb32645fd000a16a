"""What no message passes by: depths, ages and the budget, measured every so often."""

from contracts.errors import SyncError
from contracts.ports import Clock
from service.monitoring.vitals import Vitals
from service.telemetry.metrics import (
    BUDGET_LEVEL,
    BUDGET_USED,
    INTEGRATIONS_BY_STATE,
    OPEN_LETTERS,
    OUTBOX_AGE,
    OUTBOX_MESSAGES,
    QUEUE_AGE,
    QUEUE_MESSAGES,
    REPLAYS_WAITING,
)

GAUGES_EVERY_SECONDS = 15.0
"""Seconds; as often as Prometheus usually asks."""


class Gauges:
    """Looks at the shared things: every process that does so finds the same."""

    def __init__(self, *, vitals: Vitals, clock: Clock) -> None:
        self._vitals = vitals
        self._clock = clock

    async def run(self) -> None:
        """Measure until cancelled; what cannot be asked now keeps its last value."""
        while True:
            for look in (self.queues, self.outbox, self.letters, self.integrations, self.budget):
                try:
                    await look()
                except SyncError:
                    continue
            await self._clock.sleep(GAUGES_EVERY_SECONDS)

    async def queues(self) -> None:
        for queue, depth in (await self._vitals.queues()).items():
            if isinstance(depth, int):
                QUEUE_MESSAGES.labels(queue).set(depth)
            if depth == 0:
                QUEUE_AGE.labels(queue).set(0)

    async def outbox(self) -> None:
        reading = await self._vitals.outbox()
        OUTBOX_MESSAGES.set(reading.waiting)
        OUTBOX_AGE.set(reading.age)

    async def letters(self) -> None:
        counted = await self._vitals.open_letters()
        REPLAYS_WAITING.set(await self._vitals.replays_waiting())
        OPEN_LETTERS.clear()
        for code, count in counted.items():
            OPEN_LETTERS.labels(code).set(count)

    async def integrations(self) -> None:
        for state, count in (await self._vitals.integrations()).items():
            INTEGRATIONS_BY_STATE.labels(state).set(count)

    async def budget(self) -> None:
        reading = await self._vitals.budget()
        for window, used in reading.used.items():
            BUDGET_USED.labels(window).set(used)
        BUDGET_LEVEL.set(reading.level)

"""What no message passes by: depths, ages and the budget, measured every so often."""

from contextlib import suppress

from contracts.errors import SyncError
from contracts.ports import Clock
from service.monitoring.vitals import Vitals
from service.store.engine import leases
from service.store.engine.store import Store
from service.store.operations import weather
from service.telemetry.metrics import (
    AGREEMENT_RATIO,
    BUDGET_LEVEL,
    BUDGET_USED,
    INTEGRATIONS_BY_STATE,
    OPEN_LETTERS,
    OUTBOX_AGE,
    OUTBOX_MESSAGES,
    QUEUE_AGE,
    QUEUE_MESSAGES,
    REPLAYS_WAITING,
    SHARED,
    UNEXPLAINED_PAIRS,
    WEATHER_DELAY,
    WEATHER_PEOPLE,
)

GAUGES_EVERY_SECONDS = 15.0
"""Seconds; as often as Prometheus usually asks."""
GAUGES_LEASE = "gauges"
GAUGES_LEASE_SECONDS = 3 * GAUGES_EVERY_SECONDS


class Gauges:
    """Looks at the shared things: every process would find the same, so one of them tells it."""

    def __init__(self, *, store: Store, vitals: Vitals, clock: Clock, holder: str, data_centre: str) -> None:
        self._store = store
        self._vitals = vitals
        self._clock = clock
        self._holder = holder
        self._data_centre = data_centre

    async def run(self) -> None:
        """Measure until cancelled; what cannot be asked now keeps its last value."""
        try:
            while True:
                await self.measure()
                await self._clock.sleep(GAUGES_EVERY_SECONDS)
        finally:
            SHARED.told = False

    async def measure(self) -> None:
        """Look once; at what all processes share if it is this one that tells it."""
        looks = [self.queues]
        with suppress(SyncError):
            SHARED.told = await self.tells()
        if SHARED.told:
            looks += [self.outbox, self.letters, self.integrations, self.agreement, self.budget]
            looks.append(self.weather)
        for look in looks:
            with suppress(SyncError):
                await look()

    async def tells(self) -> bool:
        """Whether no other process tells the shared figures now."""
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            epoch = await leases.acquire(
                connection, GAUGES_LEASE, holder=self._holder, seconds=GAUGES_LEASE_SECONDS, now=now
            )
        return epoch is not None

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

    async def agreement(self) -> None:
        reading = await self._vitals.agreement()
        AGREEMENT_RATIO.set(reading.ratio)
        UNEXPLAINED_PAIRS.set(reading.unexplained)

    async def weather(self) -> None:
        """What is told of each provider; 0 too where nobody has judged it lately."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            known = await weather.read(connection, self._data_centre)
            told = {one.provider: one for one in await weather.storms(connection, self._data_centre, now=now)}
        for provider in (one.provider for one in known):
            storm = told.get(provider)
            WEATHER_PEOPLE.labels(provider, self._data_centre).set(storm.told["people"] if storm else 0)
            WEATHER_DELAY.labels(provider, self._data_centre).set(storm.told["delay"] if storm else 0)

    async def budget(self) -> None:
        reading = await self._vitals.budget()
        for window, used in reading.used.items():
            BUDGET_USED.labels(window).set(used)
        BUDGET_LEVEL.set(reading.level)

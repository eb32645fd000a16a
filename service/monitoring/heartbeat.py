"""A process tells the store what only it knows, so that the operations page sees all of them."""

import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from contracts.errors import SyncError
from contracts.ports import Clock
from service.store.engine.store import Store
from service.store.operations import processes
from service.telemetry.metrics import (
    ACCEPTED_AFTER,
    BRAKE_ON,
    BREAKER_OPEN,
    LANE_LINKS,
    MESSAGES_SETTLED,
    QUEUE_AGE,
)

HEARTBEAT_EVERY_SECONDS = 5.0
"""Seconds between two tellings."""
RATE_WINDOW_SECONDS = 60.0
"""Seconds over which a rate is taken."""

AcceptedAfter = Mapping[str, float]
"""Changes that Cronofy accepted within so many seconds, by that bound."""
CountsByLabel = Mapping[tuple[str, str], float]
"""Messages settled so far, by queue and outcome."""


class Heartbeat:
    """Tells every few seconds until it is stopped, and takes its words back at the end."""

    def __init__(
        self, *, store: Store, clock: Clock, process_id: str, does: str, takes: Sequence[str]
    ) -> None:
        self._store = store
        self._clock = clock
        self._id = process_id
        self._who = {"does": does, "takes": list(takes), "host": socket.gethostname(), "pid": os.getpid()}
        self._counted: deque[tuple[float, CountsByLabel, AcceptedAfter]] = deque()
        self._since: dict[str, float] = {}

    async def run(self) -> None:
        """Tell until cancelled; what cannot be told now is told the next time."""
        while True:
            with suppress(SyncError):
                await self.tell()
            await self._clock.sleep(HEARTBEAT_EVERY_SECONDS)

    async def tell(self) -> None:
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            await processes.tell(connection, self._id, self._said(now), now=now)

    async def leave(self) -> None:
        """The process ends in order; one that was killed is forgotten when it has been silent."""
        with suppress(SyncError):
            async with self._store.begin() as connection:
                await processes.leave(connection, self._id)

    def _said(self, now: float) -> dict[str, Any]:
        rates, accepted = self._lately()
        ages = {labels["queue"]: value for labels, value in _samples(QUEUE_AGE)}
        brakes = {labels["queue"]: bool(value) for labels, value in _samples(BRAKE_ON)}
        queues = {
            queue: {
                "a_minute": rates.get(queue, {}),
                "age": ages.get(queue),
                "braked_since": self._lasting(queue, now, on=brakes.get(queue, False)),
            }
            for queue in sorted({*rates, *ages, *brakes})
        }
        down = any(value for _, value in _samples(BREAKER_OPEN))
        return {
            **self._who,
            "queues": queues,
            "down_since": self._lasting("cronofy", now, on=down),
            "accepted_after": accepted,
            "lane_links": sum(value for _, value in _samples(LANE_LINKS)),
        }

    def _lasting(self, what: str, now: float, *, on: bool) -> float | None:
        """Since when it has been so, as far as this was looked at."""
        if not on:
            self._since.pop(what, None)
            return None
        return self._since.setdefault(what, now)

    def _lately(self) -> tuple[dict[str, dict[str, float]], AcceptedAfter]:
        """Messages a minute by queue and outcome, and what was accepted, over the last minute."""
        moment = self._clock.monotonic()
        present = {(one["queue"], one["outcome"]): value for one, value in _samples(MESSAGES_SETTLED)}
        accepted = {one["le"]: value for one, value in _samples(ACCEPTED_AFTER) if "le" in one}
        self._counted.append((moment, present, accepted))
        while moment - self._counted[0][0] > RATE_WINDOW_SECONDS:
            self._counted.popleft()
        began, before, accepted_before = self._counted[0]
        spent = moment - began
        found: dict[str, dict[str, float]] = {}
        for (queue, outcome), value in present.items():
            grown = value - before.get((queue, outcome), 0.0)
            a_minute = 60 * grown / spent if spent else 0.0
            found.setdefault(queue, {})[outcome] = round(a_minute, 1)
        grown_by = {le: value - accepted_before.get(le, 0.0) for le, value in accepted.items()}
        return found, {le: value for le, value in grown_by.items() if value}


def _samples(metric: MetricWrapperBase) -> Iterator[tuple[Mapping[str, str], float]]:
    """What the metric holds now, without the moments at which its counters were made."""
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield sample.labels, sample.value

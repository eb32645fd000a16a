"""What is to wake somebody, judged in one way for the page and for its history."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from contracts.messages import QUEUE_PARKED
from service.monitoring.vitals import LATE_MESSAGE_SECONDS

ALERTS = (
    "cronofy_down",
    "brake_on",
    "nobody_takes",
    "queue_late",
    "outbox_late",
    "parked",
    "slowed_down",
    "provider_weather",
)
"""The names of all alerts, the worst first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """As much of how everything stands as alerts are judged by."""

    waiting: Mapping[str, int | None]
    """Messages by queue; None where the broker cannot be asked."""
    ages: Mapping[str, float] = field(default_factory=dict)
    """Seconds of the message taken last, by queue."""
    taken: frozenset[str] = frozenset()
    """Queues from which a process takes."""
    braked: bool = False
    down: bool = False
    outbox_age: float = 0.0
    level: float = 1.0
    storms: int = 0
    """Providers that are slow or failing (R53)."""


def alerts_on(condition: Condition) -> list[str]:
    """The names of those that are on, the worst first."""
    on = set(_on(condition))
    return [name for name in ALERTS if name in on]


def _on(condition: Condition) -> Iterator[str]:
    if condition.down:
        yield "cronofy_down"
    if condition.braked:
        yield "brake_on"
    if condition.outbox_age > LATE_MESSAGE_SECONDS:
        yield "outbox_late"
    if condition.level < 1:
        yield "slowed_down"
    if condition.storms:
        yield "provider_weather"
    yield from _of_queues(condition)


def _of_queues(condition: Condition) -> Iterator[str]:
    for queue, waiting in condition.waiting.items():
        if waiting and queue == QUEUE_PARKED:
            yield "parked"
        elif waiting and queue not in condition.taken:
            yield "nobody_takes"
        elif waiting and condition.ages.get(queue, 0.0) > LATE_MESSAGE_SECONDS:
            yield "queue_late"

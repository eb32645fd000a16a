"""Every metric of the service, each once."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from service.version import VERSION


class SharedGauges(Collector):
    """Figures of the whole installation: shown by the one process that tells them, and by no other.

    Otherwise each process would repeat them, and one that never looks would say 0.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.told = False
        """Whether it is this process that tells them now."""

    def describe(self) -> Iterable[Metric]:
        return self.registry.collect()

    def collect(self) -> Iterable[Metric]:
        return self.registry.collect() if self.told else ()


SHARED = SharedGauges()
BUILD_INFO = Gauge("calendar_sync_build_info", "1, with the version of this process", ["version"])
BUILD_INFO.labels(VERSION).set(1)
_AGES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
"""Seconds; the first ones are what one change at rest is measured by."""
MESSAGES_SETTLED = Counter(
    "calendar_sync_messages_settled",
    "Messages that were settled, by what became of them",
    ["queue", "outcome"],
)
DEAD_LETTERS = Counter(
    "calendar_sync_dead_letters", "Messages that became dead letters, by class", ["queue", "code"]
)
RETRY_KINDS = ("transient", "throttled", "bug")
BURIAL_CODES = ("malformed", "refused", "not_allowed", "exhausted", "crash_loop", "delivery_limit", "bug")
RETRIES = Counter("calendar_sync_retries", "Attempts that failed and come again, by class", ["queue", "kind"])
ATTEMPTS = Histogram(
    "calendar_sync_attempts",
    "Attempts that settled messages had needed",
    ["queue"],
    buckets=(1, 2, 3, 4, 5, 6),
)
MESSAGE_AGE = Histogram(
    "calendar_sync_message_age_seconds",
    "Age of messages when they were first taken in hand",
    ["queue"],
    buckets=_AGES,
)
QUEUE_AGE = Gauge(
    "calendar_sync_queue_age_seconds",
    "Age of the message taken last, nearly the oldest of its queue; 0 once the queue is empty",
    ["queue"],
)
QUEUE_MESSAGES = Gauge(
    "calendar_sync_queue_messages", "Messages that wait in the queue", ["queue"], registry=SHARED.registry
)
ACCEPTED_AFTER = Histogram(
    "calendar_sync_accepted_after_seconds",
    "From the event in Vorex to its acceptance by Cronofy",
    buckets=_AGES,
)
CLAIMS_LOST = Counter("calendar_sync_claims_lost", "Links that another process took over")
OUTBOX_MESSAGES = Gauge(
    "calendar_sync_outbox_messages",
    "Messages in the outbox that should have gone out",
    registry=SHARED.registry,
)
OUTBOX_AGE = Gauge(
    "calendar_sync_outbox_age_seconds", "How long the oldest of them has waited", registry=SHARED.registry
)
PASSED_OVER = Counter(
    "calendar_sync_messages_passed_over",
    "Messages that changed nothing because a newer or the same one was known",
    ["outcome"],
)
CONFLICTING_VERSIONS = Counter(
    "calendar_sync_conflicting_versions",
    "Messages with a known version and other content: their sender is wrong",
    ["source"],
)
INTEGRATIONS_BY_STATE = Gauge(
    "calendar_sync_integrations", "Integrations, by how they stand", ["state"], registry=SHARED.registry
)
AGREEMENT_RATIO = Gauge(
    "calendar_sync_agreement_ratio",
    "Pairs of both sides that agreed when each calendar was read whole last, of all",
    registry=SHARED.registry,
)
UNEXPLAINED_PAIRS = Gauge(
    "calendar_sync_unexplained_pairs",
    "Pairs that differed in two checks in a row without a reason",
    registry=SHARED.registry,
)
REPLAYS_WAITING = Gauge(
    "calendar_sync_replays_waiting",
    "Replays of dead letters that wait for their moment",
    registry=SHARED.registry,
)
OPEN_LETTERS = Gauge(
    "calendar_sync_open_letters", "Dead letters that wait for an operator", ["code"], registry=SHARED.registry
)
BUDGET_USED = Gauge(
    "calendar_sync_budget_used",
    "Requests that all processes sent within the window",
    ["window"],
    registry=SHARED.registry,
)
BUDGET_LEVEL = Gauge(
    "calendar_sync_budget_level",
    "1, or less while 429s from outside have halved it",
    registry=SHARED.registry,
)
WEATHER_PEOPLE = Gauge(
    "calendar_sync_weather_people",
    "People who wait because their calendar provider is slow or failing; 0 in fair weather",
    ["provider", "data_centre"],
    registry=SHARED.registry,
)
WEATHER_DELAY = Gauge(
    "calendar_sync_weather_delay_seconds",
    "How long nearly all of them wait at most",
    ["provider", "data_centre"],
    registry=SHARED.registry,
)
CRONOFY_REQUESTS = Counter("calendar_sync_cronofy_requests", "Requests that Cronofy answered", ["status"])
BREAKER_OPEN = Gauge("calendar_sync_breaker_open", "1 while Cronofy is down and nothing is sent to it")
BRAKE_ON = Gauge("calendar_sync_brake_on", "1 while a consumer pauses because of bug after bug", ["queue"])


def show_from_zero(queue: str) -> None:
    """Called where a queue's messages are begun to be taken: its series are there before anything happens.

    A graph tells 0 from nothing measured then, and a rise to the first value is a rise to Prometheus.
    """
    BRAKE_ON.labels(queue).set(0)
    for kind in RETRY_KINDS:
        RETRIES.labels(queue, kind)
    for code in BURIAL_CODES:
        DEAD_LETTERS.labels(queue, code)


LANES = Gauge("calendar_sync_lanes", "Integrations with links that wait to be sent")
LANE_LINKS = Gauge("calendar_sync_lane_links", "Links that wait to be sent")
REGISTRY.register(SHARED)

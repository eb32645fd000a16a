"""Every metric of the service, each once."""

from prometheus_client import Counter, Gauge, Histogram

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
QUEUE_MESSAGES = Gauge("calendar_sync_queue_messages", "Messages that wait in the queue", ["queue"])
ACCEPTED_AFTER = Histogram(
    "calendar_sync_accepted_after_seconds",
    "From the event in Vorex to its acceptance by Cronofy",
    buckets=_AGES,
)
CLAIMS_LOST = Counter("calendar_sync_claims_lost", "Links that another process took over")
OUTBOX_MESSAGES = Gauge("calendar_sync_outbox_messages", "Messages in the outbox that should have gone out")
OUTBOX_AGE = Gauge("calendar_sync_outbox_age_seconds", "How long the oldest of them has waited")
PASSED_OVER = Counter(
    "calendar_sync_messages_passed_over",
    "Messages that changed nothing because a newer or the same one was known",
    ["outcome"],
)
INTEGRATIONS_BY_STATE = Gauge("calendar_sync_integrations", "Integrations, by how they stand", ["state"])
REPLAYS_WAITING = Gauge("calendar_sync_replays_waiting", "Replays of dead letters that wait for their moment")
OPEN_LETTERS = Gauge("calendar_sync_open_letters", "Dead letters that wait for an operator", ["code"])
BUDGET_USED = Gauge(
    "calendar_sync_budget_used", "Requests that all processes sent within the window", ["window"]
)
BUDGET_LEVEL = Gauge("calendar_sync_budget_level", "1, or less while 429s from outside have halved it")
CRONOFY_REQUESTS = Counter("calendar_sync_cronofy_requests", "Requests that Cronofy answered", ["status"])
BREAKER_OPEN = Gauge("calendar_sync_breaker_open", "1 while Cronofy is down and nothing is sent to it")
BRAKE_ON = Gauge("calendar_sync_brake_on", "1 while a consumer pauses because of bug after bug", ["queue"])
LANES = Gauge("calendar_sync_lanes", "Integrations with links that wait to be sent")
LANE_LINKS = Gauge("calendar_sync_lane_links", "Links that wait to be sent")

"""What is said and counted of messages that end: a line each, one for a crowd of successes.

A line costs some 40 µs, and thousands end in a second under load: there the plain ones share a line
that counts them by outcome, and only what is not plain success has its own.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from contracts.ports import Delivery
from handlers.settlement import BUG_CODE, LinkFailure, Settlement
from service.store.messages.inbox import MessageKey
from service.telemetry.logs import EventName
from service.telemetry.metrics import ATTEMPTS, DEAD_LETTERS, MESSAGES_SETTLED, PASSED_OVER, RETRIES

log = structlog.get_logger(__name__)

MESSAGE_SETTLED: EventName = "message.settled"
MESSAGES_SETTLED_TOGETHER: EventName = "messages.settled"
MESSAGES_TOLD_SINGLY = 5
"""So many at once are told one by one."""


class EndedMessage(Protocol):
    """A message that was in hand, as its end is told."""

    @property
    def delivery(self) -> Delivery: ...
    @property
    def key(self) -> MessageKey: ...
    @property
    def taken_at(self) -> float:
        """When it was taken in hand, by ``time.monotonic``."""

    @property
    def letter_id(self) -> str | None:
        """The dead letter that it replays."""

    @property
    def outcome(self) -> str:
        """The word for its success."""

    @property
    def about(self) -> Mapping[str, str | None]:
        """What else names it."""


def log_ended(queue: str, ended: Sequence[tuple[EndedMessage, Settlement]]) -> None:
    """Of messages of this queue that have been in hand."""
    for ending, number in Counter(settlement.ending for _, settlement in ended).items():
        MESSAGES_SETTLED.labels(queue, ending).inc(number)
    attempts = ATTEMPTS.labels(queue)
    for message, settlement in ended:
        if settlement.retry_in is None:
            attempts.observe(message.delivery.attempt)
    plain = [message for message, settlement in ended if _is_plain(message, settlement)]
    if len(plain) <= MESSAGES_TOLD_SINGLY:
        told = ended
    else:
        log.info(MESSAGES_SETTLED_TOGETHER, queue=queue, **Counter(message.outcome for message in plain))
        told = [one for one in ended if not _is_plain(*one)]
    for message, settlement in told:
        _tell(queue, message, settlement)


def log_finished(
    queue: str, finished: Sequence[Delivery], outcomes: Iterable[tuple[MessageKey, str]]
) -> None:
    """Of messages that ended where they were taken in: known already, stale, overtaken, or nobody's."""
    if not finished:
        return
    MESSAGES_SETTLED.labels(queue, "done").inc(len(finished))
    ended = list(outcomes)
    counted = Counter(outcome for _, outcome in ended)
    if known := len(finished) - len(ended):
        counted["duplicate"] = known
    for outcome in ("stale", "superseded", "duplicate"):
        if counted[outcome]:
            PASSED_OVER.labels(outcome).inc(counted[outcome])
    if len(ended) > MESSAGES_TOLD_SINGLY or known:
        log.info(MESSAGES_SETTLED_TOGETHER, queue=queue, **counted)
        return
    for (source, message_id), outcome in ended:
        log.info(MESSAGE_SETTLED, queue=queue, source=source, message_id=message_id, outcome=outcome)


def _tell(queue: str, message: EndedMessage, settlement: Settlement) -> None:
    why, named = settlement.failure, _named(queue, message)
    if why is None:
        log.info(MESSAGE_SETTLED, outcome=message.outcome, **named)
        return
    named |= {"integration_id": why.integration_id, "reason": why.reason}
    if settlement.retry_in is None:
        DEAD_LETTERS.labels(queue, why.code).inc()
        log.warning(MESSAGE_SETTLED, outcome="dead", code=why.code, **named)
    else:
        RETRIES.labels(queue, _kind(why)).inc()
        log.info(MESSAGE_SETTLED, outcome="retry", delay=settlement.retry_in, **named)


def _kind(failure: LinkFailure) -> str:
    """The class of an attempt that failed and comes again."""
    if not failure.counts:
        return "throttled"
    return BUG_CODE if failure.code == BUG_CODE else "transient"


def _is_plain(message: EndedMessage, settlement: Settlement) -> bool:
    """Done at the first attempt, and nobody asked for it."""
    return settlement.failure is None and message.delivery.attempt == 1 and message.letter_id is None


def _named(queue: str, message: EndedMessage) -> dict[str, Any]:
    source, message_id = message.key
    return {
        "queue": queue,
        "source": source,
        "message_id": message_id,
        "attempt": message.delivery.attempt,
        **message.about,
        "letter_id": message.letter_id,
        "seconds": round(time.monotonic() - message.taken_at, 3),
    }

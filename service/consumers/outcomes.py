"""What is said and counted of messages that end: a line each, one for a crowd of successes.

A line costs some 40 µs, and thousands end in a second under load: there the plain ones share a line
that counts them by outcome and names them, and only what is not plain success has its own.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from contracts.ports import Delivery
from handlers.settlement import BUG_CODE, LinkFailure, Settlement
from service.store.messages.inbox import MessageKey
from service.telemetry.logs import EventName
from service.telemetry.metrics import (
    ATTEMPTS,
    CONFLICTING_VERSIONS,
    DEAD_LETTERS,
    MESSAGES_SETTLED,
    PASSED_OVER,
    RETRIES,
)
from service.telemetry.spans import Span, SpanKind, SpanOrigin, begin

log = structlog.get_logger(__name__)

MESSAGE_SETTLED: EventName = "message.settled"
MESSAGES_SETTLED_TOGETHER: EventName = "messages.settled"
MESSAGES_TOLD_SINGLY = 5
"""So many at once are told one by one."""
MESSAGES_TOLD_TOGETHER = 100
_PASSED_OVER_AS = frozenset({"stale", "superseded", "duplicate", "conflicting"})
MOST_SOURCES_MEASURED = 50
OTHER_SOURCES = "others"


class SourceLabels:
    """Labels of a metric: as many sources as are told apart, and one for all others.

    A source is whatever a publisher wrote; a series for each would outlive the process's memory (R44).
    """

    def __init__(self, most: int = MOST_SOURCES_MEASURED) -> None:
        self._most = most
        self._known: set[str] = set()

    def label_of(self, source: str) -> str:
        if source not in self._known and len(self._known) >= self._most:
            return OTHER_SOURCES
        self._known.add(source)
        return source


_SOURCES = SourceLabels()


class FinishedMessage(NamedTuple):
    """A message that ended, as a line that it may share tells it."""

    key: MessageKey
    trace_id: str
    outcome: str
    span: Span


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
    def trace(self) -> str:
        """The trace that it belongs to."""

    @property
    def span(self) -> Span:
        """What it is for whoever traces: it ends when its end is told."""

    @property
    def about(self) -> Mapping[str, str | None]:
        """What else names it."""


def begin_message(queue: str, message_id: str, delivery: Delivery, origin: SpanOrigin) -> Span:
    """The span of a message that is taken in hand."""
    return begin(
        f"process {queue}",
        SpanKind.RECEIVE,
        origin=origin,
        queue=queue,
        message_id=message_id,
        attempt=delivery.attempt,
    )


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
        _tell_together(queue, [FinishedMessage(one.key, one.trace, one.outcome, one.span) for one in plain])
        told = [one for one in ended if not _is_plain(*one)]
    for message, settlement in told:
        _tell(queue, message, settlement)
    for message, settlement in ended:
        _end_span(message.span, message.outcome, settlement)


def log_finished(queue: str, finished: Sequence[FinishedMessage]) -> None:
    """Of messages that ended where they were taken in: known already, stale, overtaken, or nobody's."""
    if finished:
        MESSAGES_SETTLED.labels(queue, "done").inc(len(finished))
    for source in (one.key[0] for one in finished if one.outcome == "conflicting"):
        CONFLICTING_VERSIONS.labels(_SOURCES.label_of(source)).inc()
    for outcome, number in Counter(one.outcome for one in finished).items():
        if outcome in _PASSED_OVER_AS:
            PASSED_OVER.labels(outcome).inc(number)
    for one in finished:
        _end_span(one.span, one.outcome)
    if len(finished) > MESSAGES_TOLD_SINGLY:
        _tell_together(queue, finished)
        return
    for one in finished:
        named = {"queue": queue, "source": one.key[0], "message_id": one.key[1], "trace_id": one.trace_id}
        log.info(MESSAGE_SETTLED, **named, outcome=one.outcome)


def _end_span(span: Span, outcome: str, settlement: Settlement | None = None) -> None:
    why = None if settlement is None else settlement.failure
    if settlement is not None and why is not None:
        span.note(outcome=settlement.ending, code=why.code)
        span.fail(why.code)
    else:
        span.note(outcome=outcome)
    span.end()


def _tell_together(queue: str, ended: Sequence[FinishedMessage]) -> None:
    """So many a line that none becomes longer than those who gather lines take."""
    for start in range(0, len(ended), MESSAGES_TOLD_TOGETHER):
        some = ended[start : start + MESSAGES_TOLD_TOGETHER]
        log.info(
            MESSAGES_SETTLED_TOGETHER,
            queue=queue,
            **Counter(one.outcome for one in some),
            message_ids=[one.key[1] for one in some],
            trace_ids=[one.trace_id for one in some],
        )


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

"""What is said and counted of messages that end: a line each, one for a crowd of successes (DESIGN 3).

A line costs some 40 µs, and thousands end in a second under load: there the plain ones share a line
that counts them by outcome, and only what is not plain success has its own.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import structlog

from contracts.ports import Delivery
from handlers.settlement import Failure, Settlement
from service.broker.topology import QUEUE_OUTBOUND
from service.consumers.outbound.window import Entry, MessageKey
from service.telemetry.logs import EventName
from service.telemetry.metrics import ATTEMPTS, DEAD_LETTERS, MESSAGES_SETTLED, PASSED_OVER, RETRIES

log = structlog.get_logger(__name__)

SETTLED: EventName = "message.settled"
MANY: EventName = "messages.settled"
FEW = 5
"""So many at once are told one by one."""
BUG = "bug"


def tell_ended(
    done: Sequence[Entry],
    retried: Sequence[tuple[Entry, Settlement]],
    buried: Sequence[tuple[Entry, Failure]],
) -> None:
    """Of messages that have been in the window."""
    _count("done", len(done))
    _count("retry", len(retried))
    _count("dead", len(buried))
    for entry in (*done, *(entry for entry, _ in buried)):
        ATTEMPTS.labels(QUEUE_OUTBOUND).observe(entry.delivery.attempt)
    plain = [entry for entry in done if _is_plain(entry)]
    crowd = len(plain) > FEW
    if crowd:
        log.info(MANY, queue=QUEUE_OUTBOUND, **Counter(entry.outcome for entry in plain))
    for entry in done:
        if not (crowd and _is_plain(entry)):
            log.info(SETTLED, outcome=entry.outcome, **_named(entry))
    for entry, settlement in retried:
        _tell_retry(entry, settlement)
    for entry, failure in buried:
        DEAD_LETTERS.labels(QUEUE_OUTBOUND, failure.code).inc()
        why = {"code": failure.code, "integration_id": failure.integration_id, "reason": failure.reason}
        log.warning(SETTLED, outcome="dead", **_named(entry), **why)


def tell_finished(finished: Sequence[Delivery], outcomes: Iterable[tuple[MessageKey, str]]) -> None:
    """Of messages that ended where they were taken in: known already, stale, overtaken, or nobody's."""
    if not finished:
        return
    _count("done", len(finished))
    ended = list(outcomes)
    counted = Counter(outcome for _, outcome in ended)
    if known := len(finished) - len(ended):
        counted["duplicate"] = known
    for outcome in ("stale", "superseded", "duplicate"):
        if counted[outcome]:
            PASSED_OVER.labels(outcome).inc(counted[outcome])
    if len(ended) > FEW or known:
        log.info(MANY, queue=QUEUE_OUTBOUND, **counted)
        return
    for (source, message_id), outcome in ended:
        log.info(SETTLED, queue=QUEUE_OUTBOUND, source=source, message_id=message_id, outcome=outcome)


def _tell_retry(entry: Entry, settlement: Settlement) -> None:
    why = settlement.buried
    kind = BUG if why is not None and why.code == BUG else "transient"
    RETRIES.labels(QUEUE_OUTBOUND, kind).inc()
    told = {} if why is None else {"integration_id": why.integration_id, "reason": why.reason}
    log.info(SETTLED, outcome="retry", delay=settlement.retry_in, **_named(entry), **told)


def _count(outcome: str, number: int) -> None:
    if number:
        MESSAGES_SETTLED.labels(QUEUE_OUTBOUND, outcome).inc(number)


def _is_plain(entry: Entry) -> bool:
    """Done at the first attempt, and nobody asked for it."""
    return entry.delivery.attempt == 1 and entry.letter_id is None


def _named(entry: Entry) -> dict[str, Any]:
    source, message_id = entry.key
    return {
        "queue": QUEUE_OUTBOUND,
        "source": source,
        "message_id": message_id,
        "attempt": entry.delivery.attempt,
        "tenant_id": entry.tenant_id,
        "item": entry.item_key,
        "letter_id": entry.letter_id,
        "seconds": round(time.monotonic() - entry.taken_at, 3),
    }

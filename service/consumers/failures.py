"""What becomes of a message after an attempt at it, as a pure decision (DESIGN 9)."""

import hashlib
import json
import re
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contracts.envelope import LARGEST_BODY, Message
from contracts.errors import Malformed, Permanent, SyncError, Throttled, Transient
from contracts.fields import LONGEST_ID
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER, Delivery, Outgoing
from service.broker.topology import retry_exchange
from service.store.engine.store import SQLAlchemyError
from service.store.messages.burying import NewLetter
from service.store.messages.inbox import MessageKey
from service.telemetry.metrics import MESSAGE_AGE, QUEUE_AGE

MOST_CRASHES = 3
"""So often may a process die over one message before the message is given up (DESIGN 6.1)."""
SUSPICIOUS_RETURNS = 2
OWN_FRAMES = 3
_OURS = ("service", "handlers", "contracts")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_LONGEST_MESSAGE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A decoded message on its way through a handler."""

    message: Message
    key: MessageKey
    """Source and id: the inbox row that the handler writes in its own transaction names it."""
    queue: str
    """The inbox's word for the consumer."""
    attempt: int
    replay_of: str | None = None
    """The dead letter that this is a replay of."""


Handler = Callable[[Received], Awaitable[None]]
"""Does what the message asks, or raises Transient or Permanent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """Acknowledge: nothing is left to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """Send it through a retry queue, then acknowledge."""

    delay: int
    """Seconds; one of the rungs."""
    attempt: int
    """The number of the next attempt; the same as now where this one does not count."""
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bury:
    """Keep it as a dead letter, then acknowledge."""

    code: str
    reason: str
    field: str | None = None
    exception: str | None = None


Decision = Done | Retry | Bury


def decide(error: BaseException | None, attempt: int, *, delays: Sequence[int]) -> Decision:
    """What follows from the outcome of this attempt, the first being 1 (DESIGN 4, 9).

    A wait that the other side named is rounded up to the next rung. Being asked to slow down is no
    attempt; an error nobody foresaw is transient until the attempts run out.
    """
    if error is None:
        return Done()
    if isinstance(error, Permanent):
        return _buried(error)
    if isinstance(error, Throttled):
        return Retry(delay=rung(error.retry_after or 0, delays), attempt=attempt, error=str(error))
    foreseen = isinstance(error, Transient)
    reason = str(error) if foreseen else told(error).splitlines()[0]
    if attempt > len(delays):
        return Bury(code="exhausted" if foreseen else "bug", reason=reason, exception=told(error))
    named = error.retry_after if isinstance(error, Transient) else None
    delay = delays[attempt - 1] if named is None else rung(named, delays)
    return Retry(delay=delay, attempt=attempt + 1, error=reason)


def _buried(error: Permanent) -> Bury:
    if isinstance(error, Malformed):
        return Bury(code=error.code, field=error.field, reason=str(error))
    return Bury(code=error.code, reason=str(error), exception=told(error))


def crashed() -> Bury:
    """For a message over which process after process died."""
    return Bury(code="crash_loop", reason=f"{MOST_CRASHES} processes ended while they handled this message")


def rung(seconds: float, delays: Sequence[int]) -> int:
    """The shortest delay that is long enough, else the longest there is."""
    ordered = sorted(delays)
    return next((delay for delay in ordered if delay >= seconds), ordered[-1])


def told(error: BaseException) -> str:
    """An exception for an operator, without a text that it may quote from somebody's calendar.

    Of our own errors the words are ours; of others only the first line counts and what stands in
    quotation marks is left out. Then follow the last places in our code that it came through.
    """
    first, *_ = str(error).splitlines() or [""]
    words = first if isinstance(error, SyncError) else _QUOTED.sub("…", first)[:_LONGEST_MESSAGE]
    if isinstance(error, SQLAlchemyError):
        words = ""  # a driver quotes the refused value, cut off before its closing quotation mark
    name = type(error).__name__
    return "\n".join([f"{name}: {words}" if words else name, *_own_frames(error)])


def _own_frames(error: BaseException) -> list[str]:
    frames = [
        f"  at {package}/{path.name} line {frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        for path in [Path(frame.filename)]
        for package in ["/".join(_within_ours(path.parent.parts))]
        if package
    ]
    return frames[-OWN_FRAMES:]


def _within_ours(folders: Sequence[str]) -> Sequence[str]:
    """The part of a path that begins with one of our packages; nothing where there is none."""
    if "site-packages" in folders:
        return ()
    starts = [place for place, folder in enumerate(folders) if folder in _OURS]
    return folders[starts[-1] :] if starts else ()


def identity_of(delivery: Delivery) -> MessageKey:
    """Source and id of a message that cannot be decoded, as far as they can be told.

    Where it names no id, its bytes do: the same bytes twice are the same message.
    """
    try:
        body = json.loads(delivery.body)
    except (ValueError, RecursionError):
        body = None
    named = body if isinstance(body, dict) else {}
    source, message_id = named.get("source"), named.get("id")
    return (
        source if isinstance(source, str) else "",
        (message_id if isinstance(message_id, str) else delivery.message_id)
        or hashlib.sha256(delivery.body).hexdigest(),
    )


def retry_of(delivery: Delivery, message_id: str, decision: Retry) -> Outgoing:
    """The same message on its way through a retry queue, home to the queue that it came from."""
    return Outgoing(
        exchange=retry_exchange(decision.delay),
        routing_key=delivery.queue,
        body=delivery.body,
        message_id=message_id,
        headers={**delivery.headers, ATTEMPT_HEADER: decision.attempt},
    )


def letter_of(delivery: Delivery, key: MessageKey, decision: Bury) -> NewLetter:
    """The dead letter that keeps this delivery."""
    source, message_id = key
    tenant_id, integration_id = _whose(delivery.body)
    return NewLetter(
        queue=delivery.queue,
        source=source,
        message_id=message_id,
        code=decision.code,
        field=decision.field,
        reason=decision.reason,
        exception=decision.exception,
        tenant_id=tenant_id,
        integration_id=integration_id,
        routing_key=delivery.routing_key,
        headers={**delivery.headers, ATTEMPT_HEADER: delivery.attempt},
        body=delivery.body,
    )


def _whose(body: bytes) -> tuple[str | None, str | None]:
    """Tenant and integration as far as the message names them."""
    try:
        form = json.loads(body) if len(body) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        form = None
    data = form.get("data") if isinstance(form, dict) else None
    named = data if isinstance(data, dict) else {}
    return _word(named.get("tenant_id")), _word(named.get("integration_id"))


def _word(value: object) -> str | None:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()
    return str(value) if fits else None


def note_age(now: datetime, said_at: datetime, delivery: Delivery) -> None:
    """Measure how long a message has waited; one that comes again says nothing of the queue."""
    if delivery.attempt > 1 or REPLAY_HEADER in delivery.headers:
        return
    age = max(0.0, (now - said_at).total_seconds())
    MESSAGE_AGE.labels(delivery.queue).observe(age)
    QUEUE_AGE.labels(delivery.queue).set(age)


def replayed_by(delivery: Delivery) -> str | None:
    """The dead letter that this delivery is a replay of."""
    letter = delivery.headers.get(REPLAY_HEADER)
    return str(letter) if letter else None

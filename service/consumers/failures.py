"""What went wrong with a message, in one form for all consumers: errors to failures, failures to letters."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from traceback import walk_tb
from types import FrameType

from contracts.envelope import LARGEST_BODY, Message, MessageT, decode
from contracts.errors import Malformed, Permanent, SyncError, Throttled, Transient, WrongKeys
from contracts.fields import is_identifier, is_source
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER, Delivery, Outgoing
from handlers.settlement import BUG_CODE, EXHAUSTED_CODE, LinkFailure, Settlement
from service.broker.topology import retry_exchange
from service.store.messages.burying import NewDeadLetter
from service.store.messages.inbox import MessageKey
from service.store.messages.ownership import owner_in_turns
from service.telemetry.metrics import MESSAGE_AGE, QUEUE_AGE

SUSPICIOUS_RETURNS = 2
"""Returns from which on a message may be the one that kills its consumer: it is noted while it is in hand,
and taken alone once a process has died over it."""
MOST_CRASHES = 3
"""So often may a process die over one message before the message is given up."""
CRASH_FAILURE = LinkFailure(
    transient=False,
    code="crash_loop",
    reason=f"The consumer died {MOST_CRASHES} times while it had only this message in hand.",
)
LOGGED_FRAMES = 3
_LETTER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OURS = frozenset({"service", "handlers", "contracts"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMessage:
    """A decoded message on its way through a handler."""

    message: Message
    attempt: int = 1

    @property
    def key(self) -> MessageKey:
        """Source and id: the inbox row that the handler writes in its own transaction names it."""
        return self.message.source, self.message.id


MessageHandler = Callable[[ReceivedMessage], Awaitable[None]]
"""Does what the message asks, or raises Transient or Permanent."""


def failure_of(error: BaseException) -> LinkFailure:
    """What the error means for its message (R30).

    An error that nobody foresaw is transient: it may be gone with the next attempt, or the next release.
    Its reason is its class alone: any library may put private text into an error (R27).
    """
    match error:
        case Malformed():
            return LinkFailure(transient=False, code=error.code, field=error.field, reason=str(error))
        case Permanent():
            return LinkFailure(
                transient=False, code=error.code, reason=str(error), exception=describe_error(error)
            )
        case Transient():
            return LinkFailure(
                transient=True,
                code=EXHAUSTED_CODE,
                reason=str(error),
                exception=describe_error(error),
                retry_after=error.retry_after,
                counts=not isinstance(error, Throttled | WrongKeys),
            )
    reason = f"an unexpected {type(error).__name__}"
    return LinkFailure(transient=True, code=BUG_CODE, reason=reason, exception=describe_error(error))


def read_message(delivery: Delivery, *, expected: type[MessageT]) -> MessageT | LinkFailure:
    """The message in its bytes, or why there is none: no bytes, however strange, stop a consumer."""
    try:
        return decode(delivery.body, expected=expected, headers=delivery.headers)
    except Exception as error:  # noqa: BLE001 -- see above
        return failure_of(error)


def describe_error(error: BaseException) -> str:
    """An exception for an operator, without a text that it may quote from somebody's calendar (R27).

    Of our own errors the words are ours; of others only the class is told. Then follow the last places
    in our code that it came through, the place where it arose first: by that one, letters are grouped.
    """
    return "\n".join([_named(error), *islice(_own_places(error), LOGGED_FRAMES)])


def error_frames(error: BaseException) -> str:
    """Where an error came from, for a log line: its kind and all it passed, without any of its words."""
    passed = (
        f"  {frame.f_code.co_filename.rsplit('/', 1)[-1]}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    )
    return "\n".join([type(error).__name__, *passed])


def _named(error: BaseException) -> str:
    name = type(error).__name__
    first, *_ = str(error).splitlines() or [""] if isinstance(error, SyncError) else [""]
    return f"{name}: {first}" if first else name


def _own_places(error: BaseException) -> Iterator[str]:
    for frame, line in reversed([*walk_tb(error.__traceback__)]):
        module = _module(frame)
        if module.partition("/")[0] in _OURS:
            yield f"  at {module}.py line {line} in {frame.f_code.co_qualname}"


def _module(frame: FrameType) -> str:
    """Of the import, not of the file: where a package is installed says nothing of whose it is."""
    return str(frame.f_globals.get("__name__", "")).replace(".", "/")


def identity_of(delivery: Delivery) -> MessageKey:
    """Source and id of a message, told from its bytes alone where they name any.

    Of a message that can be decoded they are those of its envelope, by the same rule. An id that
    breaks the rule is replaced by a digest of the bytes; the broker's own id for the message counts
    only where the message names none at all.
    """
    form = form_of(delivery.body)
    source = form.get("source")
    name = form.get("id", delivery.message_id)
    return (
        source if is_source(source) else "",
        name if is_identifier(name) else hashlib.sha256(delivery.body).hexdigest(),
    )


def form_of(body: bytes) -> dict[str, object]:
    """The message as JSON, empty where it is none or too large to be looked at."""
    try:
        form = json.loads(body) if len(body) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        form = None
    return form if isinstance(form, dict) else {}


def retry_of(delivery: Delivery, key: MessageKey, settlement: Settlement) -> Outgoing:
    """The same message on its way through a retry queue, home to the queue that it came from."""
    assert settlement.retry_in is not None
    assert settlement.next_attempt is not None
    return Outgoing(
        exchange=retry_exchange(settlement.retry_in),
        routing_key=delivery.queue,
        body=delivery.body,
        message_id=delivery.message_id or key[1],
        headers={**delivery.headers, ATTEMPT_HEADER: settlement.next_attempt},
    )


async def letter_of(
    delivery: Delivery,
    key: MessageKey,
    failure: LinkFailure,
    *,
    item_ref: str | None = None,
    item_key: str | None = None,
) -> NewDeadLetter:
    """The dead letter that keeps this delivery."""
    source, message_id = key
    owner = await owner_in_turns(delivery.body)
    named = None if delivery.queue == QUEUE_OUTBOUND else owner.integration_id  # Vorex names none
    return NewDeadLetter(
        queue=delivery.queue,
        source=source,
        message_id=message_id,
        code=failure.code,
        field=failure.field,
        reason=failure.reason,
        exception=failure.exception,
        tenant_id=owner.tenant_id,
        integration_id=failure.integration_id or named,
        item_ref=item_ref,
        item_key=item_key,
        routing_key=delivery.routing_key,
        headers={**delivery.headers, ATTEMPT_HEADER: delivery.attempt},
        body=delivery.body,
    )


def note_age(now: datetime, said_at: datetime, delivery: Delivery) -> None:
    """Measure how long a message has waited; one that comes again says nothing of the queue."""
    if delivery.attempt > 1 or REPLAY_HEADER in delivery.headers:
        return
    age = max(0.0, (now - said_at).total_seconds())
    MESSAGE_AGE.labels(delivery.queue).observe(age)
    QUEUE_AGE.labels(delivery.queue).set(age)


def replayed_by(delivery: Delivery) -> str | None:
    """The dead letter that this delivery is a replay of; what no letter can be called is no replay."""
    letter = str(delivery.headers.get(REPLAY_HEADER, ""))
    return letter if _LETTER_ID.fullmatch(letter) else None

"""What needs a person, worst first, each in a sentence."""

from collections.abc import Iterator

from contracts.messages import QUEUE_PARKED
from service.monitoring.vitals import LATE_MESSAGE_SECONDS
from service.operations.consequences import WHEN_WORDS
from service.operations.overview import SILENT_SECONDS, Finding, IntegrationCase, Overview, QueueLine

RANK_STOPPED, RANK_SLOW, RANK_SOON, RANK_LATER, RANK_LETTERS, RANK_QUIET, RANK_NOTED = range(7)
"""How much a thing matters: what stops everybody, then whose items are wrong how soon, then the rest."""


def of_everything(told: Overview) -> Iterator[Finding]:
    """What is wrong with the whole of it."""
    for queue in told.queues:
        yield from _of_queue(queue)
    if told.down_since is not None:
        yield Finding(
            about="cronofy", key=None, rank=(RANK_STOPPED, 0),
            said="Cronofy does not answer, so nothing is sent to it",
            detail="Nothing is lost, no attempt is used up; it goes on by itself when a probe is answered.",
        )  # fmt: skip
    if told.outbox_age > LATE_MESSAGE_SECONDS:
        yield Finding(
            about="outbox", key=None, rank=(RANK_STOPPED, 2),
            said=f"{told.outbox_waiting:,} messages wait to be handed to RabbitMQ",
            detail="Is any process running, and the topology complete? `calendar-sync doctor` says which.",
        )  # fmt: skip
    if told.level < 1:
        yield Finding(
            about="cronofy", key=None, rank=(RANK_NOTED, 0),
            said=f"Cronofy asked us to slow down: {told.level:.0%} of the budget is used",
            detail="Somebody else uses the same Cronofy application. It recovers step by step.",
        )  # fmt: skip
    if told.open_letters:
        number = told.open_letters
        yield Finding(
            about="letters", key=None, rank=(RANK_LETTERS, -number),
            said=f"{number:,} {'message' if number == 1 else 'messages'} could not be processed",
            detail="Each is kept as a dead letter until somebody replays, mends or discards it.",
        )  # fmt: skip


def _of_queue(queue: QueueLine) -> Iterator[Finding]:
    waiting = queue.waiting or 0
    if queue.braked_since is not None:
        yield Finding(
            about="queue", key=queue.name, rank=(RANK_STOPPED, -waiting),
            said=f"The consumer of {queue.name} pauses, for message after message met a fault of ours",
            detail="One message is tried every minute. The dead letters with code bug tell what went wrong.",
        )  # fmt: skip
    if waiting and not queue.consumers and queue.name != QUEUE_PARKED:
        yield Finding(
            about="queue", key=queue.name, rank=(RANK_STOPPED, -waiting),
            said=f"Nobody takes the {waiting:,} messages of {queue.name}",
            detail=f"No process that takes from it spoke in the last "
            f"{SILENT_SECONDS:.0f} seconds: start a consumer.",
        )  # fmt: skip
    elif waiting and queue.age is not None and queue.age > LATE_MESSAGE_SECONDS:
        yield Finding(
            about="queue", key=queue.name, rank=(RANK_SLOW, -waiting),
            said=f"Messages of {queue.name} wait for {_long(queue.age)}",
            detail=f"{waiting:,} wait. If it grows for minutes, start more consumers.",
        )  # fmt: skip
    if waiting and queue.name == QUEUE_PARKED:
        yield Finding(
            about="queue", key=queue.name, rank=(RANK_LETTERS, -waiting),
            said=f"{waiting:,} messages were given up by RabbitMQ",
            detail="A keeper makes dead letters of them: is one running?",
        )  # fmt: skip


def _long(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 2 * LATE_MESSAGE_SECONDS else f"{seconds / 60:.0f} minutes"


def of_case(case: IntegrationCase) -> Finding:
    known = case.shown.integration
    who = f"{known.user_id} · {case.shown.account_name}"
    when = case.harm.when
    urgency = RANK_QUIET if when is None else RANK_SOON if when in WHEN_WORDS[:2] else RANK_LATER
    return Finding(
        about="integration", key=known.id, who=who, said=case.said, detail=case.detail,
        rank=(urgency, case.harm.rank),
    )  # fmt: skip

"""What needs a person, worst first, each in a sentence."""

import shlex
from collections.abc import Iterator, Sequence

from contracts.calendar import Status
from contracts.fields import rfc3339
from contracts.messages import QUEUE_PARKED
from service.monitoring.vitals import LATE_MESSAGE_SECONDS
from service.monitoring.weather import WeatherNotice, is_held_back
from service.operations.consequences import WHEN_WORDS
from service.operations.overview import SILENT_SECONDS, Concern, Finding, IntegrationCase, Overview, QueueLine
from service.operations.sources import has_started_again
from service.operations.weather_words import describe_weather

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
            concerns=_delayed(told),
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
            concerns=_delayed(told),
        )  # fmt: skip
    if told.open_letters:
        number = told.open_letters
        yield Finding(
            about="letters", key=None, rank=(RANK_LETTERS, -number),
            said="1 message could not be processed"
            if number == 1
            else f"{number:,} messages could not be processed",
            detail="Each is kept as a dead letter until somebody replays, mends or discards it.",
            concerns=[
                Concern(said=f"{one['count']:,} × {one['reason']}", group=one["group"]) for one in told.causes
            ],
        )  # fmt: skip


def _delayed(told: Overview) -> list[Concern]:
    return [
        Concern(said=f"{one.integration.user_id} · {one.account_name}", integration_id=one.integration.id)
        for one in told.delayed
    ]


def of_weather(told: Overview) -> Iterator[Finding]:
    """Providers that are slow or failing for many: one finding each, and none for their accounts (R53)."""
    for one in told.weather:
        words = describe_weather(one)
        yield Finding(
            about="provider", key=one.provider, rank=(RANK_SLOW, -one.people),
            said=words.said, detail=words.detail,
        )  # fmt: skip


def is_part_of_weather(case: IntegrationCase, notices: Sequence[WeatherNotice]) -> bool:
    """Whether nothing is wrong with it but what is told of its provider already; told again if it remains."""
    shown = case.shown
    alone = shown.held_deletions or shown.held_imports or case.letters or case.backlog.failed
    connected = shown.integration.status is Status.CONNECTED
    return connected and not alone and is_held_back(shown.provider_service, notices)


def of_sources(told: Overview) -> Iterator[Finding]:
    """Publishers whose versions contradict what is known (R42)."""
    for one in told.sources:
        if has_started_again(one):
            since = rfc3339(one.first_said_at)
            yield Finding(
                about="source", key=one.source, rank=(RANK_STOPPED, 3),
                said=f"The versions of {one.source} seem to have started again: "
                f"messages about {one.items:,} items were passed over within an hour",
                detail="Was it restored from a backup? Then its newest messages are taken as true with "
                f"`calendar-sync sources trust {shlex.quote(one.source)} --since {since}`, "
                "which counts them first.",
            )  # fmt: skip
        elif one.conflicting:
            yield Finding(
                about="source", key=one.source, rank=(RANK_NOTED, 1),
                said=f"{one.source} said {one.conflicting:,} known versions with other content",
                detail="What was said first stays. Its publisher must raise the version at every change.",
            )  # fmt: skip


def of_disagreements(told: Overview) -> Iterator[Finding]:
    """Pairs that differed in two checks in a row, and nothing says why (R51)."""
    for one in told.disagreements:
        number = one.count
        yield Finding(
            about="agreement", key=one.integration_id, rank=(RANK_SOON, -number),
            said="1 pair differs without a reason, in two checks in a row"
            if number == 1
            else f"{number:,} pairs differ without a reason, in two checks in a row",
            detail="It was tried to put them right, as the story of each says. "
            f"`calendar-sync integrations agreement {one.integration_id}` lists them.",
            concerns=[Concern(said=key, integration_id=one.integration_id) for key in one.item_keys],
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
            said=f"Messages of {queue.name} wait for {queue.age:.0f} seconds"
            if queue.age < 2 * LATE_MESSAGE_SECONDS
            else f"Messages of {queue.name} wait for {queue.age / 60:.0f} minutes",
            detail=f"{waiting:,} wait. If it grows for minutes, start more consumers.",
        )  # fmt: skip
    if waiting and queue.name == QUEUE_PARKED:
        yield Finding(
            about="queue", key=queue.name, rank=(RANK_LETTERS, -waiting),
            said=f"{waiting:,} messages were given up by RabbitMQ",
            detail="A keeper makes dead letters of them: is one running?",
        )  # fmt: skip


def of_case(case: IntegrationCase) -> Finding:
    known = case.shown.integration
    who = f"{known.user_id} · {case.shown.account_name}"
    when = case.harm.when
    urgency = RANK_QUIET if when is None else RANK_SOON if when in WHEN_WORDS[:2] else RANK_LATER
    return Finding(
        about="integration", key=known.id, who=who, said=case.said, detail=case.detail,
        rank=(urgency, case.harm.rank),
    )  # fmt: skip

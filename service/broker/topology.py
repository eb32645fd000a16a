"""How exchanges, queues and bindings are made, and what each user of RabbitMQ may do.

Their names, which publishers and readers know too, stand in ``contracts.messages``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.messages import (
    COMMANDS_EXCHANGE,
    DEAD_EXCHANGE,
    FACTS_EXCHANGE,
    INTEGRATIONS_EXCHANGE,
    ITEMS_EXCHANGE,
    NOTICES_EXCHANGE,
    PEOPLE_EXCHANGE,
    QUEUE_INBOUND,
    QUEUE_OUTBOUND,
    QUEUE_PARKED,
    QUEUE_PEOPLE,
    QUEUE_RUNS,
    REPLAY_EXCHANGE,
)

WORK_QUEUES = (QUEUE_OUTBOUND, QUEUE_INBOUND, QUEUE_RUNS, QUEUE_PEOPLE)

RETRY_DELAYS = (10, 60, 300, 1800, 7200)
"""Seconds; the default of the setting of that name."""

DELIVERY_LIMIT = 1000
PARKED_DELIVERY_LIMIT = 1_000_000

ExchangeKind = Literal["topic", "fanout", "direct"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: ExchangeKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """A durable quorum queue; its arguments can never be changed afterwards."""

    name: str
    arguments: Mapping[str, str | int] = field(hash=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """Messages of the exchange whose routing key fits go to the queue."""

    exchange: str
    queue: str
    key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """All that ``declare`` brings into being and ``missing`` looks for."""

    exchanges: Sequence[Exchange]
    queues: Sequence[Queue]
    bindings: Sequence[Binding]

    def parts(self) -> Iterator[str]:
        """Each by its kind and name, for a retry's exchange and queue share one name."""
        yield from (f"exchange {exchange.name}" for exchange in self.exchanges)
        yield from (f"queue {queue.name}" for queue in self.queues)


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """What a broker user may configure, write to and read from: regular expressions over names."""

    configure: str
    write: str
    read: str


def retry_exchange(seconds: int) -> str:
    """The exchange that gives a message back to the queue named by its routing key after this delay."""
    return f"calendar-sync.retry.{seconds}"


def topology(retry_delays: Iterable[int] = RETRY_DELAYS) -> Topology:
    """The topology with these retry delays."""
    delays = tuple(dict.fromkeys(retry_delays))
    return Topology(
        exchanges=(*_FIXED_EXCHANGES, *(Exchange(name=retry_exchange(s), kind="fanout") for s in delays)),
        # what receives dead letters comes first, so that no declared queue ever points at nothing
        queues=(_parked_queue(), *map(_work_queue, WORK_QUEUES), *map(_retry_queue, delays)),
        bindings=(
            *_FIXED_BINDINGS,
            *(Binding(exchange=REPLAY_EXCHANGE, queue=name, key=name) for name in WORK_QUEUES),
            *(Binding(exchange=retry_exchange(s), queue=retry_exchange(s)) for s in delays),
        ),
    )


_FIXED_EXCHANGES = (
    Exchange(name=DEAD_EXCHANGE, kind="fanout"),
    Exchange(name=ITEMS_EXCHANGE, kind="topic"),
    Exchange(name=FACTS_EXCHANGE, kind="topic"),
    Exchange(name=NOTICES_EXCHANGE, kind="topic"),
    Exchange(name=COMMANDS_EXCHANGE, kind="topic"),
    Exchange(name=INTEGRATIONS_EXCHANGE, kind="topic"),
    Exchange(name=PEOPLE_EXCHANGE, kind="topic"),
    Exchange(name=REPLAY_EXCHANGE, kind="direct"),
)

_FIXED_BINDINGS = (
    Binding(exchange=DEAD_EXCHANGE, queue=QUEUE_PARKED),
    Binding(exchange=ITEMS_EXCHANGE, queue=QUEUE_OUTBOUND, key="#"),
    Binding(exchange=FACTS_EXCHANGE, queue=QUEUE_OUTBOUND, key="#"),
    Binding(exchange=NOTICES_EXCHANGE, queue=QUEUE_INBOUND, key="#"),
    Binding(exchange=COMMANDS_EXCHANGE, queue=QUEUE_RUNS, key="run.#"),
    Binding(exchange=PEOPLE_EXCHANGE, queue=QUEUE_PEOPLE, key="#"),
)


def _work_queue(name: str) -> Queue:
    return Queue(name=name, arguments=_quorum(DELIVERY_LIMIT) | _dead_lettering(DEAD_EXCHANGE))


def _parked_queue() -> Queue:
    """The last net: nothing comes after it, so it dead-letters nowhere.

    Its 1,000,000 is how often a message may come back, not how many it holds:
    a full net would refuse dead letters and so stop the work queues.
    """
    return Queue(name=QUEUE_PARKED, arguments=_quorum(PARKED_DELIVERY_LIMIT))


def _retry_queue(seconds: int) -> Queue:
    """Waits, then goes through the default exchange to the queue its routing key names."""
    waiting: dict[str, str | int] = {"x-message-ttl": seconds * 1000}
    return Queue(
        name=retry_exchange(seconds),
        arguments=_quorum(DELIVERY_LIMIT) | waiting | _dead_lettering(""),
    )


def _quorum(delivery_limit: int) -> dict[str, str | int]:
    return {"x-queue-type": "quorum", "x-delivery-limit": delivery_limit}


def _dead_lettering(exchange: str) -> dict[str, str | int]:
    """At-least-once holds only together with ``reject-publish``; otherwise RabbitMQ falls back in silence."""
    return {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


_NOTHING = "^$"
_OURS = r"(calendar-sync|vorex|cronofy)\..*"

PERMISSIONS: Mapping[str, Permission] = {
    # Vorex publishes of items and people, and holds queues of its own, vorex.<anything>, for facts and for
    # what people change on the pages of My Calendar
    "vorex": Permission(
        configure=r"^vorex\.(?!(items|people)$).*$",
        write=r"^vorex\..*$",
        read=r"^(vorex\.(?!people$).*|calendar-sync\.(items|integrations))$",
    ),
    "relay": Permission(configure=_NOTHING, write=r"^cronofy\.notices$", read=_NOTHING),
    "consumer": Permission(
        configure=_NOTHING,
        write=r"^(vorex\.items|calendar-sync\.(items|integrations|commands|replay|retry\.\d+))$",
        read=r"^calendar-sync\.(outbound|inbound|runs|people|parked)$",
    ),
    # pages write what people do, and send on whatever waits in the outbox; they take no message
    "web": Permission(
        configure=_NOTHING,
        write=r"^(vorex\.items|calendar-sync\.(items|integrations|commands|replay))$",
        read=_NOTHING,
    ),
    # the default exchange is the retry queues' way home, and declaring them takes the right to write to it
    "operator": Permission(configure=f"^{_OURS}$", write=rf"^(amq\.default|{_OURS})$", read=f"^{_OURS}$"),
}
"""Least privilege per kind of process; deploy/rabbitmq/permissions.json says the same."""

"""The topology as data: names and arguments are interfaces, and some values lose messages."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import QUEUE_OUTBOUND, QUEUE_PARKED, QUEUE_PEOPLE
from service.broker.routing import destinations, topic_matches
from service.broker.topology import (
    PERMISSIONS,
    RETRY_DELAYS,
    WORK_QUEUES,
    Queue,
    Topology,
    retry_exchange,
    topology,
)

WHOLE = topology()
RETRIES = [retry_exchange(seconds) for seconds in RETRY_DELAYS]


def queue(name: str, whole: Topology = WHOLE) -> Queue:
    return next(each for each in whole.queues if each.name == name)


def test_the_exchanges_and_their_kinds_are_those_that_are_published() -> None:
    """Publishers and readers rely on each name."""
    assert {exchange.name: exchange.kind for exchange in WHOLE.exchanges} == {
        "vorex.items": "topic",
        "calendar-sync.items": "topic",
        "cronofy.notices": "topic",
        "calendar-sync.commands": "topic",
        "calendar-sync.integrations": "topic",
        "vorex.people": "topic",
        "calendar-sync.dead": "fanout",
        "calendar-sync.replay": "direct",
        **dict.fromkeys(RETRIES, "fanout"),
    }


def test_the_queues_are_those_that_are_published() -> None:
    """One for each kind of work, one for each delay, and the last net."""
    assert {each.name for each in WHOLE.queues} == {*WORK_QUEUES, QUEUE_PARKED, *RETRIES}


@pytest.mark.parametrize("name", WORK_QUEUES)
def test_a_work_queue_gives_up_after_a_thousand_returns_and_loses_nothing(name: str) -> None:
    """At-least-once dead-lettering holds only with reject-publish."""
    assert queue(name).arguments == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1000,
        "x-dead-letter-exchange": "calendar-sync.dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


@pytest.mark.parametrize("seconds", RETRY_DELAYS)
def test_a_retry_queue_sends_home_by_the_default_exchange_after_its_delay(seconds: int) -> None:
    """Without a routing key of its own, so that the message's key is the way home."""
    assert queue(retry_exchange(seconds)).arguments == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1000,
        "x-message-ttl": seconds * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def test_the_last_net_holds_any_number_and_leads_nowhere() -> None:
    """Its million counts returns; a limit to its length would stop the work queues."""
    assert queue(QUEUE_PARKED).arguments == {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


@given(st.lists(st.integers(min_value=1, max_value=100_000), min_size=1, max_size=8))
def test_every_queue_has_a_finite_delivery_limit_whatever_the_delays(delays: list[int]) -> None:
    """A limit of -1 makes RabbitMQ 3 discard at the first return."""
    whole = topology(delays)

    assert all(int(each.arguments["x-delivery-limit"]) >= 1000 for each in whole.queues)
    assert len({each.name for each in whole.queues}) == len(whole.queues)


def test_queues_that_receive_dead_letters_are_declared_before_those_that_send_them() -> None:
    """A topology cut short by a failure never points at nothing."""
    assert WHOLE.queues[0].name == QUEUE_PARKED


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("#", "", True),
        ("#", "task.created", True),
        ("run.#", "run.requested", True),
        ("run.#", "run", True),
        ("run.#", "runs.requested", False),
        ("*.created", "task.created", True),
        ("*.created", "created", False),
        ("*", "task.created", False),
        ("#.created", "a.b.created", True),
        ("a.#.z", "a.z", True),
        ("a.#.z", "a.b.c.y", False),
        ("task.created", "task.created", True),
    ],
)
def test_topic_patterns_fit_as_the_protocol_says(pattern: str, key: str, expected: bool) -> None:
    """``*`` is exactly one word, ``#`` any number of them."""
    assert topic_matches(pattern, key) is expected


words = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5)


@given(words, words)
def test_hash_takes_everything_and_words_take_themselves(one: list[str], other: list[str]) -> None:
    """Patterns without wildcards are equality; a hash between two keys takes their joining."""
    key, rest = ".".join(one), ".".join(other)

    assert topic_matches("#", key)
    assert topic_matches(key, rest) == (key == rest)
    assert topic_matches(f"{key}.#", f"{key}.{rest}")
    assert topic_matches(f"#.{rest}", f"{key}.{rest}")
    assert topic_matches("*", key) == (len(one) == 1)


@pytest.mark.parametrize("key", ["session.revoked", "person.left", "person.moved"])
def test_r45_whatever_vorex_says_of_people_reaches_their_queue(key: str) -> None:
    """What nobody knows becomes a dead letter there instead of being lost."""
    assert destinations(WHOLE, "vorex.people", key) == [QUEUE_PEOPLE]


def test_a_fact_reaches_the_outbound_queue_as_an_item_of_vorex_does() -> None:
    """So an imported appointment reaches the user's other integrations."""
    for exchange in ("vorex.items", "calendar-sync.items"):
        assert destinations(WHOLE, exchange, "appointment.created") == [QUEUE_OUTBOUND]


@pytest.mark.parametrize(
    ("user", "verb", "name", "allowed"),
    [
        ("vorex", "write", "vorex.items", True),
        ("vorex", "configure", "vorex.items", False),
        ("vorex", "write", "vorex.people", True),
        ("vorex", "configure", "vorex.people", False),
        ("vorex", "read", "vorex.people", False),
        ("vorex", "read", "calendar-sync.people", False),
        ("vorex", "configure", "vorex.facts", True),
        ("vorex", "read", "calendar-sync.items", True),
        ("vorex", "write", "calendar-sync.items", False),
        ("vorex", "read", "calendar-sync.outbound", False),
        ("relay", "write", "cronofy.notices", True),
        ("relay", "write", "cronofy.noticesX", False),
        ("relay", "read", "calendar-sync.inbound", False),
        ("web", "write", "vorex.items", True),
        ("web", "write", "calendar-sync.replay", True),
        ("web", "write", "calendar-sync.retry.10", False),
        ("web", "write", "cronofy.notices", False),
        ("web", "read", "calendar-sync.outbound", False),
        ("web", "read", "calendar-sync.parked", False),
        ("consumer", "write", "calendar-sync.retry.7200", True),
        ("consumer", "write", "amq.default", False),
        ("consumer", "write", "cronofy.notices", False),
        ("consumer", "read", "calendar-sync.parked", True),
        ("consumer", "read", "calendar-sync.people", True),
        ("consumer", "write", "vorex.people", False),
        ("consumer", "read", "calendar-sync.retry.10", False),
        ("operator", "configure", "calendar-sync.retry.10", True),
        ("operator", "configure", "amq.topic", False),
        ("operator", "write", "amq.default", True),
    ],
)
def test_users_have_the_least_rights(user: str, verb: str, name: str, allowed: bool) -> None:
    """T3: what each kind of process needs and nothing beside."""
    pattern = getattr(PERMISSIONS[user], verb)

    assert (re.search(pattern, name) is not None) is allowed


def test_no_worker_configures_anything() -> None:
    """Only operators and ``up`` declare."""
    names = [part.split()[1] for part in WHOLE.parts()]

    for user, name in product(("relay", "web", "consumer"), names):
        assert not re.search(PERMISSIONS[user].configure, name)

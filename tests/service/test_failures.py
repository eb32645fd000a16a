"""The decision after an attempt, as a table (DESIGN 4, 9)."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from sqlalchemy.exc import DBAPIError

from contracts.errors import (
    GrantRefused,
    Malformed,
    Permanent,
    Throttled,
    Transient,
    Unanswered,
    Unavailable,
    Unroutable,
)
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER, Delivery
from service.consumers.failures import (
    Bury,
    Decision,
    Done,
    Retry,
    decide,
    identity_of,
    letter_of,
    replayed_by,
    retry_of,
    rung,
    told,
)
from service.settings import Settings

DELAYS = Settings(_env_file=None).retry_delays
assert DELAYS == (10, 60, 300, 1800, 7200)


def a_delivery(body: bytes = b"{}", headers: Mapping[str, str | int] = MappingProxyType({})) -> Delivery:
    return Delivery(
        queue="calendar-sync.inbound",
        body=body,
        message_id="m-1",
        routing_key="change",
        headers=headers,
        attempt=2,
        returns=0,
        generation=1,
        handle=1,
    )


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        (None, 1, Done()),
        (None, 6, Done()),
        (Transient("busy"), 1, Retry(delay=10, attempt=2, error="busy")),
        (Transient("busy"), 2, Retry(delay=60, attempt=3, error="busy")),
        (Transient("busy"), 3, Retry(delay=300, attempt=4, error="busy")),
        (Transient("busy"), 4, Retry(delay=1800, attempt=5, error="busy")),
        (Transient("busy"), 5, Retry(delay=7200, attempt=6, error="busy")),
        (Transient("busy"), 6, Bury(code="exhausted", reason="busy", exception="Transient: busy")),
        (Transient("busy"), 7, Bury(code="exhausted", reason="busy", exception="Transient: busy")),
        (Transient("later", retry_after=61), 1, Retry(delay=300, attempt=2, error="later")),
        (Transient("later", retry_after=60), 4, Retry(delay=60, attempt=5, error="later")),
        (Transient("later", retry_after=90_000), 1, Retry(delay=7200, attempt=2, error="later")),
        (Unanswered("no answer"), 1, Retry(delay=10, attempt=2, error="no answer")),
        (Unavailable("away"), 1, Retry(delay=10, attempt=2, error="away")),
        (Throttled("slow down"), 1, Retry(delay=10, attempt=1, error="slow down")),
        (Throttled("slow down", retry_after=30), 6, Retry(delay=60, attempt=6, error="slow down")),
        (
            Malformed("data.version", "must be at least 1"),
            1,
            Bury(code="malformed", field="data.version", reason="data.version: must be at least 1"),
        ),
        (Permanent("no"), 1, Bury(code="refused", reason="no", exception="Permanent: no")),
        (GrantRefused("gone"), 1, Bury(code="not_allowed", reason="gone", exception="GrantRefused: gone")),
        (Unroutable("lost"), 1, Bury(code="refused", reason="lost", exception="Unroutable: lost")),
        (ValueError("odd"), 1, Retry(delay=10, attempt=2, error="ValueError: odd")),
        (ValueError("odd"), 6, Bury(code="bug", reason="ValueError: odd", exception="ValueError: odd")),
    ],
)
def test_an_outcome_leads_to_one_decision(
    error: BaseException | None, attempt: int, expected: Decision
) -> None:
    """Five delays, six attempts; being throttled is none of them."""
    assert decide(error, attempt, delays=DELAYS) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, 10), (10, 10), (10.1, 60), (7200, 7200), (7201, 7200)])
def test_a_wait_is_rounded_up_to_the_next_rung(seconds: float, expected: int) -> None:
    """Never shorter than asked, as long as there is a rung."""
    assert rung(seconds, DELAYS) == expected


def test_a_database_error_is_told_without_its_words() -> None:
    """asyncpg quotes the first forty characters of a refused value, without the second quotation mark."""
    driver = ValueError("invalid input for query argument $1: 'Dentist, then the lawyer about... (expected)")
    assert told(DBAPIError("INSERT", {}, driver)).splitlines()[0] == "DBAPIError"


def test_an_unforeseen_error_is_told_without_what_it_quotes() -> None:
    """R27: no text of a private event reaches a dead letter's exception."""
    secret = {"title": "Dentist"}
    with pytest.raises(KeyError) as caught:
        _ = secret["Dr. Who's surgery"]

    text = told(caught.value)
    assert text.startswith("KeyError: …")
    assert "surgery" not in text


def test_an_unforeseen_error_names_the_places_in_our_code() -> None:
    """An operator sees where it broke."""
    with pytest.raises(IndexError) as caught:
        rung(1, [])

    assert "at service/consumers/failures.py line" in told(caught.value)
    assert "in rung" in told(caught.value)


def test_a_retry_goes_home_by_the_name_of_its_queue() -> None:
    """Same bytes and id, one attempt on, the replay's mark kept."""
    delivery = a_delivery(b"bytes", {REPLAY_HEADER: "letter-1", ATTEMPT_HEADER: 2})

    message = retry_of(delivery, "m-1", Retry(delay=60, attempt=3, error="busy"))

    assert (message.exchange, message.routing_key) == ("calendar-sync.retry.60", "calendar-sync.inbound")
    assert (message.body, message.message_id) == (b"bytes", "m-1")
    assert message.headers == {REPLAY_HEADER: "letter-1", ATTEMPT_HEADER: 3}
    assert replayed_by(delivery) == "letter-1"


def test_a_letter_keeps_how_the_message_came() -> None:
    """R30: bytes, routing key and headers."""
    letter = letter_of(a_delivery(b"bytes"), ("s", "m"), Bury(code="refused", reason="no"))

    assert (letter.body, letter.routing_key, letter.attempt) == (b"bytes", "change", 2)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"source":"/vorex","id":"e-1"}', ("/vorex", "e-1")),
        (b'{"source":1}', ("", "m-1")),
        (b"not json", ("", "m-1")),
        (b"\xff\xfe", ("", "m-1")),
        (b"[" * 100_000, ("", "m-1")),
        (b"[]", ("", "m-1")),
    ],
)
def test_even_an_unreadable_message_has_an_identity(body: bytes, expected: tuple[str, str]) -> None:
    """Bytes that are no message still become exactly one dead letter."""
    assert identity_of(a_delivery(body)) == expected

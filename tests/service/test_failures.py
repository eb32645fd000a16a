"""The decision after an attempt, as a table."""

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
from handlers.settlement import LinkFailure, Settlement, retry_delay, settle
from service.consumers.failures import (
    describe_error,
    failure_of,
    identity_of,
    letter_of,
    replayed_by,
    retry_of,
)
from service.settings import Settings

DELAYS = Settings(_env_file=None).retry_delays
assert DELAYS == (10, 60, 300, 1800, 7200)

LETTER = "0192e4c1-0000-7000-8000-0000000000aa"


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


def again(delay: int, next_attempt: int, reason: str) -> tuple[object, ...]:
    return "retry", delay, next_attempt, reason


def dead(
    code: str, reason: str, exception: str | None = None, field: str | None = None
) -> tuple[object, ...]:
    return "dead", code, reason, exception, field


def ending(settlement: Settlement) -> tuple[object, ...]:
    failure = settlement.failure
    if failure is None:
        return ("done",)
    if settlement.retry_in is not None:
        return "retry", settlement.retry_in, settlement.next_attempt, failure.reason
    return "dead", failure.code, failure.reason, failure.exception, failure.field


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        (None, 1, ("done",)),
        (None, 6, ("done",)),
        (Transient("busy"), 1, again(10, 2, "busy")),
        (Transient("busy"), 2, again(60, 3, "busy")),
        (Transient("busy"), 3, again(300, 4, "busy")),
        (Transient("busy"), 4, again(1800, 5, "busy")),
        (Transient("busy"), 5, again(7200, 6, "busy")),
        (Transient("busy"), 6, dead("exhausted", "busy", "Transient: busy")),
        (Transient("busy"), 7, dead("exhausted", "busy", "Transient: busy")),
        (Transient("later", retry_after=61), 1, again(300, 2, "later")),
        (Transient("later", retry_after=60), 4, again(60, 5, "later")),
        (Transient("later", retry_after=90_000), 1, again(7200, 2, "later")),
        (Unanswered("no answer"), 1, again(10, 2, "no answer")),
        (Unavailable("away"), 1, again(10, 2, "away")),
        (Throttled("slow down"), 1, again(10, 1, "slow down")),
        (Throttled("slow down", retry_after=30), 6, again(60, 6, "slow down")),
        (
            Malformed("data.version", "must be at least 1"),
            1,
            dead("malformed", "data.version: must be at least 1", field="data.version"),
        ),
        (Permanent("no"), 1, dead("refused", "no", "Permanent: no")),
        (GrantRefused("gone"), 1, dead("not_allowed", "gone", "GrantRefused: gone")),
        (Unroutable("lost"), 1, dead("refused", "lost", "Unroutable: lost")),
        (ValueError("odd"), 1, again(10, 2, "an unexpected ValueError")),
        (ValueError("odd"), 6, dead("bug", "an unexpected ValueError", "ValueError")),
    ],
)
def test_an_outcome_leads_to_one_decision(
    error: Exception | None, attempt: int, expected: tuple[object, ...]
) -> None:
    """Five delays, six attempts; being throttled is none of them."""
    failures = [] if error is None else [failure_of(error)]
    assert ending(settle(failures, attempt=attempt, delays=DELAYS)) == expected


def test_a_database_error_is_told_without_its_words() -> None:
    """asyncpg quotes the first forty characters of a refused value, without the second quotation mark."""
    driver = ValueError("invalid input for query argument $1: 'Dentist, then the lawyer about... (expected)")
    assert describe_error(DBAPIError("INSERT", {}, driver)).splitlines()[0] == "DBAPIError"


@pytest.mark.parametrize("words", ["Dr. Who's surgery", "Dentist: not a time", "'Dentist'"])
def test_an_unforeseen_error_is_told_without_its_words(words: str) -> None:
    """R27: no text of a private event reaches a dead letter's exception, quoted or not."""
    assert describe_error(ValueError(words)) == "ValueError"


def test_our_own_errors_keep_their_words() -> None:
    """They are written for people."""
    assert describe_error(Transient("busy\nfor now")) == "Transient: busy"


def test_an_unforeseen_error_names_the_places_in_our_code() -> None:
    """An operator sees where it broke."""
    with pytest.raises(IndexError) as caught:
        retry_delay(1, [])

    assert "at handlers/settlement.py line" in describe_error(caught.value)
    assert "in retry_delay" in describe_error(caught.value)


def test_a_retry_goes_home_by_the_name_of_its_queue() -> None:
    """Same bytes and id, one attempt on, the replay's mark kept."""
    delivery = a_delivery(b"bytes", {REPLAY_HEADER: LETTER, ATTEMPT_HEADER: 2})

    message = retry_of(delivery, ("s", "m-1"), Settlement(retry_in=60, next_attempt=3))

    assert (message.exchange, message.routing_key) == ("calendar-sync.retry.60", "calendar-sync.inbound")
    assert (message.body, message.message_id) == (b"bytes", "m-1")
    assert message.headers == {REPLAY_HEADER: LETTER, ATTEMPT_HEADER: 3}
    assert replayed_by(delivery) == LETTER


@pytest.mark.parametrize("mark", ["", "x" * 16_000, f"{LETTER}\n", f"{LETTER} ", LETTER.upper(), 7, True])
def test_r43_what_no_letter_can_be_called_marks_no_replay(mark: str | int) -> None:
    """Else a publisher's header of any length would stand in every line about its message."""
    assert replayed_by(a_delivery(b"bytes", {REPLAY_HEADER: mark})) is None


async def test_a_letter_keeps_how_the_message_came() -> None:
    """R30: bytes, routing key and headers."""
    letter = await letter_of(a_delivery(b"bytes"), ("s", "m"), LinkFailure(transient=False, reason="no"))

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

"""How a message ends after an attempt: the one decision of all consumers (R30)."""

import pytest

from handlers.settlement import (
    BUG_CODE,
    EXHAUSTED_CODE,
    SETTLED_WELL,
    LinkFailure,
    Settlement,
    retry_delay,
    settle,
)

DELAYS = (10, 60, 300, 1800, 7200)
BUSY = LinkFailure(transient=True, reason="busy", code=EXHAUSTED_CODE)
THROTTLED = LinkFailure(transient=True, reason="slow down", code=EXHAUSTED_CODE, counts=False)
REFUSED = LinkFailure(transient=False, reason="no")
ODD = LinkFailure(transient=True, reason="odd", code=BUG_CODE)


def asking(seconds: float, *, counts: bool = True) -> LinkFailure:
    return LinkFailure(transient=True, reason="later", retry_after=seconds, counts=counts)


def failure(*, transient: bool) -> LinkFailure:
    return LinkFailure(transient=transient, reason="because")


@pytest.mark.parametrize(
    ("failures", "attempt", "retry_in", "buried"),
    [
        ([], 1, None, False),
        ([True], 1, 10, False),
        ([True], 5, 7200, False),
        ([True], 6, None, True),
        ([False], 1, None, True),
        ([False, True], 1, 10, False),
        ([False, True], 6, None, True),
    ],
)
def test_r30_transient_beats_permanent_until_the_attempts_run_out(
    failures: list[bool], attempt: int, retry_in: int | None, buried: bool
) -> None:
    """When nothing is transient any more, one permanent makes the dead letter."""
    settlement = settle(
        [failure(transient=each) for each in failures], attempt=attempt, delays=(10, 60, 300, 1800, 7200)
    )

    assert (settlement.retry_in, settlement.buried is not None) == (retry_in, buried)
    assert (settlement == SETTLED_WELL) == (not failures)


@pytest.mark.parametrize(
    ("failures", "attempt", "retry_in", "next_attempt"),
    [
        ([BUSY], 2, 60, 3),
        ([ODD], 1, 10, 2),
        ([THROTTLED], 1, 10, 1),
        ([THROTTLED], 6, 10, 6),
        ([THROTTLED, THROTTLED], 9, 10, 9),
        ([THROTTLED, BUSY], 2, 60, 3),
        ([THROTTLED, REFUSED], 6, 10, 6),
        ([asking(61)], 1, 300, 2),
        ([asking(60)], 4, 60, 5),
        ([asking(90_000)], 1, 7200, 2),
        ([asking(0)], 3, 10, 4),
        ([asking(30, counts=False)], 6, 60, 6),
        ([BUSY, asking(1801)], 1, 7200, 2),
        ([asking(5), BUSY], 4, 1800, 5),
    ],
)
def test_r30_the_next_attempt_waits_as_long_as_the_most_patient_failure_asks(
    failures: list[LinkFailure], attempt: int, retry_in: int, next_attempt: int
) -> None:
    """A wait that was named is rounded up to a delay there is; being asked to slow down is no attempt."""
    settlement = settle(failures, attempt=attempt, delays=DELAYS)

    passing = next(failure for failure in failures if failure.transient)
    expected = Settlement(failure=passing, retry_in=retry_in, next_attempt=next_attempt)
    assert (settlement, settlement.ending, settlement.buried) == (expected, "retry", None)


@pytest.mark.parametrize(
    ("failures", "attempt", "cause"),
    [
        ([BUSY], 6, BUSY),
        ([BUSY], 7, BUSY),
        ([ODD, BUSY], 6, ODD),
        ([BUSY, REFUSED], 6, REFUSED),
        ([REFUSED], 1, REFUSED),
        ([THROTTLED, BUSY], 6, THROTTLED),
    ],
)
def test_r30_a_dead_letter_names_what_is_permanent_before_what_was_tried_too_often(
    failures: list[LinkFailure], attempt: int, cause: LinkFailure
) -> None:
    """Five delays, six attempts."""
    settlement = settle(failures, attempt=attempt, delays=DELAYS)

    assert (settlement.ending, settlement.buried) == ("dead", cause)
    assert (settlement.retry_in, settlement.next_attempt) == (None, None)


@pytest.mark.parametrize("failure", [BUSY, ODD, THROTTLED, REFUSED])
def test_r30_without_delays_the_first_attempt_is_the_last(failure: LinkFailure) -> None:
    """There is no queue in which it could wait."""
    assert settle([failure], attempt=1, delays=()).buried == failure


def test_what_left_no_failure_is_done() -> None:
    """At whichever attempt."""
    assert [settle([], attempt=attempt, delays=DELAYS) for attempt in (1, 7)] == [SETTLED_WELL, SETTLED_WELL]
    assert (SETTLED_WELL.ending, SETTLED_WELL.buried) == ("done", None)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 10), (10, 10), (10.1, 60), (7200, 7200), (7201, 7200)])
def test_a_wait_is_rounded_up_to_the_next_rung(seconds: float, expected: int) -> None:
    """Never shorter than asked, as long as there is a rung."""
    assert retry_delay(seconds, DELAYS) == expected

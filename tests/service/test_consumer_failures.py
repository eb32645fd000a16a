"""What fails in the message loop comes back after its delay, or becomes a dead letter (R30)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.errors import Malformed, Permanent, Throttled, Transient
from contracts.messages import QUEUE_RUNS, REPLAY_EXCHANGE
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER, Outgoing
from service.store.engine.store import Store
from service.store.messages import dead_letters
from tests.support.message_loop import NOW, LoopUnderTest, a_step, loop_under_test
from tests.support.waiting import until


async def test_a_transient_failure_comes_back_after_its_delay(store: Store) -> None:
    """R30: growing delays, then success; no dead letter."""
    async with loop_under_test(store, Transient("busy"), Transient("busy")) as ground:
        await ground.publish("m-1")
        await ground.retry(10, attempts=2)
        await ground.retry(60, attempts=3)
        await ground.settle("m-1")
        assert await ground.letters() == []

    assert [each.attempt for each in ground.work.seen] == [1, 2, 3]


async def test_used_up_attempts_become_a_dead_letter_with_all_of_them(store: Store) -> None:
    """R30: original bytes, every attempt, and the message is off the queue."""
    async with loop_under_test(store, Transient("one"), Transient("two"), Transient("three")) as ground:
        await ground.publish("m-1")
        await ground.retry(10, attempts=2)
        await ground.retry(60, attempts=3)
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["state"]) == ("exhausted", "open")
    assert [each["error"] for each in letter["attempts"]] == ["one", "two", "three"]
    assert letter["body"] == a_step("m-1")


async def test_a_wait_that_was_asked_for_is_kept_to_the_next_rung(store: Store) -> None:
    """Retry-After 20 of rungs 10 and 60 is 60."""
    async with loop_under_test(store, Transient("later", retry_after=20)) as ground:
        await ground.publish("m-1")
        await ground.retry(60, attempts=2)
        await ground.settle("m-1")


async def test_being_throttled_is_no_attempt(store: Store) -> None:
    """However often Cronofy says 429."""
    async with loop_under_test(store, *[Throttled("slow down")] * 5) as ground:
        await ground.publish("m-1")
        for attempts in range(2, 7):
            await ground.retry(10, attempts=attempts)
        await ground.settle("m-1")
        assert await ground.letters() == []

    assert {each.attempt for each in ground.work.seen} == {1}


async def test_a_permanent_failure_is_a_dead_letter_at_once(store: Store) -> None:
    """Trying again cannot help."""
    async with loop_under_test(store, Permanent("the run is unknown")) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["reason"]) == ("refused", "the run is unknown")


async def test_a_bug_is_tried_again_and_then_kept_with_its_place(store: Store) -> None:
    """An unforeseen error is transient until the attempts run out."""
    async with loop_under_test(store, *[ZeroDivisionError("division by zero")] * 3) as ground:
        await ground.publish("m-1")
        await ground.retry(10, attempts=2)
        await ground.retry(60, attempts=3)
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert letter["code"] == "bug"
    assert letter["exception"].startswith("ZeroDivisionError\n  at ")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"not json", "body"),
        (b"[]", "body"),
        (b"\xff" * 10, "body"),
        (b"[" * 200_000, "body"),
        (a_step("m-1").replace(b'"step":0', b'"step":-1'), "data.step"),
        (a_step("m-1").replace(b'"run_id":"r-1"', b'"run_id":"r\\u0000"'), "data.run_id"),
        (a_step("m-1").replace(b'"run_id":"r-1"', b'"run_id":"r\\ud800"'), "body"),
        (b" " * 1_000_000, "body"),
    ],
)
async def test_a_malformed_message_is_kept_and_its_neighbours_go_on(
    store: Store, body: bytes, field: str
) -> None:
    """R30: the dead letter names the field, nothing waits for it."""
    async with loop_under_test(store, concurrency=1) as ground:
        await ground.publish("bad", body)
        await ground.publish("good")
        await ground.settle("good")
        await ground.settle("bad")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["field"]) == ("malformed", field)
    assert letter["body"] == body
    assert len(ground.work.seen) == 1


async def test_a_replay_that_succeeds_closes_its_letter(store: Store) -> None:
    """R30: one message, one row, from failure to its good end."""
    async with loop_under_test(store, Permanent("not yet")) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        (letter,) = await ground.letters()
        await _replay(ground, letter)
        await until(_state_is(ground, "resolved"))

    assert len(ground.work.seen) == 2


async def test_a_replay_that_fails_again_opens_its_letter_again(store: Store) -> None:
    """No second letter appears."""
    async with loop_under_test(store, Permanent("not yet"), Permanent("still not")) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        (letter,) = await ground.letters()
        await _replay(ground, letter)
        await until(_state_is(ground, "open"))
        (again,) = await ground.letters()

    assert again["id"] == letter["id"]
    assert len(again["attempts"]) == 2


async def test_a_malformed_error_of_a_handler_names_its_field(store: Store) -> None:
    """Handlers may judge a message's content themselves."""
    async with loop_under_test(store, Malformed("data.step", "is unknown")) as ground:
        await ground.publish("m-1", headers={ATTEMPT_HEADER: 2})
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["field"]) == ("malformed", "data.step")


async def _replay(ground: LoopUnderTest, letter: dict[str, Any]) -> None:
    async with ground.store.begin() as connection:
        await dead_letters.replay(connection, [letter["id"]], exchange=REPLAY_EXCHANGE, who="olga", now=NOW)
    await ground.broker.publish(
        Outgoing(
            exchange=REPLAY_EXCHANGE,
            routing_key=QUEUE_RUNS,
            body=letter["body"],
            message_id=letter["message_id"],
            headers={REPLAY_HEADER: letter["id"]},
        )
    )


def _state_is(ground: LoopUnderTest, state: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return [each["state"] for each in await ground.letters()] == [state]

    return check

"""The message loop for notices and runs: nothing lost, nothing blocked (R30, DESIGN 9)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.envelope import RunRequested, encode
from contracts.errors import Malformed, Permanent, Throttled, Transient, Unavailable
from contracts.messages import RunData
from contracts.ports import ATTEMPT_HEADER, REPLAY_HEADER, Outgoing
from service.broker.memory import MemoryBroker
from service.broker.rabbitmq import RabbitBroker
from service.broker.topology import COMMANDS_EXCHANGE, QUEUE_RUNS, REPLAY_EXCHANGE
from service.clock import SystemClock
from service.consumer import Consumer
from service.settling import Received
from service.store import Store, letters, suspects
from service.store.journal import known, record
from service.store.letters import Matching
from tests.support.clock import ManualClock
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

DELAYS = (10, 60)
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


class Work:
    """A handler that does as its script says and then succeeds; it writes its inbox row as handlers do."""

    def __init__(self, store: Store, *script: Exception | None) -> None:
        self.store = store
        self.script = list(script)
        self.seen: list[Received] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def __call__(self, received: Received) -> None:
        self.seen.append(received)
        self.begun.set()
        await self.gate.wait()
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome
        async with self.store.begin() as connection:
            await record(connection, QUEUE_RUNS, [(received.key, "done")], now=0.0)

    @property
    def steps(self) -> list[int]:
        return [each.message.data.step for each in self.seen if isinstance(each.message, RunRequested)]


class Ground:
    """A broker, a store, and one consumer of runs between them."""

    def __init__(self, store: Store, work: Work, *, concurrency: int = 4) -> None:
        self.clock = ManualClock()
        self.settled: list[str] = []
        self.broker = MemoryBroker(clock=self.clock, retry_delays=DELAYS, settled=self.settled.append)
        self.store = store
        self.work = work
        self.consumer = Consumer(
            queue=QUEUE_RUNS,
            expected=RunRequested,
            handler=work,
            broker=self.broker,
            store=store,
            clock=self.clock,
            delays=DELAYS,
            concurrency=concurrency,
        )

    async def publish(
        self, message_id: str, body: bytes | None = None, headers: Mapping[str, int] | None = None
    ) -> None:
        await self.broker.publish(
            Outgoing(
                exchange=COMMANDS_EXCHANGE,
                routing_key="run.requested",
                body=a_step(message_id) if body is None else body,
                message_id=message_id,
                headers=headers or {},
            )
        )

    async def letters(self) -> list[dict[str, Any]]:
        async with self.store.read() as connection:
            found, _ = await letters.page(connection, Matching())
        return [dict(row) for row in found]

    async def settle(self, message_id: str) -> None:
        await until(lambda: message_id in self.settled, what=f"settling of {message_id}")

    async def retry(self, seconds: float, attempts: int) -> None:
        """Let a delay pass once the message waits in its retry queue, until the handler has it again."""
        queue = f"calendar-sync.retry.{int(seconds)}"

        async def waits() -> bool:
            return await self.broker.depth(queue) == 1

        await until(waits, what=f"a message in {queue}")
        await self.clock.pass_time(seconds)
        await until(lambda: len(self.work.seen) == attempts, what=f"attempt {attempts}")


def a_step(message_id: str, step: int = 0) -> bytes:
    data = RunData(run_id="r-1", integration_id="i-1", step=step)
    return encode(RunRequested.of(data, id=message_id, time=NOW))


@asynccontextmanager
async def running(store: Store, *script: Exception | None, concurrency: int = 4) -> AsyncIterator[Ground]:
    ground = Ground(store, Work(store, *script), concurrency=concurrency)
    await ground.broker.open()
    await ground.broker.declare()
    await ground.consumer.start()
    try:
        yield ground
    finally:
        ground.work.gate.set()
        await ground.consumer.stop(grace=5)
        await ground.broker.close()


async def test_a_message_is_handled_and_settled(store: Store) -> None:
    """The handler gets the message, its key and its attempt."""
    async with running(store) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")

    (received,) = ground.work.seen
    assert (received.key, received.attempt) == (("/calendar-sync", "m-1"), 1)
    assert received.queue == QUEUE_RUNS
    assert received.replay_of is None


async def test_a_message_that_is_done_is_not_handled_again(store: Store) -> None:
    """The inbox answers redeliveries."""
    async with running(store) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        await ground.publish("m-1")
        await until(lambda: ground.settled.count("m-1") == 2)

    assert len(ground.work.seen) == 1


async def test_a_transient_failure_comes_back_after_its_delay(store: Store) -> None:
    """R30: growing delays, then success; no dead letter."""
    async with running(store, Transient("busy"), Transient("busy")) as ground:
        await ground.publish("m-1")
        await ground.retry(10, attempts=2)
        await ground.retry(60, attempts=3)
        await ground.settle("m-1")
        assert await ground.letters() == []

    assert [each.attempt for each in ground.work.seen] == [1, 2, 3]


async def test_used_up_attempts_become_a_dead_letter_with_all_of_them(store: Store) -> None:
    """R30: original bytes, every attempt, and the message is off the queue."""
    async with running(store, Transient("one"), Transient("two"), Transient("three")) as ground:
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
    async with running(store, Transient("later", retry_after=20)) as ground:
        await ground.publish("m-1")
        await ground.retry(60, attempts=2)
        await ground.settle("m-1")


async def test_being_throttled_is_no_attempt(store: Store) -> None:
    """However often Cronofy says 429."""
    async with running(store, *[Throttled("slow down")] * 5) as ground:
        await ground.publish("m-1")
        for attempts in range(2, 7):
            await ground.retry(10, attempts=attempts)
        await ground.settle("m-1")
        assert await ground.letters() == []

    assert {each.attempt for each in ground.work.seen} == {1}


async def test_a_permanent_failure_is_a_dead_letter_at_once(store: Store) -> None:
    """Trying again cannot help."""
    async with running(store, Permanent("the run is unknown")) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["reason"]) == ("refused", "the run is unknown")


async def test_a_bug_is_tried_again_and_then_kept_with_its_place(store: Store) -> None:
    """An unforeseen error is transient until the attempts run out."""
    async with running(store, *[ZeroDivisionError("division by zero")] * 3) as ground:
        await ground.publish("m-1")
        await ground.retry(10, attempts=2)
        await ground.retry(60, attempts=3)
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert letter["code"] == "bug"
    assert letter["exception"].startswith("ZeroDivisionError: division by zero")


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
    async with running(store, concurrency=1) as ground:
        await ground.publish("bad", body)
        await ground.publish("good")
        await ground.settle("good")
        await ground.settle("bad")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["field"]) == ("malformed", field)
    assert letter["body"] == body
    assert len(ground.work.seen) == 1


async def test_a_slow_message_does_not_block_the_others(store: Store) -> None:
    """Side by side up to the concurrency."""
    async with running(store, concurrency=2) as ground:
        ground.work.gate.clear()
        await ground.publish("slow")
        await ground.work.begun.wait()
        ground.work.gate = asyncio.Event()
        ground.work.gate.set()
        await ground.publish("quick")
        await ground.settle("quick")


async def test_no_more_than_the_concurrency_are_in_hand(store: Store) -> None:
    """The rest waits its turn."""
    async with running(store, concurrency=2) as ground:
        ground.work.gate.clear()
        for number in range(4):
            await ground.publish(f"m-{number}")
        await until(lambda: len(ground.work.seen) == 2)
        await ground.broker.drain()
        assert len(ground.work.seen) == 2
        ground.work.gate.set()
        await ground.settle("m-3")


async def test_a_replay_that_succeeds_closes_its_letter(store: Store) -> None:
    """R30: one message, one row, from failure to its good end."""
    async with running(store, Permanent("not yet")) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        (letter,) = await ground.letters()
        await _replay(ground, letter)
        await until(_state_is(ground, "resolved"))

    assert [each.replay_of for each in ground.work.seen] == [None, letter["id"]]


async def test_a_replay_that_fails_again_opens_its_letter_again(store: Store) -> None:
    """No second letter appears."""
    async with running(store, Permanent("not yet"), Permanent("still not")) as ground:
        await ground.publish("m-1")
        await ground.settle("m-1")
        (letter,) = await ground.letters()
        await _replay(ground, letter)
        await until(_state_is(ground, "open"))
        (again,) = await ground.letters()

    assert again["id"] == letter["id"]
    assert len(again["attempts"]) == 2


async def test_nothing_is_acknowledged_while_the_database_is_gone(store: Store) -> None:
    """DESIGN 9: the message goes on where it was, and no attempt is burnt."""
    async with running(store) as ground:
        intact, ground.consumer._store = ground.consumer._store, Gone(store)  # type: ignore[assignment]
        await ground.publish("m-1")
        await until(lambda: ground.clock._sleepers, what="the back-off")
        assert ground.settled == []
        ground.consumer._store = intact
        await ground.clock.pass_time(10)
        await ground.settle("m-1")

    assert [each.attempt for each in ground.work.seen] == [1]


async def test_nothing_is_acknowledged_while_a_retry_cannot_be_published(store: Store) -> None:
    """DESIGN 9: acknowledged only after the retry queue has it."""
    async with running(store, Transient("busy")) as ground:
        publish, ground.broker.publish = ground.broker.publish, _refuse  # type: ignore[method-assign]
        ground.work.gate.clear()
        await publish(
            Outgoing(exchange=COMMANDS_EXCHANGE, routing_key="run.x", body=a_step("m-1"), message_id="m-1")
        )
        ground.work.gate.set()
        await until(lambda: ground.clock._sleepers, what="the back-off")
        assert ground.settled == []
        ground.broker.publish = publish  # type: ignore[method-assign]
        await ground.clock.pass_time(10)
        await ground.retry(10, attempts=2)
        await ground.settle("m-1")


async def test_a_message_that_was_lost_with_its_channel_is_done_once(store: Store) -> None:
    """The copy that comes again waits for the hand that still works on the first."""
    async with running(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        await ground.work.begun.wait()
        ground.broker.interrupt()
        await ground.broker.drain()
        ground.work.gate.set()
        await ground.settle("m-1")

    assert len(ground.work.seen) == 1


async def test_stopping_finishes_what_is_in_hand(store: Store) -> None:
    """SIGTERM: stop taking, finish, acknowledge, close."""
    async with running(store, concurrency=1) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        await ground.publish("m-2")
        await ground.work.begun.wait()
        stopping = asyncio.create_task(ground.consumer.stop(grace=20))
        await asyncio.sleep(0)
        ground.work.gate.set()
        await stopping
        assert ground.settled == ["m-1"]
        assert await ground.broker.depth(QUEUE_RUNS) == 1


async def test_stopping_gives_back_what_takes_too_long(store: Store) -> None:
    """After the grace time another process gets it."""
    async with running(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        await ground.work.begun.wait()
        await ground.consumer.stop(grace=0.05)
        assert ground.settled == []
        assert await ground.broker.depth(QUEUE_RUNS) == 1


async def test_a_message_over_which_processes_die_is_taken_alone_and_given_up(store: Store) -> None:
    """DESIGN 6.1: two returns make it suspicious, three crashes end it; its neighbours are done."""
    async with store.begin() as connection:
        for _ in range(3):
            await suspects.suspect(connection, QUEUE_RUNS, "m-1", now=NOW)
    async with running(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        for _ in range(2):
            await ground.work.begun.wait()
            ground.work.begun.clear()
            await ground.consumer.stop(grace=0)
            ground.consumer = Ground(store, ground.work).consumer
            ground.consumer._broker = ground.broker
            await ground.consumer.start()
        await ground.settle("m-1")
        (letter,) = await ground.letters()
        await ground.consumer.stop(grace=0)

    assert letter["code"] == "crash_loop"
    assert len(ground.work.seen) == 2


async def test_a_suspicious_message_that_succeeds_is_suspicious_no_more(store: Store) -> None:
    """Returns by broken connections are nobody's fault."""
    async with running(store) as ground:
        ground.work.gate.clear()
        await ground.publish("m-1")
        for _ in range(2):
            await ground.broker.drain()
            ground.broker.interrupt()
        ground.work.gate.set()
        await ground.settle("m-1")

    async with store.begin() as connection:
        assert await suspects.suspect(connection, QUEUE_RUNS, "m-1", now=NOW) == 0
        assert await known(connection, QUEUE_RUNS, [("/calendar-sync", "m-1")])


async def test_a_malformed_error_of_a_handler_names_its_field(store: Store) -> None:
    """Handlers may judge a message's content themselves."""
    async with running(store, Malformed("data.step", "is unknown")) as ground:
        await ground.publish("m-1", headers={ATTEMPT_HEADER: 2})
        await ground.settle("m-1")
        (letter,) = await ground.letters()

    assert (letter["code"], letter["field"]) == ("malformed", "data.step")


@pytest.mark.rabbitmq
async def test_on_rabbitmq_a_message_survives_retries_and_broken_connections(
    rabbitmq: RabbitMQ, sqlite_url: str
) -> None:
    """R30: retried through the broker's queues, done once, off every queue in the end."""
    store, broker = Store(sqlite_url), RabbitBroker(rabbitmq.url, retry_delays=(1, 2))
    await store.upgrade()
    work = Work(store, Transient("busy"), Transient("busy"))
    consumer = Consumer(
        queue=QUEUE_RUNS,
        expected=RunRequested,
        handler=work,
        broker=broker,
        store=store,
        clock=SystemClock(),
        delays=(1, 2),
        concurrency=4,
    )
    await broker.open()
    await broker.declare()
    await consumer.start()
    await broker.publish(
        Outgoing(exchange=COMMANDS_EXCHANGE, routing_key="run.x", body=a_step("m-1"), message_id="m-1")
    )
    await until(lambda: len(work.seen) == 2, what="the second attempt")
    work.gate.clear()
    await until(lambda: len(work.seen) == 3, what="the third attempt")
    await asyncio.to_thread(rabbitmq.close_connections)
    work.gate.set()

    async def settled() -> bool:
        return consumer.alive and not any(rabbitmq.queues().values())

    await until(settled, seconds=30, what="empty queues")
    await consumer.stop(grace=5)
    await broker.close()
    async with store.read() as connection:
        assert await known(connection, QUEUE_RUNS, [("/calendar-sync", "m-1")]) == {
            ("/calendar-sync", "m-1"): "done"
        }
    assert [each.attempt for each in work.seen] == [1, 2, 3]
    await store.close()


class Gone:
    """A store whose database cannot be reached."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in {"begin", "read"}:
            raise Unavailable("the database cannot be reached")
        return getattr(self._store, name)


async def _refuse(message: Outgoing) -> None:
    raise Unavailable("not confirmed")


async def _replay(ground: Ground, letter: dict[str, Any]) -> None:
    async with ground.store.begin() as connection:
        await letters.replay(connection, [letter["id"]], exchange=REPLAY_EXCHANGE, who="olga", now=NOW)
    await ground.broker.publish(
        Outgoing(
            exchange=REPLAY_EXCHANGE,
            routing_key=QUEUE_RUNS,
            body=letter["body"],
            message_id=letter["message_id"],
            headers={REPLAY_HEADER: letter["id"]},
        )
    )


def _state_is(ground: Ground, state: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return [each["state"] for each in await ground.letters()] == [state]

    return check

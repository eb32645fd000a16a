"""A message loop of runs over a broker in memory, with a handler that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from contracts.envelope import RunRequested, encode
from contracts.messages import COMMANDS_EXCHANGE, QUEUE_RUNS, RunData
from contracts.ports import Delivery, Outgoing
from service.broker.memory import MemoryBroker
from service.consumers.failures import ReceivedMessage
from service.consumers.loop import MessageLoop
from service.store.engine.store import Store
from service.store.messages.inbox import record
from service.store.tables import dead_letters
from tests.support.clock import ManualClock
from tests.support.waiting import until

DELAYS = (10, 60)
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


class Idler:
    """Takes messages and does nothing."""

    def deliver(self, delivery: Delivery) -> None: ...

    def lost(self, generation: int) -> None: ...


class ScriptedHandler:
    """A handler that does as its script says and then succeeds; it writes its inbox row as handlers do."""

    def __init__(self, store: Store, *script: Exception | None) -> None:
        self.store = store
        self.script = list(script)
        self.seen: list[ReceivedMessage] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def __call__(self, received: ReceivedMessage) -> None:
        self.seen.append(received)
        self.begun.set()
        await self.gate.wait()
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome
        async with self.store.begin() as connection:
            await record(connection, QUEUE_RUNS, [(received.key, "done")], now=0.0)


class LoopUnderTest:
    """A broker, a store, and one consumer of runs between them."""

    def __init__(self, store: Store, work: ScriptedHandler, *, concurrency: int = 4) -> None:
        self.clock = ManualClock()
        self.settled: list[str] = []
        self.broker = MemoryBroker(clock=self.clock, retry_delays=DELAYS, settled=self.settled.append)
        self.store = store
        self.work = work
        self.consumer = MessageLoop(
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
        """As they are kept, the newest first; a list of them shows less."""
        query = select(dead_letters).order_by(dead_letters.c.id.desc())
        async with self.store.read() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def begin_again(self) -> None:
        """Another process takes what the one before it, which has stopped, gave back."""
        self.consumer = LoopUnderTest(self.store, self.work).consumer
        self.consumer._broker = self.broker
        await self.consumer.start()

    async def come_back_twice(self) -> None:
        """All that waits is taken by two that break their connection, and then by a loop."""
        for _ in range(2):
            idler = await self.broker.subscribe(QUEUE_RUNS, prefetch=10, sink=Idler())
            await self.broker.drain()
            await idler.close()
        await self.begin_again()

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
async def loop_under_test(
    store: Store, *script: Exception | None, concurrency: int = 4
) -> AsyncIterator[LoopUnderTest]:
    ground = LoopUnderTest(store, ScriptedHandler(store, *script), concurrency=concurrency)
    await ground.broker.open()
    await ground.broker.declare()
    await ground.consumer.start()
    try:
        yield ground
    finally:
        ground.work.gate.set()
        await ground.consumer.stop(grace=5)
        await ground.broker.close()

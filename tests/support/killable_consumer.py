"""A consumer in a process of its own that a test may let die; its linked calendar is a file of writes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event

from contracts.ports import Turn
from contracts.writes import Answer, Delete, EventWrite
from service.app.server import SystemClock
from service.broker.rabbitmq import RabbitBroker
from service.consumers.outbound.engine import OutboundConsumer
from service.store.engine.store import Store
from tests.support.calendars import FixedLooker, FreeBudget


class FileCalendars:
    """Appends every write that arrives to a file, so that it outlives the process."""

    largest_batch = 50

    def __init__(self, path: Path, *, refuses: str) -> None:
        self._path = path
        self._refuses = refuses

    def cost(self, writes: int) -> int:
        return 1

    async def write(self, sub: str, writes: Sequence[EventWrite], *, turn: Turn) -> Sequence[Answer]:
        with self._path.open("a") as file:
            file.writelines(f"{json.dumps([write.method, *write.key, write.body()])}\n" for write in writes)
            file.flush()
            os.fsync(file.fileno())
        return [self._answer(write) for write in writes]

    def _answer(self, write: EventWrite) -> Answer:
        title = "" if isinstance(write, Delete) else write.fields.summary or ""
        if title.startswith("refused"):
            return Answer(status=422)
        return Answer(status=503 if self._refuses and title == self._refuses else 202)


def die_of(store: Store, text: str) -> None:
    """The process dies, as of a fault in a library, when this text is about to be stored as an item's.

    A dead letter keeps the body as it came, which nothing has to understand.
    """

    @event.listens_for(store.engine.sync_engine, "before_cursor_execute")
    def look(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if text in repr(parameters) and "dead_letters" not in statement:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(database: str, broker_url: str, calendar: str, refuses: str, deadly: str = "") -> None:
    """Consume until killed."""
    clock = SystemClock()
    store = Store(database)
    if deadly:
        die_of(store, deadly)
    broker = RabbitBroker(broker_url, retry_delays=(1,))
    await broker.open()
    consumer = OutboundConsumer(
        store=store,
        broker=broker,
        cronofy=FileCalendars(Path(calendar), refuses=refuses),
        budget=FreeBudget(),
        looker=FixedLooker(),
        clock=clock,
        retry_delays=(1,),
    )
    await consumer.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

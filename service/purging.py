"""The keeper's chores of forgetting: small chunks, with room for the traffic between them (DESIGN 8, 10)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from service.keeper import Chore
from service.store import AsyncConnection, Store, purge

CHUNK = 1000
REST = 0.05
"""Seconds between two chunks: on SQLite nobody else can write while one is deleted."""
AN_HOUR, TEN_MINUTES = 3600.0, 600.0

Step = Callable[[AsyncConnection, datetime], Awaitable[int]]
"""Deletes at most a chunk of what is older than that moment; how many."""


def forgetting(store: Store, *, inbox_days: int, log_days: int) -> tuple[Chore, ...]:
    """What is kept for so many days and then forgotten (DESIGN 4)."""
    of_messages, of_logs = timedelta(days=inbox_days), timedelta(days=log_days)
    return (
        _chore(
            store,
            "old inbox rows",
            _step(purge.forget_inbox, by_seconds=True),
            of_messages,
            every=TEN_MINUTES,
        ),
        _chore(store, "old log entries", _step(purge.forget_log_entries), of_logs, every=TEN_MINUTES),
        _chore(store, "old runs", _step(purge.forget_runs), of_logs, every=AN_HOUR),
        _chore(store, "old attempts", _step(purge.forget_attempts), of_messages, every=AN_HOUR),
        _chore(store, "old suspects", _step(purge.forget_suspects), of_messages, every=AN_HOUR),
        _chore(store, "old dead letters", _step(purge.forget_letters), of_logs, every=AN_HOUR),
        _chore(store, "old equals", _step(purge.forget_equals), timedelta(days=1), every=AN_HOUR),
        _chore(
            store,
            "used tokens",
            _step(purge.forget_tokens, by_seconds=True),
            timedelta(hours=1),
            every=AN_HOUR,
        ),
    )


def _step(forget: Callable[..., Awaitable[int]], *, by_seconds: bool = False) -> Step:
    async def step(connection: AsyncConnection, before: datetime) -> int:
        moment = before.timestamp() if by_seconds else before
        return await forget(connection, before=moment, limit=CHUNK)

    return step


def _chore(store: Store, name: str, step: Step, age: timedelta, *, every: float) -> Chore:
    async def work() -> None:
        more = True
        while more:
            more = await _chunk(store, step, age) == CHUNK
            await asyncio.sleep(REST)

    return Chore(name=name, every=every, work=work)


async def _chunk(store: Store, step: Step, age: timedelta) -> int:
    async with store.begin() as connection:
        return await step(connection, datetime.fromtimestamp(await store.now(connection), UTC) - age)

"""What is forgotten and when, in small chunks while traffic goes on."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from contracts.messages import QUEUE_OUTBOUND, REPLAY_EXCHANGE
from service.keeper import ROWS_A_CHUNK, Chore, forgetting
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.messages import dead_letters, discards
from service.store.messages.burying import NewDeadLetter, bury, note_attempts
from service.store.messages.inbox import known, record
from service.store.runs import runs
from service.store.tables import attempts, inbox, log_entries, suspects, used_tokens
from service.store.tables import dead_letters as letters_table
from service.store.tables import runs as runs_table
from tests.support.calendars import outbound
from tests.support.clock import START, ManualClock

DAY = timedelta(days=1)


@pytest.fixture
async def clocked(database_url: str) -> Any:
    """A store whose clock the test moves."""
    opened = Store(database_url, clock=ManualClock())
    await opened.upgrade()
    yield opened
    await opened.close()


def chores(store: Store) -> dict[str, Chore]:
    return {chore.name: chore for chore in forgetting(store, inbox_days=30, log_days=90)}


async def count(store: Store, table: Table) -> int:
    async with store.read() as connection:
        return len((await connection.execute(select(table))).all())


def a_letter(message_id: str) -> NewDeadLetter:
    return NewDeadLetter(
        queue=QUEUE_OUTBOUND,
        source="/vorex/acme",
        message_id=message_id,
        code="refused",
        reason="no",
        routing_key="task.created",
        headers={},
        body=message_id.encode(),
    )


async def test_the_inbox_forgets_after_its_days_but_never_an_open_letter(clocked: Store) -> None:
    """T23: whatever the age, a letter that waits for somebody keeps its id known."""
    old, young = START - 31 * DAY, START - 29 * DAY
    async with clocked.begin() as connection:
        await bury(connection, [a_letter(each) for each in ("open", "replaying", "discarded")], now=old)
        await record(connection, QUEUE_OUTBOUND, [(("/vorex/acme", "done"), "done")], now=old.timestamp())
        await record(connection, QUEUE_OUTBOUND, [(("/vorex/acme", "young"), "done")], now=young.timestamp())
        ids = {row.message_id: row.id for row in await connection.execute(select(letters_table))}
        await discards.discard(
            connection, [ids["discarded"]], who="olga", reason="x", batch=new_id(), now=old
        )

    await chores(clocked)["old inbox rows"].work()

    async with clocked.begin() as connection:
        keys = [("/vorex/acme", each) for each in ("open", "replaying", "discarded", "done", "young")]
        left = await known(connection, QUEUE_OUTBOUND, keys)
        assert {message_id for _, message_id in left} == {"open", "replaying", "young"}
        await dead_letters.replay(connection, [ids["open"]], exchange=REPLAY_EXCHANGE, who="olga", now=START)


async def test_more_than_a_chunk_is_forgotten_while_others_write(clocked: Store) -> None:
    """Between two chunks there is room for the traffic."""
    old = (START - 31 * DAY).timestamp()
    rows = [(("/vorex/acme", f"m-{number}"), "done") for number in range(2 * ROWS_A_CHUNK + 1)]
    async with clocked.begin() as connection:
        await record(connection, QUEUE_OUTBOUND, rows, now=old)
    purge = asyncio.ensure_future(chores(clocked)["old inbox rows"].work())
    for number in range(20):
        async with clocked.begin() as connection:
            key = ("/vorex/acme", f"new-{number}")
            await record(connection, QUEUE_OUTBOUND, [(key, "done")], now=START.timestamp())
    await purge

    assert await count(clocked, inbox) == 20


async def test_logs_attempts_suspects_and_tokens_are_forgotten_by_age(clocked: Store) -> None:
    """LOG_RETENTION_DAYS for the log, the inbox's days for attempts; tokens once they have expired."""
    async with clocked.begin() as connection:
        for age in (1, 31, 91):
            at = START - age * DAY
            await connection.execute(insert(log_entries), [_entry(at)])
            tried = [(("/vorex/acme", f"m-{age}"), 1, "busy")]
            await note_attempts(connection, QUEUE_OUTBOUND, tried, now=at)
            suspect = {"consumer": QUEUE_OUTBOUND, "message_id": f"m-{age}", "crashes": 1, "at": at}
            await connection.execute(insert(suspects), [suspect])
            token = {"id": f"t-{age}", "expires_at": (START + (2 - age) * DAY).timestamp()}
            await connection.execute(insert(used_tokens), [token])

    for chore in chores(clocked).values():
        await chore.work()

    left = {
        table.name: await count(clocked, table) for table in (log_entries, attempts, suspects, used_tokens)
    }
    assert left == {"log_entries": 2, "attempts": 1, "suspects": 1, "used_tokens": 1}


async def test_r27_runs_are_forgotten_with_what_they_logged(clocked: Store) -> None:
    """Every calendar is compared daily: otherwise they would be a table without end. One under way stays."""
    async with outbound(clocked, ManualClock()) as world:
        home = await world.integration()
    async with clocked.begin() as connection:
        for age in (1, 89, 91):
            await runs.add_run(connection, **_run(home, age), state="done", ended_at=START - age * DAY)
        await runs.add_run(connection, **_run(home, 92), state="waiting")

    await chores(clocked)["old runs"].work()

    async with clocked.read() as connection:
        left = set(await connection.scalars(select(runs_table.c.requested_at)))
    assert left == {START - age * DAY for age in (1, 89, 92)}


def _run(integration_id: str, age: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "integration_id": integration_id,
        "started_by": "calendar-sync",
        "kind": "daily",
        "step": "baseline",
        "requested_at": START - age * DAY,
    }


async def test_letters_that_are_done_with_are_forgotten_with_their_acts(clocked: Store) -> None:
    """After the log's days without any act; open ones never."""
    old = START - 91 * DAY
    async with clocked.begin() as connection:
        await bury(connection, [a_letter(each) for each in ("open", "gone", "lately")], now=old)
        ids = {row.message_id: row.id for row in await connection.execute(select(letters_table))}
        await discards.discard(connection, [ids["gone"]], who="olga", reason="x", batch=new_id(), now=old)
        await discards.discard(
            connection, [ids["lately"]], who="olga", reason="x", batch=new_id(), now=START - DAY
        )

    await chores(clocked)["old dead letters"].work()

    async with clocked.read() as connection:
        left = set(await connection.scalars(select(letters_table.c.message_id)))
    assert left == {"open", "lately"}


def _entry(at: datetime) -> dict[str, Any]:
    words = ("trigger", "direction", "action", "outcome", "code", "reason")
    return {"id": new_id(), "integration_id": "i-1", "at": at.astimezone(UTC), **dict.fromkeys(words, "x")}

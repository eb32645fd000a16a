"""The keeper: what was left lying is found, by one keeper at a time (DESIGN 8)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import insert, select

from contracts.errors import Unavailable
from service.keeper import DAY, Chore, Keeper, due_runs, old_outbox_rows, unread_notices
from service.store import Store
from service.store.ids import new_id
from service.store.tables import outbox
from tests.support.waiting import until

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


class Rounds:
    """A chore that counts its rounds, and fails when told to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.done = 0
        self.failing = failing

    async def __call__(self) -> None:
        self.done += 1
        if self.failing:
            raise Unavailable("Cronofy cannot be reached")

    @property
    def chore(self) -> Chore:
        return Chore(name="rounds", every=0.01, work=self)


class Notices:
    """A reader for whom two integrations wait."""

    def __init__(self) -> None:
        self.waiting = ["i-1", "i-2"]

    async def pending(self) -> Sequence[str]:
        return list(self.waiting)

    async def catch_up(self, integration_id: str) -> None:
        self.waiting.remove(integration_id)


@asynccontextmanager
async def keeping(store: Store, *chores: Chore, holder: str = "a") -> AsyncIterator[None]:
    keeper = Keeper(store=store, holder=holder, chores=chores)
    task = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        keeper.stop()
        await asyncio.wait_for(task, 10)


async def test_a_chore_is_done_again_and_again(store: Store) -> None:
    """Every so often."""
    rounds = Rounds()

    async with keeping(store, rounds.chore):
        await until(lambda: rounds.done >= 3)


async def test_a_chore_that_fails_hinders_neither_itself_nor_others(store: Store) -> None:
    """The next round may find the world mended."""
    failing, fine = Rounds(failing=True), Rounds()
    broken = Chore(name="broken", every=0.01, work=failing)

    async with keeping(store, broken, fine.chore):
        await until(lambda: failing.done >= 2 and fine.done >= 2)


async def test_of_two_keepers_one_does_a_chore_and_the_other_takes_over(store: Store) -> None:
    """They share the work by a lease that is given back at the end."""
    first, second = Rounds(), Rounds()

    async with keeping(store, first.chore, holder="a"):
        await until(lambda: first.done >= 1)
        async with keeping(store, second.chore, holder="b"):
            await until(lambda: first.done >= 4)
        assert second.done == 0
    async with keeping(store, second.chore, holder="b"):
        await until(lambda: second.done >= 1)


async def test_unread_notices_are_read(store: Store) -> None:
    """A process died between the notice and its read."""
    reader = Notices()

    await unread_notices(reader).work()

    assert reader.waiting == []


async def test_outbox_rows_sent_a_day_ago_are_deleted(store: Store) -> None:
    """messaging.md 3.6; what was not sent stays."""
    async with store.begin() as connection:
        now = await store.now(connection)
        for message_id, sent_at in {"old": now - DAY - 1, "young": now - 60, "unsent": None}.items():
            await connection.execute(insert(outbox), [_row(message_id, sent_at)])

    await old_outbox_rows(store).work()

    async with store.read() as connection:
        left = list(await connection.scalars(select(outbox.c.message_id).order_by(outbox.c.message_id)))
    assert left == ["unsent", "young"]


async def test_no_run_is_due_where_there_is_none(store: Store) -> None:
    """Nothing is put into the outbox."""
    await due_runs(store).work()

    async with store.read() as connection:
        assert not (await connection.execute(select(outbox))).all()


def _row(message_id: str, sent_at: float | None) -> dict[str, object]:
    return {
        "id": new_id(),
        "exchange": "calendar-sync.items",
        "routing_key": "task.created",
        "body": b"{}",
        "message_id": message_id,
        "headers": {},
        "mandatory": True,
        "created_at": 0.0,
        "sent_at": sent_at,
    }

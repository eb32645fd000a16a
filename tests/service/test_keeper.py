"""The keeper: what was left lying is found, by one keeper at a time."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select, update

from contracts.errors import Unanswered, Unavailable
from service.keeper import (
    SENT_ROWS_KEPT_SECONDS,
    Chore,
    Keeper,
    delays,
    due_runs,
    old_outbox_rows,
    unread_notices,
)
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations import delays as delays_of
from service.store.integrations import reads
from service.store.links import links
from service.store.runs import runs
from service.store.tables import integration_state, integrations, leases, outbox
from service.store.tables import links as links_table
from tests.support.calendars import changed, outbound
from tests.support.clock import ManualClock
from tests.support.waiting import until

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
KEEPS_FOR_EVER = """
import asyncio, pathlib, sys
from service.keeper import Chore, Keeper
from service.store.engine.store import Store

async def work():
    pathlib.Path(sys.argv[2]).touch()

chore = Chore(name="rounds", every=0.1, work=work)
asyncio.run(Keeper(store=Store(sys.argv[1]), holder="a", chores=[chore], lease=3.0).run())
"""


class Rounds:
    """A chore that counts its rounds, and fails when told to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.done = 0
        self.failing = failing
        self._seen = 0.0

    @property
    def stands(self) -> bool:
        """Whether no round has begun for a while."""
        return time.monotonic() - self._seen > 0.3

    async def __call__(self) -> None:
        self.done += 1
        self._seen = time.monotonic()
        if self.failing:
            raise Unavailable("Cronofy cannot be reached")

    @property
    def chore(self) -> Chore:
        return Chore(name="rounds", every=0.01, work=self)


class Notices:
    """A reader for whom two integrations wait."""

    def __init__(self) -> None:
        self.waiting = ["i-1", "i-2"]

    async def pending(self) -> Sequence[tuple[str, str]]:
        return [(one, "acme") for one in self.waiting]

    async def catch_up(self, integration_id: str) -> None:
        self.waiting.remove(integration_id)


@asynccontextmanager
async def keeping(
    store: Store, *chores: Chore, holder: str = "a", lease: float = 30.0
) -> AsyncIterator[None]:
    keeper = Keeper(store=store, holder=holder, chores=chores, lease=lease)
    task = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        keeper.stop()
        await asyncio.wait_for(task, 60)


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


async def test_a_keeper_that_was_killed_is_replaced_when_its_lease_is_over(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """SIGKILL gives nothing back; the epoch says that somebody else has the chore now."""
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPS_FOR_EVER, database_url, str(tmp_path / "round")
    )
    try:
        await until((tmp_path / "round").exists, seconds=60)
        second = Rounds()
        async with keeping(store, second.chore, holder="b", lease=1.0):
            await asyncio.sleep(0)
            assert second.done == 0
            killed.kill()
            await until(lambda: second.done >= 1)
            async with store.read() as connection:
                lease = (await connection.execute(select(leases))).one()
        assert (lease.holder, lease.epoch > 1) == ("b", True)
    finally:
        if killed.returncode is None:
            with suppress(ProcessLookupError):
                killed.kill()
        await killed.wait()


async def test_a_keeper_that_cannot_renew_its_leases_stops_its_chores(store: Store) -> None:
    """Who does not know whether another has them does nothing; the chores go on once they are back."""
    rounds = Rounds()
    async with keeping(store, rounds.chore, holder="a", lease=1.0):
        await until(lambda: rounds.done >= 1)
        async with store.begin() as connection:
            now = await store.now(connection)
            await connection.execute(update(leases).values(holder="b", epoch=9, until=now + 3600))
        await until(lambda: rounds.stands)
        done = rounds.done
        async with store.begin() as connection:
            await connection.execute(update(leases).values(until=0.0))
        await until(lambda: rounds.done > done)


async def test_a_delay_is_noted_and_ends_when_the_changes_have_crossed(store: Store) -> None:
    """R23: *delayed since* is the moment since which the oldest change waits."""
    clock = ManualClock()
    own = Store(store.url, clock=clock)
    async with outbound(own, clock) as world:
        home, calm = await world.integration(), await world.integration("u-22")
        off = await world.integration("u-33", active=False)
        world.calendars.faults.extend([Unanswered("no answer")] * 2)
        await world.start(retry_delays=(10, 60))
        began = clock.now()
        await world.send(changed(assignees=["u-17", "u-33"]))
        await delays(own).work()
        assert await delayed(own) == {}

        await clock.pass_time(10)
        await world.at_rest()
        await delays(own).work()
        assert set(await delayed(own)) == {home}
        assert began <= (await delayed(own))[home] <= clock.now()
        first = await delayed(own)
        await clock.pass_time(45)
        await delays(own).work()
        assert await delayed(own) == first

        await clock.pass_time(60)
        await world.settled()
        assert world.calendars.titles == ["5512 v1"]
        await delays(own).work()
        assert await delayed(own) == {}
        assert {calm, off}.isdisjoint(first)
    await own.close()


async def test_notices_that_nobody_can_read_for_are_a_delay_too(store: Store) -> None:
    """R23: in both directions; an integration that is not connected waits for a person instead."""
    clock = ManualClock()
    own = Store(store.url, clock=clock)
    async with outbound(own, clock) as world:
        home, lost = await world.integration(), await world.integration("u-22", status="not_connected")
        moment = clock.now().timestamp()
        async with own.begin() as connection:
            await connection.execute(update(integration_state).values(noticed_at=moment - 61))
        await delays(own).work()
        assert set(await delayed(own)) == {home}
        async with own.begin() as connection:
            await connection.execute(update(integration_state).values(noticed_at=None))
        await delays(own).work()
        assert await delayed(own) == {}
        assert lost != home
    await own.close()


async def test_what_has_just_been_released_is_not_late(store: Store) -> None:
    """R20, R23: it has no moment of its own yet; nothing is delayed since 1970."""
    clock = ManualClock()
    own = Store(store.url, clock=clock)
    async with outbound(own, clock) as world:
        home = await world.integration(active=False)
        await world.start()
        await world.send(changed())
        await world.settled()
        async with own.begin() as connection:
            await links.release(connection, home)
            await connection.execute(update(integrations).values(active=True))
            assert [row.state for row in await connection.execute(select(links_table.c.state))] == ["behind"]
            assert await delays_of.late(connection, now=clock.now().timestamp()) == {}
    await own.close()


async def delayed(store: Store) -> dict[str, datetime]:
    state = integration_state.c
    async with store.read() as connection:
        rows = await connection.execute(select(state.integration_id, state.delayed_since))
        return {row.integration_id: row.delayed_since for row in rows if row.delayed_since is not None}


async def test_unread_notices_are_read(store: Store) -> None:
    """A process died between the notice and its read."""
    reader = Notices()

    await unread_notices(reader).work()

    assert reader.waiting == []


async def test_outbox_rows_sent_a_day_ago_are_deleted(store: Store) -> None:
    """What was not sent stays."""
    async with store.begin() as connection:
        now = await store.now(connection)
        for message_id, sent_at in {
            "old": now - SENT_ROWS_KEPT_SECONDS - 1,
            "young": now - 60,
            "unsent": None,
        }.items():
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


async def test_who_waits_without_a_moment_comes_first_on_either_database(store: Store) -> None:
    """A dead reader's calendar, and one never read whole: behind all others they would wait for ever."""
    clock = ManualClock()
    own = Store(store.url, clock=clock)
    async with outbound(own, clock) as world:
        noted, dead = await world.integration(), await world.integration("u-22")
        now = clock.now()
        state = integration_state.c.integration_id
        told = {"noticed_since": now, "noticed_at": now.timestamp(), "full_read_at": now}
        later = now + timedelta(days=2)
        async with own.begin() as connection:
            await connection.execute(update(integration_state).where(state == noted).values(**told))
            await connection.execute(update(integration_state).where(state == dead).values(reading_since=now))
            assert [*await reads.unread(connection, now=now.timestamp(), limit=1)] == [dead]
            assert await runs.unread_for_long(connection, before=later, since=later, limit=1) == [dead]
    await own.close()

"""The keeper's chores go by turns of tenants, and nobody's trouble holds a round (R44)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import insert, update

from contracts.errors import Permanent
from service.consumers.left_notices import READS_AT_ONCE, READS_OF_A_TENANT
from service.keeper import unread_notices
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing, reads
from service.store.runs import runs
from service.store.tables import integration_state, integrations
from service.store.tables import runs as runs_table
from tests.support.clock import START
from tests.support.owners import stored_integration

EVIL = [f"0192e4c1-0000-7000-8000-0000000000{number:02}" for number in range(20)]
GOOD = "0192e4c1-0000-7000-8000-0000000000ff"
NOW = START.timestamp()


class Waiting:
    """Unread notices, the flood first; a reader that ends for the one tenant as ``fate`` says."""

    def __init__(self, *evil: str, hangs: bool) -> None:
        self.left = [*((one, "evil") for one in evil), (GOOD, "good")]
        self.hangs = hangs
        self.over = asyncio.Event()
        self.good_read = asyncio.Event()
        self.most = self.now = 0

    async def pending(self) -> Sequence[tuple[str, str]]:
        return list(self.left)

    async def catch_up(self, integration_id: str) -> None:
        self.left = [each for each in self.left if each[0] != integration_id]
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if integration_id == GOOD:
                self.good_read.set()
            elif self.hangs:
                await self.over.wait()
            else:
                raise Permanent("Cronofy refuses this account")
        finally:
            self.now -= 1


async def test_r44_a_read_that_fails_ends_no_round() -> None:
    """The next round would begin with the same one."""
    waiting = Waiting(*EVIL[:3], hangs=False)
    await unread_notices(waiting).work()
    assert waiting.left == []


async def test_r44_reads_that_do_not_end_leave_a_place_to_others() -> None:
    """One after the other, they would keep everybody waiting for as long as each may take."""
    waiting = Waiting(*EVIL, hangs=True)
    round_of_it = asyncio.ensure_future(unread_notices(waiting).work())
    await asyncio.wait_for(waiting.good_read.wait(), 60)
    assert waiting.most <= READS_AT_ONCE
    assert READS_OF_A_TENANT < READS_AT_ONCE
    waiting.over.set()
    await asyncio.wait_for(round_of_it, 60)
    assert waiting.left == []


async def everybody(store: Store, connection: AsyncConnection) -> None:
    """States of all, the flood's the older ones."""
    rows = [{"integration_id": one, "noticed_at": NOW, "noticed_since": START} for one in EVIL]
    late = {"integration_id": GOOD, "noticed_at": NOW + 60, "noticed_since": START}
    await connection.execute(insert(integration_state), [*rows, late])


async def test_r44_whatever_the_keeper_takes_some_of_it_takes_by_turns(store: Store) -> None:
    """Notices, daily reads, lost calendars, runs: a crowd of one tenant's, and one later of another's."""
    for one in EVIL:
        await stored_integration(store, one, tenant="evil")
    await stored_integration(store, GOOD, tenant="good")
    later = START + timedelta(days=2)
    async with store.begin() as connection:
        await everybody(store, connection)
        await connection.execute(
            update(integrations).values(active=True, status="connected", baseline_at=START)
        )
        assert GOOD in await reads.unread(connection, now=NOW + 60, limit=2)

        await connection.execute(update(integration_state).values(full_read_at=START))
        youngest = integration_state.c.integration_id == GOOD
        await connection.execute(
            update(integration_state).where(youngest).values(full_read_at=START + timedelta(hours=1))
        )
        assert GOOD in await runs.unread_for_long(connection, before=later, since=later, limit=2)

        lost = {"status": "not_connected", "reason": "calendar_missing"}
        await connection.execute(update(integrations).values(**lost))
        await connection.execute(update(integration_state).values(looked_at=NOW))
        await connection.execute(update(integration_state).where(youngest).values(looked_at=NOW + 1))
        assert GOOD in await listing.take_lost(connection, before=NOW + 9, now=NOW + 9, limit=2)

        due = [a_run(one, NOW) for one in EVIL] + [a_run(GOOD, NOW + 1)]
        await connection.execute(insert(runs_table), due)
        taken = await runs.take_due(connection, now=NOW + 9, limit=2)
        assert GOOD in {run.integration_id for run in taken}
        rest = await runs.take_due(connection, now=NOW + 9)
        assert len(taken) + len(rest) == len(due)


def a_run(integration_id: str, due_at: float) -> dict[str, object]:
    return {
        "id": integration_id,
        "integration_id": integration_id,
        "started_by": "u",
        "kind": "daily",
        "state": "waiting",
        "step": "baseline",
        "requested_at": START,
        "listed": False,
        "cursor": {},
        "due_at": due_at,
    }

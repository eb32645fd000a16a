"""The budget shared through the store, on both engines; each store stands for a process (R32)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from contracts.errors import Unavailable
from contracts.ports import Permit, Turn, Urgency
from service.app.cronofy import open_budget
from service.cronofy.allowance import limits_of
from service.cronofy.budget import NoBudget, SharedBudget
from service.store.engine.store import Store
from service.store.operations.budget import BudgetRow
from tests.support.clock import ManualClock

Result = TypeVar("Result")


class Watched:
    """A ledger that knows whether anyone is at it."""

    def __init__(self, row: BudgetRow) -> None:
        self._row = row
        self.busy = 0
        self.changes = 0
        self.idle = asyncio.Event()

    async def change(self, judge: Callable[[str, float], tuple[str, Result]]) -> Result:
        self.busy += 1
        self.changes += 1
        self.idle.clear()
        try:
            return await self._row.change(judge)
        finally:
            self.busy -= 1
            if not self.busy:
                self.idle.set()


class Processes:
    """Budgets of several processes under one clock, and the moments at which each request went out."""

    def __init__(self, stores: list[Store], clock: ManualClock) -> None:
        self.clock = clock
        self.ledgers = [Watched(BudgetRow(store)) for store in stores]
        self.sent: list[tuple[float, str]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.budgets: list[SharedBudget] = []
        self.limit(50, 500)

    def limit(self, per_second: int, per_minute: int) -> None:
        budgets = [
            open_budget(ledger, self.clock, per_second=per_second, per_minute=per_minute)
            for ledger in self.ledgers
        ]
        self.budgets = [budget for budget in budgets if isinstance(budget, SharedBudget)]

    def send(
        self,
        process: int,
        integration: str,
        *,
        tenant: str = "",
        urgency: Urgency = Urgency.LIVE,
        times: int = 1,
    ) -> None:
        async def one() -> None:
            permit = await self.budgets[process].take(
                Turn(integration_id=integration, tenant_id=tenant, urgency=urgency)
            )
            assert permit.until >= self.clock.monotonic()
            self.sent.append((self.clock.monotonic(), integration))

        self.tasks += [asyncio.create_task(one()) for _ in range(times)]

    async def quiet(self) -> None:
        """Return when nobody is at the ledger and everybody sleeps or is done."""
        for _ in range(10):
            await asyncio.sleep(0)
            for ledger in self.ledgers:
                while ledger.busy:
                    await ledger.idle.wait()

    async def work(self, seconds: float) -> None:
        """Let that much time pass, in steps that wait for the database."""
        end = self.clock.monotonic() + seconds
        await self.quiet()
        while self.clock.monotonic() < end and not all(task.done() for task in self.tasks):
            await self.clock.pass_time(0.05)
            await self.quiet()

    def order(self) -> list[str]:
        return [integration for _, integration in self.sent]

    def most_within(self, span: float) -> int:
        moments = sorted(at for at, _ in self.sent)
        return max(sum(1 for at in moments if start <= at < start + span) for start in moments)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[Processes]:
    clock = ManualClock()
    stores = [Store(database_url, clock=clock) for _ in range(3)]
    await stores[0].upgrade()
    under_test = Processes(stores, clock)
    yield under_test
    for task in under_test.tasks:
        task.cancel()
    await asyncio.gather(*under_test.tasks, return_exceptions=True)
    await clock.pass_time(5)
    await under_test.quiet()
    for store in stores:
        await store.close()


async def test_r32_three_processes_together_keep_both_limits_in_every_window(processes: Processes) -> None:
    """45 in any second, 475 in any 60 s, and the minute is used up, not merely respected."""
    for process in range(3):
        for integration in range(20):
            processes.send(process, f"i-{process}-{integration}", times=10)

    await processes.work(60)
    assert 470 <= len(processes.sent) <= 475
    await processes.work(20)

    assert len(processes.sent) == 600
    assert processes.most_within(1) <= 45
    assert processes.most_within(60) <= 475


async def test_r32_many_waiters_are_granted_in_one_transaction(processes: Processes) -> None:
    """No herd at the row: 45 requests cost two transactions, not 45."""
    processes.send(0, "i-1", times=45)

    await processes.work(0.1)

    assert len(processes.sent) == 45
    assert processes.ledgers[0].changes <= 2


async def test_r32_integrations_are_served_in_turn(processes: Processes) -> None:
    """A flood of one integration delays another by one request, not by the flood."""
    processes.limit(1, 0)
    processes.send(0, "first")
    processes.send(0, "flood", times=5)
    processes.send(0, "small", times=2)
    processes.send(0, "other", times=1)

    await processes.work(20)

    assert processes.order()[:6] == ["first", "flood", "small", "other", "flood", "small"]


async def test_r32_a_flood_in_one_process_does_not_starve_another_process(processes: Processes) -> None:
    """The fairness holds across processes."""
    processes.limit(3, 0)
    processes.send(0, "flood", times=20)
    await processes.work(0.1)
    processes.send(1, "small", times=2)

    await processes.work(4)

    assert processes.order().count("small") == 2


async def test_r32_live_changes_come_before_runs_across_processes(processes: Processes) -> None:
    """A run in one process waits for the live changes of another."""
    processes.limit(2, 0)
    processes.send(0, "first")
    await processes.work(0.1)
    processes.send(1, "run", urgency=Urgency.RUN, times=3)
    processes.send(2, "live", times=3)

    await processes.work(15)

    assert processes.order() == ["first", "live", "live", "live", "run", "run", "run"]


async def test_r32_a_live_change_wakes_a_process_in_which_only_runs_wait(processes: Processes) -> None:
    """The part that runs may not use is for those who come later."""
    processes.send(0, "run", urgency=Urgency.RUN, times=50)
    await processes.work(0.1)
    processes.send(0, "live")

    await processes.work(0.1)

    assert processes.order() == ["run"] * 42 + ["live"]


async def test_429_for_two_integrations_halves_the_budget_of_every_process(processes: Processes) -> None:
    """In steps it comes back."""
    await processes.budgets[0].penalise(Turn(integration_id="i-1"))
    await processes.budgets[1].penalise(Turn(integration_id="i-2"))

    processes.send(2, "i-3", times=45)
    await processes.work(0.1)
    assert len(processes.sent) == 22
    await processes.work(200)
    assert len(processes.sent) == 45

    await processes.clock.pass_time(160)
    processes.send(2, "i-3", times=45)
    await processes.work(0.1)
    assert len(processes.sent) == 90


async def test_r32_a_waiter_that_gives_up_leaves_the_line(processes: Processes) -> None:
    """What nobody waits for is not granted."""
    processes.limit(1, 0)
    processes.send(0, "first")
    processes.send(0, "gives up")
    await processes.work(0.1)
    processes.tasks[1].cancel()
    with suppress(asyncio.CancelledError):
        await processes.tasks[1]
    processes.send(0, "patient")

    await processes.work(1.5)

    assert processes.order() == ["first", "patient"]


async def test_r32_real_processes_at_the_same_moment_stay_under_the_limit(database_url: str) -> None:
    """By the database's own clock and at full speed."""
    stores = [Store(database_url) for _ in range(3)]
    await stores[0].upgrade()
    sent: list[float] = []

    async def send(budget: SharedBudget, integration: str) -> None:
        permit = await budget.take(Turn(integration_id=integration))
        while permit.until < time.monotonic():  # it lapsed where the machine is busy: as the product does
            permit = await budget.take(Turn(integration_id=integration))
        sent.append(time.monotonic())

    budgets = [SharedBudget(BudgetRow(store), RealClock(), limits_of(50, 500)) for store in stores]
    async with asyncio.timeout(300):
        await asyncio.gather(*(send(one, f"i-{number}") for one in budgets for number in range(25)))
    for store in stores:
        await store.close()

    sent.sort()
    assert len(sent) == 75
    assert all(later - earlier >= 1 for earlier, later in zip(sent, sent[45:], strict=False))


async def test_r32_one_grant_with_nobody_else_waiting_costs_little(database_url: str) -> None:
    """One transaction each, and no rest: this clock stands, and whoever slept by it would never wake."""
    clock = ManualClock()
    store = Store(database_url, clock=clock)
    await store.upgrade()
    ledger = Watched(BudgetRow(store))
    budget = open_budget(ledger, clock, per_second=10_000, per_minute=0)
    async with asyncio.timeout(300):
        for _ in range(100):
            await budget.take(Turn(integration_id="i-1"))
    await store.close()

    assert ledger.changes == 100


async def test_a_lost_database_is_told_to_everyone_who_waits() -> None:
    """Each gets an Unavailable of its own; the next request asks again."""

    class Lost:
        asked = 0

        async def change(self, judge: Callable[[str, float], tuple[str, Result]]) -> Result:
            self.asked += 1
            raise Unavailable("the database cannot be used")

    ledger = Lost()
    budget = SharedBudget(ledger, RealClock(), limits_of(50, 500))

    answers = await asyncio.gather(
        *(budget.take(Turn(integration_id="i-1")) for _ in range(3)), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert len({id(answer) for answer in answers}) == 3
    with pytest.raises(Unavailable):
        await budget.take(Turn(integration_id="i-1"))
    assert ledger.asked == 2


async def test_limits_of_0_leave_the_database_alone() -> None:
    """The ledger of this budget would fail at the first touch."""

    class Untouchable:
        async def change(self, judge: Callable[[str, float], tuple[str, Result]]) -> Result:
            raise AssertionError("touched")

    budget = open_budget(Untouchable(), RealClock(), per_second=0, per_minute=0)

    assert isinstance(budget, NoBudget)
    assert budget.most is None
    permits = [
        await budget.take(Turn(integration_id="i-1", urgency=Urgency.RUN), cost=50) for _ in range(1_000)
    ]
    await budget.penalise(Turn(integration_id="i-1"))
    assert permits[0] == Permit(until=float("inf"))


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

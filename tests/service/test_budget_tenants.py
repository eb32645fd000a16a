"""The budget is fair to tenants, whatever one of them does (R32, R44): counted by a clock of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.ports import Turn, Urgency
from service.cronofy.allowance import (
    MINUTE_SPAN,
    SECOND_SPAN,
    SHARE_OF_TENANT,
    Allowance,
    ProcessDemand,
    limits_of,
)
from service.cronofy.budget import SharedBudget
from tests.support.clock import ManualClock

Result = TypeVar("Result")
LIMITS = limits_of(50, 500)
NOW = 1_800_000_000_000


class OneText:
    """The ledger of processes that share one memory."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._text = ""

    async def change(self, judge: Callable[[str, float], tuple[str, Result]]) -> Result:
        self._text, told = judge(self._text, NOW / 1000 + self._clock.monotonic())
        return told


class Town:
    """Processes of one installation, and when each tenant's requests went out."""

    def __init__(self, processes: int = 2) -> None:
        self.clock = ManualClock()
        ledger = OneText(self.clock)
        self.budgets = [SharedBudget(ledger, self.clock, LIMITS) for _ in range(processes)]
        self.sent: list[tuple[float, str]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(
        self,
        tenant: str,
        *,
        times: int = 1,
        urgency: Urgency = Urgency.LIVE,
        process: int = 0,
        integrations: int = 1,
    ) -> None:
        async def one(number: int) -> None:
            turn = Turn(integration_id=f"{tenant}-{number % integrations}", tenant_id=tenant, urgency=urgency)
            await self.budgets[process].take(turn)
            self.sent.append((self.clock.monotonic(), tenant))

        self.tasks += [asyncio.create_task(one(number)) for number in range(times)]

    async def work(self, seconds: float) -> None:
        await self.clock.pass_time(0)
        for _ in range(round(seconds / 0.1)):
            await self.clock.pass_time(0.1)

    async def seconds_for(self, tenant: str, requests: int) -> float:
        """Until so many of theirs have gone out."""
        began, before = self.clock.monotonic(), len(self.of(tenant))
        while len(self.of(tenant)) - before < requests:
            assert self.clock.monotonic() - began < 300, f"{tenant} is starved"
            await self.work(0.1)
        return self.clock.monotonic() - began

    def of(self, tenant: str) -> list[float]:
        return [at for at, whose in self.sent if whose == tenant]

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.clock.pass_time(5)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    made.ask("acme")
    await made.work(70)  # somebody else was there; whatever they sent is out of every window
    yield made
    await made.close()


@pytest.mark.parametrize("processes", [(0,), (0, 1)])
@pytest.mark.parametrize("urgency", list(Urgency))
@pytest.mark.parametrize("integrations", [1, 500])
async def test_r44_a_flood_of_one_tenant_delays_anothers_changes_by_less_than_twice(
    town: Town, processes: tuple[int, ...], urgency: Urgency, integrations: int
) -> None:
    """A flood that has lasted for a minute, of whatever kind, from however many calendars."""
    town.ask("acme", times=20, integrations=20)
    without = await town.seconds_for("acme", 20)
    await town.work(70)

    for process in processes:
        town.ask("mallory", times=600, urgency=urgency, process=process, integrations=integrations)
    await town.work(61.3)
    town.ask("acme", times=20, integrations=20, process=1)
    assert await town.seconds_for("acme", 20) <= 2 * without + 2.5


async def test_r44_what_a_flood_has_spent_before_leaves_a_quarter_of_the_minute(town: Town) -> None:
    """The window is not empty for whoever comes after it, once a flood has had all that it may."""
    town.ask("mallory", times=600, integrations=600)
    await town.work(45)
    assert len(town.of("mallory")) == int(SHARE_OF_TENANT * 475)
    town.ask("acme", times=9, integrations=9)
    assert await town.seconds_for("acme", 9) <= 1.3


async def test_r44_a_tenant_alone_has_the_whole_budget() -> None:
    """Nobody waits for somebody who is not there: at its pace, it all goes out within the minute."""
    town = Town()
    town.ask("acme", times=600, integrations=600)
    await town.work(60)
    assert 0.99 * 475 <= len(town.of("acme")) <= 475
    await town.close()


async def test_r44_two_tenants_that_both_want_everything_share_it(town: Town) -> None:
    """The one that came first gives way, request by request."""
    town.ask("mallory", times=1500, integrations=100)
    await town.work(40)
    town.ask("acme", times=1200, integrations=2, process=1)
    await town.work(180)
    assert all(len(town.of(one)) < 1200 for one in ("mallory", "acme")), "both still want more"
    last = town.clock.monotonic() - 60
    theirs, mine = (sum(1 for at in town.of(one) if at > last) for one in ("mallory", "acme"))
    assert mine >= 0.8 * theirs
    assert theirs + mine >= 0.8 * 475


async def test_r44_what_people_ask_comes_after_live_changes_and_before_runs(town: Town) -> None:
    """Of what live changes leave they take their tenant's part, and runs what both leave."""
    town.ask("a", times=60, urgency=Urgency.RUN, integrations=60)
    town.ask("b", times=60, urgency=Urgency.PERSON, integrations=60)
    town.ask("c", times=20, integrations=20)
    await town.work(0.3)
    assert [len(town.of(one)) for one in "abc"] == [3, 17, 20]
    await town.work(0.3)
    town.ask("d", times=2, integrations=2)
    await town.work(0.2)
    assert [len(town.of(one)) for one in "abcd"] == [3, 17, 20, 2]


async def test_r44_people_of_another_tenant_do_not_wait_for_a_flood_of_live_changes(town: Town) -> None:
    """Who has had their part waits for it alone: what is left is for others, whatever they want."""
    town.ask("mallory", times=600, integrations=600)
    await town.work(30)
    town.ask("acme", urgency=Urgency.PERSON, process=1)
    town.ask("bolt", urgency=Urgency.RUN, process=1)
    await town.work(2.5)
    assert (len(town.of("acme")), len(town.of("bolt"))) == (1 + 1, 1)


def test_r44_refusals_of_one_tenants_accounts_do_not_halve_the_budget_of_the_others() -> None:
    """Two accounts of one tenant that Cronofy throttles, while it answers somebody else."""
    allowance = Allowance()
    allowance.rule(NOW, LIMITS, "p", live=ProcessDemand(costs=[1], tenants=["acme"]))
    assert not allowance.refuse(NOW + 1, "i-1", "mallory")
    assert not allowance.refuse(NOW + 2, "i-2", "mallory")
    assert allowance.present_level(NOW + 3) == 1.0
    assert allowance.refuse(NOW + 4, "i-3", "acme"), "two tenants'"


def test_r44_where_one_tenant_alone_sends_two_accounts_refused_halve_it() -> None:
    """There is nobody whose requests would show that it is theirs alone."""
    allowance = Allowance()
    allowance.rule(NOW, LIMITS, "p", live=ProcessDemand(costs=[1], tenants=["mallory"]))
    assert [allowance.refuse(NOW + 1, "i-1", "mallory"), allowance.refuse(NOW + 2, "i-2", "mallory")] == [
        False,
        True,
    ]


@settings(max_examples=60, deadline=None)
@given(
    steps=some.lists(
        some.tuples(
            some.integers(0, 2500),
            some.sampled_from("pq"),
            some.tuples(*(some.lists(some.sampled_from("abc"), max_size=30) for _ in range(3))),
        ),
        max_size=40,
    )
)
def test_r32_r44_every_window_is_kept_and_nothing_is_granted_that_was_not_asked(
    steps: list[tuple[int, str, tuple[list[str], list[str], list[str]]]],
) -> None:
    """Of any classes and tenants in any order; a tenant leaves a part while others are remembered."""
    allowance, now, sendings = Allowance(), NOW, []
    for pause, process, wanted in steps:
        now += pause
        allowance = Allowance.parse(allowance.text())
        live, persons, runs = (ProcessDemand(costs=[1] * len(each), tenants=each) for each in wanted)
        ruling = allowance.rule(now, LIMITS, process, live=live, persons=persons, runs=runs)
        for each, granted in zip(wanted, ruling.granted, strict=True):
            assert set(granted) <= set(range(len(each)))
            assert len(set(granted)) == len(granted)
            sendings += [now] * len(granted)
    for span, most in ((SECOND_SPAN, 45), (MINUTE_SPAN, 475)):
        assert all(sum(1 for at in sendings if start <= at < start + span) <= most for start in sendings)

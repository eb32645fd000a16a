"""What accounts cost at Cronofy by the day: next to nothing where nothing happens (R32)."""

from collections import Counter
from functools import partial
from itertools import pairwise

from tests.support.quiet_days import CHANGES, NOTICES, quiet_days
from tests.support.waiting import until

STEP_SECONDS = 1_200.0
QUIET, AUDITS = 4, 2
FLURRY = 10


async def test_r32_a_quiet_account_costs_its_daily_read_and_half_a_look_at_its_channels_at_rest(
    database_url: str,
) -> None:
    """One read with its token; neither the account nor the changes are asked for, on any of the days."""
    async with quiet_days(database_url, people=QUIET, step=STEP_SECONDS) as days:
        costs = [await days.pass_day() for _ in range(2)]

    a_day = {"a complete read": QUIET, "a token": QUIET, "a look at the channels": AUDITS}
    assert costs == [Counter(a_day)] * 2


async def test_r32_a_persons_changes_and_notices_cost_a_request_each_at_rest(database_url: str) -> None:
    """And where notices come, nobody looks whether they can."""
    async with quiet_days(database_url, people=1, step=STEP_SECONDS) as days:
        await days.pass_day(busy=sorted(days.people.integrations))
        cost = await days.pass_day(busy=sorted(days.people.integrations))

    assert cost.pop("a token") <= 24
    assert cost.pop("a read of changes") <= NOTICES
    assert cost == Counter({"a write": CHANGES, "a complete read": 1})


async def test_daily_reads_that_are_apart_stay_apart_over_the_day_at_rest(database_url: str) -> None:
    """Each account is read a day after it was read last, and no two in one round."""
    async with quiet_days(database_url, people=QUIET, step=STEP_SECONDS) as days:
        await days.pass_day()
        moments = [at for word, at in days.wire.moments if word == "a complete read"]

    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert len(gaps) == QUIET - 1
    assert min(gaps) >= 86_400 / QUIET - 2 * STEP_SECONDS


async def test_r11_a_daily_read_looks_at_the_account_before_it_writes_what_is_missing(
    database_url: str,
) -> None:
    """While Cronofy reads a calendar anew it shows nothing, and then nothing is missing."""
    async with quiet_days(database_url, people=1, step=STEP_SECONDS) as days:
        (person,) = days.people.integrations
        await days.pass_day(busy=[person])
        before = len(days.people.world.log.writes)
        days.people.world.start_initial_sync(f"{person}@example.com")
        cost = await days.pass_day()

    assert cost["a look at the account"] >= 1
    assert [*days.people.world.log.writes][before:] == []


async def test_r32_notices_in_quick_succession_share_the_next_read(database_url: str) -> None:
    """The first is read for at once; those that follow cost one more request together, and none is lost."""
    async with quiet_days(database_url, people=1, step=STEP_SECONDS) as days:
        home, people, (mine,) = days.people.home, days.people, days.people.integrations.values()
        people.handle(partial(home.notice, mine))
        await people.settle()
        assert days.wire.asked["a read of changes"] == 1
        await people.pass_time(0.5)
        home.add_event(mine)
        asleep = people.clock.asleep
        people.handle(partial(home.notice, mine))
        await until(lambda: people.clock.asleep > asleep)
        for _ in range(FLURRY):
            await home.notice(mine)
        assert days.wire.asked["a read of changes"] == 1
        await people.pass_time(1.5)
        await people.settle()

        assert days.wire.asked["a read of changes"] == 2
        assert len(await home.items()) == 1
        assert await home.reader.pending() == []

"""The budget's arithmetic (R32)."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as some

from service.cronofy.allowance import (
    GRANT_SLACK_MILLISECONDS,
    MINUTE_SPAN,
    SECOND_SPAN,
    Allowance,
    ProcessDemand,
    RequestLimit,
    limits_of,
)

LIMITS = limits_of(50, 500)
NOW = 1_800_000_000_000


def wants(count: int, *, cost: int = 1) -> ProcessDemand:
    return ProcessDemand(costs=[cost] * count)


def most_within(span: int, moments: list[int]) -> int:
    """The most moments in any window of that span, which includes its beginning and not its end."""
    moments = sorted(moments)
    return max((sum(1 for at in moments if start <= at < start + span) for start in moments), default=0)


def test_r32_the_limits_kept_are_45_a_second_and_475_a_minute_and_0_is_none() -> None:
    """A little under Cronofy's own."""
    assert (
        RequestLimit(requests=45, span=SECOND_SPAN),
        RequestLimit(requests=475, span=MINUTE_SPAN),
    ) == LIMITS
    assert limits_of(0, 500) == (RequestLimit(requests=475, span=MINUTE_SPAN),)
    assert limits_of(50, 0) == (RequestLimit(requests=45, span=SECOND_SPAN),)
    assert limits_of(0, 0) == ()
    assert limits_of(1, 1) == (
        RequestLimit(requests=1, span=SECOND_SPAN),
        RequestLimit(requests=1, span=MINUTE_SPAN),
    )


def test_r32_a_burst_gets_45_at_once_and_the_next_is_told_when_to_come() -> None:
    """Many waiters are granted in one go."""
    allowance = Allowance()

    ruling = allowance.rule(NOW, LIMITS, "a", live=wants(60))

    assert ruling.live == 45
    assert ruling.pause == 1_000
    assert allowance.rule(NOW + SECOND_SPAN + GRANT_SLACK_MILLISECONDS, LIMITS, "a", live=wants(15)).live == 0
    assert (
        allowance.rule(NOW + SECOND_SPAN + GRANT_SLACK_MILLISECONDS + 1, LIMITS, "a", live=wants(15)).live
        == 15
    )


@settings(max_examples=60, deadline=None)
@given(
    steps=some.lists(
        some.tuples(
            some.integers(0, 2500), some.sampled_from("abc"), some.integers(0, 60), some.integers(0, 60)
        ),
        max_size=60,
    ),
    delays=some.lists(some.integers(0, GRANT_SLACK_MILLISECONDS), min_size=1, max_size=20),
)
def test_r32_no_window_of_the_sendings_holds_more_than_its_limit(
    steps: list[tuple[int, str, int, int]], delays: list[int]
) -> None:
    """Counted at sending, which comes up to SLACK after the grant, in any order."""
    allowance, now = Allowance(), NOW
    sendings: list[int] = []
    for pause, process, live, runs in steps:
        now += pause
        allowance = Allowance.parse(allowance.text())
        ruling = allowance.rule(now, LIMITS, process, live=wants(live), runs=wants(runs))
        for _ in range(ruling.live + ruling.runs):
            sendings.append(now + delays[len(sendings) % len(delays)])

    assert most_within(SECOND_SPAN, sendings) <= 45
    assert most_within(MINUTE_SPAN, sendings) <= 475


def test_r32_a_process_that_always_asks_uses_nearly_all_of_every_minute() -> None:
    """Exactness costs less than a hundredth."""
    allowance, now, granted = Allowance(), NOW, []
    while now < NOW + 4 * MINUTE_SPAN:
        ruling = allowance.rule(now, LIMITS, "a", live=wants(100))
        granted += [now] * ruling.live
        now += max(1, ruling.pause)

    assert sum(1 for at in granted if NOW + MINUTE_SPAN <= at < NOW + 4 * MINUTE_SPAN) >= 3 * 475 * 0.95


def test_r32_a_cost_counts_whole_and_one_above_the_limit_needs_an_empty_window() -> None:
    """CRONOFY_BATCH_COST=entry."""
    allowance = Allowance()

    assert allowance.rule(NOW, LIMITS, "a", live=wants(3, cost=20)).live == 2
    later = NOW + SECOND_SPAN + GRANT_SLACK_MILLISECONDS + 1
    assert allowance.rule(later, LIMITS, "a", live=wants(1, cost=50)).live == 1
    assert allowance.rule(later + 1, LIMITS, "a", live=wants(1)).live == 0


def test_r32_runs_leave_the_last_part_to_live_changes() -> None:
    """A run that has used all it may does not keep a live change waiting."""
    allowance = Allowance()

    assert allowance.rule(NOW, LIMITS, "a", runs=wants(100)).runs == 42
    assert allowance.rule(NOW + 1, LIMITS, "b", live=wants(3)).live == 3


def test_r32_a_run_gets_nothing_while_a_live_change_waits_anywhere() -> None:
    """Two priorities, across processes."""
    allowance = Allowance()
    allowance.rule(NOW, LIMITS, "a", live=wants(46))
    free = NOW + SECOND_SPAN + GRANT_SLACK_MILLISECONDS + 1

    assert allowance.rule(free, LIMITS, "b", runs=wants(1)).runs == 0
    assert allowance.rule(free, LIMITS, "a", live=wants(1)).live == 1
    assert allowance.rule(free, LIMITS, "b", runs=wants(1)).runs == 1


def test_r32_a_process_that_never_comes_back_is_not_waited_for() -> None:
    """Its place is kept for half a second beyond the time at which it would ask."""
    allowance = Allowance()
    allowance.rule(NOW, LIMITS, "dead", live=wants(46))

    assert allowance.rule(NOW + 1_400, LIMITS, "b", runs=wants(1)).runs == 0
    assert allowance.rule(NOW + 1_501, LIMITS, "b", runs=wants(1)).runs == 1


def test_r32_what_becomes_free_is_shared_by_the_integrations_that_wait() -> None:
    """One process with a flood does not starve another with a drop."""
    allowance = Allowance()
    allowance.rule(NOW, LIMITS, "flood", live=wants(100))
    allowance.rule(NOW + 10, LIMITS, "drop", live=wants(1))
    free = NOW + SECOND_SPAN + GRANT_SLACK_MILLISECONDS + 1

    flood = allowance.rule(free, LIMITS, "flood", live=wants(55))

    assert flood.live == 22
    assert allowance.rule(free, LIMITS, "drop", live=wants(1)).live == 1
    assert allowance.rule(free + 1, LIMITS, "flood", live=wants(33)).live == 22


def test_r32_the_process_served_longest_ago_gets_the_only_free_request() -> None:
    """Turns alternate, however often one of them asks."""
    limits = (RequestLimit(requests=1, span=SECOND_SPAN),)
    allowance, now = Allowance(), NOW
    served: list[str] = []
    while len(served) < 10:
        for process in ("eager", "eager", "patient"):
            if allowance.rule(now, limits, process, live=wants(1)).live:
                served.append(process)
                allowance.rule(now, limits, process, live=wants(1))
        now += 50

    assert all(one != other for one, other in pairwise(served))


def test_two_refusals_of_different_integrations_halve_the_budget_once_and_it_recovers() -> None:
    """Refused for two integrations within 10 s."""
    allowance = Allowance()

    assert [allowance.refuse(NOW, "i-1"), allowance.refuse(NOW + 1, "i-1")] == [False, False]
    assert allowance.refuse(NOW + 9_000, "i-2")
    assert not allowance.refuse(NOW + 9_500, "i-3")
    assert allowance.rule(NOW + 10_000, LIMITS, "a", live=wants(45)).live == 22
    assert Allowance.parse(allowance.text()).present_level(NOW + 9_000 + 2 * 30_000) == 0.7
    assert allowance.present_level(NOW + 9_000 + 5 * 30_000) == 1.0


def test_refusals_far_apart_halve_nothing() -> None:
    """One integration's own trouble is not the application's."""
    allowance = Allowance()

    assert not allowance.refuse(NOW, "i-1")
    assert not allowance.refuse(NOW + 10_000, "i-2")


def test_a_clock_set_back_pauses_for_one_window_only() -> None:
    """The shared clock may be wrong; waiting for it to catch up would be worse."""
    allowance = Allowance()
    allowance.rule(NOW + 3_600_000, LIMITS, "a", live=wants(45))

    assert allowance.rule(NOW, LIMITS, "a", live=wants(1)).live == 0
    assert (
        allowance.rule(NOW + SECOND_SPAN + GRANT_SLACK_MILLISECONDS + 1, LIMITS, "a", live=wants(1)).live == 1
    )


def test_the_shared_text_keeps_everything_and_stays_small() -> None:
    """It is read and written at every request."""
    allowance = Allowance()
    for number in range(2_000):
        allowance.rule(NOW + number * 30, LIMITS, f"p-{number % 8}", live=wants(1))

    assert Allowance.parse(allowance.text()) == allowance
    assert len(allowance.text()) < 4_500


def test_r32_beyond_half_of_the_minute_live_changes_are_spread_and_nearly_all_of_it_is_used() -> None:
    """Spent in ten seconds, the minute would keep whoever comes next waiting for fifty."""
    allowance, sendings = Allowance(), []
    for now in range(NOW, NOW + 3 * MINUTE_SPAN, 50):
        sendings += [now] * allowance.rule(now, LIMITS, "a", live=wants(20)).live

    longest = max(later - earlier for earlier, later in pairwise(sendings))
    assert longest <= 3_000
    for minute in (1, 2):
        began = NOW + minute * MINUTE_SPAN
        assert sum(1 for at in sendings if began <= at < began + MINUTE_SPAN) >= 0.95 * 475


def test_r44_who_has_had_little_of_the_minute_keeps_no_distance() -> None:
    """What others took slows down the others."""
    allowance = Allowance()
    for now in range(NOW, NOW + 20_000, 1_000):
        allowance.rule(now, LIMITS, "a", live=ProcessDemand(costs=[1] * 40, tenants=["loud"] * 40))
    demand = ProcessDemand(costs=[1] * 10, tenants=["loud"] * 5 + ["calm"] * 5)

    assert allowance.rule(NOW + 19_010, LIMITS, "a", live=demand).granted[0] == (5, 6, 7, 8, 9)


def test_r32_a_run_does_not_overtake_live_changes_that_go_at_a_pace() -> None:
    """They wait, so what is less urgent waits too."""
    allowance, live, runs = Allowance(), 0, 0
    for now in range(NOW, NOW + 40_000, 100):
        begun = now >= NOW + 6_000
        ruling = allowance.rule(now, LIMITS, "a", live=wants(60), runs=wants(60 if begun else 0))
        live, runs = live + ruling.live, runs + ruling.runs

    assert runs == 0
    assert live >= 330


def test_r44_who_goes_at_a_pace_is_not_held_back_by_what_others_send_now_and_then() -> None:
    """The distance is to one's own last request."""
    allowance, sent = Allowance(), 0
    for now in range(NOW, NOW + 55_000, 50):
        others = ["b", "c"] if not now % 300 else []
        demand = ProcessDemand(costs=[1] * (5 + len(others)), tenants=[*others, *["a"] * 5])
        granted = allowance.rule(now, LIMITS, "a", live=demand).granted[0]
        if now >= NOW + 10_000:
            sent += sum(1 for place in granted if place >= len(others))

    assert sent >= 30

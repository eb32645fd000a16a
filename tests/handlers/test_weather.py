"""Trouble with one provider is one notice: when it begins, what it says, when it ends (R53)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from handlers.forecasts.weather import (
    EVERYWHERE,
    ProviderWeather,
    Sighting,
    WatchedAccount,
    WeatherKind,
    family_of,
    judge,
    newest_sighting,
)
from tests.support.providers_days import HOUR, ProvidersDay, Trouble, Weather

NOW = 1_000_000.0
FAILING = Sighting(seen_at=NOW - 5, failures=2, failing_since=NOW - 60)
WELL = Sighting(seen_at=NOW - 5, lag=4.0, lagged_at=NOW - 5)
FAILING_BEFORE = replace(FAILING, seen_at=NOW - 130)
PUNCTUAL = Sighting(seen_at=NOW - 5, lag=44.0, lagged_at=NOW - 5)
LATE = Sighting(seen_at=NOW - 5, lag=360.0, lagged_at=NOW - 5)
USUAL = ProviderWeather(usual={3: 400.0, 8: 80.0, 20: 20.0}, judged_at=NOW - 15)
ONSET, OVER = 12 * HOUR, 12.5 * HOUR


def crowd(*groups: tuple[int, str, Sighting], provider: str = "office365") -> list[WatchedAccount]:
    """So many accounts of that tenant each, seen so."""
    return [
        WatchedAccount(
            provider=provider, tenant_id=tenant, user_id=f"{provider}-{tenant}-{place}-{one}", sighting=seen
        )
        for place, (many, tenant, seen) in enumerate(groups)
        for one in range(many)
    ]


def told(accounts: Sequence[WatchedAccount], before: ProviderWeather = USUAL) -> ProviderWeather:
    return judge({"office365": before}, accounts, now=NOW)["office365"]


@pytest.mark.parametrize(
    ("accounts", "begins"),
    [
        pytest.param(crowd((3, "acme", FAILING), (2, "globex", FAILING), (9, "acme", WELL)), True, id="fail"),
        pytest.param(crowd((3, "acme", LATE), (2, "globex", LATE), (9, "acme", WELL)), True, id="late"),
        pytest.param(crowd((2, "acme", FAILING), (2, "globex", FAILING)), False, id="too few accounts"),
        pytest.param(crowd((50, "acme", FAILING)), False, id="one tenant's trouble"),
        pytest.param(crowd((50, "acme", FAILING), (1, "globex", FAILING)), False, id="and one beside it"),
        pytest.param(
            crowd((50, "acme", FAILING), (3, "globex", FAILING), (30, "globex", WELL)), False,
            id="a tenant's, and others' noise",
        ),
        pytest.param(
            crowd((3, "acme", FAILING), (2, "globex", FAILING), (40, "acme", WELL)), False, id="too small"
        ),
        pytest.param(
            crowd((9, "acme", replace(FAILING, failures=1)), (9, "globex", replace(FAILING, failures=1))),
            False, id="one request each",
        ),
        pytest.param(
            crowd((9, "acme", replace(FAILING, failing_since=NOW - 7200)),
                  (9, "globex", replace(FAILING, failing_since=NOW - 9000))),
            False, id="troubles of their own, long since",
        ),
        pytest.param(
            crowd((9, "acme", FAILING_BEFORE), (9, "globex", FAILING_BEFORE)), False, id="not seen lately"
        ),
        pytest.param(crowd((9, "acme", PUNCTUAL), (9, "globex", PUNCTUAL)), False, id="late nowhere"),
    ],
)  # fmt: skip
def test_r53_weather_is_what_enough_accounts_of_enough_tenants_suffer(
    accounts: list[WatchedAccount], begins: bool
) -> None:
    assert (told(accounts).since is not None) is begins


def test_r53_what_is_late_is_judged_by_what_is_usual_at_the_provider() -> None:
    """A provider that is asked every ten minutes is not slow; one of which nothing is known is not judged."""
    late = crowd((5, "acme", LATE), (5, "globex", LATE))

    assert told(late).since is not None
    assert told(late, replace(USUAL, usual={300: 100.0, 600: 100.0})).since is None
    assert told(late, replace(USUAL, usual={3: 49.0})).since is None


def test_r53_the_notice_says_since_when_how_many_and_how_long() -> None:
    failing = [replace(FAILING, failing_since=NOW - 60 - place) for place in range(6)]
    accounts = [one for seen in failing for one in crowd((1, "acme", seen), (1, "globex", seen))]
    same = [replace(one, user_id=f"{one.tenant_id} {one.sighting.failing_since}") for one in accounts]

    seen = told([*same, *same])

    assert (seen.kind, seen.people, seen.tenants) == (WeatherKind.FAILING, 12, 2)
    assert seen.delay == 65.0
    assert seen.since == NOW - 64.0
    assert seen.usual_delay == 3.0


def test_r53_one_outlier_says_neither_since_when_nor_how_long() -> None:
    odd = replace(LATE, lag=80_000.0)
    seen = told(crowd((10, "acme", LATE), (10, "globex", LATE), (1, "initech", odd)))

    assert seen.kind is WeatherKind.SLOW
    assert seen.delay == 360.0
    assert seen.since == NOW - 5 - 360.0


def test_r53_it_ends_when_it_has_been_calm_for_a_minute_and_not_before() -> None:
    """One look that finds nobody suffering may be a gap."""
    storm = told(crowd((5, "acme", FAILING), (5, "globex", FAILING)))
    gap = judge({"office365": storm}, crowd((20, "acme", replace(WELL, seen_at=NOW + 10))), now=NOW + 15)
    back = judge(gap, crowd((5, "acme", replace(FAILING, seen_at=NOW + 25))), now=NOW + 30)
    calm = judge(back, crowd((20, "acme", replace(WELL, seen_at=NOW + 40))), now=NOW + 45)
    still = judge(calm, crowd((20, "acme", replace(WELL, seen_at=NOW + 100))), now=NOW + 104)
    over = judge(still, crowd((20, "acme", replace(WELL, seen_at=NOW + 100))), now=NOW + 105)

    stands = [one["office365"].since is not None for one in (gap, back, calm, still, over)]
    assert stands == [True, True, True, True, False]
    assert gap["office365"].people == storm.people
    assert over["office365"].people == 0


def test_r53_nobody_seen_any_more_ends_it_too() -> None:
    storm = told(crowd((5, "acme", FAILING), (5, "globex", FAILING)))
    quiet = judge({"office365": storm}, crowd((5, "acme", FAILING), (5, "globex", FAILING)), now=NOW + 300)
    gone = judge(quiet, [], now=NOW + 700)
    over = judge(gone, [], now=NOW + 760)

    assert quiet["office365"].since == storm.since
    assert over["office365"].since is None


def test_r53_where_all_providers_suffer_it_is_one_notice_for_all() -> None:
    accounts = [
        *crowd((5, "acme", FAILING), (5, "globex", FAILING)),
        *crowd((5, "acme", FAILING), (5, "globex", FAILING), provider="google"),
    ]
    seen = judge({}, accounts, now=NOW)

    assert [name for name, one in seen.items() if one.since is not None] == [EVERYWHERE]
    assert seen[EVERYWHERE].people == 20


def test_r53_weather_hardly_changes_what_is_usual_and_a_slow_week_does() -> None:
    storm = replace(USUAL, since=NOW - 600)
    late = crowd((20, "acme", LATE), (20, "globex", LATE))

    assert told(late, storm).late_after == USUAL.late_after
    known = {"office365": storm}
    for hour in range(1, 24 * 14):
        now = NOW + hour * HOUR
        seen = replace(LATE, seen_at=now - 1, lagged_at=now - 1)
        known = judge(known, crowd((20, "acme", seen), (20, "globex", seen)), now=now)
    assert known["office365"].since is None


@pytest.mark.parametrize("accounts", [1, 20, 500])
def test_r53_one_tenants_slow_accounts_make_nothing_usual_for_others(accounts: int) -> None:
    """However many it has: what is late at the provider stays late."""
    others = [(2, f"tenant-{number}", WELL) for number in range(20)]
    known = USUAL
    for number in range(200):
        at = NOW + number * 15
        slow = replace(LATE, seen_at=at, lagged_at=at)
        seen = [
            replace(one, sighting=replace(one.sighting, seen_at=at, lagged_at=at))
            for one in crowd((accounts, "acme", slow), *others)
        ]
        known = judge({"office365": known}, seen, now=at)["office365"]

    assert known.late_after == USUAL.late_after


def test_r53_of_what_several_processes_saw_the_newest_counts_and_a_trouble_began_with_the_first() -> None:
    first = Sighting(seen_at=NOW - 50, failures=3, failing_since=NOW - 500)
    second = Sighting(seen_at=NOW - 10, failures=1, failing_since=NOW - 10, lag=4.0, lagged_at=NOW - 100)
    well = Sighting(seen_at=NOW - 30)

    assert newest_sighting([second, first]).failing_since == NOW - 500
    assert newest_sighting([second, well, first]).failing_since == NOW - 10
    assert newest_sighting([first, second]).lag == 4.0
    assert newest_sighting([first, replace(well, seen_at=NOW)]).failures == 0


def test_r53_services_of_one_provider_are_one() -> None:
    assert {family_of(one) for one in ("gsuite", "gmail", "google")} == {"google"}
    assert family_of("office365") == "office365"


@pytest.mark.parametrize("seed", range(3))
def test_r53_a_day_of_ordinary_noise_is_no_weather(seed: int) -> None:
    day = ProvidersDay(seed=seed)
    day.run()

    assert day.turns == []


def of(provider: str, how: Trouble) -> Weather:
    """Trouble of one provider from the onset on."""
    return lambda one, at: how if one.provider == provider and ONSET <= at < OVER else None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("how", "kind"), [(math.inf, WeatherKind.FAILING), (70.0, WeatherKind.SLOW)])
def test_r53_weather_is_told_within_two_minutes_and_ends_within_five(
    seed: int, how: float, kind: WeatherKind
) -> None:
    """A change that comes 70 seconds late cannot be seen earlier than that."""
    delayed = 0.0 if how == math.inf else how
    weather: Weather = lambda one, at: of("google", how)(one, at - delayed)  # noqa: E731
    day = ProvidersDay(seed=seed, accounts=300, pace=60.0, look_every=15, weather=weather)
    day.run(since=11.8 * HOUR, until=12.7 * HOUR)
    begun, ended = day.turns

    assert (begun.provider, begun.begins, begun.weather.kind) == ("google", True, kind)
    assert begun.at - ONSET <= 120
    assert (ended.provider, ended.begins) == ("google", False)
    assert ended.at - OVER <= 300 + delayed


@pytest.mark.parametrize("seed", range(3))
def test_r53_one_tenants_trouble_is_never_weather(seed: int) -> None:
    of_one: Weather = lambda one, at: math.inf if one.tenant_id == "tenant-1" and at >= ONSET else None  # noqa: E731
    day = ProvidersDay(seed=seed, weather=of_one)
    day.run(since=11.8 * HOUR, until=12.7 * HOUR)

    assert day.turns == []

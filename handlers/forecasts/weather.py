"""Trouble with one provider is one notice, not one for each account: pure, from how accounts fare (R53).

An account *suffers* while its requests fail again and again, or while what happens on its calendar reaches us
much later than is usual at its provider. That becomes weather where enough accounts of enough tenants began
to suffer at about the same time; what ails one account or one tenant never does.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

FRESH_SECONDS = 120.0
"""What was seen within so many seconds tells how a provider is now."""
REMEMBERED_SECONDS = 600.0
"""Who was last seen suffering within so many seconds still waits; a failed request is tried again by then."""
FAILURES_IN_A_ROW = 2
"""One request that fails is ordinary: the next one is made ten seconds later."""
ONSET_SECONDS = 600.0
"""Who has suffered for longer has a trouble of their own, and is no sign of weather that begins now."""

FEWEST_ACCOUNTS, FEWEST_TENANTS = 5, 2
FEWEST_BESIDE, FEWEST_HINTED = 2, 3
"""So many accounts must suffer beside those of the worst tenant; and of each provider, to blame none."""
BEGINS_AT, HINTED_AT, ENDS_BELOW = 0.2, 0.15, 0.1
"""The part of the accounts seen lately that suffers: weather begins at the first, and ends below the last."""
FAIR_AFTER_SECONDS = 60.0
"""Seconds for which it must have been calm."""

SURELY_PUNCTUAL_SECONDS = 45.0
"""A change that comes within so many seconds is late nowhere."""
LATE_TIMES_USUAL = 4.0
"""Late is what takes so many times as long as nine of ten changes usually do."""
MOST_OF_A_TENANT = 1.0
"""So much all lags of one tenant count that are new in a judgement: many slow accounts make nothing usual."""
ENOUGH_LAGS = 50.0
"""From how many lags on it is known what is usual."""
HALF_LIFE_SECONDS = 86_400.0
"""After a day a lag counts half of what a new one does."""
WEIGHT_IN_WEATHER = 0.05
"""What is seen in weather hardly changes what is usual; but what stays for days becomes it."""
LAG_BOUNDS = (
    1,
    2,
    3,
    5,
    8,
    10,
    12,
    15,
    20,
    25,
    30,
    45,
    60,
    90,
    120,
    180,
    300,
    600,
    1200,
    1800,
    3600,
    7200,
    14_400,
)
"""Seconds, by which lags are counted; what is later is counted with the last."""
MEDIAN, MOST = 0.5, 0.9

EVERYWHERE = "everywhere"
"""Stands for all providers where all of them suffer."""
FAMILIES: Mapping[str, str] = {
    "gsuite": "google",
    "gmail": "google",
    "live_connect": "outlook_com",
    "ews": "exchange",
    "apple": "icloud",
}
"""Services that are one provider's under several names."""


class WeatherKind(StrEnum):
    """A closed set; each has its sentence."""

    SLOW = "slow"
    """Changes arrive, but late."""
    FAILING = "failing"
    """Requests for these accounts fail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """How one integration fared when it was last seen; all moments are seconds since 1970."""

    seen_at: float
    failures: int = 0
    """Requests that failed in a row, the newest included."""
    failing_since: float | None = None
    lag: float | None = None
    """Seconds from the newest change on the calendar until we were told of it."""
    lagged_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedAccount:
    """A sighting, and whose it is."""

    provider: str
    tenant_id: str
    user_id: str
    sighting: Sighting


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderWeather:
    """How one provider is, and what is usual there."""

    since: float | None = None
    """Since when it is told as weather; None in fair weather."""
    calm_since: float | None = None
    kind: WeatherKind = WeatherKind.SLOW
    people: int = 0
    tenants: int = 0
    delay: float = 0.0
    """Seconds that nearly all of those wait at most."""
    usual: Mapping[int, float] = field(default_factory=dict)
    """Lags by their bound, each counting less the older it is."""
    judged_at: float = 0.0

    @property
    def usual_delay(self) -> float | None:
        """Seconds within which half of the changes usually come; None where that is not known yet."""
        return part_within(self.usual, MEDIAN) if is_known(self.usual) else None

    @property
    def late_after(self) -> float:
        """Seconds from which on a change is late here."""
        if not is_known(self.usual):
            return math.inf
        return max(SURELY_PUNCTUAL_SECONDS, LATE_TIMES_USUAL * part_within(self.usual, MOST))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sufferer:
    account: WatchedAccount
    began_at: float
    showed_at: float
    """When it could be noticed first."""
    waits: float
    fails: bool


def family_of(provider_service: str) -> str:
    """The provider whose service that is."""
    return FAMILIES.get(provider_service, provider_service)


def newest_sighting(seen: Iterable[Sighting]) -> Sighting:
    """What several processes saw of one integration: the newest counts, troubles began with the first."""
    ordered = sorted(seen, key=lambda one: one.seen_at)
    newest = ordered[-1]
    lagged = [one for one in ordered if one.lagged_at is not None]
    last = max(lagged, key=lambda one: one.lagged_at or 0.0) if lagged else newest
    return replace(
        newest,
        failing_since=_began([one.failing_since for one in ordered]),
        lag=last.lag,
        lagged_at=last.lagged_at,
    )


def _began(moments: Sequence[float | None]) -> float | None:
    """The earliest of the moments at the end that say that it lasts."""
    began = None
    for moment in moments:
        began = None if moment is None else moment if began is None else min(began, moment)
    return began


def judge(
    before: Mapping[str, ProviderWeather], watched: Sequence[WatchedAccount], *, now: float
) -> dict[str, ProviderWeather]:
    """How every provider is now, by its name, and all of them together as ``EVERYWHERE``.

    Where every provider suffers of which enough accounts are seen, it is none of them: that is one notice,
    too, and none of a provider beside it.
    """
    names = sorted({*before, EVERYWHERE, *(one.provider for one in watched)})
    known = {name: before.get(name, ProviderWeather(judged_at=now)) for name in names}
    late = {name: one.late_after for name, one in known.items()}
    looks = {
        name: _Look(
            accounts=[one for one in watched if name in {EVERYWHERE, one.provider}], late=late, now=now
        )
        for name in names
    }
    providers = [name for name in names if name != EVERYWHERE]
    known_enough = [name for name in providers if looks[name].fresh >= FEWEST_ACCOUNTS]
    common = len(known_enough) > 1 and all(looks[name].is_hinted for name in known_enough)
    everywhere = _judged(known[EVERYWHERE], looks[EVERYWHERE], begins=common, now=now)
    told = {
        name: _judged(known[name], looks[name], begins=not common, now=now, over=everywhere.since is not None)
        for name in providers
    }
    return {**told, EVERYWHERE: everywhere}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """A look at some accounts; ``late`` says by provider from how many seconds on a change is late."""

    accounts: Sequence[WatchedAccount]
    late: Mapping[str, float]
    now: float

    @property
    def fresh(self) -> int:
        """How many were seen lately."""
        return sum(self.now - one.sighting.seen_at <= FRESH_SECONDS for one in self.accounts)

    @property
    def is_hinted(self) -> bool:
        """Whether more suffer than usually do, though it may be too few to say so."""
        suffering, well = self.told_apart(FRESH_SECONDS)
        began = self.began(suffering)
        return len(began) >= FEWEST_HINTED and len(began) >= HINTED_AT * (len(began) + len(well))

    @property
    def is_weather(self) -> bool:
        """Whether enough accounts of enough tenants suffer at once, also without the worst tenant's."""
        suffering, well = self.told_apart(FRESH_SECONDS)
        began = self.began(suffering)
        tenants = Counter(one.account.tenant_id for one in began)
        if len(began) < FEWEST_ACCOUNTS or len(tenants) < FEWEST_TENANTS:
            return False
        worst = tenants.most_common(1)[0][0]
        beside = len(began) - tenants[worst]
        well_beside = sum(one.tenant_id != worst for one in well)
        return (
            beside >= FEWEST_BESIDE
            and len(began) >= BEGINS_AT * (len(began) + len(well))
            and beside >= BEGINS_AT * (beside + well_beside)
        )

    @property
    def lasts(self) -> bool:
        """By who was seen lately; where nobody was, by who was seen before."""
        suffering, well = self.told_apart(FRESH_SECONDS)
        if not suffering and not well:
            return bool(self.told_apart(REMEMBERED_SECONDS)[0])
        return bool(suffering) and len(suffering) >= ENDS_BELOW * (len(suffering) + len(well))

    def began(self, suffering: Sequence["_Sufferer"]) -> list["_Sufferer"]:
        """Those whose trouble is not older than what may begin now."""
        return [one for one in suffering if self.now - one.showed_at <= ONSET_SECONDS]

    def told_apart(self, within: float) -> tuple[list["_Sufferer"], list[WatchedAccount]]:
        """Who suffers, and who is well, of those seen within so many seconds."""
        suffering: list[_Sufferer] = []
        well: list[WatchedAccount] = []
        for one in self.accounts:
            found = self._sufferer(one, within)
            if found is not None:
                suffering.append(found)
            elif self.now - one.sighting.seen_at <= within and one.sighting.failures < FAILURES_IN_A_ROW:
                well.append(one)
        return suffering, well

    def _sufferer(self, one: WatchedAccount, within: float) -> "_Sufferer | None":
        seen, now = one.sighting, self.now
        if seen.failures >= FAILURES_IN_A_ROW and seen.failing_since is not None:
            began = seen.failing_since
            found = _Sufferer(account=one, began_at=began, showed_at=began, waits=now - began, fails=True)
            return found if now - seen.seen_at <= within else None
        if seen.lag is None or seen.lagged_at is None or now - seen.lagged_at > within:
            return None
        if seen.lag <= self.late[one.provider]:
            return None
        began = seen.lagged_at - seen.lag
        return _Sufferer(account=one, began_at=began, showed_at=seen.lagged_at, waits=seen.lag, fails=False)


def _judged(
    known: ProviderWeather, look: _Look, *, begins: bool, now: float, over: bool = False
) -> ProviderWeather:
    """``begins``: weather may begin; ``over``: it is told in another way."""
    learnt = replace(known, usual=_learnt(known, look.accounts, now=now), judged_at=now)
    fair = replace(learnt, since=None, calm_since=None, people=0, tenants=0, delay=0.0)
    if over or (known.since is None and not (begins and look.is_weather)):
        return fair
    suffering, _ = look.told_apart(REMEMBERED_SECONDS)
    since = known.since if known.since is not None else _onset(look.began(suffering))
    here = [one for one in suffering if one.showed_at >= since - ONSET_SECONDS]
    calm_since = None if look.lasts else known.calm_since or now
    if calm_since is not None and now - calm_since >= FAIR_AFTER_SECONDS:
        return fair
    told = replace(learnt, since=since, calm_since=calm_since)
    return _counted(told, here) if here else told


def _onset(began: Sequence[_Sufferer]) -> float:
    """Since when they suffer, but for the first few, whose trouble may be another one."""
    return sorted(one.began_at for one in began)[len(began) // 4]


def _counted(told: ProviderWeather, here: Sequence[_Sufferer]) -> ProviderWeather:
    waits = sorted(one.waits for one in here)
    return replace(
        told,
        kind=WeatherKind.FAILING if 2 * sum(one.fails for one in here) > len(here) else WeatherKind.SLOW,
        people=len({(one.account.tenant_id, one.account.user_id) for one in here}),
        tenants=len({one.account.tenant_id for one in here}),
        delay=waits[math.ceil(MOST * len(waits)) - 1],
    )


def _learnt(known: ProviderWeather, accounts: Sequence[WatchedAccount], *, now: float) -> dict[int, float]:
    """What is usual, with the lags that are new since the last judgement."""
    left = 0.5 ** (max(0.0, now - known.judged_at) / HALF_LIFE_SECONDS)
    usual = {bound: number * left for bound, number in known.usual.items()}
    weight = 1.0 if known.since is None else WEIGHT_IN_WEATHER
    new = [
        (one.tenant_id, one.sighting.lag)
        for one in accounts
        if one.sighting.lag is not None and (one.sighting.lagged_at or 0.0) > known.judged_at
    ]
    many = Counter(tenant for tenant, _ in new)
    for tenant, lag in new:
        bound = next((each for each in LAG_BOUNDS if lag <= each), LAG_BOUNDS[-1])
        usual[bound] = usual.get(bound, 0.0) + weight * min(1.0, MOST_OF_A_TENANT / many[tenant])
    return usual


def is_known(usual: Mapping[int, float]) -> bool:
    """Whether enough lags were seen to tell what is usual."""
    return sum(usual.values()) >= ENOUGH_LAGS


def part_within(usual: Mapping[int, float], part: float) -> float:
    """The bound within which that part of the lags lies; 0 of none."""
    wanted, sum_ = part * sum(usual.values()), 0.0
    for bound in sorted(usual):
        sum_ += usual[bound]
        if sum_ >= wanted:
            return float(bound)
    return 0.0

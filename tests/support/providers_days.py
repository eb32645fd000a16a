"""Days of many accounts at three providers, as they are seen: noise by a seed, and weather on order."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from handlers.forecasts.weather import ProviderWeather, Sighting, WatchedAccount, judge

PROVIDERS = ("office365", "google", "icloud")
HOUR, DAY = 3600.0, 86_400.0

Trouble = float | None
"""Seconds by which changes come late, ``inf`` where requests fail; None: all is well."""
Weather = Callable[[WatchedAccount, float], Trouble]


@dataclass(kw_only=True)
class Turn:
    """What was told of a provider, and when."""

    at: float
    provider: str
    begins: bool
    weather: ProviderWeather


@dataclass(kw_only=True)
class ProvidersDay:
    """Accounts that act as people do, more by day than by night; two in a hundred are always in trouble."""

    seed: int
    accounts: int = 90
    tenants: int = 8
    look_every: int = 30
    """Seconds between two judgements."""
    pace: float = 240.0
    """Seconds between two requests of an account in the busiest hour."""
    weather: Weather = lambda _, __: None
    turns: list[Turn] = field(default_factory=list)

    def run(self, *, since: float = 0.0, until: float = DAY) -> Mapping[str, ProviderWeather]:
        """Look again and again; ``turns`` tells what began and ended."""
        self._chance = random.Random(self.seed)
        people = [self._account(number) for number in range(self.accounts)]
        self._sick = {number for number in range(self.accounts) if self._chance.random() < 0.02}
        due = [since + self._chance.uniform(0, self.pace) for _ in people]
        told: Mapping[str, ProviderWeather] = {}
        for now in range(int(since) + self.look_every, int(until) + 1, self.look_every):
            for number in range(len(people)):
                while due[number] <= now:
                    people[number], rest = self._act(number, people[number], due[number])
                    due[number] += rest
            before, told = told, judge(told, people, now=float(now))
            self._note(before, told, float(now))
        return told

    def _account(self, number: int) -> WatchedAccount:
        tenant = f"tenant-{self._chance.randrange(self.tenants)}"
        never = Sighting(seen_at=-math.inf)
        return WatchedAccount(
            provider=PROVIDERS[number % 3], tenant_id=tenant, user_id=f"u-{number}", sighting=never
        )

    def _act(self, number: int, one: WatchedAccount, at: float) -> tuple[WatchedAccount, float]:
        """How it is seen now, and after how many seconds it acts again."""
        chance, seen = self._chance, one.sighting
        trouble = self.weather(one, at)
        busy = 0.1 + 0.9 * math.sin(math.pi * (at % DAY) / DAY)
        if number in self._sick or trouble == math.inf or chance.random() < 0.005:
            since = seen.failing_since if seen.failures else at
            failed = replace(seen, seen_at=at, failures=seen.failures + 1, failing_since=since)
            return replace(one, sighting=failed), {1: 10.0, 2: 60.0}.get(failed.failures, 300.0)
        well = replace(seen, seen_at=at, failures=0, failing_since=None)
        if chance.random() < 0.5:
            lag = chance.uniform(60, 3000) if chance.random() < 0.005 else chance.lognormvariate(1.2, 0.9)
            well = replace(well, lag=lag + (trouble or 0.0), lagged_at=at)
        return replace(one, sighting=well), chance.expovariate(busy / self.pace)

    def _note(
        self, before: Mapping[str, ProviderWeather], told: Mapping[str, ProviderWeather], now: float
    ) -> None:
        for provider, weather in told.items():
            stood = provider in before and before[provider].since is not None
            if stood != (weather.since is not None):
                self.turns.append(Turn(at=now, provider=provider, begins=not stood, weather=weather))

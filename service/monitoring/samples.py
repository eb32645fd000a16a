"""The keeper looks once a minute at what everybody shares, so that operators can look back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.monitoring.alerts import Condition, alerts_on
from service.monitoring.vitals import Vitals
from service.store.engine.store import Store
from service.store.operations import processes, samples, weather
from service.store.operations.processes import ProcessReport

HEARD_WITHIN_SECONDS = 30.0
SAMPLE_EVERY_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSpan:
    """How long one sample is, and for how long samples of that length are kept; seconds."""

    seconds: int
    kept: int


LAST_DAY = SampleSpan(seconds=600, kept=86_400)
LAST_FORTNIGHT = SampleSpan(seconds=7_200, kept=14 * 86_400)
SAMPLE_SPANS = (LAST_DAY, LAST_FORTNIGHT)
"""Some 300 rows in all."""


class Samples:
    """Adds one look to the sample of each length that it falls into."""

    def __init__(self, store: Store, vitals: Vitals, *, data_centre: str) -> None:
        self._store = store
        self._data_centre = data_centre
        self._vitals = vitals

    async def take(self) -> None:
        looked = await self._look()
        async with self._store.begin() as connection:
            now = int(await self._store.now(connection))
            for span in SAMPLE_SPANS:
                at = now - now % span.seconds
                before = (await samples.read(connection, seconds=span.seconds, since=at)).get(at)
                told = merged(before, looked)
                await samples.put(connection, seconds=span.seconds, at=at, told=told)
                await samples.forget(connection, seconds=span.seconds, before=now - span.kept - span.seconds)

    async def _look(self) -> dict[str, Any]:
        depths = await self._vitals.queues()
        budget = await self._vitals.budget()
        outbox = await self._vitals.outbox()
        letters = await self._vitals.open_letters()
        async with self._store.read() as connection:
            heard = await processes.heard(connection, since=budget.at - HEARD_WITHIN_SECONDS)
            storms = await weather.storms(connection, self._data_centre, now=budget.at)
        waiting = {queue: depth if isinstance(depth, int) else None for queue, depth in depths.items()}
        condition = condition_of(
            heard, waiting, outbox_age=outbox.age, level=budget.level, storms=len(storms)
        )
        ages = [age for queue, age in condition.ages.items() if waiting.get(queue) != 0]
        return {
            "looks": 1,
            "age": max([*ages, outbox.age]),
            **_rates(heard),
            "budget": budget.used["minute"],
            "open_letters": sum(letters.values()),
            "accepted_after": dict(_accepted(heard)),
            "alerts": dict.fromkeys(alerts_on(condition), 1),
        }


def condition_of(
    heard: Sequence[ProcessReport],
    waiting: Mapping[str, int | None],
    *,
    outbox_age: float,
    level: float,
    storms: int = 0,
) -> Condition:
    """What the processes told, and what can be counted without them."""
    ages: dict[str, float] = {}
    for one in heard:
        for queue, told in one.said["queues"].items():
            if told.get("age") is not None:
                ages[queue] = max(ages.get(queue, 0.0), told["age"])
    queues = [told for one in heard for told in one.said["queues"].values()]
    return Condition(
        waiting=waiting,
        ages=ages,
        taken=frozenset(queue for one in heard for queue in one.said["takes"]),
        braked=any(told.get("braked_since") is not None for told in queues),
        down=any(one.said.get("down_since") is not None for one in heard),
        outbox_age=outbox_age,
        level=level,
        storms=storms,
    )


def _rates(heard: Iterable[ProcessReport]) -> dict[str, float]:
    """Messages a minute by what became of them, of all queues together."""
    found = dict.fromkeys(("done", "retry", "dead"), 0.0)
    for one in heard:
        for told in one.said["queues"].values():
            for outcome, rate in told.get("a_minute", {}).items():
                if outcome in found:
                    found[outcome] += rate
    return found


def _accepted(heard: Iterable[ProcessReport]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in heard:
        found.update(one.said.get("accepted_after", {}))
    return found


_SUMS = ("looks", "done", "retry", "dead")
_HIGHEST = ("age", "budget", "open_letters")
_COUNTED = ("accepted_after", "alerts")


def merged(before: Mapping[str, Any] | None, looked: Mapping[str, Any]) -> dict[str, Any]:
    """The sample with one look more: sums, the highest, and numbers by name."""
    if before is None:
        return dict(looked)
    sums = {name: before[name] + looked[name] for name in _SUMS}
    highest = {name: max(before[name], looked[name]) for name in _HIGHEST}
    counted = {name: dict(Counter(before[name]) + Counter(looked[name])) for name in _COUNTED}
    return {**sums, **highest, **counted}

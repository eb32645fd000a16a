"""Provider weather: what each process saw is told to the store, judged by one, and read by all (R53)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from contracts.errors import SyncError
from contracts.ports import Clock
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
from service.cronofy.sightings import ProviderWatch, SeenIntegration
from service.store.engine.store import Store
from service.store.operations import processes, weather
from service.store.operations.weather import WeatherReport, WeatherRow

REPORT_EVERY_SECONDS = 10.0
JUDGE_EVERY_SECONDS = 15.0
HEARD_DOWN_SECONDS = 30.0
"""Who said within so many seconds that Cronofy is down is believed."""
_DATA_CENTRE = re.compile(r"api(?:-([a-z]{2,4}))?\.cronofy\.com")


@dataclass(frozen=True, kw_only=True, slots=True)
class WeatherNotice:
    """What is told of one provider while it is slow or failing; no figures of single tenants."""

    provider: str
    kind: WeatherKind
    since: datetime
    people: int
    delay_seconds: float
    """Nearly everybody of those waits at most so long."""
    usual_seconds: float | None
    """Half of the changes usually come within so long; None where that is not known."""


def data_centre_of(api_url: str) -> str:
    """Cronofy's word for its data centre of that address; of any other server its host."""
    host = urlsplit(api_url).hostname or ""
    known = _DATA_CENTRE.fullmatch(host)
    return (known.group(1) or "us") if known else host


class WeatherReporter:
    """Tells the store, every few seconds, what this process saw; one row, and none while nothing was seen."""

    def __init__(self, *, store: Store, watch: ProviderWatch, clock: Clock, process_id: str) -> None:
        self._store = store
        self._watch = watch
        self._clock = clock
        self._id = process_id
        self._told = 0

    async def run(self) -> None:
        """Tell until cancelled; what cannot be told now is told the next time."""
        while True:
            with suppress(SyncError):
                await self.tell()
            await self._clock.sleep(REPORT_EVERY_SECONDS)

    async def tell(self) -> None:
        """Replace the row, where anything was seen since it was written."""
        changes = self._watch.changes
        if changes == self._told:
            return
        moment = self._clock.monotonic()
        said = {key: _told(seen, moment) for key, seen in self._watch.told().items()}
        async with self._store.begin() as connection:
            await weather.report(connection, self._id, said, now=await self._store.now(connection))
        self._told = changes


class WeatherOffice:
    """Judges how every provider is; one keeper does, and everybody reads what it wrote."""

    def __init__(self, store: Store, *, data_centre: str) -> None:
        self._store = store
        self._data_centre = data_centre

    async def judge(self) -> None:
        """Judge where something new was told, or weather is to end; write what came of it.

        While Cronofy itself is down nothing can be said of any provider, and nothing is.
        """
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            before = await weather.read(connection, self._data_centre)
            told = await weather.reports(connection, since=now - weather.REPORTS_KEPT_SECONDS)
            heard = await processes.heard(connection, since=now - HEARD_DOWN_SECONDS)
        known = {row.provider: _weather_of(row) for row in before}
        judged_at = max((one.judged_at for one in known.values()), default=0.0)
        is_new = any(one.told_at > judged_at for one in told)
        lasts = any(one.since is not None for one in known.values())
        if (is_new or lasts) and not any(one.said.get("down_since") is not None for one in heard):
            await self._write(judge(known, await self._watched(told), now=now))

    async def _watched(self, told: Sequence[WeatherReport]) -> list[WatchedAccount]:
        seen: defaultdict[str, list[Sighting]] = defaultdict(list)
        for one in told:
            for integration_id, said in one.said.items():
                seen[integration_id].append(_sighting(said, one.told_at))
        async with self._store.read() as connection:
            owners = await weather.owners(connection, seen.keys())
        return [
            WatchedAccount(
                provider=family_of(owner.provider_service),
                tenant_id=owner.tenant_id,
                user_id=owner.user_id,
                sighting=newest_sighting(seen[integration_id]),
            )
            for integration_id, owner in sorted(owners.items())
        ]

    async def _write(self, judged: Mapping[str, ProviderWeather]) -> None:
        async with self._store.begin() as connection:
            for provider, one in sorted(judged.items()):
                await weather.put(connection, self._data_centre, _row_of(provider, one))


class WeatherNotices:
    """Reads what is told now of the providers at one data centre."""

    def __init__(self, store: Store, *, data_centre: str) -> None:
        self._store = store
        self._data_centre = data_centre

    async def all(self) -> Sequence[WeatherNotice]:
        """Of every provider, the oldest first; for operators."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            rows = await weather.storms(connection, self._data_centre, now=now)
        return [_notice(row) for row in rows]

    async def of_person(self, tenant_id: str, user_id: str) -> Sequence[WeatherNotice]:
        """Of the providers at which this person has an active calendar."""
        told = await self.all()
        if not told:
            return told
        async with self._store.read() as connection:
            used = await weather.used_by(connection, tenant_id, user_id)
        return [one for one in told if any(is_held_back(service, [one]) for service in used)]


def is_held_back(provider_service: str, notices: Iterable[WeatherNotice]) -> bool:
    """Whether a delay of that account is part of what is told of its provider already."""
    return bool({EVERYWHERE, family_of(provider_service)} & {one.provider for one in notices})


def _told(seen: SeenIntegration, moment: float) -> list[float | None]:
    return [
        round(moment - seen.seen_at, 1),
        seen.failures,
        _ago(seen.failing_since, moment),
        None if seen.lag is None else round(seen.lag, 1),
        _ago(seen.lagged_at, moment),
    ]


def _ago(at: float | None, moment: float) -> float | None:
    return None if at is None else round(moment - at, 1)


def _sighting(said: Sequence[Any], told_at: float) -> Sighting:
    seen, failures, failing, lag, lagged = said
    return Sighting(
        seen_at=told_at - seen,
        failures=int(failures),
        failing_since=None if failing is None else told_at - failing,
        lag=lag,
        lagged_at=None if lagged is None else told_at - lagged,
    )


def _row_of(provider: str, one: ProviderWeather) -> WeatherRow:
    told = {
        "calm_since": one.calm_since,
        "kind": one.kind.value,
        "people": one.people,
        "tenants": one.tenants,
        "delay": one.delay,
        "usual": {str(bound): round(number, 3) for bound, number in one.usual.items()},
        "usual_delay": one.usual_delay,
        "judged_at": one.judged_at,
    }
    return WeatherRow(provider=provider, since=one.since, told=told)


def _weather_of(row: WeatherRow) -> ProviderWeather:
    told = row.told
    return ProviderWeather(
        since=row.since,
        calm_since=told["calm_since"],
        kind=WeatherKind(told["kind"]),
        people=told["people"],
        tenants=told["tenants"],
        delay=told["delay"],
        usual={int(bound): number for bound, number in told["usual"].items()},
        judged_at=told["judged_at"],
    )


def _notice(row: WeatherRow) -> WeatherNotice:
    return WeatherNotice(
        provider=row.provider,
        kind=WeatherKind(row.told["kind"]),
        since=datetime.fromtimestamp(int(row.since or 0.0), UTC),
        people=row.told["people"],
        delay_seconds=row.told["delay"],
        usual_seconds=row.told["usual_delay"],
    )

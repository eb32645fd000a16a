"""Looks at the store and the broker for the operations page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from service.cronofy.allowance import MINUTE_SPAN, limits_of
from service.monitoring.alerts import alerts_on
from service.monitoring.samples import condition_of
from service.monitoring.vitals import BUDGET_WINDOWS, QueueDepth, Vitals
from service.monitoring.weather import WeatherNotices
from service.operations.consequences import concern_span, worst_harm
from service.operations.findings import (
    is_part_of_weather,
    of_case,
    of_disagreements,
    of_everything,
    of_sources,
    of_weather,
)
from service.operations.overview import (
    SILENT_SECONDS,
    BudgetWindow,
    IntegrationCase,
    Overview,
    ProcessLine,
    QueueLine,
)
from service.operations.sources import SOURCE_HOUR_SECONDS, Sources
from service.store.engine.store import Store
from service.store.links import agreement
from service.store.messages import letter_counts
from service.store.messages.dead_letters import LetterFilter
from service.store.operations import processes, standing
from service.store.operations.processes import ProcessReport
from service.store.operations.standing import ItemConcern, LinkBacklog

MOST_CONCERNS = 2000
MOST_NAMED = 5
"""Of what a finding concerns."""
MOST_INTEGRATIONS_SHOWN = 200


class Dashboard:
    """Looks at the store and the broker; every process that looks finds the same."""

    def __init__(
        self,
        store: Store,
        vitals: Vitals,
        sources: Sources,
        weather: WeatherNotices,
        *,
        per_second: int = 50,
        per_minute: int = 500,
    ) -> None:
        self._store = store
        self._vitals = vitals
        self._sources = sources
        self._weather = weather
        self._limits = {limit.span: limit.requests for limit in limits_of(per_second, per_minute)}

    @property
    def requests_a_minute(self) -> int:
        """How many requests Cronofy takes of all processes together; 0 where there is no limit."""
        return self._limits.get(MINUTE_SPAN) or 0

    async def overview(self, tenant_id: str) -> Overview:
        """Everything of all tenants that has no owner; of integrations, letters and sources this tenant's."""
        depths = await self._vitals.queues()
        budget = await self._vitals.budget()
        waiting = await self._vitals.outbox()
        opened = await self._vitals.open_letters(tenant=tenant_id)
        async with self._store.read() as connection:
            heard = await processes.heard(connection, since=budget.at - SILENT_SECONDS)
        depth = {name: one if isinstance(one, int) else None for name, one in depths.items()}
        notices = await self._weather.all()
        condition = condition_of(
            heard, depth, outbox_age=waiting.age, level=budget.level, storms=len(notices)
        )
        told = Overview(
            at=datetime.fromtimestamp(budget.at, UTC),
            findings=(),
            queues=[_line(name, depth, heard) for name, depth in depths.items()],
            budget=[self._window(name, used) for name, used in budget.used.items()],
            level=budget.level,
            down_since=_earliest(one.said.get("down_since") for one in heard),
            outbox_waiting=waiting.waiting,
            outbox_age=waiting.age,
            open_letters=sum(opened.values()),
            replaying=await self._vitals.replaying(tenant=tenant_id),
            processes=[_process(one, budget.at) for one in heard],
            alerts=alerts_on(condition),
            causes=await self._causes(tenant_id) if opened else (),
            weather=notices,
            sources=await self._sources.doubtful(within=SOURCE_HOUR_SECONDS, tenant=tenant_id),
            **await self._agreement(tenant_id),
        )
        cases = [one for one in await self.cases(tenant_id) if not is_part_of_weather(one, notices)]
        told = replace(told, delayed=[one.shown for one in cases if one.shown.delayed_since][:MOST_NAMED])
        found = sorted(
            [
                *of_everything(told),
                *of_weather(told),
                *of_sources(told),
                *of_disagreements(told),
                *map(of_case, cases),
            ],
            key=lambda one: one.rank,
        )
        return replace(told, findings=found)

    async def _agreement(self, tenant_id: str) -> dict[str, Any]:
        """What the checks of the tenant's calendars came to (R51)."""
        async with self._store.read() as connection:
            total = await agreement.summed(connection, tenant_id=tenant_id)
            found = await agreement.findings(
                connection, tenant_id, limit=MOST_INTEGRATIONS_SHOWN, named=MOST_NAMED
            )
        return {"agreement": total if total.integrations else None, "disagreements": found}

    async def _causes(self, tenant_id: str) -> Sequence[Mapping[str, Any]]:
        async with self._store.read() as connection:
            found = await letter_counts.groups(
                connection, LetterFilter(state="open", tenant=tenant_id), limit=MOST_NAMED
            )
        return [dict(row) for row in found]

    async def cases(self, tenant_id: str, *, integration_id: str | None = None) -> Sequence[IntegrationCase]:
        """The tenant's integrations that need somebody, or the one that is asked for."""
        async with self._store.read() as connection:
            moment = await self._store.moment(connection)
            since, until = concern_span(moment)
            found = await standing.concerns(
                connection, tenant_id, since=since, until=until, now=moment.timestamp(),
                limit=MOST_CONCERNS, integration_id=integration_id,
            )  # fmt: skip
            of = _by_integration(found)
            troubled = await standing.troubled(
                connection, tenant_id, among_these=of, limit=MOST_INTEGRATIONS_SHOWN, only=integration_id
            )
            ids = [one.integration.id for one in troubled]
            backlogs = await standing.backlogs(connection, ids, now=moment.timestamp())
            counted = await standing.letters_of(connection, tenant_id, ids)
        return [
            IntegrationCase(
                shown=one,
                concerns=of.get(one.integration.id, ()),
                backlog=backlogs.get(one.integration.id, LinkBacklog()),
                letters=counted.get(one.integration.id, 0),
                harm=worst_harm(of.get(one.integration.id, ()), one.integration.time_zone, moment),
            )
            for one in troubled
        ]

    def _window(self, name: str, used: int) -> BudgetWindow:
        return BudgetWindow(span=name, used=used, limit=self._limits.get(BUDGET_WINDOWS[name]))


def _by_integration(found: Sequence[ItemConcern]) -> dict[str, list[ItemConcern]]:
    of: dict[str, list[ItemConcern]] = {}
    for one in found:
        of.setdefault(one.integration_id, []).append(one)
    return of


def _line(name: str, depth: QueueDepth, heard: Sequence[ProcessReport]) -> QueueLine:
    told = [one.said["queues"].get(name, {}) for one in heard]
    rates: dict[str, float] = {}
    for one in told:
        for outcome, rate in one.get("a_minute", {}).items():
            rates[outcome] = rates.get(outcome, 0.0) + rate
    return QueueLine(
        name=name,
        waiting=depth if isinstance(depth, int) else None,
        age=max((one["age"] for one in told if one.get("age") is not None), default=None),
        a_minute=rates,
        consumers=sum(name in one.said["takes"] for one in heard),
        braked_since=_earliest(one.get("braked_since") for one in told),
    )


def _earliest(moments: Iterable[float | None]) -> datetime | None:
    known = [one for one in moments if one is not None]
    return datetime.fromtimestamp(min(known), UTC) if known else None


def _process(heard: ProcessReport, now: float) -> ProcessLine:
    said = heard.said
    return ProcessLine(
        does=said["does"], host=said["host"], pid=said["pid"], ago=max(0.0, now - heard.told_at)
    )

"""Looks at the store and the broker for the operations page (DESIGN 11)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from contracts.errors import SyncError
from service.broker.topology import QUEUE_PARKED, WORK_QUEUES
from service.cronofy.allowance import MINUTE, SECOND, Allowance, limits_of
from service.operations.consequences import harm, span
from service.operations.findings import of_case, of_everything
from service.operations.overview import SILENT, Case, Overview, ProcessLine, QueueLine, Window
from service.store.engine.store import Store
from service.store.messages import dead_letters, outbox
from service.store.messages.dead_letters import Matching
from service.store.operations import processes, standing
from service.store.operations.budget import BudgetRow
from service.store.operations.processes import Heard
from service.store.operations.standing import Backlog, Concern

MOST_CONCERNS = 2000
MOST_INTEGRATIONS = 200
_WINDOWS = (("second", SECOND), ("minute", MINUTE))


class Depths(Protocol):
    """Whoever can count the messages of a queue: the broker."""

    async def depth(self, queue: str) -> int: ...


class Watch:
    """Looks at the store and the broker; every process that looks finds the same."""

    def __init__(
        self, store: Store, *, depths: Depths | None = None, per_second: int = 50, per_minute: int = 500
    ) -> None:
        self._store = store
        self._depths = depths
        self._limits = {limit.span: limit.requests for limit in limits_of(per_second, per_minute)}

    async def overview(self, tenant_id: str) -> Overview:
        """Everything of all tenants that has no owner; of integrations and letters this tenant's."""
        depths = {queue: await self._depth(queue) for queue in (*WORK_QUEUES, QUEUE_PARKED)}
        text, seconds = await BudgetRow(self._store).look()
        async with self._store.read() as connection:
            heard = await processes.heard(connection, since=seconds - SILENT)
            waiting = await outbox.waiting(connection, before=seconds)
            oldest = await outbox.oldest(connection)
            opened = await dead_letters.count(connection, Matching(state="open", tenant=tenant_id))
            replaying = await dead_letters.count(connection, Matching(state="replaying", tenant=tenant_id))
        allowance, now = Allowance.parse(text), int(seconds * 1000)
        queues = [_line(name, depth, heard) for name, depth in depths.items()]
        told = Overview(
            at=datetime.fromtimestamp(seconds, UTC),
            findings=(),
            queues=queues,
            budget=[self._window(allowance, now, name, span) for name, span in _WINDOWS],
            level=allowance.present_level(now),
            down_since=_earliest(one.said.get("down_since") for one in heard),
            outbox_waiting=waiting,
            outbox_age=0.0 if oldest is None else max(0.0, seconds - oldest),
            open_letters=opened,
            replaying=replaying,
            processes=[_process(one, seconds) for one in heard],
        )
        cases = await self.cases(tenant_id)
        found = sorted([*of_everything(told), *map(of_case, cases)], key=lambda one: one.rank)
        return replace(told, findings=found)

    async def cases(self, tenant_id: str, *, integration_id: str | None = None) -> Sequence[Case]:
        """The tenant's integrations that need somebody, or the one that is asked for."""
        async with self._store.read() as connection:
            moment = await self._store.moment(connection)
            since, until = span(moment)
            found = await standing.concerns(
                connection, tenant_id, since=since, until=until, now=moment.timestamp(),
                limit=MOST_CONCERNS, integration_id=integration_id,
            )  # fmt: skip
            of = _by_integration(found)
            troubled = await standing.troubled(
                connection, tenant_id, among_these=of, limit=MOST_INTEGRATIONS, only=integration_id
            )
            ids = [one.integration.id for one in troubled]
            backlogs = await standing.backlogs(connection, ids, now=moment.timestamp())
            counted = await standing.letters_of(connection, tenant_id, ids)
        return [
            Case(
                shown=one,
                concerns=of.get(one.integration.id, ()),
                backlog=backlogs.get(one.integration.id, Backlog()),
                letters=counted.get(one.integration.id, 0),
                harm=harm(of.get(one.integration.id, ()), one.integration.time_zone, moment),
            )
            for one in troubled
        ]

    async def _depth(self, queue: str) -> int | None:
        if self._depths is None:
            return None
        try:
            return await self._depths.depth(queue)
        except SyncError:
            return None

    def _window(self, allowance: Allowance, now: int, name: str, span: int) -> Window:
        used = sum(cost for at, cost in allowance.sent if at > now - span)
        return Window(span=name, used=used, limit=self._limits.get(span))


def _by_integration(found: Sequence[Concern]) -> dict[str, list[Concern]]:
    of: dict[str, list[Concern]] = {}
    for one in found:
        of.setdefault(one.integration_id, []).append(one)
    return of


def _line(name: str, waiting: int | None, heard: Sequence[Heard]) -> QueueLine:
    told = [one.said["queues"].get(name, {}) for one in heard]
    rates: dict[str, float] = {}
    for one in told:
        for outcome, rate in one.get("a_minute", {}).items():
            rates[outcome] = rates.get(outcome, 0.0) + rate
    return QueueLine(
        name=name,
        waiting=waiting,
        age=max((one["age"] for one in told if one.get("age") is not None), default=None),
        a_minute=rates,
        consumers=sum(name in one.said["takes"] for one in heard),
        braked_since=_earliest(one.get("braked_since") for one in told),
    )


def _earliest(moments: Iterable[float | None]) -> datetime | None:
    known = [one for one in moments if one is not None]
    return datetime.fromtimestamp(min(known), UTC) if known else None


def _process(heard: Heard, now: float) -> ProcessLine:
    said = heard.said
    return ProcessLine(
        does=said["does"], host=said["host"], pid=said["pid"], ago=max(0.0, now - heard.told_at)
    )

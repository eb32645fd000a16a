"""The application-wide allowance of Cronofy requests, shared by all processes through the store (R32)."""

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from uuid import uuid4

import structlog

from contracts.errors import Transient
from contracts.ports import BudgetLedger, Clock, Permit, Turn, Urgency
from service.cronofy.allowance import NOBODYS, Allowance, ProcessDemand, RequestLimit, Ruling
from service.telemetry.logs import EventName

PERMIT_LIFE_SECONDS = 0.2
"""Seconds from grant to sending; with the way to and from the database under the allowance's slack."""
WAITERS_LOOKED_AT = 500
"""The most waiters that one transaction looks at."""

BUDGET_HALVED: EventName = "budget.halved"


@dataclass(kw_only=True, slots=True, eq=False)
class Waiter:
    integration_id: str
    tenant: str
    cost: int
    permit: asyncio.Future[Permit] = field(repr=False)


class WaitingLine:
    """Waiters, served in turn by tenant, within one by integration, and within that one in order (R44)."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[str, deque[Waiter]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def add(self, waiter: Waiter) -> None:
        queues = self._tenants.setdefault(waiter.tenant, OrderedDict())
        queues.setdefault(waiter.integration_id, deque()).append(waiter)

    def drop(self, waiter: Waiter) -> None:
        queues = self._tenants.get(waiter.tenant, OrderedDict())
        queue = queues.get(waiter.integration_id, deque())
        if waiter in queue:
            queue.remove(waiter)
        if not queue:
            queues.pop(waiter.integration_id, None)
        if not queues:
            self._tenants.pop(waiter.tenant, None)

    def in_turn(self) -> list[Waiter]:
        """The next ones, one of each tenant after the other."""
        return list(
            islice(_rounds(_rounds(queues.values()) for queues in self._tenants.values()), WAITERS_LOOKED_AT)
        )

    def serve(self, waiter: Waiter) -> None:
        """Take it out; its tenant goes to the end of the line, and its integration to the end of theirs."""
        self.drop(waiter)
        if (queues := self._tenants.get(waiter.tenant)) is not None:
            self._tenants.move_to_end(waiter.tenant)
            if waiter.integration_id in queues:
                queues.move_to_end(waiter.integration_id)

    def clear(self) -> list[Waiter]:
        everyone = [
            waiter for queues in self._tenants.values() for queue in queues.values() for waiter in queue
        ]
        self._tenants.clear()
        return everyone


def _rounds(queues: Iterable[Iterable[Waiter]]) -> Iterator[Waiter]:
    """One of each queue after the other."""
    going = deque(iter(queue) for queue in queues)
    while going:
        queue = going.popleft()
        if (waiter := next(queue, None)) is not None:
            yield waiter
            going.append(queue)


class SharedBudget:
    """The Budget over a ledger: exact in any sliding window, at every number of processes.

    All that waits in this process is asked for in one transaction; nothing is held in reserve.
    """

    def __init__(self, ledger: BudgetLedger, clock: Clock, limits: tuple[RequestLimit, ...]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._limits = limits
        self._process = uuid4().hex
        self._lines = {urgency: WaitingLine() for urgency in Urgency}
        self._urgent_came = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    @property
    def most(self) -> int | None:
        return min(limit.requests for limit in self._limits)

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        line = self._lines[turn.urgency]
        if turn.urgency is not Urgency.RUN and not line:
            self._urgent_came.set()
        permit = asyncio.get_running_loop().create_future()
        tenant = short_name(turn.tenant_id)
        waiter = Waiter(integration_id=turn.integration_id, tenant=tenant, cost=cost, permit=permit)
        line.add(waiter)
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve(), name="cronofy-budget")
        try:
            return await waiter.permit
        finally:
            line.drop(waiter)

    async def penalise(self, turn: Turn) -> None:
        def judge(text: str, now: float) -> tuple[str, bool]:
            allowance = Allowance.parse(text)
            halved = allowance.refuse(int(now * 1000), turn.integration_id, short_name(turn.tenant_id))
            return allowance.text(), halved

        if await self._ledger.change(judge):
            structlog.get_logger().warning(BUDGET_HALVED, integration_id=turn.integration_id)

    async def _serve(self) -> None:
        try:
            while any(self._lines.values()):
                if pause := await self._round():
                    await self._rest(pause)
        except Exception as error:  # noqa: BLE001 -- whoever waits must hear of it, whatever it is
            self._fail(error)
        finally:
            self._serving = None

    async def _round(self) -> float:
        """Ask once for all that wait; how long to rest before asking again."""
        self._urgent_came.clear()
        waiting = [line.in_turn() for line in self._lines.values()]

        def judge(text: str, now: float) -> tuple[str, tuple[Ruling, float]]:
            allowance = Allowance.parse(text)
            live, persons, runs = map(_demand, waiting)
            moment = int(now * 1000)
            ruling = allowance.rule(
                moment, self._limits, self._process, live=live, persons=persons, runs=runs
            )
            return allowance.text(), (ruling, self._clock.monotonic() + PERMIT_LIFE_SECONDS)

        ruling, until = await self._ledger.change(judge)
        permit = Permit(until=until)
        for line, waiters, granted in zip(self._lines.values(), waiting, ruling.granted, strict=True):
            _hand_out(line, [waiters[place] for place in granted], permit)
        return ruling.pause / 1000

    async def _rest(self, seconds: float) -> None:
        """Sleep, but let whoever finds nobody of their urgency waiting ask at once, unless it is a run."""
        asleep = asyncio.ensure_future(self._clock.sleep(seconds))
        woken = asyncio.ensure_future(self._urgent_came.wait())
        try:
            await asyncio.wait({asleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asleep.cancel()
            woken.cancel()

    def _fail(self, error: Exception) -> None:
        for waiter in [waiter for line in self._lines.values() for waiter in line.clear()]:
            if not waiter.permit.done():
                waiter.permit.set_exception(_copied(error))


def short_name(tenant_id: str) -> str:
    """A tenant as the ledger, which is read and written at every request, names it; nobody stays nobody."""
    return hashlib.sha256(tenant_id.encode()).hexdigest()[:8] if tenant_id else NOBODYS


def _demand(waiters: list[Waiter]) -> ProcessDemand:
    return ProcessDemand(
        costs=[waiter.cost for waiter in waiters], tenants=[waiter.tenant for waiter in waiters]
    )


def _hand_out(line: WaitingLine, waiters: list[Waiter], permit: Permit) -> None:
    for waiter in waiters:
        line.serve(waiter)
        if not waiter.permit.done():
            waiter.permit.set_result(permit)


def _copied(error: Exception) -> Transient:
    """An error of its own for every waiter, since each will be raised in another place."""
    if isinstance(error, Transient):
        return error.again()
    foreign = Transient(str(error) or type(error).__name__)
    foreign.__cause__ = error
    return foreign


class NoBudget:
    """The Budget where no limit is set: everything may be sent, and the database is left alone."""

    most: int | None = None

    async def take(self, turn: Turn, cost: int = 1) -> Permit:  # noqa: ARG002
        return Permit(until=inf)

    async def penalise(self, turn: Turn) -> None: ...

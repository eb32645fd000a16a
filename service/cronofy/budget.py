"""The application-wide allowance of Cronofy requests, shared by all processes through the store (R32)."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from math import inf
from uuid import uuid4

import structlog

from contracts.errors import SyncError, Transient
from contracts.ports import BudgetLedger, Clock, Permit
from service.cronofy.allowance import Allowance, ProcessDemand, RequestLimit
from service.telemetry.logs import EventName

PERMIT_LIFE_SECONDS = 0.2
"""Seconds from grant to sending; with the way to and from the database under the allowance's slack."""
WAITERS_A_TRANSACTION = 500
"""The most waiters that one transaction looks at."""

BUDGET_HALVED: EventName = "budget.halved"


@dataclass(kw_only=True, slots=True, eq=False)
class Waiter:
    integration_id: str
    cost: int
    permit: asyncio.Future[Permit] = field(repr=False)


class WaitingLine:
    """Waiters, served in turn by integration; within one integration in order."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[Waiter]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, waiter: Waiter) -> None:
        self._queues.setdefault(waiter.integration_id, deque()).append(waiter)

    def drop(self, waiter: Waiter) -> None:
        queue = self._queues.get(waiter.integration_id, deque())
        if waiter in queue:
            queue.remove(waiter)
        if not queue:
            self._queues.pop(waiter.integration_id, None)

    def in_turn(self) -> list[Waiter]:
        """The next ones, one of each integration after the other."""
        rounds: Iterator[Waiter | None] = chain.from_iterable(zip_longest(*self._queues.values()))
        return list(islice((waiter for waiter in rounds if waiter is not None), WAITERS_A_TRANSACTION))

    def serve(self, waiter: Waiter) -> None:
        """Take it out; its integration goes to the end of the line."""
        self.drop(waiter)
        if waiter.integration_id in self._queues:
            self._queues.move_to_end(waiter.integration_id)

    def clear(self) -> list[Waiter]:
        everyone = list(chain.from_iterable(self._queues.values()))
        self._queues.clear()
        return everyone


class SharedBudget:
    """The Budget over a ledger: exact in any sliding window, at every number of processes.

    All that waits in this process is asked for in one transaction; nothing is held in reserve.
    """

    def __init__(self, ledger: BudgetLedger, clock: Clock, limits: tuple[RequestLimit, ...]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._limits = limits
        self._process = uuid4().hex
        self._live, self._runs = WaitingLine(), WaitingLine()
        self._live_came = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    @property
    def most(self) -> int | None:
        return min(limit.requests for limit in self._limits)

    async def take(self, integration_id: str, cost: int = 1, run: bool = False) -> Permit:
        line = self._runs if run else self._live
        if not run and not line:
            self._live_came.set()
        waiter = Waiter(
            integration_id=integration_id, cost=cost, permit=asyncio.get_running_loop().create_future()
        )
        line.add(waiter)
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve(), name="cronofy-budget")
        try:
            return await waiter.permit
        finally:
            line.drop(waiter)

    async def penalise(self, integration_id: str) -> None:
        def judge(text: str, now: float) -> tuple[str, bool]:
            allowance = Allowance.parse(text)
            halved = allowance.refuse(int(now * 1000), integration_id)
            return allowance.text(), halved

        if await self._ledger.change(judge):
            structlog.get_logger().warning(BUDGET_HALVED, integration_id=integration_id)

    async def _serve(self) -> None:
        try:
            while self._live or self._runs:
                if pause := await self._round():
                    await self._rest(pause)
        except Exception as error:  # noqa: BLE001 -- whoever waits must hear of it, whatever it is
            self._fail(error)
        finally:
            self._serving = None

    async def _round(self) -> float:
        """Ask once for all that wait; how long to rest before asking again."""
        self._live_came.clear()
        live, runs = self._live.in_turn(), self._runs.in_turn()

        def judge(text: str, now: float) -> tuple[str, tuple[int, int, int, float]]:
            allowance = Allowance.parse(text)
            ruling = allowance.rule(
                int(now * 1000), self._limits, self._process, live=_queue(live), runs=_queue(runs)
            )
            until = self._clock.monotonic() + PERMIT_LIFE_SECONDS
            return allowance.text(), (ruling.live, ruling.runs, ruling.pause, until)

        granted, started, pause, until = await self._ledger.change(judge)
        permit = Permit(until=until)
        _hand_out(self._live, live[:granted], permit)
        _hand_out(self._runs, runs[:started], permit)
        return pause / 1000

    async def _rest(self, seconds: float) -> None:
        """Sleep, but let a live change that finds only runs waiting ask at once."""
        asleep = asyncio.ensure_future(self._clock.sleep(seconds))
        woken = asyncio.ensure_future(self._live_came.wait())
        try:
            await asyncio.wait({asleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asleep.cancel()
            woken.cancel()

    def _fail(self, error: Exception) -> None:
        for waiter in (*self._live.clear(), *self._runs.clear()):
            if not waiter.permit.done():
                waiter.permit.set_exception(_copied(error))


def _queue(waiters: list[Waiter]) -> ProcessDemand:
    names = {waiter.integration_id for waiter in waiters}
    return ProcessDemand(costs=[waiter.cost for waiter in waiters], integrations=len(names))


def _hand_out(line: WaitingLine, waiters: list[Waiter], permit: Permit) -> None:
    for waiter in waiters:
        line.serve(waiter)
        if not waiter.permit.done():
            waiter.permit.set_result(permit)


def _copied(error: Exception) -> SyncError:
    """An error of its own for every waiter, since each will be raised in another place."""
    kind = type(error) if isinstance(error, Transient) else Transient
    copy = kind(str(error) or type(error).__name__)
    copy.__cause__ = error
    return copy


class NoBudget:
    """The Budget where no limit is set: everything may be sent, and the database is left alone."""

    most: int | None = None

    async def take(self, integration_id: str, cost: int = 1, run: bool = False) -> Permit:  # noqa: ARG002
        return Permit(until=inf)

    async def penalise(self, integration_id: str) -> None: ...

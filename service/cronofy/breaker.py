"""Cronofy is down for everyone: nothing is sent until a call of our own is answered."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from contracts.errors import SyncError
from contracts.ports import Clock
from service.back_off import back_off
from service.telemetry.logs import EventName
from service.telemetry.metrics import BREAKER_OPEN

log = structlog.get_logger(__name__)

CRONOFY_DOWN: EventName = "cronofy.down"
CRONOFY_BACK: EventName = "cronofy.back"
OUTAGE_FAILURES = 5
"""So many calls in a row without one answer make an outage."""
FIRST_PROBE_SECONDS, LONGEST_PROBE_SECONDS = 1.0, 30.0
"""Seconds between two probes."""
NEW_OUTAGE_SECONDS = 60.0
"""Seconds after which an outage is a new one, and not the last one come back."""


class CronofyBreaker:
    """Opens after calls failed in a row: no connection, or no good answer for several tenants (R44).

    Where only one tenant met them, a call without any decides whether it is that one's trouble alone.
    While it is open a synthetic call, never a message, finds out when Cronofy is back.
    """

    def __init__(self, clock: Clock, probe: Callable[[], Awaitable[object]]) -> None:
        self._clock = clock
        self._probe = probe
        self._failures = 0
        self._tenants: set[str] = set()
        self._unreachable = False
        self._probing: asyncio.Task[None] | None = None
        self._wondering: asyncio.Task[None] | None = None
        self._probes = 0
        self._closed_at: float | None = None
        self.open = False

    def answered(self) -> None:
        """Cronofy answered something, whatever it was: it is there."""
        self._failures, self._unreachable = 0, False
        self._tenants.clear()
        if self.open:
            self.open = False
            self._closed_at = self._clock.monotonic()
            BREAKER_OPEN.set(0)
            log.info(CRONOFY_BACK)

    def failed(self, tenant: str, *, unreachable: bool) -> None:
        """No answer, or a server error: one tenant's alone says nothing of the others.

        ``unreachable``: not even a connection came about, which is no account's own trouble.
        """
        self._failures += 1
        self._tenants.add(tenant)
        self._unreachable |= unreachable
        if self.open or self._failures < OUTAGE_FAILURES:
            return
        if self._unreachable or len(self._tenants) > 1:
            self._trip()
        elif self._wondering is None or self._wondering.done():
            self._wondering = asyncio.create_task(self._ask(), name="cronofy-breaker")

    async def close(self) -> None:
        """Probe no longer."""
        for task in (self._probing, self._wondering):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _trip(self) -> None:
        self.open = True
        BREAKER_OPEN.set(1)
        log.warning(CRONOFY_DOWN, failures=self._failures, unreachable=self._unreachable)
        if self._closed_at is None or self._clock.monotonic() - self._closed_at > NEW_OUTAGE_SECONDS:
            self._probes = 0
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._until_back(), name="cronofy-breaker")

    async def _until_back(self) -> None:
        while self.open:
            await self._clock.sleep(
                back_off(self._probes, first=FIRST_PROBE_SECONDS, longest=LONGEST_PROBE_SECONDS)
            )
            self._probes += 1
            if self.open:
                await self._ask()

    async def _ask(self) -> None:
        try:
            await self._probe()
        except SyncError:
            return
        except Exception as error:  # noqa: BLE001 -- whatever it is, an outage without a prober never ends
            log.warning(CRONOFY_DOWN, reason=type(error).__name__)
